"""The child of `native/generator.c` for machines without a C compiler: same arguments, slower."""

from __future__ import annotations

import os
import signal
import sys
import time

OPTIONS = {"lines": 1000, "length": 100, "write": 65536, "every": 50000, "for": 1000, "ignore": 0, "of": 0}


def append(path: str, text: str) -> None:
    with open(path, "a") as file:
        file.write(text)


def put(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def line(child: int, seq: int, length: int) -> bytes:
    letters = bytes(97 + (child * 7 + i) % 26 for i in range(17, length - 6))
    return b"%05d:%010d:%b:%04d\n" % (child, seq, letters, seq % 10000)


def blocks(child: int, options: dict[str, int], until: float | None) -> None:
    length, size = options["length"], options["write"] or options["length"]
    whole = line(child, 0, length)
    letters, held, seq = whole[17:-6], b"", 0
    last = None if until else options["lines"]
    while (time.monotonic() < until) if until else (seq < (last or 0)):
        count = max(1, size // length) if last is None else min(max(1, size // length), last - seq)
        held += b"".join(
            b"%05d:%010d:%b:%04d\n" % (child, n, letters, n % 10000) for n in range(seq, seq + count)
        )
        seq += count
        if len(held) >= size:
            put(held[:size])
            held = held[size:]
    put(held)


def ticks(child: int, options: dict[str, int], until: float) -> None:
    step = options["every"] / 1e6
    due = time.monotonic() + child * 7919 % 1000 * step / 1000
    while due < until:
        time.sleep(max(0.0, due - time.monotonic()))
        put((b"%05d:@%019d:" % (child, time.monotonic_ns())).ljust(options["length"] - 1, b".") + b"\n")
        due += step


def idle(child: int, until: float) -> None:
    put(b"%05d:ready\n" % child)
    while time.monotonic() < until:
        time.sleep(0.2)


def main(mode: str, name: str, *words: str) -> None:
    child, options, files = int(name.removeprefix("c")), dict(OPTIONS), {}
    for word in words:
        key, _, value = word.partition("=")
        if key in options:
            options[key] = int(value)
        else:
            files[key] = value
    if options["ignore"]:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
    if "pids" in files:
        append(files["pids"], f"{os.getpid()}\n")
    until = time.monotonic() + options["for"] / 1000
    mode = mode if mode != "beside" else "flood" if child == 0 else "tick"
    if mode in ("block", "flood"):
        blocks(child, options, until if mode == "flood" else None)
    elif mode == "tick":
        ticks(child, options, until)
    elif mode == "idle":
        idle(child, until)
    else:
        sys.exit(f"generator: {mode}: no such mode")
    if "gate" in files:
        append(files["gate"], ".")
        while os.path.getsize(files["gate"]) < options["of"]:
            time.sleep(0.001)
    if "cpu" in files:
        append(files["cpu"], f"{os.getpid()} {time.process_time_ns()}\n")


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    main(*sys.argv[1:])

"""The port of a run: lines to one viewer and to a hundred, beside one that stalls, latency, memory.

Run as a program with axiom-trio's own interpreter, it does one of these once and prints what it
saw; the viewers are in another process, over bare sockets.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.program import run_program
from benchmarks.series import Case, Context, Sample, interleave
from benchmarks.startup import python_of_axiom

if TYPE_CHECKING:
    import trio

    import axiom_trio

CHILDREN, EVERY, AHEAD = 10, 0.05, 2 * 1024 * 1024
BLOCK = (b"x" * 99 + b"\n") * 655
TOKENS = ("v" * 43, "c" * 43)
CLOCK = f"import time\nwhile True: print(time.perf_counter_ns(), flush=True); time.sleep({EVERY})"
WAYS = {
    "one": ("flood", 1, "lines to one viewer"),
    "hundred": ("flood", 100, "lines to 100 viewers, together"),
    "stalled": ("stalled", 1, "lines to one viewer, beside one that takes nothing"),
    "tick": ("clock", 16, f"child → viewer, {CHILDREN} children, frames every 16 ms"),
    "no-tick": ("clock", 0, f"child → viewer, {CHILDREN} children, frames at once"),
    "memory": ("memory", 100, "memory per viewer of 100 that take nothing"),
}


def websocket(context: Context) -> list[Case]:
    seconds = 2 if context.quick else 5
    python = python_of_axiom()
    cases = []
    for name, (way, number, title) in WAYS.items():
        result = Case(f"websocket-{name}", title)
        cases.append(result)
        if python is None:
            result.problems["axiom-trio"] = "no interpreter with trio found"
            continue

        def measure(_: str, python: str = python, way: str = way, number: int = number) -> Sample:
            return run_program(python, "benchmarks.websocket", way, number, seconds)

        interleave(result, ["axiom-trio"], min(context.rounds, 1 if context.quick else 3), measure)
    return cases


# --- the run


async def within(way: str, number: int, seconds: int) -> dict[str, float]:
    import trio

    import axiom_trio

    viewers = number if way in ("flood", "memory") else 1
    async with (
        axiom_trio.open_aggregator(history=4 << 20) as aggregator,
        axiom_trio.serve(aggregator, tokens=TOKENS, viewers=200) as server,
    ):
        before = _resident()
        if way == "clock":
            for _ in range(CHILDREN):
                argv = [sys.executable, "-I", "-S", "-c", CLOCK]
                await aggregator.start(axiom_trio.ProcessExecutor(argv))
        else:
            source = partial(_flood, aggregator=aggregator, viewers=viewers)
            aggregator.start_soon(axiom_trio.CallableExecutor(source))
        stalled = [await _stall(server.port) for _ in range({"stalled": 1, "memory": viewers}.get(way, 0))]
        if way == "memory":
            await trio.sleep(2)
            found = {"kb": (_resident() - before) / viewers / 1024}
        else:
            client = [sys.executable, "-m", "benchmarks.websocket", "view", way, str(server.port)]
            client += [str(viewers), str(number), str(seconds)]
            before_cpu = time.process_time()
            done = await trio.run_process(client, capture_stdout=True, cwd=Path(__file__).parent.parent)
            found = json.loads(done.stdout)
            if way != "clock":
                found["lines_cpu_s"] = found.pop("lines") / (time.process_time() - before_cpu)
        aggregator.stop(grace=0)
        for sock in stalled:
            sock.close()
    return found


async def _flood(writer: axiom_trio.Writer, aggregator: axiom_trio.StreamAggregator, viewers: int) -> None:
    """Write as fast as the fastest viewers follow; one that stalls is none of them."""
    import trio

    log = aggregator._log
    while True:
        lags = sorted(cursor.lag for cursor in log._cursors)
        if len(lags) < viewers or lags[viewers - 1] > AHEAD:
            await trio.sleep(0.0005)
        else:
            await writer.send(BLOCK)


async def _stall(port: int) -> trio.socket.SocketType:
    import trio

    sock = trio.socket.socket()
    await sock.connect(("127.0.0.1", port))
    await sock.send(_request(port) + _frame({"stats": 0}))
    return sock


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


# --- the viewers


def view(way: str, port: int, viewers: int, tick: int, seconds: int) -> dict[str, float]:
    selector = selectors.DefaultSelector()
    for _ in range(viewers):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.sendall(_request(port) + _frame({"stats": 0, "tick": tick if way == "clock" else 16}))
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ)
    began = time.perf_counter()
    start, end = began + 1, began + 1 + seconds
    buffer = bytearray(1 << 20)
    lines = everything = gaps = 0
    delays: list[float] = []
    while (now := time.perf_counter()) < end:
        for key, _ in selector.select(1):
            size = key.fileobj.recv_into(buffer)
            now = time.perf_counter()
            if not size:
                selector.unregister(key.fileobj)
            elif way == "clock" and now > start:
                text = bytes(buffer[:size])
                delays += [now - int(stamp) / 1e9 for stamp in re.findall(rb'(?<=["n])\d{9,}(?=\\n)', text)]
            elif way != "clock":
                count = buffer.count(b"\\n", 0, size)
                everything += count
                lines += count * (now > start)
                gaps += buffer.count(b'"type":"gap"', 0, size)
    if way == "clock":
        delays.sort()
        p50, p99 = delays[len(delays) // 2], delays[len(delays) * 99 // 100]
        return {"p50": p50 * 1e6, "p99": p99 * 1e6, "samples": len(delays)}
    return {"lines_s": lines / seconds, "gaps": gaps, "lines": everything}


def _request(port: int) -> bytes:
    return (
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Protocol: axiom.v1, axiom.token.{TOKENS[0]}\r\n\r\n"
    ).encode()


def _frame(data: dict[str, int]) -> bytes:
    payload = json.dumps({"type": "subscribe", "data": data}).encode()
    assert len(payload) < 126
    return bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload


if __name__ == "__main__":
    if sys.argv[1] == "view":
        print(json.dumps(view(sys.argv[2], *map(int, sys.argv[3:]))))
    else:
        import trio

        print(json.dumps(trio.run(within, sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))

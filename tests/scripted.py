"""A child for tests with real processes: `python scripted.py MODE ARGUMENT…`; imports next to nothing."""

import os
import signal
import sys
import time


def write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def script(*steps: str) -> None:
    """Each step is hex bytes to write at once, or `~MILLISECONDS` of sleep, or `!N` to exit with N."""
    for step in steps:
        if step.startswith("~"):
            time.sleep(int(step[1:]) / 1000)
        elif step.startswith("!"):
            os._exit(int(step[1:]))
        else:
            write(bytes.fromhex(step))


def flood(report: str, count: str, size: str = "100") -> None:
    """Write `count` numbered lines, telling in the file `report` how many bytes are out."""
    file = os.open(report, os.O_WRONLY | os.O_CREAT, 0o600)
    done = number = 0
    width = int(size)
    while number < int(count):
        stop = min(number + 50, int(count))
        data = b"".join(b"%0*d\n" % (width - 1, n) for n in range(number, stop))
        number = stop
        view = memoryview(data)
        while view:
            sent = os.write(1, view)
            view = view[sent:]
            done += sent
            os.pwrite(file, b"%020d" % done, 0)


def bigline(size: str) -> None:
    """One line of `size` bytes with a newline, then a short one."""
    left = int(size)
    block = b"0123456789abcdef" * 4096
    while left:
        piece = block[: min(left, len(block))]
        write(piece)
        left -= len(piece)
    write(b"\nthe end\n")


def graceful(*names: str) -> None:
    """Take half a second to say goodbye to each of the signals named."""

    def handler(signum: int, _frame: object) -> None:
        write(b"caught %d\n" % signum)
        time.sleep(0.5)
        write(b"goodbye\n")
        os._exit(0)

    for name in names:
        signal.signal(getattr(signal, name), handler)
    write(b"ready\n")
    while True:
        time.sleep(1000)


def obedient() -> None:
    """End by any signal. (A shell does not, in the moment between two commands.)"""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    stubborn()


def stubborn(*names: str) -> None:
    """Ignore the signals named."""
    for name in names:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    write(b"ready\n")
    while True:
        time.sleep(0.1)  # Python heeds a signal that comes just before it sleeps only when it wakes


def escaped(report: str, seconds: str = "1000") -> None:
    """Leave a grandchild in a session of its own that holds our output, and end."""
    reader, writer = os.pipe()
    if os.fork():
        os.read(reader, 1)  # the kernel hangs up the group of a terminal's leader when that ends
        write(b"hi\n")
        os._exit(0)
    os.setsid()
    os.write(writer, b"x")
    with open(report, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(float(seconds))


def polite_daemon(report: str) -> None:
    """Leave a grandchild in a session of its own that holds nothing of ours and says when it got SIGTERM."""
    reader, writer = os.pipe()
    if os.fork():
        os.read(reader, 1)
        write(b"hi\n")
        os._exit(0)
    os.setsid()
    file = os.open(report, os.O_WRONLY | os.O_CREAT, 0o600)

    def handler(signum: int, _frame: object) -> None:
        os.write(file, b"got %d\n" % signum)
        os._exit(0)

    signal.signal(signal.SIGTERM, handler)
    os.write(writer, b"x")
    for descriptor in range(3):
        os.close(descriptor)
    while True:
        time.sleep(1000)


def orphans(count: str) -> None:
    """Leave many processes in sessions of their own that end soon, and live on until there's a signal."""
    for number in range(int(count)):
        if not os.fork():
            if not os.fork():
                os.setsid()
                time.sleep(0.01 * (number % 20))
            os._exit(0)
        os.wait()
    write(b"ready\n")
    while True:
        time.sleep(1000)


def interrupts() -> None:
    """Say of each SIGINT that it came; end half a second after the first."""

    def handler(signum: int, _frame: object) -> None:
        write(b"caught %d\n" % signum)

    signal.signal(signal.SIGINT, handler)
    write(b"ready\n")
    while True:
        time.sleep(1000)
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            time.sleep(0.05)
        os._exit(0)


def flooding_heir() -> None:
    """Leave a grandchild in our group that writes without end, and end."""
    if os.fork():
        write(b"leader\n")
        os._exit(0)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    while True:
        write(b"x" * 99 + b"\n")


def closeout(code: str) -> None:
    """Close all output, live on a little, and exit with `code`."""
    write(b"before\n")
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    time.sleep(0.4)
    os._exit(int(code))


def descriptors() -> None:
    """Tell which descriptors are open, which signals are not at their defaults, and who leads."""
    open_ones = [name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")]
    ignored = [s.name for s in signal.valid_signals() if signal.getsignal(s) is signal.SIG_IGN]
    write(f"fds {sorted(map(int, open_ones))} ignored {ignored}\n".encode())
    write(f"leads {os.getpid() == os.getpgrp() == os.getsid(0)} tty {os.isatty(1)}\n".encode())


globals()[sys.argv[1]](*sys.argv[2:])

"""The bad children of the fault catalogue: `python -I -S child.py MODE TASK [KEY=VALUE]…`.

Imports next to nothing, so that it starts fast. A line that is checked is an *oracle line*, `TASK:SEQ:CRC:PAYLOAD`: `oracle.py` knows of each whether it's whole, whose it
is and which comes next. With `report=FILE`, how many bytes were written successfully
is told there after every write; with `gate=FILE` and `of=N` it ends when N have come to
their end; `code` is its exit status.
"""

import os
import signal
import sys
import time
import zlib

ESCAPES = {
    "clipboard (OSC 52)": b"\x1b]52;c;aGVsbG8=\x07",
    "title (OSC 0)": b"\x1b]0;owned\x07",
    "link (OSC 8)": b"\x1b]8;;http://evil.example/\x1b\\click\x1b]8;;\x1b\\",
    "font (OSC 50)": b"\x1b]50;?\x07",
    "file (OSC 1337)": b"\x1b]1337;File=name=eA==:eA==\x07",
    "DECRQSS (DCS)": b"\x1bP$qm\x1b\\",
    "tmux passthrough (DCS)": b"\x1bPtmux;\x1b\x1b]0;x\x07\x1b\\",
    "APC": b"\x1b_Gi=1;AAAA\x1b\\",
    "report position (DSR)": b"\x1b[6n",
    "report type (DA)": b"\x1b[c",
    "clear screen": b"\x1b[2J",
    "cursor home": b"\x1b[H",
    "cursor up": b"\x1b[3A",
    "alternate screen": b"\x1b[?1049h",
    "full reset": b"\x1bc",
    "C1 CSI as UTF-8": b"\xc2\x9b6n",
    "C1 CSI raw": b"\x9b6n",
    "bell": b"\x07",
    "backspaces": b"\x08\x08\x08\x08",
}
"""What drives a terminal, or makes it answer; each byte string must not reach it."""
SCREEN = ("cursor home", "cursor up", "alternate screen", "full reset")
"""Those after which a child on a terminal writes a screen, and not lines; the last ends that."""

FORGED = (
    b"[b] not from b",
    b"b\tnot from b",
    b"[INTERVENTION] stop now",
    b"\r[b] from b after a carriage return",
    b"\x1b[2K\x1b[1G[b] from b after an erased line",
    "\u202e]b[ evah I lie".encode(),
    "✗ [b] Failed: exit 1 (0.1 s)".encode(),
    b'{"type":"complete","cursor":0,"data":{"taskId":"b","exitCode":0}}',
)
"""Lines that claim to be another's, or the master's."""

BAD_TEXT = "é€😀".encode() + b"\xff\xc0\x80\0\xed\xa0\x80" + "ü".encode()
"""Characters of 2, 3 and 4 bytes, bytes that are none, a NUL, and half a surrogate pair."""

BLOCK = b"0123456789abcdef" * 4096
DONE = b"the end"

_done = 0
_report = -1


def payloads(task):
    """A text that is different for each task; payloads are cut out of it."""
    return b"".join(b"%08x" % zlib.crc32(b"%s/%d" % (task, n)) for n in range(1024))


def line(task, seq, payload):
    """An oracle line."""
    return b"%s:%d:%08x:%s\n" % (task, seq, zlib.crc32(b"%s:%d:%s" % (task, seq, payload)), payload)


def block(task, start, stop, size, text):
    """Oracle lines `start` to `stop`, about `size` bytes each."""
    width = max(1, size - len(task) - 18)
    room = max(1, len(text) - width)
    return b"".join(
        [line(task, seq, text[(start_ := seq * 61 % room) : start_ + width]) for seq in range(start, stop)]
    )


def write(data):
    """Write all of it, and tell how far it is."""
    global _done
    view = memoryview(data)
    while view:
        sent = os.write(1, view)
        view = view[sent:]
        _done += sent
        if _report >= 0:
            os.pwrite(_report, b"%020d" % _done, 0)


def rest(seconds=1000.0):
    deadline = time.monotonic() + float(seconds)
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(left)


def lines(task, n="1000", size="100", every="0", lines_per_write="100"):
    """Write `n` oracle lines (0: without end), `every` so many milliseconds one write."""
    text, at, count, step = payloads(task), 0, int(n), int(lines_per_write)
    while not count or at < count:
        stop = min(at + step, count) if count else at + step
        write(block(task, at, stop, int(size), text))
        at = stop
        if int(every):
            time.sleep(int(every) / 1000)


def flood(task, size="100"):
    lines(task, n="0", size=size)


def quiet(task, n="100", every="10"):
    """Lines that tell when they were written."""
    for seq in range(int(n)):
        time.sleep(int(every) / 1000)
        write(line(task, seq, b"%d" % time.monotonic_ns()))


def daemon(task, pid="", after="3000", seconds="1000"):
    """Leave a process in a session of its own that holds our output and speaks late; double fork."""
    write(line(task, 0, b"leader"))
    reader, writer = os.pipe()
    if not os.fork():
        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if os.fork():
            os._exit(0)
        if pid:
            with open(pid, "w") as file:
                file.write(str(os.getpid()))
        os.close(reader)
        os.close(writer)
        time.sleep(int(after) / 1000)
        write(line(task, 1, b"late"))
        rest(seconds)
        os._exit(0)
    os.close(writer)
    os.read(reader, 1)  # until it's on its way
    os.wait()


def bg(task, after="3000", seconds="1000"):
    """Leave a process in our group that holds our output, as `&` does."""
    write(line(task, 0, b"leader"))
    if not os.fork():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        time.sleep(int(after) / 1000)
        write(line(task, 1, b"late"))
        rest(seconds)
        os._exit(0)


def noterm(task, seconds="1000"):
    """Ignore every signal that asks to end."""
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(signum, signal.SIG_IGN)
    write(line(task, 0, b"ready"))
    rest(seconds)


def obedient(task, seconds="1000"):
    """End by any signal, at once."""
    write(line(task, 0, b"ready"))
    rest(seconds)


def graceful(task, seconds="1000"):
    """Take half a second to say goodbye."""

    def handler(signum, frame):
        time.sleep(0.5)
        write(line(task, 1, b"goodbye"))
        os._exit(0)

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, handler)
    write(line(task, 0, b"ready"))
    rest(seconds)


def closeout(task, seconds="2"):
    """Close all output, and live on."""
    write(line(task, 0, b"before"))
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    rest(seconds)


def stopself(task, seconds="1000"):
    """Stop, as Ctrl-Z or a debugger does."""
    write(line(task, 0, b"ready"))
    os.kill(os.getpid(), signal.SIGSTOP)
    write(line(task, 1, b"continued"))
    rest(seconds)


def selfkill(task, signum="9", n="100"):
    """Die of a signal right after a write."""
    write(block(task, 0, int(n), 100, payloads(task)))
    os.kill(os.getpid(), int(signum))
    rest()


def bigline(task, size="1073741824", end=""):
    """One line of `size` bytes, then its newline and `end` if that is asked for."""
    left = int(size)
    while left:
        write(BLOCK[: min(left, len(BLOCK))])
        left -= min(left, len(BLOCK))
    if end:
        write(b"\n" + DONE + b"\n")


def empty(task, n="1000000"):
    """Nothing but newlines."""
    left = int(n)
    while left:
        write(b"\n" * min(left, 60000))
        left -= min(left, 60000)


def partial(task):
    """End in the middle of a line."""
    write(line(task, 0, b"whole") + line(task, 1, b"without newline")[:-1])


def halves(task, n="20", every="20"):
    """Each line in three writes, with pauses within."""
    text = payloads(task)
    for seq in range(int(n)):
        data = block(task, seq, seq + 1, 60, text)
        for piece in (data[:5], data[5:30], data[30:-1]):
            write(piece)
            time.sleep(int(every) / 1000)
        write(data[-1:])


def badutf8(task, every="2"):
    """Bytes that are no text, a line for each place where they can be cut in two writes."""
    for cut in range(len(BAD_TEXT) + 1):
        write(BAD_TEXT[:cut])
        time.sleep(int(every) / 1000)
        write(BAD_TEXT[cut:] + b"\n")
    write(BAD_TEXT[:1])  # half a character at the very end


def crprog(task, n="20", every="50"):
    """A progress row, drawn again and again."""
    for percent in range(0, 101, 100 // int(n)):
        write(b"\rprogress %d%%" % percent)
        time.sleep(int(every) / 1000)
    write(b"\n" + DONE + b"\n")


def esc(task, split="", every="0", screen="1"):
    """All that drives a terminal, each in a line; with `split`, byte by byte; with `screen=0` only lines."""
    for name, sequence in ESCAPES.items():
        if name in SCREEN and screen == "0":
            continue
        data = b"before" + sequence + b"after\n"
        for piece in [data[i : i + 1] for i in range(len(data))] if split else [data]:
            write(piece)
            if int(every):
                time.sleep(int(every) / 1000)
    write(DONE + b"\n")


def escopen(task, size="1000000"):
    """Sequences that never end: at a newline, for `size` bytes, at our end."""
    for opening in (b"\x1b]52;c;", b"\x1bP$q", b"\x1b_", b"\x1b[", b"\x1b"):
        write(b"x" + opening + b"1;1" * 20 + b"\nnext\n")
    write(b"\x1b]0;")
    left = int(size)
    while left:
        write(b"A" * min(left, 65536))
        left -= min(left, 65536)
    write(b"\n" + DONE + b"\n\x1b]0;unfinished")


def bleed(task):
    """Leave colours on: at a newline, and at the end."""
    write(b"\x1b[41mred to the end of the line\nplain\n\x1b[1;4;42mstill on")


def forge(task):
    """Claim to be another, or the master."""
    for text in FORGED:
        write(text + b"\n")
    write(DONE + b"\n")


def fds(task):
    """Tell which descriptors are open, and who leads."""
    names = [int(name) for name in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + name)]
    leads = os.getpid() == os.getsid(0)
    write(b"fds %s leads %s\n" % (",".join(map(str, sorted(names))).encode(), str(leads).encode()))


def meet(gate, others):
    """Wait until all have come to their end: for a tool that ends all when one ends."""
    with open(gate, "ab") as file:
        file.write(b"x")
    while os.path.getsize(gate) < others:
        time.sleep(0.02)


def main(mode, task, *options):
    global _report
    for signum in (signal.SIGPIPE, signal.SIGINT):  # as a program that is not Python has them
        signal.signal(signum, signal.SIG_DFL)
    given = dict(option.split("=", 1) for option in options)
    if "report" in given:
        _report = os.open(given.pop("report"), os.O_WRONLY | os.O_CREAT, 0o600)
    gate, others, code = given.pop("gate", ""), int(given.pop("of", "0")), int(given.pop("code", "0"))
    globals()[mode](task.encode(), **given)
    if gate:
        meet(gate, others)
    os._exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])

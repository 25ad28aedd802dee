"""Running `axiom-trio run` as a real process, and real children within this one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import axiom_trio
from axiom_trio import Output, Sink, TextFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio import Batch, Event

ROOT = Path(axiom_trio.__file__).parents[1]
PATIENCE = 60.0
"""Seconds after which a test gives up. No test says how long anything takes."""


def scripted(mode: str, *arguments: object) -> str:
    """The shell line that runs a mode of scripted.py."""
    return shlex.join(scripted_argv(mode, *arguments))


def scripted_argv(mode: str, *arguments: object) -> list[str]:
    program = str(Path(__file__).with_name("scripted.py"))
    return [sys.executable, "-I", "-S", program, mode, *map(str, arguments)]


def hex_script(*steps: bytes | int) -> str:
    """The shell line of a child that writes the bytes and sleeps the milliseconds given."""
    return scripted("script", *(f"~{step}" if isinstance(step, int) else step.hex() for step in steps))


def expected(name: str, output: bytes) -> list[bytes]:
    """The prefixed lines that a child's output must come out as."""
    lines = output.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [b"[%s] %s\n" % (name.encode(), line) for line in lines]


def lines_of(name: str, text: bytes) -> list[bytes]:
    """The lines of the merged text that stand behind a child's prefix."""
    prefix = b"[%s] " % name.encode()
    return [line + b"\n" for line in text.split(b"\n") if line.startswith(prefix)]


def wait_until(condition: Callable[[], Any], what: str = "", patience: float = PATIENCE) -> Any:
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain {what}"
        time.sleep(0.01)
    return value


def environment(**extra: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TERM": "xterm",
        **extra,
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "axiom_trio", "run", *arguments]


def shell_line(*arguments: str) -> str:
    return shlex.join(command(*arguments))


class Result:
    """What a command did."""

    def __init__(self, status: int, stdout: bytes, stderr: bytes) -> None:
        self.status = status
        self.stdout = stdout
        self.stderr = stderr.decode()
        assert "Traceback" not in self.stderr, self.stderr
        assert "Warning" not in self.stderr, self.stderr

    def __repr__(self) -> str:
        return f"<{self.status} {self.stdout[-2000:]!r} {self.stderr!r}>"


def axiom(
    *arguments: str, stdin: bytes | None = None, env: dict[str, str] | None = None, cwd: Any = None
) -> Result:
    """Run `axiom-trio run` to its end; stdout and stderr are pipes."""
    done = subprocess.run(
        command(*arguments),
        input=b"" if stdin is None else stdin,
        capture_output=True,
        env=environment(**(env or {})),
        timeout=PATIENCE,
        cwd=cwd,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def shell(line: str, **extra: str) -> Result:
    """Run a line of bash, where `$AXIOM` is `axiom-trio run`."""
    done = subprocess.run(
        ["bash", "-c", line],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(AXIOM=shell_line(), **extra),
        timeout=PATIENCE,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


class Running:
    """`axiom-trio run` in progress, its stdout and stderr on pipes."""

    def __init__(self, *arguments: str, **options: Any) -> None:
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        options.setdefault("stdin", subprocess.DEVNULL)
        self.process = subprocess.Popen(command(*arguments), env=environment(), **options)
        self.seen = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr, self.process.stdin):
            if stream is not None:
                stream.close()

    def read_until(self, wanted: bytes, count: int = 1) -> None:
        """Read stdout until it has `wanted` in it, `count` times."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + PATIENCE
        while self.seen.count(wanted) < count:
            assert time.monotonic() < deadline, self.seen
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, f"ended before {wanted!r}: {self.seen!r}"
            self.seen += data

    def signal(self, signum: int) -> None:
        self.process.send_signal(signum)

    def finish(self) -> Result:
        stdout, stderr = self.process.communicate(timeout=PATIENCE)
        return Result(self.process.returncode, self.seen + (stdout or b""), stderr or b"")


_ON_TERMINAL = (
    "import fcntl,os,sys,termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


_END = b"\0the end\0"


class Terminal:
    """A command on a terminal of its own, which is its controlling one; stderr too unless asked otherwise."""

    def __init__(
        self,
        *arguments: str,
        rows: int = 30,
        columns: int = 100,
        stderr: Any = None,
        argv: list[str] | None = None,
        **extra: str,
    ) -> None:
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.modes = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _ON_TERMINAL, *(argv or command(*arguments))],
            stdin=slave,
            stdout=slave,
            stderr=slave if stderr is None else stderr,
            env=environment(**extra),
        )
        os.set_blocking(self.master, False)
        self.seen = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for descriptor in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def read(self) -> bytes:
        """What is there now; not all that a flood brings."""
        data = b""
        with contextlib.suppress(OSError):
            while len(data) < 100_000 and (piece := os.read(self.master, 65536)):
                data += piece
        self.seen += data
        return data

    def read_until(self, wanted: bytes) -> None:
        try:
            wait_until(lambda: self.read() is not None and wanted in self.seen)
        except AssertionError:
            raise AssertionError(f"waited in vain for {wanted!r} in {self.seen[-10_000:]!r}") from None

    def type(self, data: bytes) -> None:
        os.write(self.master, data)

    def finish(self) -> Result:
        """Read until it has ended."""
        wait_until(lambda: self.read() is not None and self.process.poll() is not None, "for the end")
        os.write(self.slave, _END)  # the kernel may still be handing on what comes before it
        self.read_until(_END)
        self.seen = self.seen.replace(_END, b"")
        return Result(self.process.returncode, self.seen, b"")


class Collector(Sink):
    """A sink in memory: the events and the text, as they came."""

    def __init__(self, **text: Any) -> None:
        self.text: TextFormat | None = TextFormat(**text)
        self.events: list[Event] = []
        self.pieces: list[bytes] = []

    async def write(self, batch: Batch) -> None:
        self.events += batch.events
        self.pieces += map(bytes, batch.text)

    @property
    def written(self) -> bytes:
        return b"".join(self.pieces)

    def data(self, child: str, kind: str | None = None) -> bytes:
        return b"".join(
            event.data
            for event in self.events
            if type(event) is Output and event.child == child and kind in (None, event.kind)
        )


def signal_name(signum: int) -> str:
    return signal.Signals(signum).name

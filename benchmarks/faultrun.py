"""One run of one tool under one fault: started, watched, and with nothing left behind."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.peers import environment
from benchmarks.processes import Tree
from benchmarks.roster import BY_NAME
from tests.faults.oracle import Oracle

CHILD = Path(__file__).parent.parent / "tests" / "faults" / "child.py"
MARKER = "AXIOM_FAULT"
SETTLE = 2.0
"""Seconds after a tool's end when its survivors are counted."""
GREEDY = 2000.0
"""Megabytes: a tool that takes more is ended."""


class HungError(Exception):
    """The tool has not ended in its time."""

    def __init__(self, seconds: float, so_far: str = "") -> None:
        super().__init__(seconds)
        self.seconds = seconds
        self.so_far = so_far


@dataclass(frozen=True)
class Tool:
    """A tool and how it runs ./NAME for each name. In the expression `prefix`, NAME is the name."""

    name: str
    words: Callable[[str, list[str], Path], list[str]]
    prefix: str
    how: str = ""

    def find(self) -> str | None:
        return BY_NAME[self.name].find()

    @property
    def version(self) -> str:
        return BY_NAME[self.name].version

    def pattern(self, name: str) -> bytes:
        return self.prefix.replace("NAME", re.escape(name)).encode()


def _axiom(path: str, names: list[str], _: Path) -> list[str]:
    return [path, "run", "-n", ",".join(names), *(f"./{name}" for name in names)]


def _parallel(path: str, names: list[str], _: Path) -> list[str]:
    return [path, "--line-buffer", "--tag", "-j0", "./{}", ":::", *names]


def _concurrently(path: str, names: list[str], _: Path) -> list[str]:
    return [path, "--no-color", "-n", ",".join(names), *(f"./{name}" for name in names)]


def _honcho(path: str, names: list[str], folder: Path) -> list[str]:
    (folder / "Procfile").write_text("".join(f"{name}: exec ./{name}\n" for name in names))
    return [path, "start", "--no-colour"]


TOOLS = [
    Tool("axiom-trio", _axiom, r"\[NAME\] ", "run -n a,b ./a ./b"),
    Tool("parallel", _parallel, r"NAME\t", "--line-buffer --tag -j0"),
    Tool("concurrently", _concurrently, r"\[NAME\] ", "--no-color -n a,b"),
    Tool("honcho", _honcho, r"\d\d:\d\d:\d\d NAME\.1 *\| ", "start --no-colour"),
]


def script(mode: str, task: str, **options: object) -> str:
    """A shell script that is the child: `exec`ed, so that it is one process."""
    words = [sys.executable, "-I", "-S", str(CHILD), mode, task]
    return "exec " + shlex.join([*words, *(f"{key}={value}" for key, value in options.items())])


class Trial:
    """A place to run a tool in; use it with `with`.

    Args:
        tool: What to run.
        limit: Seconds after which the tool is said to hang.
    """

    def __init__(self, tool: Tool, limit: float) -> None:
        self.tool = tool
        self.limit = limit
        self.marker = uuid.uuid4().hex
        self.output = b""
        self.peak = 0.0
        self.patient = False
        self._temporary = tempfile.TemporaryDirectory(prefix="axiom-fault-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)
        self.oracle: Oracle | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._reader = -1
        self._errors = self.folder / "stderr"
        self._look_at = 0.0
        self.began = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_all()
        if self._process is not None:
            self._process.wait()
        if self._reader >= 0:
            os.close(self._reader)
        self._temporary.cleanup()

    # --- starting

    def start(
        self,
        children: dict[str, str | None],
        *,
        stdout: int | None = None,
        terminal: bool = False,
        wrapper: list[str] | None = None,
        check: bool = False,
        on_data: Callable[[bytes], object] | None = None,
    ) -> None:
        """Start the tool on children: names and shell scripts.

        Args:
            children: By name; None is one that is not there, one that begins with ! can't be executed.
            stdout: A descriptor for its output; default: a pipe of ours.
            terminal: Its stdout is a pseudo-terminal of ours.
            wrapper: The words before the tool's.
            check: Feed what is read to an oracle instead of keeping it.
            on_data: Is given what is read, which is not kept then.
        """
        for name, text in children.items():
            if text is not None:
                path = self.folder / name
                path.write_text(f"#!/bin/sh\n{text}\n")
                path.chmod(0o600 if text.startswith("!") else 0o700)
        path_of_tool = self.tool.find()
        assert path_of_tool is not None
        words = self.tool.words(path_of_tool, list(children), self.folder)
        if check:
            self.oracle = Oracle({name: self.tool.pattern(name) for name in children}, pattern=True)
            on_data = self.oracle.feed
        self._on_data = on_data or self._keep
        theirs = stdout
        if stdout is None:
            self._reader, theirs = os.openpty() if terminal else os.pipe()
        with open(self._errors, "wb") as errors:
            self._process = subprocess.Popen(
                [*(wrapper or []), *words],
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                stderr=errors,
                cwd=self.folder,
                env=environment() | {MARKER: self.marker, "TERM": "xterm", "COLUMNS": "200", "LINES": "100"},
                start_new_session=True,
            )
        if stdout is None and theirs is not None:
            os.close(theirs)
        self.began = time.monotonic()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def status(self) -> int:
        """Its exit status, as a shell says it."""
        assert self._process is not None
        code = self._process.poll()
        assert code is not None
        return 128 - code if code < 0 else code

    @property
    def errors(self) -> str:
        return self._errors.read_text(errors="replace") if self._errors.exists() else ""

    # --- reading and waiting

    def be_patient(self, seconds: float) -> None:
        """Much is to be done: to be slow isn't to hang."""
        self.limit += seconds
        self.patient = True

    def ended(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None

    def look(self) -> None:
        """Take the peak of its memory, all processes of the tool but its children, now and then."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + 0.1
        tree = Tree(self.pid)
        total = 0.0
        for pid in tree.pids():
            words = Path(f"/proc/{pid}/cmdline")
            with contextlib.suppress(OSError):
                if str(CHILD).encode() not in words.read_bytes():
                    total += _rss(pid)
        self.peak = max(self.peak, total)
        if total > GREEDY:
            self.kill_all()
            raise HungError(time.monotonic() - self.began, f"ended by us at {GREEDY / 1000:.0f} GB")

    def read(self, seconds: float, *, rate: float = 0.0, until: Callable[[], bool] | None = None) -> bool:
        """Read for a time; False when there is no more to come."""
        began, count = time.monotonic(), 0
        deadline = min(began + seconds, self.began + self.limit)
        while (left := deadline - time.monotonic()) > 0:
            self.look()
            if until is not None and until():
                return True
            if not select.select([self._reader], [], [], min(left, 0.05))[0]:
                continue
            try:
                data = os.read(self._reader, 16384 if rate else 1 << 18)
            except OSError:  # a terminal that nobody holds any more
                data = b""
            if not data:
                return False
            count += len(data)
            self._on_data(data)
            if rate:
                time.sleep(max(0.0, began + count / rate - time.monotonic()))
        return True

    def read_until(self, text: bytes, count: int = 1) -> None:
        """Read until the output has `text`, so many times; raises HungError."""
        self.read(self.limit, until=lambda: self.output.count(text) >= count or self.ended())
        if self.output.count(text) < count and not self.ended():
            raise HungError(self.limit, "did not show all that was written")

    def finish(self, seconds: float | None = None) -> float:
        """Read on until it has ended; how long that took. Raises HungError."""
        began = time.monotonic()
        limit = self.limit if seconds is None else seconds
        deadline = began + limit
        more = self._reader >= 0
        while not self.ended():
            if time.monotonic() >= deadline:
                raise HungError(limit)
            if more:
                more = self._drain(0.05)
            else:
                self.look()
                time.sleep(0.01)  # how often its memory is looked at
        took = time.monotonic() - began
        if more:  # what is left in the pipe, unless somebody who has survived holds it
            stop = time.monotonic() + 3.0
            while time.monotonic() < stop and self._drain(0.3, quiet_is_end=True):
                pass
        return took

    def _drain(self, seconds: float, *, quiet_is_end: bool = False) -> bool:
        self.look()
        if not select.select([self._reader], [], [], seconds)[0]:
            return not quiet_is_end
        try:
            data = os.read(self._reader, 1 << 18)
        except OSError:
            return False
        self._on_data(data)
        return bool(data)

    def _keep(self, data: bytes) -> None:
        self.output += data

    def leave(self) -> None:
        """Be a reader that goes away."""
        os.close(self._reader)
        self._reader = -1

    # --- what there is of it

    def signal(self, signum: int) -> None:
        """Send a signal to the tool itself, as a supervisor does."""
        os.kill(self.pid, signum)

    def living(self) -> dict[int, str]:
        """Processes with our marker, the tool's own first process left out."""
        wanted = f"{MARKER}={self.marker}".encode()
        found: dict[int, str] = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) in (os.getpid(), self._process and self._process.pid):
                continue
            with contextlib.suppress(OSError):
                if wanted in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
                    found[int(entry)] = b" ".join(words).decode(errors="replace")
        return found

    def survivors(self) -> str:
        """How many are left some time after its end, in words."""
        deadline = time.monotonic() + SETTLE
        while (living := self.living()) and time.monotonic() < deadline:
            time.sleep(0.05)  # they're not our children: nobody tells of their end
        return f"{len(living)} survivor{'s' * (len(living) != 1)}"

    def kill_all(self) -> None:
        """End the tool and all it has started, by their pids."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        deadline = time.monotonic() + 5
        while (living := self.living()) and time.monotonic() < deadline:
            for pid in living:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)  # they're not our children: nobody tells of their end

    def lines(self, name: str) -> Iterator[bytes]:
        """What stands behind a child's prefix."""
        pattern = re.compile(self.tool.pattern(name))
        for text in self.output.replace(b"\r\n", b"\n").split(b"\n"):
            if match := pattern.match(text):
                yield text[match.end() :]


def _rss(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    match = re.search(r"^VmRSS:\s+(\d+)", text, re.MULTILINE)
    return int(match[1]) * 1024 / 1e6 if match else 0.0

"""What the cases share: their children, reading at a pace, memory, and a terminal as witness."""

from __future__ import annotations

import functools
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pyte
import pytest

from tests.commands import PATIENCE, Running, axiom
from tests.faults.oracle import Found, Oracle

KILLS = int(os.environ.get("AXIOM_KILLS", "20"))
"""How often a run is killed at a random moment: 20 times unless asked, 200 in CI."""
BOTH = pytest.mark.parametrize("on", ["--pipe", "--pty"])
MEGABYTE = 1_000_000
RSS_BOUND = 32 * MEGABYTE
"""What a run may take beyond what one with nothing to do takes."""


def argv(mode: str, task: str, **options: object) -> list[str]:
    """The argv of a child of child.py."""
    program = str(Path(__file__).with_name("child.py"))
    given = [f"{key}={value}" for key, value in options.items()]
    return [sys.executable, "-I", "-S", program, mode, task, *given]


def line(mode: str, task: str, **options: object) -> str:
    """Its shell line."""
    return shlex.join(argv(mode, task, **options))


def bound(children: int) -> int:
    """The documented bound on output that is on its way while nobody reads, in bytes.

    For each child the kernel's pipe, the read, what is in hand and the channel; for all the
    gate, a round of the merger, what is being written, and the pipe to the reader.
    """
    kib = 1024
    return children * (64 + 3 * 64) * kib + (256 + 256 + 256 + 512) * kib


def status_field(pid: int, name: str) -> int:
    """A field of /proc/PID/status in bytes; 0 if it's gone."""
    try:
        match = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(match[1]) * 1024 if match else 0


@functools.cache
def idle_rss() -> int:
    """The peak of a run that has nothing to do."""
    result = axiom("-q", "grep VmHWM /proc/$PPID/status")
    return int(result.stdout.split()[2]) * 1024


class Reader:
    """Reads the stream of a run into an oracle, and watches the run's memory."""

    def __init__(self, run: Running, tasks: Iterable[str]) -> None:
        assert run.process.stdout is not None
        self._descriptor = run.process.stdout.fileno()
        self._pid = run.process.pid
        self.oracle = Oracle({task: f"[{task}] ".encode() for task in tasks})
        self.bytes = 0
        self.peak = 0

    def look(self) -> None:
        """Take the peak of the run's memory so far."""
        self.peak = max(self.peak, status_field(self._pid, "VmHWM"))

    def read(self, *, seconds: float = PATIENCE, rate: float = 0.0) -> bool:
        """Read on for a time, at `rate` bytes a second if given; whether there was more."""
        began = time.monotonic()
        start, reads = self.bytes, 0
        while time.monotonic() < began + seconds:
            data = os.read(self._descriptor, 32768 if rate else 1 << 18)
            if not data:
                return False
            self.bytes += len(data)
            self.oracle.feed(data)
            reads += 1
            if reads % 16 == 0:
                self.look()
            if rate:
                time.sleep(max(0.0, began + (self.bytes - start) / rate - time.monotonic()))
        return True

    def end(self) -> Found:
        """Read to the end."""
        assert not self.read(), "it goes on for ever"
        return self.oracle.end()


def best_of(times: int, measure: Callable[[], float], limit: float) -> float:
    """The first figure below the limit, or the least: other programs may disturb one measurement."""
    figures: list[float] = []
    while not figures or (figures[-1] > limit and len(figures) < times):
        figures.append(measure())
    return min(figures)


class Witness:
    """A terminal that tells what it was made to do but show lines, and shows the lines.

    pyte is the oracle: whatever it understands as more than text, newline, tab and
    colours is in `driven`.
    """

    HARMLESS = frozenset({"draw", "linefeed", "carriage_return", "tab", "select_graphic_rendition"})

    def __init__(self, data: bytes, *, columns: int = 200, rows: int = 200) -> None:
        self.driven: list[str] = []
        self.screen = pyte.Screen(columns, rows)
        self.screen.write_process_input = self._answered
        stream = pyte.ByteStream(_Recorder(self.screen, self.driven))
        self.driven.clear()
        stream.feed(data)
        assert not data.replace(b"\r\n", b"").count(b"\r"), "a carriage return reached the terminal"

    def _answered(self, data: str) -> None:
        self.driven.append(f"answered {data!r}")

    @property
    def lines(self) -> list[str]:
        """The rows that have something on them, without blanks at the end."""
        return [text.rstrip() for text in self.screen.display if text.strip()]

    def styles(self, row: int) -> set[tuple[object, ...]]:
        """What the cells of a row look like: colours and attributes of those with text."""
        cells = self.screen.buffer[row]
        width = len(self.screen.display[row].rstrip())
        return {
            (c.fg, c.bg, c.bold, c.italics, c.underscore, c.reverse) for c in (cells[x] for x in range(width))
        }


PLAIN = ("default", "default", False, False, False, False)


class _Recorder:
    def __init__(self, screen: pyte.Screen, driven: list[str]) -> None:
        self._screen = screen
        self._driven = driven

    def __getattr__(self, name: str) -> object:
        if name in pyte.ByteStream.events and name not in Witness.HARMLESS:

            def record(*arguments: object, **named: object) -> object:
                self._driven.append(name)
                return getattr(self._screen, name)(*arguments, **named)

            return record
        return getattr(self._screen, name)

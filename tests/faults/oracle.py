"""The checker: which oracle lines came out, and what is wrong with the rest."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

_LINE = re.compile(rb"(\w+):(\d+):([0-9a-f]{8}):(.*)", re.DOTALL)


@dataclass
class Stream:
    """What came out of one child."""

    good: int = 0
    next: int = 0
    """The number of the line that comes next."""
    skipped: int = 0
    """Lines that are missing before one that came."""
    again: int = 0
    """Lines that came twice, or late."""

    def lost(self, written: int) -> int:
        """How many of `written` lines did not come out whole."""
        return max(0, written - self.good)


@dataclass
class Found:
    """What is in a merged stream."""

    streams: dict[str, Stream] = field(default_factory=dict)
    torn: list[bytes] = field(default_factory=list)
    """Parts of oracle lines, or several in one: at most 1000 kept."""
    torn_count: int = 0
    strange: int = 0
    """Oracle lines that stand behind another's prefix."""
    other: list[bytes] = field(default_factory=list)
    """Lines that are no oracle lines at all: at most 1000 kept."""

    @property
    def exact(self) -> bool:
        """Every line is whole, its own child's, in its order, once, from the first on."""
        return not (
            self.torn_count
            or self.strange
            or self.other
            or any(stream.skipped or stream.again for stream in self.streams.values())
        )

    def good(self, task: str) -> int:
        return self.streams[task].good if task in self.streams else 0

    def lost(self, written: dict[str, int]) -> int:
        return sum(self.streams.get(task, Stream()).lost(count) for task, count in written.items())


class Oracle:
    """Is fed the merged stream in pieces.

    Args:
        prefixes: What stands before a child's lines, by task; with `pattern`, a
            regular expression each.
    """

    def __init__(self, prefixes: dict[str, bytes], *, pattern: bool = False) -> None:
        self.found = Found()
        self._prefixes = {
            task: re.compile(prefix if pattern else re.escape(prefix)) for task, prefix in prefixes.items()
        }
        self._rest = b""

    def feed(self, data: bytes) -> None:
        first, newline, others = data.partition(b"\n")
        if not newline:
            self._rest += data
            return
        self._line(self._rest + first)
        *lines, self._rest = others.split(b"\n")
        for line in lines:
            self._line(line)

    def end(self) -> Found:
        if self._rest:
            self._torn(self._rest)
            self._rest = b""
        return self.found

    def _line(self, text: bytes) -> None:
        for task, prefix in self._prefixes.items():
            match = prefix.match(text)
            if match:
                self._behind(task, text, text[match.end() :])
                return
        self._unknown(text)

    def _behind(self, task: str, text: bytes, body: bytes) -> None:
        match = _LINE.fullmatch(body)
        if match is None:
            self._unknown(text)
            return
        name, number, crc, payload = match.groups()
        if int(crc, 16) != zlib.crc32(b"%s:%s:%s" % (name, number, payload)):
            self._torn(text)
            return
        if name.decode() != task:
            self.found.strange += 1
            return
        stream = self.found.streams.setdefault(task, Stream())
        seq = int(number)
        if seq < stream.next:
            stream.again += 1
            return
        stream.skipped += seq - stream.next
        stream.good += 1
        stream.next = seq + 1

    def _unknown(self, text: bytes) -> None:
        if re.search(rb"[a-z]\w*:\d+:", text):
            self._torn(text)
        elif len(self.found.other) < 1000:
            self.found.other.append(text)

    def _torn(self, text: bytes) -> None:
        self.found.torn_count += 1
        if len(self.found.torn) < 1000:
            self.found.torn.append(text)


def check(
    pieces: bytes | Iterable[bytes], prefixes: dict[str, bytes] | Iterable[str], *, pattern: bool = False
) -> Found:
    """Look through a merged stream; `prefixes` may be just the tasks' names, for `[name] `."""
    if not isinstance(prefixes, dict):
        prefixes = {name: f"[{name}] ".encode() for name in prefixes}
    oracle = Oracle(prefixes, pattern=pattern)
    for piece in [pieces] if isinstance(pieces, bytes) else pieces:
        oracle.feed(piece)
    return oracle.end()


def written(report: str | os.PathLike[str]) -> int:
    """Bytes that a child says it has written successfully."""
    try:
        with open(report, "rb") as file:
            return int(file.read() or b"0")
    except (OSError, ValueError):
        return 0

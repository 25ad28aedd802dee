r"""How far a child is, as it says itself; never a guess.

A figure is `42%`, `42.5 %`, `3/10`, `12/340 files`, `3 of 10` or `1.2MB/3.4MB`. Most figures in what
programs print are no progress (`coverage 85%`, `12/25`), so one counts only

* in a line marked `[PROGRESS]`;
* in an open row that is being redrawn: it has a `\r` in it, and what follows the last one counts;
* where it was seen to move: in an open row, or in brackets at the beginning or end of complete lines, as
  cmake, ninja and pytest have it (`[ 45%] Building`, `[12/340] CC a.o`, `… [ 45%]`), once it
  stood at another value of the same total before.

A row with several has the last percentage, or else the last ratio.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, final

from axiom_trio.sansio.backspaces import settle
from axiom_trio.sansio.names import printable
from axiom_trio.sansio.plain import SEQUENCE

_ESCAPE: Final = re.compile(SEQUENCE.decode())
_NUMBER: Final = r"\d{1,12}(?:\.\d{1,6})?"
_UNIT: Final = r"(?: ?([kKMGT]?i?B))?"
_PERCENT: Final = re.compile(rf"(?<![\w.,/+-])({_NUMBER}) ?%(?!\w)")
_RATIO: Final = re.compile(
    rf"(?<![\w.,/:-])({_NUMBER}){_UNIT}(?: ?/ ?| of )({_NUMBER}){_UNIT}(?![\w/:-]|\.\d)"
)
_IN_BRACKETS: Final = re.compile(r"\s*[\[(]\s*([^\[\]()]{1,40}?)\s*[\])](?=\s|$)")
_AT_END: Final = re.compile(r"\s\[\s*([^\[\]()]{1,40}?)\s*\]\s*$")
_POWERS: Final = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4}
_LONGEST: Final = 4096
STALE: Final = 10.0
"""Seconds after which a figure that is to be seen no more is forgotten."""


class Figure(NamedTuple):
    """A figure that may be progress."""

    done: float
    """0 to `total`."""
    total: float

    @property
    def fraction(self) -> float:
        """0 to 1."""
        return self.done / self.total


def find_figure(text: str) -> Figure | None:
    """The figure in a text: its last percentage, or else its last ratio."""
    for match in reversed([*_PERCENT.finditer(text)]):
        if (percent := float(match[1])) <= 100:
            return Figure(percent, 100.0)
    for match in reversed([*_RATIO.finditer(text)]):
        if (figure := _ratio(match)) is not None:
            return figure
    return None


def _ratio(match: re.Match[str]) -> Figure | None:
    done, unit, total, total_unit = match.groups()
    if unit and not total_unit:
        return None  # 5 MB/10 is no part of anything
    a = float(done) * _factor(unit or total_unit)
    b = float(total) * _factor(total_unit)
    return Figure(a, b) if 0 <= a <= b and b > 0 else None


def _factor(unit: str | None) -> float:
    if not unit:
        return 1.0
    base = 1024.0 if "i" in unit else 1000.0
    return float(base ** _POWERS[unit.rstrip("B").rstrip("i")])


def row_text(row: bytes) -> str:
    r"""What an open row shows: what follows its last `\r`, harmless to show."""
    return printable(_text(settle(row)).rstrip("\r").rpartition("\r")[2].replace("\b", "")).strip()


def _text(line: bytes) -> str:
    return _ESCAPE.sub("", line[-_LONGEST:].decode("utf-8", "replace"))


@final
class ProgressTracker:
    """Follows the progress of one child."""

    __slots__ = ("_candidate", "_counts", "_fraction", "_looked", "_seen")

    def __init__(self) -> None:
        self._looked: tuple[bytes, bool] | None = None
        self._counts = False  # whether what was looked at last has a figure that counts
        self._fraction: float | None = None
        self._seen = 0.0
        self._candidate: tuple[str, Figure, bool] | None = None  # where, what, and whether it has moved

    def look(self, line: bytes, now: float, *, is_open: bool) -> None:
        r"""Look at the newest of what it wrote.

        Args:
            line: Its open row, or its last complete line; without `\n`.
            now: Any clock's seconds.
            is_open: Whether the line has not ended.
        """
        if (line, is_open) == self._looked:
            if self._counts:
                self._seen = now
            return
        self._looked = line, is_open
        self._counts = False
        text = _text(line)
        if "[PROGRESS]" in text:
            self._count(find_figure(text.partition("[PROGRESS]")[2]), now)
            return
        drawn = text.removesuffix("\r").rpartition("\r")
        if is_open:
            figure = find_figure(drawn[2])
            if drawn[1] or text.endswith("\r"):
                self._count(figure, now)
            else:
                self._compare("row", figure, now)
            return
        for where, pattern in (("begin", _IN_BRACKETS), ("end", _AT_END)):
            match = pattern.match(drawn[2]) if where == "begin" else pattern.search(drawn[2])
            if match is not None and (figure := find_figure(match[1])) is not None:
                self._compare(where, figure, now)
                return

    def fraction(self, now: float) -> float | None:
        """How much of it is done, 0 to 1; None if it does not say, or has ceased to."""
        return self._fraction if now - self._seen <= STALE else None

    def _count(self, figure: Figure | None, now: float) -> None:
        if figure is not None:
            self._fraction = figure.fraction
            self._seen = now
            self._counts = True

    def _compare(self, where: str, figure: Figure | None, now: float) -> None:
        if figure is None:
            return
        before = self._candidate
        same = before is not None and before[0] == where and before[1].total == figure.total
        moved = same and before is not None and (before[2] or before[1].done != figure.done)
        self._candidate = where, figure, moved
        if moved:
            self._count(figure, now)


@final
class Rate:
    """How fast a total grows: an exponentially weighted mean, without bias at the beginning.

    Args:
        half_life: Seconds after which what was weighs half.
    """

    __slots__ = ("_half_life", "_last", "_mean", "_weight")

    def __init__(self, half_life: float = 2.0) -> None:
        self._half_life = half_life
        self._last: tuple[float, float] | None = None
        self._mean = 0.0
        self._weight = 0.0

    def feed(self, total: float, now: float) -> float:
        """Tell the total at a time; returns the rate per second."""
        if self._last is None:
            self._last = total, now
            return 0.0
        before, then = self._last
        if now > then:
            share = 1.0 - 0.5 ** ((now - then) / self._half_life)
            self._mean += share * ((total - before) / (now - then) - self._mean)
            self._weight += share * (1.0 - self._weight)
            self._last = total, now
        return self._mean / self._weight if self._weight else 0.0

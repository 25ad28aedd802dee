"""What `--include`, `--exclude` and `--highlight` do to a view of the stream, line by line.

Events go in and come out with what is to be shown of their lines. A line that comes in pieces
is held until it's whole, so that it is shown whole or not at all; one that's longer than
`HELD` is judged by its beginning. Escape sequences don't count: what is searched is what one sees.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, final

import attrs

from axiom_trio.sansio.events import Completed, Gap, Output, Restarting
from axiom_trio.sansio.plain import SEQUENCE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axiom_trio.sansio.events import Event

HELD: Final = 64 * 1024
_ESCAPE: Final = re.compile(SEQUENCE)
_LINE: Final = re.compile(rb"[^\n]*\n|[^\n]+")
_ON: Final = b"\x1b[7m"
_OFF: Final = b"\x1b[27m"


@final
class LineFilter:
    """Filters the output in events, each child's by itself.

    Args:
        include: Only lines in which it's found.
        exclude: No lines in which it's found.
        highlight: What it matches is shown in reverse.
    """

    def __init__(
        self,
        *,
        include: re.Pattern[bytes] | None = None,
        exclude: re.Pattern[bytes] | None = None,
        highlight: re.Pattern[bytes] | None = None,
    ) -> None:
        self._include = include
        self._exclude = exclude
        self._highlight = highlight
        self._open: dict[tuple[str, bool], _OpenLine] = {}

    def events(self, events: Iterable[Event]) -> list[Event]:
        """The same events, of output only what is to be shown."""
        shown: list[Event] = []
        for event in events:
            if type(event) is Output:
                self._output(event, shown)
                continue
            if isinstance(event, Completed | Restarting):
                self._end(event.child, shown)
            elif type(event) is Gap:  # what was open has its end in what is missing
                for child in {child for child, _ in self._open}:
                    self._end(child, shown)
            shown.append(event)
        return shown

    def _output(self, event: Output, shown: list[Event]) -> None:
        key = event.child, event.kind == "error"
        line = self._open.pop(key, None)
        head, newline, rest = event.data.partition(b"\n")
        if line is None and event.data.endswith(b"\n"):
            self._show(event, self._lines(event.data), shown)
            return
        if line is None:
            line = _OpenLine(event)
        line.held += head + newline
        if not newline:
            self._open[key] = line
            if line.passes is None and len(line.held) > HELD:
                line.passes = self._passes(line.held)
            if line.passes is not None:
                if line.passes:
                    self._show(event, line.held, shown, partial=True)
                line.held = b""
            return
        if line.passes is None:
            self._show(event, self._lines(line.held), shown)
        elif line.passes:
            self._show(event, line.held, shown)
        if rest:
            self._output(attrs.evolve(event, data=rest), shown)

    def _end(self, child: str, shown: list[Event]) -> None:
        for error in (False, True):
            line = self._open.pop((child, error), None)
            if line is not None and (line.passes if line.passes is not None else self._passes(line.held)):
                self._show(line.event, line.held, shown)

    def _show(self, event: Output, data: bytes, shown: list[Event], *, partial: bool = False) -> None:
        if data:
            shown.append(attrs.evolve(event, data=data, partial=partial))

    def _lines(self, data: bytes) -> bytes:
        """Of whole lines those that pass, marked."""
        return b"".join(self._mark(line) for line in _LINE.findall(data) if self._passes(line))

    def _passes(self, line: bytes) -> bool:
        text = _visible(line)
        if self._include is not None and not self._include.search(text):
            return False
        return self._exclude is None or not self._exclude.search(text)

    def _mark(self, line: bytes) -> bytes:
        if self._highlight is None:
            return line
        pieces = _ESCAPE.split(line)
        escapes = [*_ESCAPE.findall(line), b""]
        spans = [m.span() for m in self._highlight.finditer(_visible(line)) if m.end() > m.start()]
        if not spans:
            return line
        out: list[bytes] = []
        at = 0
        for piece, escape in zip(pieces, escapes, strict=True):
            done = 0
            for start, end in spans:
                first, last = max(start - at, done), min(end - at, len(piece))
                if first < last:
                    out += (piece[done:first], _ON, piece[first:last], _OFF)
                    done = last
            out += (piece[done:], escape)
            at += len(piece)
        return b"".join(out)


class _OpenLine:
    """A line of which more is to come."""

    __slots__ = ("event", "held", "passes")

    def __init__(self, event: Output) -> None:
        self.event = event
        self.held = b""
        self.passes: bool | None = None  # decided, for one that is too long to hold


def _visible(line: bytes) -> bytes:
    """What one sees of a line."""
    text = line.rstrip(b"\r\n")
    return _ESCAPE.sub(b"", text) if b"\x1b" in text else text

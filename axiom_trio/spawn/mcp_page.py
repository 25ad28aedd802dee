"""A page of what tasks have written, as a call for output gives it, and the cursors of its beginning and end.

A cursor says at which event to go on, and how many bytes of it were given already: so a page ends where
it's full, and not where an event does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from axiom_trio.sansio.durations import format_duration
from axiom_trio.sansio.escapes import EscapeFilter
from axiom_trio.sansio.events import (
    AllCompleted,
    Completed,
    Delivery,
    Gap,
    Idle,
    Intervention,
    Output,
    Restarting,
    Started,
    Stats,
)
from axiom_trio.sansio.redraw import Classifier
from axiom_trio.sansio.text import SCREEN_MARK
from axiom_trio.spawn.mcp_tools import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.events import Event
    from axiom_trio.spawn.mcp_tools import EntryKind

LARGEST: Final = 64 * 1024
"""Bytes of output in a page."""
_PLACES: Final = 1 << 20  # an event's data has fewer bytes


def cursor_of(event: int) -> int:
    """Where the event with this cursor of the log begins."""
    return event * _PLACES


def event_of(cursor: int) -> int:
    """The cursor of the log of the event in which a cursor lies."""
    return cursor // _PLACES


@final
class Page:
    """Some entries, and where to go on.

    Args:
        limit: Lines and events that have room.
        position: The cursor where it begins.
        task: The task with an id.
    """

    def __init__(self, limit: int, position: int, task: Callable[[str], Child]) -> None:
        self.position = position
        """The cursor of what comes next."""
        self.lines = 0
        """Lines of output in it."""
        self.more = False
        """Whether there's more already."""
        self._limit = limit
        self._task = task
        self._events = 0
        self._room = LARGEST
        self._filters: dict[tuple[str, bool], EscapeFilter] = {}
        self._classifiers: dict[str, Classifier] = {}
        self._made: list[tuple[EntryKind, str, float, list[str], bool]] = []

    @property
    def full(self) -> bool:
        """Whether nothing more fits in."""
        return self.lines + self._events >= self._limit or self._room <= 0

    @property
    def empty(self) -> bool:
        """Whether there's nothing in it."""
        return not self._made

    @property
    def entries(self) -> list[Entry]:
        """What is in it."""
        for (child, error), escapes in self._filters.items():
            if rest := escapes.end():
                self._say("error" if error else "output", child, 0.0, rest.decode(), partial=True)
        self._filters.clear()
        return [
            Entry(
                kind=kind,
                task_id=child,
                name=self._task(child).name,
                timestamp=round(time * 1000),
                text="".join(parts),
                partial=partial,
            )
            if child
            else Entry(kind=kind, text="".join(parts))
            for kind, child, time, parts, partial in self._made
        ]

    def take(self, event: Event, *, wanted: bool) -> None:
        """Take in an event, or a part of one, and move behind it."""
        if isinstance(event, Gap):
            text = f"{event.lines} lines ({event.bytes} bytes) are gone: the journal could not keep them\n"
            self._made.append(("gap", "", 0.0, [text], False))
            self._events += 1
            self.position = cursor_of(event.to_cursor)
            return
        place = self.position - cursor_of(event.cursor)
        offset = place if 0 < place < _PLACES else 0
        if wanted and type(event) is Output:
            taken = self._output(event, offset)
            if offset + taken < len(event.data):
                self.position = cursor_of(event.cursor) + offset + taken
                self._room = 0
                return
        elif wanted and (said := _in_words(event)) is not None:
            kind, child, text = said
            self._made.append((kind, child, event.time, [text + "\n"], False))
            self._events += 1
        self.position = cursor_of(event.cursor + 1)

    def _output(self, event: Output, offset: int) -> int:
        """Take as much as fits of a block; return how many of its bytes."""
        rest = event.data[offset:] if offset else event.data
        data = rest[: _fitting(rest, self._limit - self.lines - self._events, self._room)]
        self._room -= len(data)
        closed = len(data) == len(rest) and not event.partial
        self.lines += data.count(b"\n") + (closed and not data.endswith(b"\n"))
        error = event.kind == "error"
        for text in self._readable(event.child, data, error=error):
            self._say(event.kind, event.child, event.time, text, partial=not text.endswith("\n"))
        if closed and not data.endswith(b"\n"):
            rest = self._filters[event.child, error].end() + b"\n"
            self._say(event.kind, event.child, event.time, rest.decode(), partial=False)
        return len(data)

    def _readable(self, child: str, data: bytes, *, error: bool) -> list[str]:
        escapes = self._filters.get((child, error))
        if escapes is None:
            escapes = self._filters[child, error] = EscapeFilter("none")
        if not self._task(child).tty:
            return [text.decode()] if (text := escapes.feed(data)) else []
        classifier = self._classifiers.setdefault(child, Classifier())
        found: list[str] = []
        for screen, piece in classifier.split(data):
            if not screen:
                found.append(escapes.feed(piece).decode())
            elif not found or found[-1] != f"{SCREEN_MARK}\n":
                found.append(f"{SCREEN_MARK}\n")
        return [text for text in found if text]

    def _say(self, kind: EntryKind, child: str, time: float, text: str, *, partial: bool) -> None:
        last = self._made[-1] if self._made else None
        if last is not None and last[0] == kind and last[1] == child:
            last[3].append(text)
            self._made[-1] = (*last[:4], partial)
        else:
            self._made.append((kind, child, time, [text], partial))


def _fitting(data: bytes, lines: int, size: int) -> int:
    """How many bytes: so many lines, and as long as there's room; a piece of a line only if it's too long."""
    if len(data) <= size and data.count(b"\n") <= lines:
        return len(data)
    end = 0
    for _ in range(lines):
        newline = data.find(b"\n", end)
        if newline < 0 or newline >= size:
            break
        end = newline + 1
    else:
        return end
    if end or size < LARGEST:
        return end
    end = min(size, len(data))
    while end > 1 and end < len(data) and data[end] & 0xC0 == 0x80 and size - end < 4:  # within a character
        end -= 1
    return end


def _in_words(event: Event) -> tuple[EntryKind, str, str] | None:
    """An event that is no output; None for one of no interest."""
    match event:
        case Started():
            return "started", event.child, "started" if event.pid is None else f"started, pid {event.pid}"
        case Intervention(origin="detected") | Stats() | AllCompleted():
            return None
        case Intervention():
            return "sent", event.child, event.text
        case Delivery():
            return "delivery", event.child, f"{event.state}: {event.reason}"
        case Idle():
            return "idle", event.child, f"silent for {format_duration(event.idle)}"
        case Restarting():
            return "restarting", event.child, f"{event.exit}; attempt {event.attempt} follows"
        case Completed():
            how = "ok" if event.ok else "failed" if event.reason != "stopped" else "stopped"
            return "completed", event.child, f"{how}: {event.exit}, after {format_duration(event.duration)}"
    return None

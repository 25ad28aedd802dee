"""The event log: the one buffer of the system, and the cursors that read it.

Theory of operation:

* Events are appended in one order and numbered by it. The log is bounded in
  bytes, not in events: an event costs what its data or its formatted text
  takes, whichever is more, and `EVENT_COST` for itself.
* There are two bounds. The **gate** is how far the slowest lossless cursor may
  lag before the log is `full`; who appends output then waits. The **history**
  is what stays for those who come late. An event is let go when it's beyond the
  history and every lossless cursor is past it.
* Control events (all but output) are appended even when the log is full, so
  that they never wait for a sink. They are few and small: their reserve is what
  lies beyond the gate.
* A lossy cursor holds nothing. When it was overtaken it reads a `Gap` with the
  exact counts first. So does one that is opened at a place that is gone.
* With a **leader** (a journal), the others see only what it has read and
  advanced past: written first, shown after. Its **archive** has what the log has
  let go, and who was overtaken reads on there. So the lossless ones may **follow**
  it instead of gating, and gate again when it's gone.

Nothing here waits or wakes by itself: `wake` and `room` are set by the engine.
"""

from __future__ import annotations

from array import array
from itertools import islice
from typing import TYPE_CHECKING

from axiom_trio.sansio.cursor import Cursor
from axiom_trio.sansio.events import Output, Stats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from axiom_trio.sansio.cursor import Archive, Buffer
    from axiom_trio.sansio.events import Event

GATE = 256 * 1024
HISTORY = 1024 * 1024
EVENT_COST = 256
"""Bytes charged for an event beside its data: about what its objects take."""
LOOKBACK = 8192
"""Events let go last, at least, of which the place is remembered: 16 bytes each."""


class EventLog:
    """An append-only sequence of events, bounded in bytes, read through cursors.

    Args:
        gate: How far the slowest lossless cursor may lag, in bytes.
        history: Bytes kept for those who come late.
        archive: Has all that is let go; its `next` is the first event's cursor.
        follow: Whether the leader alone gates while there is one.
    """

    __slots__ = (
        "_cursors",
        "_evict_above",
        "_evicted_cost",
        "_following",
        "_gating",
        "_past",
        "_texting",
        "_texts_kept_from",
        "archive",
        "base",
        "closed",
        "costs",
        "events",
        "evicted_bytes",
        "evicted_lines",
        "gate",
        "history",
        "leader",
        "room",
        "start",
        "texts",
        "total",
    )

    def __init__(
        self,
        *,
        gate: int = GATE,
        history: int = HISTORY,
        archive: Archive | None = None,
        follow: bool = False,
    ) -> None:
        self.gate = gate
        self.history = history
        self.events: list[Event] = []
        self.costs: list[int] = []
        self.texts: list[Iterable[Buffer]] = []
        self.archive = archive
        self.start = 0 if archive is None else archive.next
        """The cursor of the first event."""
        self.base = self.start
        """The cursor of the oldest event held."""
        self.total = 0
        """Cost of all events ever appended."""
        self.evicted_lines = 0
        self.evicted_bytes = 0
        self.closed = False
        self.leader: Cursor | None = None
        self.room: Callable[[], None] | None = None
        """Called once when the log is half empty again; set while its writer waits."""
        self._evicted_cost = 0
        self._evict_above = history + (history >> 3)  # of `total`: let go in steps, not one by one
        self._past = array("q")  # lines and bytes before each of the events let go last, in turn
        self._cursors: list[Cursor] = []
        self._gating: list[Cursor] = []
        self._texting: list[Cursor] = []
        self._texts_kept_from = 0
        self._following = follow

    # --- writing

    @property
    def oldest(self) -> int:
        """The cursor of the oldest event of the run that can be read, here or in the archive."""
        return self.base if self.archive is None else max(self.start, min(self.archive.oldest, self.base))

    @property
    def next(self) -> int:
        """The cursor that the next event gets."""
        return self.base + len(self.events)

    @property
    def lag(self) -> int:
        """How far the slowest lossless cursor lags, in bytes of cost."""
        return max((self.total - cursor.done for cursor in self._gating), default=0)

    @property
    def full(self) -> bool:
        """Whether output has to wait for a lossless cursor."""
        total, gate = self.total, self.gate
        return any(total - cursor.done >= gate for cursor in self._gating)

    @property
    def gating(self) -> tuple[Cursor, ...]:
        """The lossless cursors."""
        return tuple(self._gating)

    def append(self, event: Event, text: Iterable[Buffer] = ()) -> None:
        """Append an event, whose `cursor` must be `next`, and its text. Wakes nobody."""
        text = text if self._texting else ()
        cost = 0
        for piece in text:
            cost += len(piece)
        if type(event) is Output:
            cost = max(cost, len(event.data))
        cost += EVENT_COST
        self.events.append(event)
        self.texts.append(text)
        self.costs.append(cost)
        self.total += cost
        if self.total > self._evict_above:
            self._evict()

    @property
    def wants_text(self) -> bool:
        """Whether there's somebody to read the text of what is appended now, before it's let go."""
        base = self.base
        return any(cursor.position >= base for cursor in self._texting)

    def has_unread_stats(self) -> bool:
        """Whether a lossless cursor has yet to read a `Stats`: then another one says nothing new."""
        if not self._gating:
            return False
        oldest = min(cursor.position for cursor in self._gating)
        return any(type(event) is Stats for event in self.events[max(0, oldest - self.base) :])

    def publish(self) -> None:
        """Wake the parked cursors that have something to read (or the end)."""
        for cursor in self._cursors:
            if cursor.wake is not None and (self.closed or cursor.pending):
                wake, cursor.wake = cursor.wake, None
                wake()

    def close(self) -> None:
        """No more events come: cursors read to the end and are done."""
        self.closed = True
        self.publish()

    # --- cursors

    def cursor(
        self,
        position: int | None = None,
        *,
        lossless: bool,
        text: bool = False,
        apart: bool = False,
        leader: bool = False,
    ) -> Cursor:
        """Open a cursor at `position` (default: the oldest event held).

        Args:
            position: The first event to read; at most `next`. If it's gone, a `Gap` comes first, with
                counts from 0 or from there; but from no more than the `LOOKBACK` that went last.
            lossless: It gates: nothing it has not passed is let go. Or it follows the leader.
            text: It reads the formatted text too.
            apart: It reads it event by event, and can do without.
            leader: Others see only what this one has passed.
        """
        position = self.base if position is None else min(max(position, 0), self.next)
        cursor = Cursor(self, position, lossless=lossless, text=text, apart=apart)
        self._cursors.append(cursor)
        if lossless and (leader or not self._following):
            self._gating.append(cursor)
        if text:
            self._texting.append(cursor)
        if leader:
            self.leader = cursor
        return cursor

    def forget(self, cursor: Cursor) -> None:
        """Remove a cursor; no error if it is gone already."""
        for cursors in (self._cursors, self._gating, self._texting):
            if cursor in cursors:
                cursors.remove(cursor)
        if cursor is self.leader:
            self.leader = None
            self._gate_followers()
            self.publish()
        self.advanced(cursor)

    def ungated(self, cursor: Cursor) -> None:
        """Take note that `cursor` is lossless no more."""
        if cursor in self._gating:
            self._gating.remove(cursor)
        self.advanced(cursor)

    def _gate_followers(self) -> None:
        """From where they are: what only the archive has is not held, but they can read it there."""
        self._following = False
        for cursor in self._cursors:
            if cursor.lossless and cursor not in self._gating:
                cursor.done = self.cost_before(cursor.position)
                self._gating.append(cursor)

    def visible_to(self, cursor: Cursor) -> int:
        """The cursor of the first event that `cursor` may not see yet."""
        if self.leader is None or cursor is self.leader:
            return self.base + len(self.events)
        return self.leader.position

    def advanced(self, cursor: Cursor) -> None:
        """Take note that `cursor` moved: let texts go, and wake who waits for room."""
        if cursor.text:
            self._release_texts()
        if cursor is self.leader:
            self.publish()
        if self.room is not None and self.lag <= self.gate >> 1:
            room, self.room = self.room, None
            room()

    def cost_before(self, position: int) -> int:
        """Cost of all events before `position`; of those evicted, for a position among them."""
        held = max(0, position - self.base)
        if held == len(self.events):
            return self.total
        return self._evicted_cost + sum(self.costs[:held])

    def counts_before(self, position: int) -> tuple[int, int]:
        """Lines and bytes of output before `position`; before the oldest remembered, if it's older."""
        gone = self.base - position
        if gone > 0 and self._past:
            at = max(0, len(self._past) - 2 * gone)
            return (self._past[at], self._past[at + 1]) if position else (0, 0)
        lines, size = self.evicted_lines, self.evicted_bytes
        for event in self.events[: max(0, position - self.base)]:
            if type(event) is Output:
                lines += event.lines
                size += len(event.data)
        return lines, size

    # --- letting go

    def _evict(self) -> None:
        keep_from = min((cursor.position for cursor in self._gating), default=self.next)
        excess = self.total - self._evicted_cost - self.history
        gone = size = 0
        lines, data_size = self.evicted_lines, self.evicted_bytes
        remember = self._past.append
        for event, cost in zip(islice(self.events, max(0, keep_from - self.base)), self.costs, strict=False):
            if size >= excess:
                break
            size += cost
            gone += 1
            remember(lines)
            remember(data_size)
            if type(event) is Output:
                lines += event.lines
                data_size += len(event.data)
        self.evicted_lines, self.evicted_bytes = lines, data_size
        self._evicted_cost += size
        self._evict_above += size
        self.base += gone
        del self.events[:gone], self.costs[:gone], self.texts[:gone]
        if len(self._past) > 4 * LOOKBACK:
            del self._past[: -2 * LOOKBACK]

    def _release_texts(self) -> None:
        passed = min((cursor.position for cursor in self._texting), default=self.next)
        start = max(self._texts_kept_from, self.base)
        for index in range(start - self.base, passed - self.base):
            self.texts[index] = ()
        self._texts_kept_from = max(start, passed)

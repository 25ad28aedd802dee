"""Cursors: the places from which the event log is read, and what is read from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from axiom_trio.sansio.events import Gap, Output

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from axiom_trio.sansio.events import Event
    from axiom_trio.sansio.log import EventLog

Buffer: TypeAlias = bytes | memoryview


class Batch:
    """What a sink is given at once: events in order, and their text if it asked for it."""

    __slots__ = ("end", "events", "text")

    def __init__(self, events: Sequence[Event], text: list[Buffer], end: int) -> None:
        self.events = events
        self.text = text
        """Pieces of formatted text; joined, they are what to write."""
        self.end = end
        """The cursor of the first event after the batch."""


class Cursor:
    """A place in the log, and the right to read on from there."""

    __slots__ = ("_bytes", "_lines", "_log", "done", "lossless", "position", "text", "wake")

    def __init__(self, log: EventLog, position: int, *, lossless: bool, text: bool) -> None:
        self._log = log
        self.position = position
        """The cursor of the next event to read."""
        self.lossless = lossless
        self.text = text
        self.done = log.cost_before(position)
        self._lines, self._bytes = log.counts_before(position)
        self.wake: Callable[[], None] | None = None
        """Called once when there's something to read; set while its reader is parked."""

    @property
    def pending(self) -> bool:
        """Whether there is something to read."""
        return self.position < self._log.visible_to(self)

    @property
    def lag(self) -> int:
        """Cost in bytes of the events not yet passed."""
        return self._log.total - self.done

    def peek(self, limit: int = 256 * 1024) -> Batch:
        """Up to about `limit` bytes of what comes next, without moving; empty if nothing does."""
        log = self._log
        base = log.base
        if self.position < base:
            gap = Gap(
                from_cursor=self.position,
                to_cursor=base,
                events=base - self.position,
                lines=log.evicted_lines - self._lines,
                bytes=log.evicted_bytes - self._bytes,
            )
            return Batch([gap], [], base)
        start = stop = self.position - base
        end = log.visible_to(self) - base
        costs = log.costs
        size = 0
        while stop < end and size < limit:
            size += costs[stop]
            stop += 1
        text: list[Buffer] = []
        if self.text:
            for pieces in log.texts[start:stop]:
                text.extend(pieces)
        return Batch(log.events[start:stop], text, base + stop)

    def advance(self, batch: Batch) -> None:
        """Move past `batch`: only when all of it has been dealt with."""
        log = self._log
        if batch.end <= self.position:
            return
        if not self.lossless:
            self._count(batch)
        start = max(0, self.position - log.base)
        self.done = (
            log.cost_before(batch.end)
            if self.position < log.base
            else self.done + sum(log.costs[start : max(0, batch.end - log.base)])
        )
        self.position = batch.end
        log.advanced(self)

    def _count(self, batch: Batch) -> None:
        for event in batch.events:
            if type(event) is Output:
                self._lines += event.lines
                self._bytes += len(event.data)
            elif type(event) is Gap:
                self._lines += event.lines
                self._bytes += event.bytes

    def ungate(self) -> None:
        """Go on as a lossy cursor: nobody waits for it any more."""
        if self.lossless:
            self.lossless = False
            self._lines, self._bytes = self._log.counts_before(self.position)
            self._log.ungated(self)

    def close(self) -> None:
        """Give up the place; what only it held can go."""
        self._log.forget(self)

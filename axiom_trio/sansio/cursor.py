"""Cursors: the places from which the event log is read, and what is read from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from axiom_trio.sansio.events import Gap, Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from axiom_trio.sansio.events import Event
    from axiom_trio.sansio.log import EventLog

Buffer: TypeAlias = bytes | memoryview
"""A piece of text."""


class Archive(Protocol):
    """What keeps the events that the log has let go: a journal that is being written."""

    @property
    def oldest(self) -> int:
        """The cursor of the oldest event it has."""

    @property
    def next(self) -> int:
        """The cursor of the event that it's given first: the one after the last it had when it was opened."""

    def read_on(self, position: int, stop: int, lines: int, size: int) -> list[Event]:
        """Some events from `position` on, up to, not including, `stop`; empty if it has none.

        What is missing between two of them is a `Gap`.

        Args:
            position: The cursor of the first.
            stop: The cursor of the first that's not wanted.
            lines: How many lines of output come before `position`, from the log's first event on.
            size: How many bytes.

        Raises:
            OSError: It can't be read.
        """

    def close(self) -> None:
        """Give up what it holds: called when nobody reads any more."""


class Batch:
    """What a sink is given at once: events in order, and their text if it asked for it."""

    __slots__ = ("done", "end", "events", "text", "texts")

    def __init__(
        self,
        events: Sequence[Event],
        text: list[Buffer],
        end: int,
        texts: Sequence[Iterable[Buffer]] = (),
    ) -> None:
        self.events = events
        self.text = text
        """Pieces of formatted text; joined, they are what to write."""
        self.texts = texts
        """The log's text of each event, for a cursor that wants it so; empty if it has none."""
        self.end = end
        """The cursor of the first event after the batch."""
        self.done = 0
        """How many of the events a sink has dealt with; it may tell so where `write` raises."""


class Cursor:
    """A place in the log, and the right to read on from there."""

    __slots__ = (
        *("_archived", "_bytes", "_lines", "_log", "apart", "closed", "done"),
        *("lossless", "position", "text", "wake"),
    )

    def __init__(
        self, log: EventLog, position: int, *, lossless: bool, text: bool, apart: bool = False
    ) -> None:
        self._log = log
        self._archived: tuple[int, Batch] | None = None  # the last batch from the archive, and its place
        self.position = position
        """The cursor of the next event to read."""
        self.lossless = lossless
        """Whether it wants all: it gates, unless it follows a leader from its archive."""
        self.text = text
        self.apart = apart
        """Whether it reads the text event by event."""
        self.closed = False
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

    @property
    def bytes_passed(self) -> int:
        """Bytes of output up to here, those before the log's first event not counted."""
        if not self.lossless or self._log.archive is not None:
            return self._bytes
        return self._log.counts_before(self.position)[1]

    def peek(self, limit: int = 256 * 1024) -> Batch:
        """Up to about `limit` bytes of what comes next, without moving; empty if nothing does."""
        log = self._log
        base = log.base
        if self.position < base:
            archived = self._peek_archive()
            if archived is not None:
                return archived
            gap = Gap(
                from_cursor=self.position,
                to_cursor=base,
                events=base - self.position,
                lines=max(0, log.evicted_lines - self._lines),
                bytes=max(0, log.evicted_bytes - self._bytes),
            )
            return Batch([gap], [], base)
        start = stop = self.position - base
        end = log.visible_to(self) - base
        costs = log.costs
        size = 0
        while stop < end and size < limit:
            size += costs[stop]
            stop += 1
        if self.apart:
            return Batch(log.events[start:stop], [], base + stop, log.texts[start:stop])
        text: list[Buffer] = []
        if self.text:
            for pieces in log.texts[start:stop]:
                text.extend(pieces)
        return Batch(log.events[start:stop], text, base + stop)

    def _peek_archive(self) -> Batch | None:
        """What the log has let go and its archive still has, if there is one."""
        archive = self._log.archive
        if archive is None:
            return None
        if self._archived is None or self._archived[0] != self.position:
            try:
                events = archive.read_on(self.position, self._log.base, self._lines, self._bytes)
            except OSError:  # it has failed, and its sink says so
                return None
            if not events:
                return None
            last = events[-1]
            end = last.to_cursor if isinstance(last, Gap) else last.cursor + 1
            self._archived = self.position, Batch(events, [], end)
        return self._archived[1]

    def advance(self, batch: Batch) -> None:
        """Move past `batch`: only when all of it has been dealt with."""
        log = self._log
        if batch.end <= self.position:
            return
        if not self.lossless or log.archive is not None:
            self._count(batch)
        self._archived = None
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
            if self._log.archive is None:
                self._lines, self._bytes = self._log.counts_before(self.position)
            self._log.ungated(self)

    def close(self) -> None:
        """Give up the place; what only it held can go. Its parked reader is woken."""
        self.closed = True
        self._log.forget(self)
        if self.wake is not None:
            wake, self.wake = self.wake, None
            wake()

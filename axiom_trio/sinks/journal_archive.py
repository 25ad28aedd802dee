"""Reading events from the segments of a journal by their cursors, live or long after.

What is damaged or gone is a `Gap` with exact counts, as each record has the totals
before it; a record that comes twice is read once.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import attrs

from axiom_trio.sansio.events import Gap, Started
from axiom_trio.sansio.journal import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from axiom_trio.sansio.events import Event
    from axiom_trio.sansio.journal import Record
    from axiom_trio.sinks.journal_files import Directory, Segment

CHUNK: Final = 256 * 1024
HELD: Final = 16
"""Descriptors kept of the segments read or written last: they can be read even when deleted."""
_PLACES: Final = 64


@attrs.frozen
class Damage:
    """Bytes of a segment that are no record."""

    segment: str
    """Its file name."""
    offset: int
    """Where they begin, in bytes."""
    size: int
    """How many they are."""
    torn: bool
    """Whether they are its end: a record that was being written when the run was killed."""


class _Place:
    """Where one reader has got to."""

    __slots__ = ("bytes", "cursor", "lines", "offset", "segment")

    def __init__(self, segment: Segment, offset: int, cursor: int) -> None:
        self.segment = segment
        self.offset = offset
        self.cursor = cursor
        """The next event."""
        self.lines: int | None = None if cursor else 0
        """Totals before it, if known."""
        self.bytes: int | None = None if cursor else 0


class JournalArchive:
    """The segments of a journal.

    Args:
        directory: Where they are; it's closed with this.
        segments: They, in order.
    """

    def __init__(self, directory: Directory, segments: list[Segment]) -> None:
        self.segments = segments
        self.started: dict[str, Started] = {}
        """By id, how the children began of which something was read; also in segments that are dropped."""
        self._directory = directory
        self._damage: list[Damage] = []
        self._places: dict[int, _Place] = {}
        self._held: dict[Segment, None] = {}  # from the one used longest ago to the last

    @property
    def oldest(self) -> int:
        """The cursor of the oldest event that is still there."""
        return self.segments[0].first if self.segments else 0

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What was found to be damaged, as far as it was read."""
        return tuple(self._damage)

    def read(
        self,
        position: int,
        stop: int | None = None,
        limit: int = CHUNK,
        *,
        before: tuple[int, int] | None = None,
    ) -> list[Event]:
        """The events from `position` on, about `limit` bytes of them; empty if there is none yet.

        What is missing before one of them is a `Gap`.

        Args:
            position: The cursor of the first.
            stop: The cursor of the first that's not wanted.
            limit: In bytes.
            before: The totals of lines and bytes before `position`, if known: what a gap is counted from.

        Raises:
            OSError: A segment can't be read.
        """
        place = self._places.pop(position, None) or self._find(position)
        if place is None:
            return []
        if before is not None:
            place.lines, place.bytes = before
        events: list[Event] = []
        size = wanted = 0
        while size < limit:
            if place.segment not in self.segments and not self._move_on(place):
                break
            amount = max(CHUNK, wanted)
            try:
                data = os.pread(self._descriptor(place.segment), amount, place.offset)
            except FileNotFoundError:  # somebody has deleted it
                if not self._move_on(place):
                    break
                continue
            at_end = len(data) < amount
            last = at_end and not self._has_next(place.segment)
            origin, end = place.offset, place.offset + len(data)
            if at_end and not last and os.fstat(self._descriptor(place.segment)).st_size > end:
                continue  # it grew before it was complete
            found = scan(data, place.segment.sync, final=at_end, trusted=place.segment.trusted)
            # At the very end only what leads to a new event is past: the rest may be half written.
            taken = 0 if last else found.end
            stopped = False
            for record in found.records:
                if record.is_started:
                    self._remember(record)
                if not record.is_event:
                    continue
                if stop is not None and record.cursor >= stop:
                    taken, stopped = record.start, True
                    break
                if self._take(place, record, events):
                    place.segment.note(record.cursor, origin + record.start)
                    size += record.end - record.start
                    if last:
                        taken = record.end
            place.offset = origin + taken
            self._note_damage(place.segment, origin, [d for d in found.damaged if d[1] <= taken])
            wanted = found.wanted
            if stopped or last:
                break
            if at_end:
                if taken < len(data):
                    self._note_damage(place.segment, origin, [(taken, len(data))], torn=True)
                self._move_on(place)
                wanted = 0
        if events or place.cursor == position:
            self._places[place.cursor] = place
            while len(self._places) > _PLACES:
                del self._places[next(iter(self._places))]
        return events

    def tail(self) -> tuple[int, int, int]:
        """The cursor after the last event, and the totals of lines and bytes up to there."""
        for segment in reversed(self.segments):
            _, records = self._last_records(segment, lambda record: record.is_event or record.is_end)
            if records:
                last = max(reversed(records), key=lambda record: record.cursor)
                return last.cursor + last.is_event, last.lines_after, last.bytes_after
            begins = [record for _, record in self._records(segment) if record.is_begin]
            if begins:
                return begins[0].cursor, begins[0].lines_before, begins[0].bytes_before
        return self.oldest, 0, 0

    def torn_at(self, segment: Segment) -> int | None:
        """Where the torn tail of a segment begins; None if it has none."""
        start, records = self._last_records(segment, lambda _: True)
        end = start + records[-1].end if records else 0
        return end if end < os.fstat(self._descriptor(segment)).st_size else None

    def add(self, segment: Segment) -> None:
        """A segment has begun; its descriptor is ours from now on."""
        self.segments.append(segment)
        self._hold(segment)

    def drop(self, segment: Segment) -> None:
        """Delete a segment: those who wanted it get a `Gap`."""
        self.segments.remove(segment)
        self._release(segment)
        self._directory.remove(segment.name)

    def close(self) -> None:
        """Close all files."""
        for segment in [*self._held]:
            self._release(segment)
        self._directory.close()

    # --- inside

    def _find(self, position: int) -> _Place | None:
        if not self.segments:
            return None
        at = bisect_right(self.segments, position, key=lambda segment: segment.first)
        segment = self.segments[max(0, at - 1)]
        return _Place(segment, segment.offset_before(position), position)

    def _has_next(self, segment: Segment) -> bool:
        """Whether there is a later one: then nothing more is written into this one."""
        return segment is not self.segments[-1]

    def _move_on(self, place: _Place) -> bool:
        following = (other for other in self.segments if other.number > place.segment.number)
        segment = next(following, None)
        if segment is None:
            return False
        place.segment, place.offset = segment, 0
        return True

    def _take(self, place: _Place, record: Record, events: list[Event]) -> bool:
        """Append the event of a record, if it's new, and what is missing before it."""
        if record.cursor < place.cursor:
            if record.cursor == place.cursor - 1:
                place.lines, place.bytes = record.lines_after, record.bytes_after
            return False
        try:
            event = record.event()
        except ValueError:  # of a later version: as if it were not there
            return False
        if record.cursor > place.cursor:
            lines = record.lines_before if place.lines is None else place.lines
            size = record.bytes_before if place.bytes is None else place.bytes
            events.append(
                Gap(
                    from_cursor=place.cursor,
                    to_cursor=record.cursor,
                    events=record.cursor - place.cursor,
                    lines=max(0, record.lines_before - lines),
                    bytes=max(0, record.bytes_before - size),
                )
            )
        events.append(event)
        place.cursor = record.cursor + 1
        place.lines, place.bytes = record.lines_after, record.bytes_after
        return True

    def _remember(self, record: Record) -> None:
        try:
            event = record.event()
        except ValueError:
            return
        if isinstance(event, Started):
            self.started[event.child] = event

    def _note_damage(
        self, segment: Segment, offset: int, damaged: list[tuple[int, int]], *, torn: bool = False
    ) -> None:
        for start, end in damaged:
            first, last = offset + start, offset + end
            for old in [d for d in self._damage if d.segment == segment.name]:
                if old.offset <= last and first <= old.offset + old.size:
                    self._damage.remove(old)
                    first, last = min(first, old.offset), max(last, old.offset + old.size)
            self._damage.append(Damage(segment.name, first, last - first, torn))

    def _records(self, segment: Segment) -> Iterator[tuple[int, Record]]:
        """All records of a segment, with where each ends."""
        offset = wanted = 0
        at_end = False
        while not at_end:
            amount = max(CHUNK, wanted)
            data = os.pread(self._descriptor(segment), amount, offset)
            at_end = len(data) < amount
            found = scan(data, segment.sync, final=at_end)
            for record in found.records:
                yield offset + record.end, record
            offset += found.end
            wanted = found.wanted

    def _last_records(self, segment: Segment, wanted: Callable[[Record], bool]) -> tuple[int, list[Record]]:
        """Some of the last records that are wanted, if there are any, and where what was read begins."""
        descriptor = self._descriptor(segment)
        size = os.fstat(descriptor).st_size
        amount = CHUNK
        while True:
            start = max(0, size - amount)
            found = scan(os.pread(descriptor, size - start, start), segment.sync, final=True)
            records = [record for record in found.records if wanted(record)]
            if records or not start:
                return start, records
            amount *= 8

    def _descriptor(self, segment: Segment) -> int:
        if segment.descriptor < 0:
            segment.descriptor = self._directory.open(segment)
        self._hold(segment)
        return segment.descriptor

    def _hold(self, segment: Segment) -> None:
        self._held.pop(segment, None)
        self._held[segment] = None
        newest = self.segments[-1]
        while len(self._held) > HELD:
            self._release(next(other for other in self._held if other is not newest))

    def _release(self, segment: Segment) -> None:
        self._held.pop(segment, None)
        if segment.descriptor >= 0:
            os.close(segment.descriptor)
            segment.descriptor = -1

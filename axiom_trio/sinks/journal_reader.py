"""Reading a journal: one of an earlier run, or one that is being written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, final

import attrs

from axiom_trio.sansio.events import Gap
from axiom_trio.sansio.journal import HEAD, scan
from axiom_trio.sinks.journal_archive import JournalArchive
from axiom_trio.sinks.journal_files import Directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from axiom_trio.sansio.events import Event
    from axiom_trio.sansio.journal import Record
    from axiom_trio.sinks.journal_files import Segment


@final
@attrs.frozen(kw_only=True)
class JournalRun:
    """One run that wrote into the journal."""

    id: str
    """Empty where the beginning is damaged; so are the other fields then."""
    time: float
    """When it began, in seconds since the epoch."""
    first: int
    """The cursor of its first event that is still there."""
    header: Any
    """What the run's caller put there, as plain objects."""
    clean: bool
    """Whether it has ended by itself; else it was killed, or is still running."""


@final
class JournalReader(JournalArchive):
    """Reads a journal's events in order, and tells what is damaged or gone.

    Nothing is changed, and one that is being written may be read: `read` gives what
    is complete. To be closed, or used with `with`.

    Args:
        directory: The journal.

    Raises:
        JournalError: It's no directory, or can't be read.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        opened = Directory(directory, write=False)
        super().__init__(opened, opened.segments())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def events(self, position: int | None = None) -> Iterator[Event]:
        """All events from `position` (default: the oldest) to the end there is now; ever the same memory.

        Raises:
            OSError: A file can't be read.
        """
        position = self.oldest if position is None else position
        while events := self.read(position):
            yield from events
            last = events[-1]
            assert not isinstance(last, Gap)
            position = last.cursor + 1

    @property
    def next(self) -> int:
        """The cursor that the next event gets."""
        self._refresh()
        return self.tail()[0]

    @property
    def is_written(self) -> bool:
        """Whether a run is writing it."""
        return self._directory.is_locked

    @property
    def torn(self) -> int:
        """Bytes at the very end that are no whole record, or not yet."""
        self._refresh()
        if not self.segments:
            return 0
        last = self.segments[-1]
        torn_at = self.torn_at(last)
        return 0 if torn_at is None else os.fstat(self._descriptor(last)).st_size - torn_at

    @property
    def runs(self) -> tuple[JournalRun, ...]:
        """The runs, in order, as far as their segments are there."""
        self._refresh()
        runs: list[JournalRun] = []
        by_sync: dict[bytes, list[Segment]] = {}
        for segment in self.segments:
            by_sync.setdefault(segment.sync, []).append(segment)
        for segments in by_sync.values():
            begin = next((record for s in segments if (record := self._begin(s)) is not None), None)
            document = {} if begin is None else begin.document()
            runs.append(
                JournalRun(
                    id=document.get("run", ""),
                    time=0.0 if begin is None else begin.time,
                    first=segments[0].first,
                    header=document.get("header"),
                    clean=self._ends_clean(segments[-1]),
                )
            )
        return tuple(runs)

    def _begin(self, segment: Segment) -> Record | None:
        return next((record for _, record in self._records(segment) if record.is_begin), None)

    def _ends_clean(self, segment: Segment) -> bool:
        descriptor = self._descriptor(segment)
        size = os.fstat(descriptor).st_size
        data = os.pread(descriptor, HEAD.size, max(0, size - HEAD.size))
        return any(record.is_end for record in scan(data, segment.sync, final=True).records)

    def _has_next(self, segment: Segment) -> bool:
        if segment is self.segments[-1]:
            self._refresh()
        return super()._has_next(segment)

    def _refresh(self) -> None:
        """Take note of segments made or deleted meanwhile."""
        known = {segment.name: segment for segment in self.segments}
        found = self._directory.segments()
        if not found:  # deleted altogether: what is open can be read on
            return
        self.segments = [known.get(segment.name, segment) for segment in found]
        for segment in [held for held in self._held if held not in self.segments]:
            self._release(segment)

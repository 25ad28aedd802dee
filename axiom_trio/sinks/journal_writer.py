"""Writing the segments of a journal: append-only files, whole records, within a limit."""

from __future__ import annotations

import errno
import os
import shutil
import time
from itertools import chain
from typing import TYPE_CHECKING, Final

from axiom_trio.sansio.errors import JournalError
from axiom_trio.sansio.events import Completed, Gap, Output, Started
from axiom_trio.sansio.journal import SYNC_SIZE, Encoder
from axiom_trio.sinks.journal_archive import JournalArchive
from axiom_trio.sinks.journal_files import Directory, Segment
from axiom_trio.sinks.writer import MAX_PIECES, drop_written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from axiom_trio.sansio.cursor import Buffer
    from axiom_trio.sansio.events import Event

_RECORD_SIZE: Final = 512  # about what a record takes beside its output, at most


class Archive(JournalArchive):
    """What those read on from whom memory has left behind."""

    next: int = 0
    """The cursor of the run's first event; and the totals of lines and bytes before it."""
    lines: int = 0
    bytes: int = 0

    def read_on(self, position: int, stop: int, lines: int, size: int) -> list[Event]:
        """As `read`, for one who counts from the run's first event on."""
        before = (self.lines + lines, self.bytes + size) if position >= self.next else None
        return self.read(position, stop, before=before)


class Work:
    """Events that are to be written, and how many of them are.

    Args:
        events: They.
        begun: What was begun with the first of them.
    """

    __slots__ = ("done", "events", "records")

    def __init__(self, events: Sequence[Event], begun: Work | None = None) -> None:
        self.events = events
        self.done: int = 0 if begun is None else begun.done
        self.records: list[list[Buffer]] = [] if begun is None else begun.records
        """The pieces of their records; made once, as they bear the totals."""

    @property
    def size(self) -> int:
        """Bytes of output that are still to be written."""
        return sum(len(event.data) for event in self.events[self.done :] if type(event) is Output)


class JournalWriter:
    """Writes one run into a journal, after what is there already.

    Args:
        path: The directory.
        segment_size: Bytes after which a new segment is begun.
        max_size: Bytes that all may take; None: no limit.
        drop: Whether the oldest segments go then; else there is no space.
        sync: Whether a new segment's name is brought to the disk.
        header: What each segment begins with, to be found again.
        notify: Told that a torn end was set aside.

    Raises:
        JournalError: It can't be written; says why in one sentence.
    """

    def __init__(
        self,
        path: str,
        *,
        segment_size: int,
        max_size: int | None,
        drop: bool,
        sync: bool,
        header: object,
        notify: Callable[[str], None],
    ) -> None:
        self.path = path
        self.segment_size = segment_size
        self.written = 0
        """Bytes of whole records written so far."""
        self.segment: Segment
        """The one that is written."""
        self._max_size = max_size
        self._drop = drop
        self._sync = sync
        self._header = header
        self._mark = bytes(byte or 1 for byte in os.urandom(SYNC_SIZE))
        self._run = os.urandom(16).hex()
        self._begun = time.time()
        self._living: dict[str, Started] = {}
        self._head_size = 0
        self.directory = Directory(path, write=True)
        archive: Archive | None = None
        try:
            self.directory.lock()
            archive = self.archive = Archive(self.directory, self.directory.segments())
            archive.next, archive.lines, archive.bytes = archive.tail()
            self._recover(notify)
            self._next = archive.next
            self._encoder = Encoder(self._mark, lines=archive.lines, size=archive.bytes)
            self.begin_segment()
        except (OSError, ValueError, TypeError, JournalError) as error:
            (archive or self.directory).close()
            if isinstance(error, JournalError):
                raise
            why = error.strerror if isinstance(error, OSError) else error
            raise JournalError(f"the journal {path} can't be written: {why}") from error

    @property
    def fresh(self) -> bool:
        """Whether nothing is in the segment yet but its head."""
        return self.segment.size == self._head_size

    def check(self) -> None:
        """See that what is written can still be found.

        Raises:
            OSError: The journal has been deleted.
        """
        self.directory.check()
        if os.fstat(self.segment.descriptor).st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, f"{self.segment.name} has been deleted")

    @property
    def full(self) -> bool:
        """Whether the segment is not to be written any more."""
        return self.segment.size >= self.segment_size and not self.fresh

    def begin_segment(self) -> None:
        """Begin a segment that can be read without those before it.

        Raises:
            OSError: It can't be made; the old one is still there.
        """
        archive = self.archive
        number = archive.segments[-1].number + 1 if archive.segments else 1
        segment = Segment(number, self._next, self._mark)
        segment.trusted = True
        pieces = self._encoder.begin(self._next, self._begun, self._run, self._header)
        for started in self._living.values():
            pieces += self._encoder.event(started, repeated=True)
        head = b"".join(pieces)
        segment.descriptor = self.directory.create(segment.name)
        try:
            segment.size = os.write(segment.descriptor, head)
            if segment.size < len(head):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301 (as the next write would)
            if self._sync:
                os.fsync(self.directory.descriptor)
        except OSError as error:
            os.close(segment.descriptor)
            self.directory.remove(segment.name)
            if error.errno == errno.EFBIG:  # not even this: there is no room at all
                raise OSError(errno.ENOSPC, error.strerror) from error
            raise
        self._head_size = segment.size
        self.segment = segment
        archive.add(segment)

    def put(self, work: Work) -> None:
        """Write all that is still to be written.

        Raises:
            OSError: It can't be written; the segment ends with a whole record.
        """
        records = work.records
        records += map(self._encoder.event, work.events[len(records) :])
        segment = self.segment
        end = segment.size
        try:
            self._append(list(chain.from_iterable(records[work.done :])))
        finally:
            for event, record in zip(work.events[work.done :], records[work.done :], strict=True):
                size = sum(map(len, record))
                if end + size > segment.size:
                    break
                self._note(event, end)
                end += size
                self.written += size
                work.done += 1
            if segment.size > end:
                segment.size = end
                os.ftruncate(segment.descriptor, end)

    def end(self) -> None:
        """Say that the run has ended by itself.

        Raises:
            OSError: It can't be written.
        """
        self._append(self._encoder.end(self._next, time.time()))

    # --- inside

    def _append(self, pieces: list[Buffer]) -> None:
        """Write, and count what was written."""
        segment = self.segment
        for start in range(0, len(pieces), MAX_PIECES):
            part = pieces[start : start + MAX_PIECES]
            while part:
                written = os.writev(segment.descriptor, part)
                segment.size += written
                drop_written(part, written)

    def _note(self, event: Event, offset: int) -> None:
        """Take note that an event was written."""
        if type(event) is Output:
            self.segment.note(event.cursor, offset)
        elif type(event) is Started:
            self._living[event.child] = event
        elif type(event) is Completed:
            self._living.pop(event.child, None)
        self._next = event.to_cursor if isinstance(event, Gap) else event.cursor + 1

    def make_room(self, work: Work) -> None:
        """Keep the journal within its limit, with what is to be written.

        Raises:
            OSError: It has reached it, and nothing is to be dropped.
        """
        archive, limit = self.archive, self._max_size
        if limit is None:
            return
        size = work.size + _RECORD_SIZE * len(work.events)
        while sum(segment.size for segment in archive.segments) + size > limit:
            if self._drop:
                if len(archive.segments) == 1:
                    break
                archive.drop(archive.segments[0])
                continue
            gone = [s for s in archive.segments[:-1] if not self.directory.has(s)]
            if not gone:
                raise OSError(errno.ENOSPC, f"it has reached its limit of {limit} bytes")
            for segment in gone:
                archive.drop(segment)

    def _recover(self, notify: Callable[[str], None]) -> None:
        """Set aside what the last run has left half written."""
        archive = self.archive
        if not archive.segments:
            return
        last = archive.segments[-1]
        torn_at = archive.torn_at(last)
        if torn_at is None:
            return
        name = f"{last.name}.torn"
        self.directory.remove(name)
        with (
            os.fdopen(os.dup(last.descriptor), "rb") as torn,
            os.fdopen(self.directory.create(name), "wb") as aside,
        ):
            torn.seek(torn_at)
            shutil.copyfileobj(torn, aside)
        self.directory.truncate(last.name, torn_at)
        notify(
            f"the journal {self.path} ended in a record that was not whole: "
            f"{last.size - torn_at} bytes are set aside in {name}"
        )
        last.size = torn_at

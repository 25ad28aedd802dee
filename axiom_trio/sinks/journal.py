"""The journal: every event on disk before anybody is shown it.

What stands there stands: a write that failed is cut back to the last whole record,
and a segment whose sync failed is not written any more and never synced again, as the
kernel forgets what it could not write.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, final

import trio

from axiom_trio.abc import Sink
from axiom_trio.sansio.durations import format_duration
from axiom_trio.sansio.errors import JournalError, SpecificationError
from axiom_trio.sinks.journal_sync import IntervalSync
from axiom_trio.sinks.journal_writer import JournalWriter, Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.sansio.cursor import Archive, Batch

Fsync: TypeAlias = Literal["never", "interval", "always"]
"""When a journal is brought to the disk; see `JournalSink`."""

OnFull: TypeAlias = Literal["drop", "stop"]
"""What happens when a journal has the size it may have; see `JournalSink`."""

SEGMENT_SIZE: Final = 128 * 1024 * 1024
LEAST_SIZE: Final = 1024 * 1024
SYNC_INTERVAL: Final = 0.5
RETRY: Final = 0.25
REMIND: Final = 2.0
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_PARTS: Final = 8  # of a journal of limited size, at least: what is dropped is one of them


@final
class JournalSink(Sink):
    """Writes all events into a journal, and leads: others see only what it has written.

    A journal that is there already is continued: cursors go on after its last, and what an
    earlier run has left half written is set aside. While the disk is full, the children wait.

    Args:
        directory: Where; made if it isn't there. It must be the user's own.
        fsync: When it's brought to the disk, so that it outlives a loss of power: never (whenever
            the system likes), 500 ms after it was written, or always, before anybody sees it.
        segment_size: Bytes after which a new file is begun.
        max_size: Bytes that all files may take; None: no limit.
        on_full: What happens at `max_size`: the oldest files are dropped, or the run waits as it
            does when the disk is full.
        notify: Told in one sentence what the user should know: that the disk is full, that a
            torn end was set aside.
        header: Anything JSON can say, to be found again in `JournalRun.header`.

    Raises:
        SpecificationError: A size can't be.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        fsync: Fsync = "interval",
        segment_size: int = SEGMENT_SIZE,
        max_size: int | None = None,
        on_full: OnFull = "drop",
        notify: Callable[[str], None] | None = None,
        header: object = None,
    ) -> None:
        if segment_size < 1:
            raise SpecificationError(f"a segment of {segment_size} bytes can't be")
        if max_size is not None and max_size < LEAST_SIZE:
            raise SpecificationError(f"a journal of {max_size} bytes is too small: at least {LEAST_SIZE}")
        self.directory = os.path.abspath(os.fspath(directory))
        self._fsync = fsync
        self._segment_size = segment_size if max_size is None else min(segment_size, max_size // _PARTS)
        self._max_size = max_size
        self._on_full = on_full
        self._notify = notify if notify is not None else lambda _: None
        self._header = header
        self._opened: JournalWriter | None = None
        self._leads = False
        self._syncer: IntervalSync | None = None
        self._sync_error: OSError | None = None
        self._spoiled = False
        self._failed = False
        self._rest: Work | None = None  # what `write_now` has begun, until `write` ends it
        self._closed = False

    @property
    def progress(self) -> int:
        """Bytes written so far."""
        return 0 if self._opened is None else self._opened.written

    def lead(self) -> Archive:
        """Take the directory and begin to write; no harm if called again. See `Sink.lead`.

        Raises:
            JournalError: It can't be done; says why in one sentence.
        """
        self._leads = True
        return self._writer().archive

    def _writer(self) -> JournalWriter:
        if self._closed:
            raise JournalError("a JournalSink is for one run: make another one for the next")
        if self._opened is None:
            self._opened = JournalWriter(
                self.directory,
                segment_size=self._segment_size,
                max_size=self._max_size,
                drop=self._on_full == "drop",
                sync=self._fsync != "never",
                header=self._header,
                notify=self._notify,
            )
        return self._opened

    async def open(self) -> None:
        """See `Sink.open`; raises as `lead` does."""
        self._writer()
        if self._fsync == "interval":
            self._syncer = IntervalSync(SYNC_INTERVAL)

    def write_now(self, batch: Batch) -> bool:
        """See `Sink.write_now`."""
        writer, syncer = self._opened, self._syncer
        if (
            writer is None
            or self._fsync == "always"
            or writer.full
            or (syncer is not None and syncer.error is not None)
        ):
            return False
        work = Work(batch.events)
        try:
            self._put_now(writer, work)
        except (OSError, ValueError):
            self._rest = work
            return False
        return True

    async def write(self, batch: Batch) -> None:
        """See `Sink.write`.

        Raises:
            OSError: The journal is lost: deleted, or the disk fails.
        """
        work = Work(batch.events, self._rest)
        self._rest = None
        if not work.events:
            return
        try:
            await self._write(work)
        except BaseException as error:
            self._failed = True
            if isinstance(error, OSError):
                self._notify(
                    f"the journal {self.directory} is lost ({error.strerror}); the run goes on without"
                )
            raise
        finally:
            batch.done = work.done

    async def aclose(self) -> None:
        """See `Sink.aclose`.

        Raises:
            OSError: A part may not have reached the disk.
        """
        writer = self._opened
        if writer is None:
            return
        try:
            with trio.CancelScope(shield=True):  # a slow disk is no failure
                await self._end(writer)
        finally:
            self._closed = True
            if not self._leads:  # nobody else reads it
                writer.archive.close()
        if self._sync_error is not None:
            raise self._sync_error

    # --- inside

    async def _end(self, writer: JournalWriter) -> None:
        if self._syncer is not None:
            await self._syncer.finish()
        if self._failed:
            return
        writer.check()
        try:
            if self._spoiled:
                writer.begin_segment()
            writer.end()
        except OSError as error:
            if error.errno not in _FULL:  # it's only the mark of a clean end that is missing
                raise
        if self._fsync != "never":
            await self._bring_to_disk(writer.segment.descriptor)
            await self._bring_to_disk(writer.directory.descriptor)

    async def _write(self, work: Work) -> None:
        """Write all, however long it takes."""
        since: float | None = None
        reminded = 0.0
        while work.done < len(work.events):
            try:
                await self._put(work)
                break
            except OSError as error:
                writer = self._writer()
                if error.errno == errno.EFBIG and not writer.fresh:
                    # What the process, or the file system, allows a file to have.
                    writer.segment_size = writer.segment.size
                    continue
                if error.errno not in _FULL:
                    raise
                now = trio.current_time()
                if since is None:
                    since = reminded = now
                    self._tell_full(error, "", work)
                elif now - reminded >= REMIND:
                    reminded += REMIND
                    self._tell_full(error, f" for {format_duration(now - since)} now", work)
                await trio.sleep(RETRY)
        if since is not None:
            duration = format_duration(trio.current_time() - since)
            self._notify(f"the journal {self.directory} goes on after {duration}; nothing was lost")
        if self._fsync == "always":
            await self._bring_to_disk(self._writer().segment.descriptor)

    async def _put(self, work: Work) -> None:
        writer, syncer = self._writer(), self._syncer
        writer.check()
        if syncer is not None and syncer.error is not None:
            self._spoil(syncer.error)
            syncer.error = None
        if self._spoiled or writer.full:
            if syncer is not None:
                await syncer.finish()
            if self._fsync != "never" and not self._spoiled:
                await self._bring_to_disk(writer.segment.descriptor)
            writer.begin_segment()
            self._spoiled = False
        self._put_now(writer, work)

    def _put_now(self, writer: JournalWriter, work: Work) -> None:
        writer.check()
        writer.make_room(work)
        writer.put(work)
        if self._syncer is not None:
            self._syncer.written(writer.segment.descriptor)

    def _tell_full(self, error: OSError, since: str, work: Work) -> None:
        self._notify(
            f"the journal {self.directory} can't take more ({error.strerror}): "
            f"the children wait{since}, with {work.size} bytes at hand"
        )

    async def _bring_to_disk(self, descriptor: int) -> None:
        try:
            await trio.to_thread.run_sync(os.fdatasync, descriptor)
        except OSError as error:
            self._spoil(error)

    def _spoil(self, error: OSError) -> None:
        """A sync has failed: nothing more into this segment, and fail in the end."""
        self._spoiled = True
        if self._sync_error is None:
            self._sync_error = OSError(
                error.errno, f"a part may not have reached the disk ({error.strerror})"
            )
        self._notify(
            f"the journal {self.directory} could not be brought to the disk ({error.strerror}): "
            f"{self._writer().segment.name} may lack something after a loss of power; going on in a new file"
        )

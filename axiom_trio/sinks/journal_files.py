"""The files of a journal: a directory of one's own, its lock, and numbered segments.

Everything is opened relative to the directory's descriptor and follows no symbolic
link, so that nobody can lead us elsewhere; what we make only its owner can read.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from array import array
from bisect import bisect_right
from contextlib import suppress
from typing import Final

from axiom_trio.sansio.errors import JournalError
from axiom_trio.sansio.journal import SYNC_SIZE

_NAME: Final = re.compile(rf"(\d{{8}})-(\d{{16}})-([0-9a-f]{{{2 * SYNC_SIZE}}})\.journal")
_LOCK: Final = "lock"
_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC
_INDEX_STEP: Final = 1024 * 1024


class Segment:
    """One file of a journal: `NUMBER-FIRSTCURSOR-SYNC.journal`."""

    __slots__ = ("_index", "descriptor", "first", "name", "number", "size", "sync", "trusted")

    def __init__(self, number: int, first: int, sync: bytes) -> None:
        self.name = f"{number:08d}-{first:016d}-{sync.hex()}.journal"
        self.number = number
        self.first = first
        """The cursor of its first event, if it has one."""
        self.sync = sync
        self.descriptor = -1
        self.size = 0
        """Bytes, as far as known."""
        self.trusted = False
        """Whether this process writes it."""
        self._index = array("Q")  # cursors and where they are, in turn, every `_INDEX_STEP` bytes

    def note(self, cursor: int, offset: int) -> None:
        """Remember where an event is; called in any order, kept only if it's worth it."""
        if offset >= (self._index[-1] if self._index else 0) + _INDEX_STEP:
            self._index.append(cursor)
            self._index.append(offset)

    def offset_before(self, cursor: int) -> int:
        """From where to look for an event."""
        at = bisect_right(self._index[::2], cursor)
        return self._index[2 * at - 1] if at else 0


class Directory:
    """A journal's directory, open.

    Args:
        path: Where it is.
        write: Make it if it isn't there, and insist that it is ours alone.

    Raises:
        JournalError: It can't be used.
    """

    def __init__(self, path: str | os.PathLike[str], *, write: bool) -> None:
        self.path = os.path.abspath(os.fspath(path))
        self._locked = -1
        try:
            if write:
                with suppress(FileExistsError):
                    os.mkdir(self.path, 0o700)
            self.descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
        except OSError as error:
            if os.path.islink(self.path):
                raise JournalError(
                    f"the journal {self.path} is a symbolic link; name the directory itself"
                ) from None
            raise JournalError(f"the journal {self.path} can't be used: {error.strerror}") from error
        found = os.fstat(self.descriptor)
        self._identity = found.st_dev, found.st_ino
        if write:
            problem = None
            if found.st_uid != os.geteuid():
                problem = "belongs to someone else; name a directory of your own"
            elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                problem = "can be written by others; take that away with chmod go-w, or name another"
            if problem is not None:
                os.close(self.descriptor)
                raise JournalError(f"the journal {self.path} {problem}")

    def lock(self) -> None:
        """Keep other writers out until `close`.

        Raises:
            JournalError: There is one.
        """
        try:
            descriptor = os.open(_LOCK, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600, dir_fd=self.descriptor)
        except OSError as error:
            why = "is a symbolic link" if error.errno == errno.ELOOP else error.strerror
            raise JournalError(f"the lock of the journal {self.path} can't be taken: {why}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            if not isinstance(error, BlockingIOError):
                raise JournalError(f"the journal {self.path} can't be locked: {error.strerror}") from error
            raise JournalError(
                f"the journal {self.path} is being written by another run, process {owner}; "
                "wait for its end or name another directory"
            ) from None
        self._locked = descriptor
        with suppress(OSError):  # a full disk; the lock holds without it
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)

    @property
    def is_locked(self) -> bool:
        """Whether somebody holds the lock."""
        try:
            descriptor = os.open(_LOCK, os.O_RDONLY | _FLAGS, dir_fd=self.descriptor)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def segments(self) -> list[Segment]:
        """The segments that are there, in order.

        Raises:
            OSError: It can't be read.
        """
        found = []
        for name in os.listdir(self.descriptor):
            match = _NAME.fullmatch(name)
            if match is not None:
                segment = Segment(int(match[1]), int(match[2]), bytes.fromhex(match[3]))
                with suppress(FileNotFoundError):
                    segment.size = os.lstat(name, dir_fd=self.descriptor).st_size
                found.append(segment)
        return sorted(found, key=lambda segment: segment.number)

    def open(self, segment: Segment) -> int:
        """Open a segment for reading.

        Raises:
            JournalError: It is no regular file.
            OSError: It can't be opened.
        """
        flags = os.O_RDONLY | os.O_NONBLOCK | _FLAGS
        try:
            descriptor = os.open(segment.name, flags, dir_fd=self.descriptor)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise JournalError(f"{segment.name} in the journal {self.path} is a symbolic link") from None
            raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise JournalError(f"{segment.name} in the journal {self.path} is no regular file")
        return descriptor

    def create(self, name: str) -> int:
        """Make a file that was not there, for appending and reading.

        Raises:
            OSError: It can't be made.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | _FLAGS
        return os.open(name, flags, 0o600, dir_fd=self.descriptor)

    def remove(self, name: str) -> None:
        """Delete a file; no error if it's gone."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.descriptor)

    def has(self, segment: Segment) -> bool:
        """Whether a segment is still there."""
        return segment.name in os.listdir(self.descriptor)

    def truncate(self, name: str, size: int) -> None:
        """Cut a file."""
        descriptor = os.open(name, os.O_WRONLY | _FLAGS, dir_fd=self.descriptor)
        try:
            os.ftruncate(descriptor, size)
        finally:
            os.close(descriptor)

    def check(self) -> None:
        """See that it is still where it was.

        Raises:
            OSError: It's gone, or another stands in its place.
        """
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            raise FileNotFoundError(errno.ENOENT, "the directory has been deleted") from None
        if (found.st_dev, found.st_ino) != self._identity:
            raise FileNotFoundError(errno.ENOENT, "another directory has taken its place")

    def close(self) -> None:
        """Give up the lock and the descriptor."""
        for descriptor in (self._locked, self.descriptor):
            if descriptor >= 0:
                os.close(descriptor)
        self._locked = self.descriptor = -1

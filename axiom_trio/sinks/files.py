"""Each child's output in a file of its own."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from typing import TYPE_CHECKING, Final, final

from axiom_trio.abc import Sink
from axiom_trio.sansio.events import Completed, Output, Started
from axiom_trio.sansio.filenames import FileNames
from axiom_trio.sansio.lines import fold

if TYPE_CHECKING:
    from axiom_trio.sansio.cursor import Batch

OPEN_FILES: Final = 64
"""Descriptors held open, however many children there are."""


@final
class FilesSink(Sink):
    r"""Writes what each child wrote, and nothing else, to a file named after it, as it comes.

    `NAME.log` has its output, `NAME.err` its errors (kind `error`), if there are any. Names
    that are no plain file names are encoded, see `axiom_trio.sansio.filenames`. A terminal's
    `\r\n` becomes `\n`. A file that is there from an earlier run is overwritten, and others
    are left alone; a child that is started again goes on in its file.

    Only the owner can read the files, and no symbolic link is followed.

    Args:
        directory: Made if it isn't there, for the owner only.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._path = os.fspath(directory)
        self._directory = -1
        self._names = FileNames()
        self._children: dict[str, _Files] = {}
        self._open: dict[_File, None] = {}  # the one used last comes last

    async def open(self) -> None:
        """See `Sink.open`. Raises OSError if the directory can't be used."""
        self._directory = open_directory(self._path)

    async def write(self, batch: Batch) -> None:
        """See `Sink.write`."""
        waiting: dict[_File, list[bytes]] = {}
        ended = []
        for event in batch.events:
            if type(event) is Output:
                files = self._files(event.child, event.child)
                file = files.error if event.kind == "error" else files.output
                waiting.setdefault(file, []).append(fold(event.data) if files.tty else event.data)
            elif type(event) is Started:
                files = self._files(event.child, event.name)
                files.tty = event.tty
                waiting.setdefault(files.output, [])
            elif type(event) is Completed:
                ended.append(event.child)
        for file, pieces in waiting.items():
            self._append(file, b"".join(pieces))
        for child in ended:
            files = self._files(child, child)
            self._close(files.output)
            self._close(files.error)
            del self._children[child]

    async def aclose(self) -> None:
        """See `Sink.aclose`."""
        for file in [*self._open]:
            self._close(file)
        if self._directory >= 0:
            os.close(self._directory)
            self._directory = -1

    def _files(self, child: str, name: str) -> _Files:
        files = self._children.get(child)
        if files is None:
            files = self._children[child] = _Files(self._names.take(name))
        return files

    def _append(self, file: _File, data: bytes) -> None:
        if file.descriptor < 0:
            if len(self._open) >= OPEN_FILES:
                self._close(next(iter(self._open)))
            self._open_file(file)
        else:
            del self._open[file]
        self._open[file] = None
        view = memoryview(data)
        while view:
            view = view[os.write(file.descriptor, view) :]

    def _open_file(self, file: _File) -> None:
        # Non-blocking, in case somebody has put a pipe there.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        where = os.path.join(self._path, file.name)
        try:
            descriptor = os.open(file.name, flags, 0o600, dir_fd=self._directory)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise OSError(error.errno, f"{where}: {error.strerror}") from error
            raise OSError(errno.ELOOP, f"{where} is a symbolic link, which is not followed") from error
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_nlink > 1:
            os.close(descriptor)
            raise OSError(errno.EEXIST, f"{where} is there already, and is not a plain file of ours")
        if not file.made:
            os.fchmod(descriptor, 0o600)
            os.ftruncate(descriptor, 0)
        file.descriptor = descriptor
        file.made = True

    def _close(self, file: _File) -> None:
        if file.descriptor >= 0:
            del self._open[file]
            os.close(file.descriptor)
            file.descriptor = -1


class _File:
    __slots__ = ("descriptor", "made", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.descriptor = -1
        self.made = False


class _Files:
    """Those of one child."""

    __slots__ = ("error", "output", "tty")

    def __init__(self, name: str) -> None:
        self.output = _File(f"{name}.log")
        self.error = _File(f"{name}.err")
        self.tty = False


def open_directory(path: str) -> int:
    """Open a directory that only we can write to, and make it if it isn't there; others are kept out of it.

    Raises:
        OSError: It can't be made or opened, or isn't ours alone; `strerror` says why.
    """
    path = path.rstrip("/") or "/"
    _make(path)
    if os.path.islink(path):
        raise OSError(errno.ELOOP, "it is a symbolic link, which is not followed")
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    status = os.fstat(descriptor)
    why = None
    if status.st_uid != os.geteuid():
        why = "it belongs to another user"
    elif status.st_mode & stat.S_IWOTH:
        why = "every user may write to it"
    elif not os.access(".", os.W_OK | os.X_OK, dir_fd=descriptor):
        why = "it may not be written to"
    if why is not None:
        os.close(descriptor)
        raise OSError(errno.EACCES, why)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise OSError(errno.EBUSY, "another run is writing there; name another directory") from None
    return descriptor


def _make(path: str) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except FileNotFoundError:
        parent = os.path.dirname(path)
        if not parent or parent == path:
            raise
        _make(parent)
        os.mkdir(path, 0o700)

"""The user's private runtime directory: the control sockets of runs, and the tokens of ports.

Nobody else can read or write in it, and no symbolic link is followed into it. A socket is bound
under another name and renamed when it listens: so one that refuses is one whose run has gone, and
may be removed by whoever sees it.
"""

from __future__ import annotations

import os
import secrets
import socket
import stat
import struct
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

import attrs

from axiom_trio.sansio.errors import AxiomError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAME: Final = "axiom-trio"
_ENDING: Final = ".sock"
_BEGUN: Final = ".new"
_BACKLOG: Final = 64
_OLD: Final = 60.0  # seconds after which a socket that was never finished is one nobody finishes
_TOKEN_BYTES: Final = 32


class RuntimeDirectoryError(AxiomError):
    """The runtime directory can't be used; says why in a sentence."""


@final
@attrs.frozen
class Tokens:
    """What opens a port."""

    view: str = attrs.field(repr=False)
    control: str = attrs.field(repr=False)


@final
@attrs.frozen
class Found:
    """The control socket of a run, which may have gone by now."""

    run_id: str
    directory: Path


def places(environ: Mapping[str, str] = os.environ) -> list[Path]:
    """Where the directory may be, the first that can be used first.

    `$XDG_RUNTIME_DIR` alone if it's one of its own; else the user's in /run, which a run without a
    login does not have, and the one in the directory for temporary files.
    """
    user = Path(f"/run/user/{os.geteuid()}")
    asked = environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(asked) and Path(asked) != user and _is_ours(Path(asked)):
        return [Path(asked, _NAME)]
    found = [user / _NAME] if _is_ours(user) else []
    return [*found, Path(tempfile.gettempdir(), f"{_NAME}-{os.geteuid()}")]


def _is_ours(directory: Path) -> bool:
    """Whether it's there, and ours: with sudo, the variable is still another user's."""
    try:
        return os.stat(directory).st_uid == os.geteuid() and os.access(directory, os.W_OK | os.X_OK)
    except OSError:
        return False


@contextmanager
def opened(directory: Path, *, create: bool = False) -> Iterator[int]:
    """A descriptor of a private directory, which has been checked.

    Raises:
        RuntimeDirectoryError: It's another user's, open to others, no directory, or can't be made.
        FileNotFoundError: It's not there, and not to be made.
    """
    try:
        if create:
            with suppress(FileExistsError):
                os.mkdir(directory, 0o700)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        if create:
            raise RuntimeDirectoryError(f"{directory} can't be made: its parent is not there") from None
        raise
    except NotADirectoryError:
        raise RuntimeDirectoryError(f"{directory} is no directory, or a symbolic link: remove it") from None
    except OSError as error:
        raise RuntimeDirectoryError(f"{directory} can't be used: {error.strerror}") from None
    try:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid():
            raise RuntimeDirectoryError(f"{directory} belongs to another user (uid {found.st_uid})")
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise RuntimeDirectoryError(f"{directory} is open to others: chmod 700 it, or remove it")
        yield descriptor
    finally:
        os.close(descriptor)


def _address(directory: Path, descriptor: int, name: str) -> str:
    """How a socket in it is called: through its descriptor there's no limit to the path's length."""
    return f"/proc/self/fd/{descriptor}/{name}" if sys.platform == "linux" else str(directory / name)


@final
class Listening:
    """A control socket that listens; `close` removes it."""

    def __init__(self, run_id: str) -> None:
        error: Exception = RuntimeDirectoryError("there is no runtime directory")
        for directory in places():
            try:
                with opened(directory, create=True) as descriptor:
                    self.socket = _bound(directory, descriptor, run_id)
            except (RuntimeDirectoryError, OSError) as failure:
                error = failure
                continue
            self._path = directory / f"{run_id}{_ENDING}"
            return
        if isinstance(error, OSError):
            raise RuntimeDirectoryError(f"the control socket can't be made: {error.strerror}") from None
        raise error

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._path

    def remove(self) -> None:
        """Have it found no more."""
        with suppress(OSError):
            self._path.unlink()

    def close(self) -> None:
        """Listen no more, and remove it."""
        self.remove()
        self.socket.close()


def _bound(directory: Path, descriptor: int, run_id: str) -> socket.socket:
    """A socket that listens under the run's name. Raises OSError."""
    begun = run_id + _BEGUN
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        # The directory is private, so the mode it has until chmod opens it to nobody; and the umask is
        # the whole process's, whose children may be starting just now.
        sock.bind(_address(directory, descriptor, begun))
        os.chmod(begun, 0o600, dir_fd=descriptor)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
        os.rename(begun, run_id + _ENDING, src_dir_fd=descriptor, dst_dir_fd=descriptor)
    except BaseException:
        sock.close()
        with suppress(OSError):
            os.unlink(begun, dir_fd=descriptor)
        raise
    return sock


def runs() -> tuple[list[Found], list[str]]:
    """The control sockets of all runs of this user, stale ones removed; and what can't be looked into."""
    found: list[Found] = []
    problems: list[str] = []
    for directory in places():
        try:
            with opened(directory) as descriptor:
                for name in sorted(os.listdir(descriptor)):
                    if name.endswith((_ENDING, _BEGUN)) and not _removed_stale(directory, descriptor, name):
                        found += [Found(name.removesuffix(_ENDING), directory)] * name.endswith(_ENDING)
        except FileNotFoundError:
            continue
        except RuntimeDirectoryError as error:
            problems.append(str(error))
    return found, problems


def _removed_stale(directory: Path, descriptor: int, name: str) -> bool:
    """Remove a socket if nobody listens there any more; whether it's gone."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)  # a run that's stopped, and has many waiting, is not stale
        try:
            sock.connect(_address(directory, descriptor, name))
        except ConnectionRefusedError:
            try:
                begun = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if name.endswith(_BEGUN) and time.time() - begun.st_mtime < _OLD:
                    return False
                if stat.S_ISSOCK(begun.st_mode):
                    os.unlink(name, dir_fd=descriptor)
            except OSError:
                pass
            return True
        except FileNotFoundError:
            return True
        except OSError:
            return False
    return False


def connected(found: Found) -> socket.socket:
    """A connection to a run; never waits.

    Raises:
        OSError: It's gone, or takes no more connections now.
        RuntimeDirectoryError: The directory can't be trusted any more, or who listens is another user.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.setblocking(False)
        with opened(found.directory) as descriptor:
            sock.connect(_address(found.directory, descriptor, found.run_id + _ENDING))
        _check_peer(sock, found)
    except BaseException:
        sock.close()
        raise
    return sock


def _check_peer(sock: socket.socket, found: Found) -> None:
    if peer(sock)[1] not in (0, os.geteuid()):
        raise RuntimeDirectoryError(f"{found.run_id} is not a run of yours")


def peer(sock: socket.socket) -> tuple[int, int]:
    """The process id and the user id of who is at the other end; (0, ours) where that can't be known."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0, os.geteuid()
    pid, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid


def fresh_tokens() -> Tokens:
    """Two that nobody has seen."""
    return Tokens(secrets.token_urlsafe(_TOKEN_BYTES), secrets.token_urlsafe(_TOKEN_BYTES))


def tokens(port: int) -> Tokens:
    """Those of a port, the same each time, so that a page outlives a restart of the run.

    Raises:
        RuntimeDirectoryError: They can't be kept.
    """
    directory = places()[0]
    name = f"port-{port}.tokens"
    with opened(directory, create=True) as descriptor:
        try:
            if (kept := _read_tokens(descriptor, name)) is not None:
                return kept
            made = fresh_tokens()
            begun = f"{name}.{os.getpid()}{_BEGUN}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(begun, flags, 0o600, dir_fd=descriptor), "w") as file:
                file.write(f"{made.view}\n{made.control}\n")
            os.rename(begun, name, src_dir_fd=descriptor, dst_dir_fd=descriptor)
            return _read_tokens(descriptor, name) or made
        except OSError as error:
            raise RuntimeDirectoryError(
                f"the tokens of port {port} can't be kept in {directory}: {error.strerror}"
            ) from None


def _read_tokens(descriptor: int, name: str) -> Tokens | None:
    """What is kept; None if nothing is that can be trusted."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=descriptor)
    except OSError:
        return None
    with os.fdopen(file, "rb") as opened_file:
        found = os.fstat(opened_file.fileno())
        mode_ok = stat.S_ISREG(found.st_mode) and not stat.S_IMODE(found.st_mode) & 0o077
        words = opened_file.read(1024).decode("ascii", "replace").split() if mode_ok else []
    ours = found.st_uid == os.geteuid() and len(words) == 2 and words[0] != words[1]
    return Tokens(*words) if ours and all(len(word) >= _TOKEN_BYTES for word in words) else None

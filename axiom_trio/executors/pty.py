"""A child that is a process on a pseudo-terminal.

ptyprocess is the package for PTYs here, used so that it never blocks the loop and
never forks Python: the process is spawned on a PTY of our own making, the
`PtyProcess` is constructed over it (for the window size and echo), and its
descriptor is taken over, so that its destructor, which sleeps, has nothing to do.
"""

from __future__ import annotations

import errno
import os
import termios
from typing import TYPE_CHECKING, ClassVar, final

import trio

from axiom_trio.abc import Executor
from axiom_trio.executors import spawn
from axiom_trio.executors.descriptor import write_all
from axiom_trio.executors.running import RunningProcess
from axiom_trio.sansio.errors import SpawnError, SpecificationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ptyprocess import PtyProcess

    from axiom_trio.abc import Port
    from axiom_trio.sansio.events import Exit


@final
class PtyExecutor(Executor):
    """Runs a command on a pseudo-terminal: it writes line by line, in colour, and can be typed to.

    Args:
        command: A str is a shell command line, a sequence is an argv.
        cwd: Working directory; default: ours.
        env: The whole environment; default: ours.
        size: Rows and columns of its window.
        echo: Whether the terminal echoes what is written into it.

    Raises:
        SpecificationError: An argument can't be.
    """

    tty: ClassVar[bool] = True

    def __init__(
        self,
        command: str | Sequence[str],
        *,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        size: tuple[int, int] = (24, 80),
        echo: bool = False,
    ) -> None:
        self._cwd = None if cwd is None else os.fspath(cwd)
        self._env = env
        self._argv = spawn.to_argv(command, cwd=self._cwd, env=env, tty=True)
        self._label = spawn.label_of(command)
        self._size = _valid_size(size)
        self._echo = echo
        self._process: RunningProcess | None = None
        self._pty: PtyProcess | None = None

    @property
    def label(self) -> str:
        """The command's first word."""
        return self._label

    async def run(self, port: Port) -> Exit:
        """See `Executor.run`."""
        self._process = self._spawn()
        port.started(pid=self._process.pid)
        try:
            return await self._process.run(port)
        finally:
            self._pty = None

    async def write(self, data: bytes) -> None:
        """See `Executor.write`."""
        if self._pty is None:
            raise trio.BrokenResourceError(f"{self._label} takes no more input")
        await write_all(self._pty.fd, data)

    def signal(self, signum: int) -> bool:
        """See `Executor.signal`."""
        if self._process is not None:
            self._process.signal(signum)
        return True

    def resize(self, rows: int, columns: int) -> None:
        """Change the window's size; a running child is told by SIGWINCH."""
        self._size = _valid_size((rows, columns))
        if self._pty is not None:
            self._pty.setwinsize(rows, columns)

    def _spawn(self) -> RunningProcess:
        try:
            master, slave = os.openpty()
        except OSError as error:
            why = "there is no free pseudo-terminal" if error.errno == errno.ENOSPC else error.strerror
            raise SpawnError(error.errno, f"can't start {self._argv[0]}: {why}") from error
        duplicate = -1
        try:
            # Opening the slave as its first terminal makes it the session's controlling one.
            files = [
                (os.POSIX_SPAWN_OPEN, 0, os.ttyname(slave), os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ]
            termios.tcsetwinsize(slave, self._size)
            if not self._echo:
                modes = termios.tcgetattr(slave)
                modes[3] &= ~termios.ECHO
                termios.tcsetattr(slave, termios.TCSANOW, modes)
            duplicate = os.dup(master)
            pid = spawn.spawn(self._argv, cwd=self._cwd, env=self._env, files=files)
        except BaseException as error:
            os.close(master)
            if duplicate >= 0:
                os.close(duplicate)
            if isinstance(error, OSError) and not isinstance(error, SpawnError):  # no more descriptors
                raise spawn.spawn_error(self._argv[0], error) from error
            raise
        finally:
            os.close(slave)
        from ptyprocess import PtyProcess  # takes 4 ms to import

        os.set_blocking(master, False)
        self._pty = pty = PtyProcess(pid, duplicate)
        pty.fileobj.close()  # closes the duplicate
        pty.fileobj = None
        pty.fd = master
        pty.closed = True
        return RunningProcess(pid, [(master, "output")], small_reads=True)


def _valid_size(size: tuple[int, int]) -> tuple[int, int]:
    rows, columns = size
    if not (0 < rows < 65536 and 0 < columns < 65536):
        raise SpecificationError(f"a window of {rows} rows and {columns} columns can't be")
    return rows, columns

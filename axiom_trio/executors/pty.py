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
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, final

import trio

from axiom_trio.executors.command import CommandExecutor
from axiom_trio.executors.descriptor import unread, write_all
from axiom_trio.executors.running import RunningProcess
from axiom_trio.sansio.errors import SpawnError, SpecificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ptyprocess import PtyProcess

    from axiom_trio.abc import Port
    from axiom_trio.sansio.modes import InputMode
    from axiom_trio.sansio.queries import TerminalModes

_HELD_ANSWERS = 1024  # bytes of answers that wait for the end of a message


@final
class PtyExecutor(CommandExecutor):
    """Runs a command on a pseudo-terminal: it writes line by line, in colour, and can be typed to.

    Args:
        command: A str is a shell command line, a sequence is an argv.
        cwd: Working directory; default: ours.
        env: The whole environment; default: ours.
        size: Rows and columns of its window.
        echo: Whether the terminal echoes what is written into it.
        answer: Whether the child gets answers when it asks its terminal something (where the cursor
            is, what it can do); see `axiom_trio.sansio.queries`.

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
        answer: bool = True,
    ) -> None:
        super().__init__(command, cwd=cwd, env=env)
        self._size = _valid_size(size)
        self._echo = echo
        self._answer = answer
        self._pty: PtyProcess | None = None
        self._path = ""
        self._writers = 0
        self._answers = b""
        self.modes: TerminalModes | None = None
        """What its terminal was told; None before it runs. A new start is a new terminal."""

    @property
    def terminal_size(self) -> tuple[int, int]:
        """Rows and columns of its window."""
        return self._size

    def follow_cursor(self, cursor: Callable[[], tuple[int, int, int] | None]) -> None:
        """See `Executor.follow_cursor`."""
        if self.modes is not None:
            self.modes.cursor = cursor

    async def write(self, data: bytes) -> None:
        """See `Executor.write`."""
        pty = self._pty
        if pty is None:
            raise trio.BrokenResourceError(f"{self._label} takes no more input")
        self._writers += 1
        try:
            await write_all(pty.fd, data, lambda: self._pty is pty)
        finally:
            self._writers -= 1
            if self._answers and not self._writers:
                answers, self._answers = self._answers, b""
                self._write_answers(answers)

    @property
    def writable(self) -> bool:
        """See `Executor.writable`."""
        return self._pty is not None

    def input_mode(self) -> InputMode | None:
        """See `Executor.input_mode`."""
        if self._pty is None or self.modes is None:
            return None
        from axiom_trio.sansio.modes import InputMode  # most children are never typed to

        try:
            flags = termios.tcgetattr(self._pty.fd)[3]  # the terminal has one set of modes, for both sides
        except termios.error:
            return None
        canonical, echo = bool(flags & termios.ICANON), bool(flags & termios.ECHO)
        pastes = self.modes is not None and self.modes.bracketed_paste
        return InputMode(canonical, echo, pastes, hides=canonical and self._echo and not echo)

    def pending_input(self) -> int | None:
        """See `Executor.pending_input`.

        Only the child's side of a terminal can be asked, so that is opened for a moment: it doesn't become
        anybody's controlling terminal, and nobody is told.
        """
        if self._pty is None:
            return None
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            return unread(descriptor)
        finally:
            os.close(descriptor)

    def resize(self, rows: int, columns: int) -> None:
        """Change the window's size; a running child is told by SIGWINCH.

        Raises:
            SpecificationError: No window has that size.
        """
        self._size = _valid_size((rows, columns))
        if self._pty is not None:
            self._pty.setwinsize(rows, columns)
        if self.modes is not None:
            self.modes.resize(rows, columns)

    def _start(self, port: Port) -> RunningProcess:
        try:
            master, slave = os.openpty()
        except OSError as error:
            why = "there is no free pseudo-terminal" if error.errno == errno.ENOSPC else error.strerror
            raise SpawnError(error.errno, f"can't start {self._argv[0]}: {why}") from error
        duplicate = -1
        try:
            # Opening the slave as its first terminal makes it the session's controlling one.
            self._path = os.ttyname(slave)
            files = [
                (os.POSIX_SPAWN_OPEN, 0, self._path, os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ]
            termios.tcsetwinsize(slave, self._size)
            if not self._echo:
                modes = termios.tcgetattr(slave)
                modes[3] &= ~termios.ECHO
                termios.tcsetattr(slave, termios.TCSANOW, modes)
            duplicate = os.dup(master)
            pid = self._spawn(port, files)
        except BaseException:
            os.close(master)
            if duplicate >= 0:
                os.close(duplicate)
            raise
        finally:
            os.close(slave)
        from ptyprocess import PtyProcess  # takes 4 ms to import

        from axiom_trio.sansio.queries import TerminalModes  # and so does this

        os.set_blocking(master, False)
        self._pty = pty = PtyProcess(pid, duplicate)
        pty.fileobj.close()  # closes the duplicate
        pty.fileobj = None
        pty.fd = master
        pty.closed = True
        self.modes = TerminalModes(*self._size)
        self._answers = b""
        return RunningProcess(pid, [(master, "output")], port, small_reads=True, on_read=self._look)

    def _look(self, data: bytes) -> None:
        assert self.modes is not None
        answers = self.modes.feed(data)
        if answers and self._answer:
            self._write_answers(answers)

    def _write_answers(self, answers: bytes) -> None:
        """Write at once or not at all: who asks without reading gets no answer, and nobody waits.

        A message that is being written is not torn: answers wait for its end.
        """
        if self._writers:
            if len(self._answers) < _HELD_ANSWERS:
                self._answers += answers
        elif (mode := self.input_mode()) is not None and not (mode.canonical and mode.echo):
            # Who reads answers has switched the echo off; else they would be shown, and be read as a line.
            assert self._pty is not None
            with suppress(OSError):  # full, or gone
                os.write(self._pty.fd, answers)

    def _ended(self) -> None:
        self._pty = None


def _valid_size(size: tuple[int, int]) -> tuple[int, int]:
    rows, columns = size
    if not (0 < rows < 65536 and 0 < columns < 65536):
        raise SpecificationError(f"a window of {rows} rows and {columns} columns can't be")
    return rows, columns

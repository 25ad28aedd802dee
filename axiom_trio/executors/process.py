"""A child that is a process on pipes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, final

import trio

from axiom_trio.executors.command import CommandExecutor
from axiom_trio.executors.descriptor import unread, write_all
from axiom_trio.executors.running import RunningProcess
from axiom_trio.sansio.errors import NotWritableError, SpecificationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from axiom_trio.abc import Port
    from axiom_trio.sansio.events import Kind


@final
class ProcessExecutor(CommandExecutor):
    """Runs a command with its output on a pipe.

    Many programs write in blocks of 4–8 KiB when their output is a pipe; on a
    `PtyExecutor` they write line by line.

    Args:
        command: A str is a shell command line, a sequence is an argv.
        cwd: Working directory; default: ours.
        env: The whole environment; default: ours.
        stderr: `join`: one pipe for both keeps the child's own order. `split`: two
            tell errors apart (kind `error`); no order holds between the two.
        stdin: `null`: it reads end of file at once. `pipe`: `Child.write` reaches it.

    Raises:
        SpecificationError: An argument can't be.
    """

    def __init__(
        self,
        command: str | Sequence[str],
        *,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        stderr: Literal["join", "split"] = "join",
        stdin: Literal["null", "pipe"] = "null",
    ) -> None:
        if stderr not in ("join", "split"):
            raise SpecificationError(f"stderr is {stderr!r}: it must be join or split")
        if stdin not in ("null", "pipe"):
            raise SpecificationError(f"stdin is {stdin!r}: it must be null or pipe")
        super().__init__(command, cwd=cwd, env=env)
        self._split = stderr == "split"
        self._pipe_stdin = stdin == "pipe"
        self._stdin: int | None = None

    @property
    def writable(self) -> bool:
        """See `Executor.writable`."""
        return self._stdin is not None

    def pending_input(self) -> int | None:
        """See `Executor.pending_input`."""
        return None if self._stdin is None else unread(self._stdin)

    async def write(self, data: bytes) -> None:
        """See `Executor.write`."""
        if not self._pipe_stdin:
            raise NotWritableError(f"{self._label} has no input: run it with stdin=pipe, or on a PTY")
        if self._stdin is None:
            raise trio.BrokenResourceError(f"{self._label} takes no more input")
        process = self._process
        await write_all(self._stdin, data, lambda: self._stdin is not None and self._process is process)

    def close_stdin(self) -> None:
        """End its input: it reads end of file."""
        if self._stdin is not None:
            descriptor, self._stdin = self._stdin, None
            trio.lowlevel.notify_closing(descriptor)
            os.close(descriptor)

    def _start(self, port: Port) -> RunningProcess:
        outputs: list[tuple[int, Kind]] = []
        theirs: list[int] = []
        files: list[tuple[object, ...]] = []
        try:
            if self._pipe_stdin:
                reader, self._stdin = os.pipe()
                theirs.append(reader)
                os.set_blocking(self._stdin, False)
                files.append((os.POSIX_SPAWN_DUP2, reader, 0))
            else:
                files.append((os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0))
            kinds: tuple[Kind, ...] = ("output", "error") if self._split else ("output",)
            for number, kind in enumerate(kinds, 1):
                reader, writer = os.pipe()
                os.set_blocking(reader, False)  # our end has a file description of its own
                outputs.append((reader, kind))
                theirs.append(writer)
                files.append((os.POSIX_SPAWN_DUP2, writer, number))
            if not self._split:
                files.append((os.POSIX_SPAWN_DUP2, 1, 2))
            pid = self._spawn(port, files)
        except BaseException:
            self.close_stdin()
            for reader, _ in outputs:
                os.close(reader)
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        return RunningProcess(pid, outputs, port)

    def _ended(self) -> None:
        self.close_stdin()

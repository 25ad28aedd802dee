"""A child that is a process on pipes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, final

import trio

from axiom_trio.abc import Executor
from axiom_trio.executors import spawn
from axiom_trio.executors.descriptor import write_all
from axiom_trio.executors.running import RunningProcess
from axiom_trio.sansio.errors import NotWritableError, SpawnError, SpecificationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from axiom_trio.abc import Port
    from axiom_trio.sansio.events import Exit, Kind


@final
class ProcessExecutor(Executor):
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
        self._cwd = None if cwd is None else os.fspath(cwd)
        self._env = env
        self._argv = spawn.to_argv(command, cwd=self._cwd, env=env)
        self._label = spawn.label_of(command)
        self._split = stderr == "split"
        self._pipe_stdin = stdin == "pipe"
        self._process: RunningProcess | None = None
        self._stdin: int | None = None

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
            self._close_stdin()

    async def write(self, data: bytes) -> None:
        """See `Executor.write`."""
        if not self._pipe_stdin:
            raise NotWritableError(f"{self._label} has no input: run it with stdin=pipe, or on a PTY")
        if self._stdin is None:
            raise trio.BrokenResourceError(f"{self._label} takes no more input")
        await write_all(self._stdin, data)

    def close_stdin(self) -> None:
        """End its input: it reads end of file."""
        self._close_stdin()

    def signal(self, signum: int) -> bool:
        """See `Executor.signal`."""
        if self._process is not None:
            self._process.signal(signum)
        return True

    def _spawn(self) -> RunningProcess:
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
            pid = spawn.spawn(self._argv, cwd=self._cwd, env=self._env, files=files)
        except BaseException as error:
            self._close_stdin()
            for reader, _ in outputs:
                os.close(reader)
            if isinstance(error, OSError) and not isinstance(error, SpawnError):  # no more descriptors
                raise spawn.spawn_error(self._argv[0], error) from error
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        return RunningProcess(pid, outputs)

    def _close_stdin(self) -> None:
        if self._stdin is not None:
            descriptor, self._stdin = self._stdin, None
            trio.lowlevel.notify_closing(descriptor)
            os.close(descriptor)

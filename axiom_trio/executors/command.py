"""What children that are commands share, on pipes or on a PTY."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import TYPE_CHECKING

from axiom_trio.abc import Executor
from axiom_trio.executors import spawn
from axiom_trio.sansio.errors import SpawnError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from axiom_trio.abc import Port
    from axiom_trio.executors.running import RunningProcess
    from axiom_trio.sansio.events import Exit


class CommandExecutor(Executor):
    """Runs a command. A subclass sets up its descriptors.

    Args:
        command: A str is a shell command line, a sequence is an argv.
        cwd: Working directory; None: ours.
        env: The whole environment; None: ours.

    Raises:
        SpecificationError: An argument can't be.
    """

    def __init__(
        self,
        command: str | Sequence[str],
        *,
        cwd: str | os.PathLike[str] | None,
        env: Mapping[str, str] | None,
    ) -> None:
        self._cwd = None if cwd is None else os.fspath(cwd)
        self._env = env
        self._argv = spawn.to_argv(command, cwd=self._cwd, env=env, tty=self.tty)
        self._label = spawn.label_of(command)
        self._process: RunningProcess | None = None

    @property
    def label(self) -> str:
        """The command's first word."""
        return self._label

    async def run(self, port: Port) -> Exit:
        """See `Executor.run`."""
        try:
            self._process = self._start(port)
        except SpawnError:
            raise
        except OSError as error:  # no more descriptors
            raise spawn.spawn_error(self._argv[0], error) from error
        port.started(pid=self._process.pid)
        try:
            return await self._process.run()
        finally:
            self._ended()

    def signal(self, signum: int) -> bool:
        """See `Executor.signal`."""
        if self._process is not None:
            self._process.signal(signum)
        return True

    @abstractmethod
    def _start(self, port: Port) -> RunningProcess:
        """Spawn it. An OSError leaves nothing open."""

    @abstractmethod
    def _ended(self) -> None:
        """Its descriptors are closed: it takes no more input."""

    def _spawn(self, port: Port, files: Sequence[tuple[object, ...]]) -> int:
        return spawn.spawn(self._argv, cwd=self._cwd, env=self._env, extra=port.environment, files=files)

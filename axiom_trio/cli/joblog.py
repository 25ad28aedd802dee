"""`--joblog`: a line for each child that has ended, as GNU parallel writes them."""

from __future__ import annotations

import os
import shlex
import stat
from typing import TYPE_CHECKING, Final

from axiom_trio.cli import say, write_all
from axiom_trio.sansio.events import Completed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from axiom_trio.cli.tasks import TaskSpec
    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child

HEADER: Final = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"


class Joblog:
    """Writes the file, each line when its child ends.

    Args:
        path: The file; what is in it goes when it's begun.
        tasks: What the children run, in order.
        masked: Takes the secrets out of a text.

    Raises:
        OSError: The file can't be written.
    """

    def __init__(self, path: str, tasks: Sequence[TaskSpec], masked: Callable[[str], str]) -> None:
        self.path = path
        self._tasks = tasks
        self._masked = masked
        self._written: set[str] = set()
        self.error: OSError | None = None
        """What a line could not be written for; none is written after it."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o666)

    def begin(self) -> None:
        """Begin the file anew: from here on nothing keeps the run from starting.

        Raises:
            OSError: It can't be written.
        """
        if stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            os.ftruncate(self._descriptor, 0)
        self._append(HEADER)

    async def report(self, aggregator: StreamAggregator) -> None:
        """Write a line for each child that ends, until cancelled."""
        async for event in aggregator.notices():
            if isinstance(event, Completed):
                self._log(aggregator.child(event.child))

    def finish(self, aggregator: StreamAggregator) -> None:
        """Write what is left to be written, and close."""
        ended = [(child.completed.cursor, child) for child in aggregator.children if child.completed]
        for _, child in sorted(ended, key=lambda pair: pair[0]):
            self._log(child)
        os.close(self._descriptor)

    def _log(self, child: Child) -> None:
        if child.id in self._written or self.error is not None or never_ran(child):
            return
        self._written.add(child.id)
        try:
            self._append(self._line(child))
        except OSError as error:
            self.error = error
            say(f"axiom-trio: the joblog could not be written to {self.path}: {error.strerror}\n")

    def _line(self, child: Child) -> str:
        completed = child.completed
        assert completed is not None
        command = command_text(self._tasks[child.index], self._masked).replace("\n", "\0")
        columns = (
            child.index + 1,
            ":",
            f"{completed.time - completed.duration:.3f}",
            f"{completed.duration:10.3f}",
            child.sent,
            completed.bytes,
            # As parallel says that its time was up, whatever it then ended with.
            -1 if completed.reason in ("timeout", "idle") else completed.exit.code or 0,
            completed.exit.signal or 0,
            command,
        )
        return "\t".join(map(str, columns)) + "\n"

    def _append(self, line: str) -> None:
        write_all(self._descriptor, line.encode("utf-8", "surrogateescape"))


def never_ran(child: Child) -> bool:
    """Whether it has ended without having been started."""
    return child.completed is not None and child.completed.attempts == 0


def command_text(task: TaskSpec, masked: Callable[[str], str]) -> str:
    """A task's command as one shell line, without secrets."""
    if isinstance(task.command, str):
        return masked(task.command)
    return shlex.join(masked(word) for word in task.command)

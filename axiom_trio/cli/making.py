"""Tasks made into executors, with terminals of the right size."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, final

from axiom_trio.executors.process import ProcessExecutor
from axiom_trio.executors.pty import PtyExecutor
from axiom_trio.sansio.names import SHORT_ID, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axiom_trio.abc import Executor
    from axiom_trio.cli.options import RunOptions
    from axiom_trio.cli.tasks import TaskSpec


@final
class Making:
    """Makes the executors of a run.

    Args:
        options: The run's.
        terminal: Whether stdout is one.
    """

    def __init__(self, options: RunOptions, *, terminal: bool) -> None:
        self._options = options
        self._terminal = terminal
        self._measured = 0  # tasks whose prefixes are known
        self._widest = 0

    def executor(self, task: TaskSpec) -> Executor:
        """What runs a task."""
        env = None if task.env is None else {**os.environ, **task.env}
        pty = task.pty if task.pty is not None else self._options.pty
        if pty if pty is not None else self._terminal:
            # Echo on: programs that edit lines show them only then, and one that switches it off asks for a
            # password. What is typed is shown behind its prompt; nothing else changes.
            return PtyExecutor(task.command, cwd=task.cwd, env=env, size=self.window(task), echo=True)
        return ProcessExecutor(
            task.command,
            cwd=task.cwd,
            env=env,
            stderr=self._options.stderr,
            stdin="pipe" if self._is_written_to(task) else self._options.stdin,
        )

    def _is_written_to(self, task: TaskSpec) -> bool:
        """Whether a rule may write into it."""
        return any(
            rule.applies_to(task.name) and (rule.send is not None or rule.keys is not None)
            for rule in self._options.rules
            if rule.mode not in ("off", "notify")
        )

    def window(self, task: TaskSpec | None = None) -> tuple[int, int]:
        """Rows and columns for a child: our own, less the room that the prefix takes.

        Args:
            task: The child's, if it's not one of the run's yet.
        """
        for descriptor in (1, 2, 0):
            try:
                columns, rows = os.get_terminal_size(descriptor)
            except OSError:
                continue
            if rows > 0 and columns > 0:
                return rows, max(20, columns - self._prefix_width(task) - 1)
        return 24, 80

    def _prefix_width(self, task: TaskSpec | None) -> int:
        if self._options.output == "raw" or not self._options.prefix:
            return self._time_width
        fresh = [other.name for other in self._options.tasks[self._measured :]]  # each child asks: once each
        self._measured += len(fresh)
        fresh += [] if task is None else [task.name]
        self._widest = max([self._widest, *map(columns_of, self._prefixes(fresh))])
        return self._widest + self._time_width

    def _prefixes(self, names: list[str]) -> Iterator[str]:
        if self._options.prefix_length is not None:
            names = shorten(names, self._options.prefix_length)
        index = len(self._options.tasks) - 1
        fields = {"id": "x" * SHORT_ID, "index": index, "pid": "1234567", "time": "x" * 24}
        return (self._options.prefix.format(name=name, **fields) for name in names)

    @property
    def _time_width(self) -> int:
        return 25 if self._options.timestamps else 0

    @property
    def padding(self) -> int:
        """To how many characters prefixes are padded."""
        if not self._options.pad or self._options.output == "raw" or not self._options.prefix:
            return 0
        return max(map(len, self._prefixes([task.name for task in self._options.tasks])), default=0)


def columns_of(text: str) -> int:
    """The columns that a name takes on a terminal."""
    if text.isascii():
        return len(text)
    from axiom_trio.terminal.editor import width  # most have no such names

    return width(text)

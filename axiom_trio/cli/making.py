"""Tasks made into executors, with terminals of the right size."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, final

from axiom_trio.executors.process import ProcessExecutor
from axiom_trio.executors.pty import PtyExecutor
from axiom_trio.sansio.names import SHORT_ID, shorten

if TYPE_CHECKING:
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

    def executor(self, task: TaskSpec) -> Executor:
        """What runs a task."""
        env = None if task.env is None else {**os.environ, **task.env}
        pty = task.pty if task.pty is not None else self._options.pty
        if pty if pty is not None else self._terminal:
            # Echo on: programs that edit lines show them only then, and one that switches it off asks for a
            # password. What is typed is shown behind its prompt; nothing else changes.
            return PtyExecutor(task.command, cwd=task.cwd, env=env, size=self.window(), echo=True)
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

    def window(self) -> tuple[int, int]:
        """Rows and columns for a child: our own, less the room that the prefix takes."""
        for descriptor in (1, 2, 0):
            try:
                columns, rows = os.get_terminal_size(descriptor)
            except OSError:
                continue
            if rows > 0 and columns > 0:
                return rows, max(20, columns - self._prefix_width - 1)
        return 24, 80

    @cached_property  # it looks at all names, and each child asks
    def _prefix_width(self) -> int:
        if self._options.output == "raw" or not self._options.prefix:
            return 0
        names = [task.name for task in self._options.tasks]
        if self._options.prefix_length is not None:
            names = shorten(names, self._options.prefix_length)
        fields = {"id": "x" * SHORT_ID, "index": len(names) - 1, "pid": "1234567", "time": "x" * 24}
        widths = (len(self._options.prefix.format(name=name, **fields)) for name in names)
        return max(widths, default=0) + (25 if self._options.timestamps else 0)

    @property
    def padding(self) -> int:
        """To how many columns prefixes are padded."""
        if not self._options.pad:
            return 0
        return self._prefix_width - (25 if self._options.timestamps else 0)

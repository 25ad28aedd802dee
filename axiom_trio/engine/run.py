"""Running a list of commands to the end, in one call."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, final

import attrs

from axiom_trio.abc import Executor
from axiom_trio.engine.opening import open_aggregator
from axiom_trio.executors.process import ProcessExecutor
from axiom_trio.executors.pty import PtyExecutor
from axiom_trio.sansio.errors import SpecificationError
from axiom_trio.sansio.log import HISTORY
from axiom_trio.sansio.names import unique
from axiom_trio.sansio.success import check_success, default_success, is_success
from axiom_trio.sinks.console import ConsoleSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from axiom_trio.abc import Sink
    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.events import Exit, Reason
    from axiom_trio.sansio.supervision import Supervision


@final
@attrs.frozen(kw_only=True)
class ChildResult:
    """What became of one child."""

    name: str
    """Unique among the results."""
    exit: Exit
    """How its last attempt ended."""
    reason: Reason
    """Why it did."""
    duration: float
    """Seconds from the first start to the end."""
    tail: list[bytes]
    """Its last lines, at most 20, without their newlines."""
    bytes: int
    """Bytes of output."""
    lines: int
    """Lines of output."""
    attempts: int
    """How often it was started."""


@final
@attrs.frozen
class RunResult:
    """What became of all children: by name (KeyError if there's none), or in order by iterating."""

    children: tuple[ChildResult, ...]
    """In the order given."""
    ok: bool
    """Whether those succeeded that had to."""

    def __getitem__(self, name: str) -> ChildResult:
        for child in self.children:
            if child.name == name:
                return child
        raise KeyError(name)

    def __iter__(self) -> Iterator[ChildResult]:
        return iter(self.children)

    def __len__(self) -> int:
        return len(self.children)


async def run(
    commands: Sequence[str | Sequence[str] | Executor] | Mapping[str, str | Sequence[str] | Executor],
    *,
    sinks: Sequence[Sink] | None = None,
    jobs: int | None = None,
    halt: str = "never",
    success: str | None = None,
    supervision: Supervision | None = None,
    pty: bool = False,
    grace: float = 5.0,
    history: int = HISTORY,
    around: Callable[[StreamAggregator], AbstractAsyncContextManager[object]] = nullcontext,
) -> RunResult:
    """Run commands side by side to their ends, and say what became of each.

    Example::

        result = await axiom_trio.run(["make a", "make b"], jobs=4)
        result["make"].exit, result["make-2"].tail

    Args:
        commands: Shell command lines, argvs or executors; a mapping gives their names
            too, else a name is the command's first word, made unique.
        sinks: Where the merged stream goes; default: the console.
        jobs: Run at most so many at once.
        halt: When to stop the rest, such as `soon,fail=1`; see `open_aggregator`.
        success: Who has to succeed: `all`, `any`, the `first` or the `last` to end, or one by its
            name. Unless named, those that were stopped don't count. Default: `any` if `halt`
            waits for success, else `all`.
        supervision: How children are looked after: restarts, time limits.
        pty: Run commands on PTYs instead of pipes.
        grace: Seconds between asking a child to end and killing it, when this is cancelled.
        history: Bytes of the log kept for those who come late.
        around: What is entered before the first child starts, and left when the last has been started.

    Raises:
        SinkError: A sink did not get everything.
        SpecificationError: A command is empty, or an argument can't be.
    """
    if isinstance(commands, str):
        raise SpecificationError(f"run takes a list of commands: write [{commands!r}]")
    make = PtyExecutor if pty else ProcessExecutor
    given = commands.values() if isinstance(commands, Mapping) else commands
    executors = [item if isinstance(item, Executor) else make(item) for item in given]
    names = list(commands) if isinstance(commands, Mapping) else unique([e.label for e in executors])
    success = default_success(halt) if success is None else success
    try:
        check_success(success, names)
    except ValueError as error:
        raise SpecificationError(str(error)) from None
    async with (
        open_aggregator(
            [ConsoleSink()] if sinks is None else sinks,
            jobs=jobs,
            halt=halt,
            supervision=supervision,
            grace=grace,
            history=history,
        ) as aggregator,
        around(aggregator),
    ):
        children = [
            aggregator.start_soon(executor, name=name)
            for executor, name in zip(executors, names, strict=True)
        ]
    return RunResult(tuple(_result(child) for child in children), succeeded(children, success))


def succeeded(children: Iterable[Child], success: str) -> bool:
    """Whether children that have ended make a success; see `run`."""
    ended = [(child.completed, child.name) for child in children if child.completed is not None]
    ended.sort(key=lambda item: item[0].cursor)
    return is_success(success, [(name, done.ok, done.reason != "stopped") for done, name in ended])


def _result(child: Child) -> ChildResult:
    completed = child.completed
    assert completed is not None
    return ChildResult(
        name=child.name,
        exit=completed.exit,
        reason=completed.reason,
        duration=completed.duration,
        bytes=completed.bytes,
        lines=completed.lines,
        tail=child.tail(20),
        attempts=completed.attempts,
    )

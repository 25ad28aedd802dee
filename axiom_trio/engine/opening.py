"""Opening an aggregator: the nursery tree, and the order in which it ends.

::

    services nursery             the merger, the tail clock, one task per sink; shielded
    └─ children nursery          one supervisor task per child; the body runs here

* Normal end: the children end, their channels close, the merger reads each to its
  end, the log closes, the sinks flush and return.
* Cancelled, or the body raised: the children are asked to end (stop ladder) and
  joined first, while what they write is read; then the services end in the same
  way. A sink that takes nothing for as long as the grace is given up, so that
  nothing can hold the end for ever.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from axiom_trio.engine.aggregator import StreamAggregator
from axiom_trio.sansio.errors import SinkError, SpecificationError
from axiom_trio.sansio.log import GATE, HISTORY
from axiom_trio.sansio.supervision import Supervision

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from axiom_trio.abc import Sink
    from axiom_trio.engine.services import Pace
    from axiom_trio.sansio.rules import Rule


@asynccontextmanager
async def open_aggregator(
    sinks: Sequence[Sink] = (),
    *,
    jobs: int | None = None,
    halt: str = "never",
    supervision: Supervision | None = None,
    grace: float = 5.0,
    stats_interval: float = 0.0,
    gate: int = GATE,
    history: int = HISTORY,
    flush_interval: float = 0.0,
    mask: Iterable[str | bytes] = (),
    pace: Pace | None = None,
    allow_daemons: bool = False,
    subreaper: bool = False,
    guardian: bool = False,
    watchdog: float | None = None,
    rules: Iterable[Rule] = (),
) -> AsyncIterator[StreamAggregator]:
    """Open an aggregator, to be used with `async with`.

    Leaving the block waits for all children. If the block raises or is cancelled,
    the children are stopped first, and nothing of them survives.

    Args:
        sinks: Where the merged stream goes. Sinks of equal text format share the
            work of formatting with the first that has one.
        jobs: Run at most so many children at once; the others queue in order.
        halt: When to stop the rest: `never`; `soon` (start no more) or `now` (also stop those that
            run), `,` and `fail`, `success` or `done`, `=` and a number or percentage of all children,
            such as `now,fail=1`.
        supervision: How children are looked after that are not given a `Supervision` of their own.
        grace: Seconds between asking a child to end and killing it.
        stats_interval: Seconds between `Stats` events; 0 for none.
        gate: Bytes of the log by which the slowest lossless reader may lag before
            the children have to wait.
        history: Bytes of the log kept for subscriptions that come late.
        flush_interval: Seconds that sinks wait for more to come together; 0: they
            write at once, and batches grow with the load by themselves.
        mask: Secrets to show as `***`, in each event and so in each sink and subscription; see
            `axiom_trio.sansio.masks`.
        pace: Whom the children wait for if there is a `JournalSink`. `"journal"`, the default
            then: for it alone; the other lossless readers get everything all the same, and read
            what memory has let go from the journal. `"console"`: for every lossless reader.
        allow_daemons: Keep processes that have left their child's group (with setsid) and
            outlive it; they're named, and what they write later is lost. By default they
            get SIGTERM, and SIGKILL half a second later.
        subreaper: Become the parent of all processes below this one that lose their own,
            so that none can hide, and reap them. This is a property of the whole process:
            any child process in another session that no aggregator has started is then
            taken for one of theirs. Without it they're found by the run's id in their
            environments.
        guardian: Have a small process beside this one that kills the children should
            this one be killed.
        watchdog: Seconds after which a function or stream of this process that never waits, and so
            stops everything, is named by a warning of the logger `axiom_trio`, once each time.
            None: no thread is there to notice.
        rules: When a child does this, do that: see `Rule`, and `StreamAggregator.add_rule`.

    **Signals, stdin, terminal:** never touched.

    Raises:
        SinkError: On leaving, if a sink failed: it did not get everything. What the
            block raised comes before it.
        SpecificationError: An argument can't be; `subreaper` and `guardian` are for Linux only.
        JournalError: The journal can't be used.
    """
    if watchdog is not None and not watchdog > 0:
        raise SpecificationError(f"a watchdog of {watchdog} s can't be: it must be more than 0, or None")
    aggregator = StreamAggregator(
        sinks=sinks,
        jobs=jobs,
        halt=halt,
        supervision=Supervision() if supervision is None else supervision,
        grace=grace,
        gate=gate,
        history=history,
        flush_interval=flush_interval,
        mask=mask,
        pace=pace,
        allow_daemons=allow_daemons,
        subreaper=subreaper,
        guardian=guardian,
    )
    try:
        async with trio.open_nursery() as services:
            with trio.CancelScope(shield=True):  # were it cancelled here, it would wait for their end
                await services.start(aggregator._services.run, aggregator._children.values(), stats_interval)
            try:
                aggregator._teardown.open()
                if aggregator._teardown.adopts:
                    aggregator._services.run_beside(aggregator._teardown.reap)
                if watchdog is not None:
                    from axiom_trio.engine.watchdog import Watchdog  # most runs have none

                    aggregator._services.run_beside(Watchdog(watchdog).run)
                for rule in rules:
                    aggregator.add_rule(rule)
                async with trio.open_nursery() as nursery:
                    aggregator._nursery = nursery
                    try:
                        yield aggregator
                        await aggregator.wait_all_completed()
                    except BaseException:
                        aggregator._closing = True
                        aggregator._stop(aggregator.children, reason="cancelled")
                        aggregator._services.lose_patience(grace)
                        raise
                    finally:
                        aggregator._closing = True
            finally:
                try:
                    await aggregator._teardown.finish()
                    if aggregator._rulebook is not None:  # what rules do at a child's end
                        with trio.move_on_after(grace, shield=True):
                            await aggregator._rulebook.finish()
                    await aggregator._services.finish_screens()
                finally:
                    aggregator._merger.end()
            try:
                await aggregator._services.served.wait()
            except BaseException:
                aggregator._services.lose_patience(grace)
                raise
    except BaseExceptionGroup as group:
        error = _only(group)
        context = error.__context__
        try:
            raise error
        finally:
            error.__context__ = context
    if aggregator.sink_failures:
        failure = aggregator.sink_failures[0]
        raise SinkError(
            f"{type(failure.sink).__name__} did not get everything: {failure.error}"
        ) from failure.error


def _only(error: BaseException) -> BaseException:
    """The single exception that our two nurseries have wrapped, as raised; or the group."""
    for _ in range(2):
        if isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
    return error

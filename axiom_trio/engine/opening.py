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
from axiom_trio.sansio.errors import SinkError
from axiom_trio.sansio.log import GATE, HISTORY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from axiom_trio.abc import Sink


@asynccontextmanager
async def open_aggregator(
    sinks: Sequence[Sink] = (),
    *,
    jobs: int | None = None,
    grace: float = 5.0,
    stats_interval: float = 0.0,
    gate: int = GATE,
    history: int = HISTORY,
    flush_interval: float = 0.0,
) -> AsyncIterator[StreamAggregator]:
    """Open an aggregator, to be used with `async with`.

    Leaving the block waits for all children. If the block raises or is cancelled,
    the children are stopped first, and nothing of them survives.

    Args:
        sinks: Where the merged stream goes. Sinks of equal text format share the
            work of formatting with the first that has one.
        jobs: Run at most so many children at once; the others queue in order.
        grace: Seconds between asking a child to end and killing it.
        stats_interval: Seconds between `Stats` events; 0 for none.
        gate: Bytes of the log by which the slowest lossless reader may lag before
            the children have to wait.
        history: Bytes of the log kept for subscriptions that come late.
        flush_interval: Seconds that sinks wait for more to come together; 0: they
            write at once, and batches grow with the load by themselves.

    **Signals, stdin, terminal:** never touched.

    Raises:
        SinkError: On leaving, if a sink failed: it did not get everything. What the
            block raised comes before it.
        SpecificationError: An argument can't be.
    """
    aggregator = StreamAggregator(
        sinks=sinks, jobs=jobs, grace=grace, gate=gate, history=history, flush_interval=flush_interval
    )
    try:
        async with trio.open_nursery() as services:
            await services.start(aggregator._services.run, aggregator._children.values(), stats_interval)
            try:
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

"""What outlives the children: the merger, the tail clock, one task per sink.

They run shielded, in a nursery of their own, until the last child has completed and
all is written.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import trio

from axiom_trio.engine import ladder
from axiom_trio.engine.merger import Merger
from axiom_trio.engine.outlet import Outlet, lose_patience
from axiom_trio.engine.tails import TailClock
from axiom_trio.sansio.events import Stats
from axiom_trio.sansio.log import EventLog
from axiom_trio.sansio.text import TextFormatter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from axiom_trio.abc import Sink
    from axiom_trio.engine.child import Child

_LEAST_PATIENCE = 1.0


class Services:
    """The services of one aggregator.

    Args:
        sinks: Where the stream goes; those of equal text format share the merger's work.
        gate: See `EventLog`.
        history: See `EventLog`.
        flush_interval: Seconds that sinks let more come together.
        on_sinks_gone: Called when a reader has left or the last lossless sink is lost.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        *,
        gate: int,
        history: int,
        flush_interval: float,
        on_sinks_gone: Callable[[], None],
    ) -> None:
        self.log = EventLog(gate=gate, history=history)
        self.wall_offset = time.time() - trio.current_time()
        """What to add to trio's clock for seconds since the epoch."""
        text_format = next((sink.text for sink in sinks if sink.text is not None), None)
        self.formatter = None if text_format is None else TextFormatter(text_format)
        self.merger = Merger(self.log, self.formatter, self.wall_offset)
        self.tails = TailClock()
        self.outlets = [
            Outlet(sink, self.log, shares_text=sink.text == text_format, flush_interval=flush_interval)
            for sink in sinks
        ]
        self.served = trio.Event()
        """Set when all is written."""
        self._on_sinks_gone = on_sinks_gone
        self._helpers: trio.Nursery | None = None
        self._patience: float | None = None

    async def run(
        self,
        children: Iterable[Child],
        stats_interval: float,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until the merger was told to end and all is written. `children` may grow meanwhile."""
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as helpers:
                self._helpers = helpers
                helpers.start_soon(self.tails.run)
                if stats_interval > 0:
                    helpers.start_soon(self._report_stats, children, stats_interval)
                async with trio.open_nursery() as nursery:
                    for outlet in self.outlets:
                        nursery.start_soon(self._serve, outlet)
                    task_status.started()
                    try:
                        await self.merger.run()
                    finally:  # were it to crash, nobody may wait for it for ever
                        self.log.close()
                        for child in children:
                            child._port.abandon()
                self.served.set()
                helpers.cancel_scope.cancel(reason="all is written")

    def climb(self, children: Sequence[Child], grace: float) -> None:
        """Take the next rungs of the stop ladder with children that were asked to end."""
        assert self._helpers is not None
        self._helpers.start_soon(ladder.climb, children, grace)

    def lose_patience(self, grace: float) -> None:
        """The run has been told to end: from now on, readers that take nothing are given up."""
        patience = max(grace, _LEAST_PATIENCE)
        if self._helpers is None or self.served.is_set():
            return
        if self._patience is None or patience < self._patience:
            self._patience = patience
            self._helpers.start_soon(lose_patience, self.outlets, self.log, patience)

    async def _serve(self, outlet: Outlet) -> None:
        await outlet.run()
        failure = outlet.failure
        if failure is None:
            return
        lossless_left = any(o.sink.lossless and o.failure is None for o in self.outlets)
        if isinstance(failure.error, BrokenPipeError) or (outlet.sink.lossless and not lossless_left):
            self._on_sinks_gone()

    async def _report_stats(self, children: Iterable[Child], interval: float) -> None:
        while True:
            await trio.sleep(interval)
            if self.log.closed:
                return
            if self.log.has_unread_stats():
                continue
            merger = self.merger
            self.log.append(
                Stats(
                    cursor=self.log.next,
                    time=trio.current_time() + self.wall_offset,
                    active=merger.active,
                    bytes=merger.bytes,
                    lines=merger.lines,
                    interventions=merger.interventions,
                    children=tuple(
                        child.statistics()
                        for child in children
                        if child.completed is None and child._port.meter.started is not None
                    ),
                )
            )
            self.log.publish()

"""What outlives the children: the merger, the tail clock, one task per sink.

They run shielded, in a nursery of their own, until the last child has completed and
all is written.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal, TypeAlias

import trio

from axiom_trio.abc import Sink
from axiom_trio.engine import ladder
from axiom_trio.engine.merger import Merger
from axiom_trio.engine.outlet import Outlet, lose_patience
from axiom_trio.engine.tails import TailClock
from axiom_trio.sansio.errors import SpecificationError
from axiom_trio.sansio.events import Stats
from axiom_trio.sansio.log import EventLog
from axiom_trio.sansio.text import TextFormatter
from axiom_trio.sinks.descriptor import DescriptorSink

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from axiom_trio.engine.child import Child
    from axiom_trio.engine.patrol import Patrol
    from axiom_trio.engine.screens import Screens
    from axiom_trio.sansio.cursor import Archive

Pace: TypeAlias = Literal["console", "journal"]
"""Whom the children wait for if there is a journal; see `open_aggregator`."""

_LEAST_PATIENCE = 1.0
_LED_STEP = 128 * 1024  # what a journal writes at once: less costs calls, more has left the cache
_LAST_ROWS = 2.0


class Services:
    """The services of one aggregator.

    Args:
        sinks: Where the stream goes; those of equal text format share the merger's work.
        gate: See `EventLog`.
        history: See `EventLog`.
        flush_interval: Seconds that sinks let more come together.
        pace: Who holds the children up when slow: the journal alone, or all lossless sinks (`console`);
            None: the journal if there is one.
        on_sinks_gone: Called when a reader has left or the last lossless sink is lost.
        patrol: Looks after the children's time.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        *,
        gate: int,
        history: int,
        flush_interval: float,
        pace: Pace | None,
        on_sinks_gone: Callable[[], None],
        patrol: Patrol,
    ) -> None:
        archives: dict[Sink, Archive] = {}
        try:
            for sink in sinks:
                if (archive := sink.lead()) is not None:
                    archives[sink] = archive
            _check(len(archives), pace)
        except BaseException:
            for archive in archives.values():
                archive.close()
            raise
        self._archive = next(iter(archives.values()), None)
        follow = self._archive is not None and pace != "console"
        self.log = EventLog(gate=gate, history=history, archive=self._archive, follow=follow)
        self.wall_offset = time.time() - trio.current_time()
        """What to add to trio's clock for seconds since the epoch."""
        text_format = next((sink.text for sink in sinks if sink.text is not None), None)
        self.formatter = None if text_format is None else TextFormatter(text_format)
        # Who follows a journal is at a place of its own, with other lines open: only blocks are made for all.
        self.merger = Merger(self.log, self.formatter, self.wall_offset, only_blocks=follow)
        if self._archive is not None:
            self.merger.step_size = _LED_STEP
        self.tails = TailClock()
        self.patrol = patrol
        self.outlets = [
            Outlet(
                sink,
                self.log,
                shares_text=sink.text == text_format,
                follows=follow and sink not in archives,
                flush_interval=flush_interval,
                leader=sink in archives,
            )
            for sink in sinks
        ]
        self.farewells: list[Callable[[], Awaitable[object]]] = []
        """What is done when all is written, and the archive can still be read; takes a moment at most."""
        self.served = trio.Event()
        """Set when all is written."""
        self._on_sinks_gone = on_sinks_gone
        self.screens: Screens | None = None
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
                helpers.start_soon(self.patrol.run)
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
                async with trio.open_nursery() as nursery:
                    for farewell in self.farewells:
                        nursery.start_soon(farewell)
                if self._archive is not None:
                    self._archive.close()
                self.served.set()
                helpers.cancel_scope.cancel(reason="all is written")

    def follow_screens(self, children: Mapping[str, Child]) -> Screens:
        """Follow the screens of children from now on."""
        if self.screens is None:
            from axiom_trio.engine.screens import Screens  # most runs show none

            self.screens = Screens(children, self.merger, self.run_beside)
        return self.screens

    async def finish_screens(self) -> None:
        """Let screens say what they still have to say, while there's a sink to say it to."""
        if self.screens is not None:
            with trio.move_on_after(_LAST_ROWS, shield=True):
                await self.screens.finish()

    @property
    def broken_lines(self) -> int:
        """Over-long lines that were broken: in the text that sinks share, else where it was most."""
        shared = 0 if self.formatter is None else self.formatter.broken_lines
        return max([shared, *(outlet.broken_lines for outlet in self.outlets)])

    def climb(self, children: Sequence[Child], signum: int, grace: float) -> None:
        """Take the next rungs of the stop ladder with children that were asked to end."""
        self.run_beside(ladder.climb, children, signum, grace)

    def run_beside(self, function: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Run something until all is written; then it's cancelled."""
        assert self._helpers is not None
        self._helpers.start_soon(function, *arguments)

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
        reader_left = isinstance(failure.error, BrokenPipeError) and isinstance(outlet.sink, DescriptorSink)
        if reader_left or (outlet.sink.lossless and not lossless_left):
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


def _check(journals: int, pace: Pace | None) -> None:
    if journals > 1:
        raise SpecificationError("there can be only one journal")
    if pace == "journal" and not journals:
        raise SpecificationError("the pace can only be a journal's if there is one")


def check_arguments(sinks: object, *, gate: int, history: int, grace: float, flush_interval: float) -> None:
    """Raise a SpecificationError if one can't be."""
    if gate < 1 or history < 0:
        raise SpecificationError(f"a gate of {gate} and a history of {history} bytes can't be")
    if not (grace >= 0 and flush_interval >= 0):
        raise SpecificationError(f"a grace of {grace} and a flush_interval of {flush_interval} can't be")
    if not isinstance(sinks, list | tuple) or not all(isinstance(sink, Sink) for sink in sinks):
        raise SpecificationError("sinks must be a list of sinks, such as [ConsoleSink()]")

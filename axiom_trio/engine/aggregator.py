"""The aggregator: the nursery tree, and the order in which it ends.

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

import os
import signal
import time
import weakref
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal, final

import attrs
import trio

from axiom_trio.engine import ladder
from axiom_trio.engine.child import Child
from axiom_trio.engine.completions import Completions
from axiom_trio.engine.merger import Merger
from axiom_trio.engine.outlet import Outlet, SinkFailure, lose_patience
from axiom_trio.engine.port import ChildPort
from axiom_trio.engine.subscription import Subscription
from axiom_trio.engine.supervisor import supervise
from axiom_trio.engine.tails import TailClock
from axiom_trio.sansio.errors import NotRunningError, SinkError, SpecificationError
from axiom_trio.sansio.events import Completed, Exit, Intervention, Started, Stats
from axiom_trio.sansio.log import GATE, HISTORY, EventLog
from axiom_trio.sansio.text import SHORT_ID, TextFormatter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from axiom_trio.abc import Executor, Sink
    from axiom_trio.sansio.events import ChildStatistics, Reason, TaskMetadata


@final
@attrs.frozen(kw_only=True)
class AggregatorStatistics:
    """A view of an aggregator."""

    active: int
    """Children that have not ended, queued ones included."""
    queued: int
    """Children that wait for a place (`jobs`)."""
    completed: int
    """Children that have ended."""
    failed: int
    """Children that have ended without success."""
    bytes: int
    """Bytes of output of all children; so the next two."""
    lines: int
    interventions: int
    next_cursor: int
    """The cursor that the next event gets."""
    oldest_cursor: int
    """The oldest event still held."""
    log_lag: int
    """Bytes by which the slowest lossless reader lags."""
    broken_lines: int
    """Over-long lines that were broken in the text form."""
    children: tuple[ChildStatistics, ...]
    """All children, in order of being given."""


@final
class StreamAggregator:
    """Runs children and merges their output; made by `open_aggregator`."""

    def __init__(
        self,
        *,
        sinks: Sequence[Sink],
        jobs: int | None,
        grace: float,
        gate: int,
        history: int,
        flush_interval: float,
    ) -> None:
        if jobs is not None and jobs < 1:
            raise SpecificationError(f"jobs is {jobs}: at least one child must be allowed to run")
        self._log = EventLog(gate=gate, history=history)
        self.opened_at = trio.current_time()
        """On trio's clock."""
        self._wall_offset = time.time() - trio.current_time()
        text_format = next((sink.text for sink in sinks if sink.text is not None), None)
        self._formatter = None if text_format is None else TextFormatter(text_format)
        self._merger = Merger(self._log, self._formatter, self._wall_offset)
        self._merger.on_completed = self._on_completed
        self._tails = TailClock()
        self._outlets = [
            Outlet(sink, self._log, shares_text=sink.text == text_format, flush_interval=flush_interval)
            for sink in sinks
        ]
        self._jobs = jobs
        self._grace = grace
        self._queue: deque[Child] = deque()
        self._launched = 0
        self._children: dict[str, Child] = {}
        self._short_ids: set[str] = set()
        self._nursery: trio.Nursery | None = None
        self._helpers: trio.Nursery | None = None
        self._completions: weakref.WeakSet[Completions] = weakref.WeakSet()
        self._idle = trio.Event()
        self._idle.set()
        self._closing = False
        self._served = trio.Event()
        self._patience: float | None = None
        self._sinks_gone = False

    # --- children

    @property
    def children(self) -> tuple[Child, ...]:
        """All children ever given, in order."""
        return tuple(self._children.values())

    def start_soon(
        self,
        executor: Executor,
        *,
        id: str | None = None,  # noqa: A002 (the field's name)
        name: str | None = None,
        metadata: TaskMetadata | None = None,
    ) -> Child:
        """Give a child to the aggregator; it's started as soon as there is a place.

        Args:
            executor: What to run.
            id: Unique within the run, its first 8 characters too; default: random.
            name: For display; default: the executor's label.
            metadata: Carried on its `Started` event.

        Raises:
            SpecificationError: The id is taken.
            RuntimeError: The aggregator is not open.
        """
        if self._nursery is None or self._closing:
            raise RuntimeError("the aggregator takes no more children: it has been left")
        child_id = self._unique_id() if id is None else id
        if not child_id or child_id[:SHORT_ID] in self._short_ids:
            raise SpecificationError(
                f"the id {child_id!r} can't be used: ids must be unique in their first {SHORT_ID} characters"
            )
        self._short_ids.add(child_id[:SHORT_ID])
        child = Child(
            id=child_id,
            name=executor.label if name is None else name,
            index=len(self._children),
            metadata=metadata,
            executor=executor,
            aggregator=self,
        )
        child._port = ChildPort(child_id, self._merger, self._tails, lambda pid: self._on_started(child, pid))
        self._children[child_id] = child
        self._merger.added()
        if self._idle.is_set():
            self._idle = trio.Event()
        self._queue.append(child)
        self._launch()
        if self._sinks_gone:
            self._stop([child])
        return child

    async def start(
        self,
        executor: Executor,
        *,
        id: str | None = None,  # noqa: A002
        name: str | None = None,
        metadata: TaskMetadata | None = None,
    ) -> Child:
        """As `start_soon`, but return only when the child runs (or has ended already).

        Raises:
            SpawnError: It could not be started; its `Completed` is in the log all the same.
        """
        child = self.start_soon(executor, id=id, name=name, metadata=metadata)
        await child._running.wait()
        if child._spawn_error is not None:
            raise child._spawn_error
        return child

    def stop(self, *, signum: int = signal.SIGTERM, grace: float | None = None) -> None:
        """Ask all children to end, and make them end; see `Child.stop`.

        A second call with a shorter `grace` overtakes the first; 0 kills at once.
        """
        self._stop(self._children.values(), signum=signum, grace=grace)
        self._lose_patience(grace)

    async def wait_all_completed(self) -> None:
        """Wait until no child is active."""
        while self._merger.active:
            await self._idle.wait()

    def as_completed(self) -> Completions:
        """Iterate over the children in the order in which they end from now on; for ever."""
        completions = Completions()
        self._completions.add(completions)
        return completions

    def subscribe(
        self,
        after: int | Literal["now"] | None = None,
        *,
        lossless: bool = True,
        children: Iterable[Child | str] | None = None,
    ) -> Subscription:
        """Read the events: `async with aggregator.subscribe() as events: async for event in events`.

        Args:
            after: None: from the oldest event held. A cursor: from the event after
                it. `"now"`: only what comes from here on. Replay goes over into live
                without a gap or a duplicate.
            lossless: True: the children wait for this reader. False: they don't;
                when it's overtaken it gets a `Gap`.
            children: Only the events of these (handles or ids); a `Gap` counts all.
        """
        wanted = None
        if children is not None:
            wanted = frozenset(child if isinstance(child, str) else child.id for child in children)
        position = after if after is None else self._log.next if after == "now" else after + 1
        return Subscription(self._log, position, lossless=lossless, children=wanted)

    def statistics(self) -> AggregatorStatistics:
        """Figures of the whole run."""
        merger = self._merger
        return AggregatorStatistics(
            active=merger.active,
            queued=len(self._queue),
            completed=merger.completed,
            failed=merger.failed,
            bytes=merger.bytes,
            lines=merger.lines,
            interventions=merger.interventions,
            next_cursor=self._log.next,
            oldest_cursor=self._log.base,
            log_lag=self._log.lag,
            broken_lines=self._formatter.broken_lines if self._formatter else 0,
            children=tuple(child.statistics() for child in self._children.values()),
        )

    @property
    def sink_failures(self) -> tuple[SinkFailure, ...]:
        """The sinks that have failed so far, and why."""
        return tuple(outlet.failure for outlet in self._outlets if outlet.failure is not None)

    # --- inside

    def _unique_id(self) -> str:
        while (child_id := _random_id())[:SHORT_ID] in self._short_ids:
            pass
        return child_id

    def _launch(self) -> None:
        assert self._nursery is not None
        while self._queue and (self._jobs is None or self._launched < self._jobs):
            child = self._queue.popleft()
            child._launched = True
            self._launched += 1
            self._nursery.start_soon(supervise, child, name=child.name)

    def _on_started(self, child: Child, pid: int | None) -> None:
        now = trio.current_time()
        child.pid = pid
        child._port.meter.started = now
        tty = child._executor.tty
        if self._formatter is not None:
            self._formatter.add(child.id, child.name, child.index, pid, tty=tty)
        self._log.append(
            Started(
                cursor=self._log.next,
                time=now + self._wall_offset,
                child=child.id,
                name=child.name,
                index=child.index,
                pid=pid,
                tty=tty,
                metadata=child.metadata,
            )
        )
        self._log.publish()
        child._running.set()

    def _on_completed(self, port: ChildPort, event: Completed) -> None:
        child = self._children[port.child]
        child.completed = event
        if not event.exit.ok:
            self._merger.failed += 1
        if child._launched:
            self._launched -= 1
            if not self._closing or self._queue:
                self._launch()
        child._done.set()
        for completions in self._completions:
            completions.add(child)
        if not self._merger.active:
            self._idle.set()

    def _intervened(self, child: Child, text: str) -> Intervention:
        if child.completed is not None:  # nothing comes after its end
            raise NotRunningError(f"{child.name} ended while it was written to")
        event = Intervention(
            cursor=self._log.next,
            time=trio.current_time() + self._wall_offset,
            child=child.id,
            count=child._port.meter.interventions + 1,
            origin="user",
            text=text,
            receipt=_random_id(),
        )
        self._merger.intervened(child._port, event)
        self._log.publish()
        return event

    # --- stopping

    def _stop(
        self,
        children: Iterable[Child],
        *,
        signum: int = signal.SIGTERM,
        grace: float | None = None,
        reason: Reason = "stopped",
    ) -> None:
        grace = self._grace if grace is None else grace
        asked = []
        for child in children:
            if child.completed is not None or child._port.exit is not None:
                continue
            child._stop_reason = child._stop_reason or reason
            if not child._launched:
                self._queue.remove(child)
                child._port.started()
                child._port.finish(Exit(None), reason)
            else:
                asked.append(child)
        if not asked:
            return
        ladder.first_rung(asked, signum, grace)
        assert self._helpers is not None
        self._helpers.start_soon(ladder.climb, asked, grace)

    def _lose_patience(self, grace: float | None = None) -> None:
        """The run has been told to end: from now on, readers that take nothing are given up."""
        patience = max(self._grace if grace is None else grace, 1.0)
        if self._helpers is None or self._served.is_set():
            return
        if self._patience is None or patience < self._patience:
            self._patience = patience
            self._helpers.start_soon(lose_patience, self._outlets, self._log, patience)

    # --- services

    async def _run_services(
        self, stats_interval: float, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as helpers:
                self._helpers = helpers
                helpers.start_soon(self._tails.run)
                if stats_interval > 0:
                    helpers.start_soon(self._report_stats, stats_interval)
                async with trio.open_nursery() as outlets:
                    for outlet in self._outlets:
                        outlets.start_soon(self._serve_outlet, outlet)
                    task_status.started()
                    await self._run_merger()
                self._served.set()
                helpers.cancel_scope.cancel(reason="all is written")

    async def _run_merger(self) -> None:
        try:
            await self._merger.run()
        finally:  # were it to crash, nobody may wait for it for ever
            self._log.close()
            for child in self._children.values():
                child._port.abandon()

    async def _serve_outlet(self, outlet: Outlet) -> None:
        await outlet.run()
        failure = outlet.failure
        if failure is None:
            return
        lossless_left = any(o.sink.lossless and o.failure is None for o in self._outlets)
        if isinstance(failure.error, BrokenPipeError) or (outlet.sink.lossless and not lossless_left):
            self._sinks_gone = True
            self.stop()

    async def _report_stats(self, interval: float) -> None:
        while True:
            await trio.sleep(interval)
            if self._log.closed:
                return
            if self._log.has_unread_stats():
                continue
            merger = self._merger
            self._log.append(
                Stats(
                    cursor=self._log.next,
                    time=trio.current_time() + self._wall_offset,
                    active=merger.active,
                    bytes=merger.bytes,
                    lines=merger.lines,
                    interventions=merger.interventions,
                    children=tuple(
                        child.statistics()
                        for child in self._children.values()
                        if child.completed is None and child._port.meter.started is not None
                    ),
                )
            )
            self._log.publish()


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
            await services.start(aggregator._run_services, stats_interval)
            try:
                async with trio.open_nursery() as nursery:
                    aggregator._nursery = nursery
                    try:
                        yield aggregator
                        await aggregator.wait_all_completed()
                    except BaseException:
                        aggregator._closing = True
                        aggregator._stop(aggregator.children, reason="cancelled")
                        aggregator._lose_patience()
                        raise
                    finally:
                        aggregator._closing = True
            finally:
                aggregator._merger.end()
            try:
                await aggregator._served.wait()
            except BaseException:
                aggregator._lose_patience()
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


def _random_id() -> str:
    return os.urandom(16).hex()


def _only(error: BaseException) -> BaseException:
    """The single exception that our two nurseries have wrapped, as raised; or the group."""
    for _ in range(2):
        if isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
    return error

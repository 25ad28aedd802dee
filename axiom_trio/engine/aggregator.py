"""The aggregator: children are given to it, and it runs, merges and stops them."""

from __future__ import annotations

import os
import signal
import weakref
from collections import deque
from typing import TYPE_CHECKING, Literal, final

import trio

from axiom_trio.engine import ladder
from axiom_trio.engine.child import Child
from axiom_trio.engine.completions import Completions
from axiom_trio.engine.port import ChildPort
from axiom_trio.engine.services import Services
from axiom_trio.engine.statistics import AggregatorStatistics
from axiom_trio.engine.subscription import Subscription
from axiom_trio.engine.supervisor import supervise
from axiom_trio.sansio.errors import NotRunningError, SpecificationError
from axiom_trio.sansio.events import Completed, Exit, Intervention, Started
from axiom_trio.sansio.text import SHORT_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from axiom_trio.abc import Executor, Sink
    from axiom_trio.engine.outlet import SinkFailure
    from axiom_trio.sansio.events import Reason, TaskMetadata


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
        if gate < 1 or history < 0:
            raise SpecificationError(f"a gate of {gate} and a history of {history} bytes can't be")
        self.opened_at = trio.current_time()
        """On trio's clock."""
        self._services = Services(
            sinks,
            gate=gate,
            history=history,
            flush_interval=flush_interval,
            on_sinks_gone=self._on_sinks_gone,
        )
        self._log = self._services.log
        self._merger = self._services.merger
        self._merger.on_completed = self._on_completed
        self._jobs = jobs
        self._grace = grace
        self._queue: deque[Child] = deque()
        self._launched = 0
        self._children: dict[str, Child] = {}
        self._short_ids: set[str] = set()
        self._nursery: trio.Nursery | None = None
        self._completions: weakref.WeakSet[Completions] = weakref.WeakSet()
        self._idle = trio.Event()
        self._idle.set()
        self._closing = False
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
        child._port = ChildPort(
            child_id, self._merger, self._services.tails, lambda pid: self._on_started(child, pid)
        )
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
        id: str | None = None,  # noqa: A002 (the field's name)
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
        self._services.lose_patience(self._grace if grace is None else grace)

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
            broken_lines=self._services.formatter.broken_lines if self._services.formatter else 0,
            children=tuple(child.statistics() for child in self._children.values()),
        )

    @property
    def sink_failures(self) -> tuple[SinkFailure, ...]:
        """The sinks that have failed so far, and why."""
        return tuple(outlet.failure for outlet in self._services.outlets if outlet.failure is not None)

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
        if self._services.formatter is not None:
            self._services.formatter.add(child.id, child.name, child.index, pid, tty=tty)
        self._log.append(
            Started(
                cursor=self._log.next,
                time=now + self._services.wall_offset,
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
            time=trio.current_time() + self._services.wall_offset,
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
        self._services.climb(asked, grace)

    def _on_sinks_gone(self) -> None:
        self._sinks_gone = True
        self.stop()


def _random_id() -> str:
    return os.urandom(16).hex()

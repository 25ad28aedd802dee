"""The aggregator: children are given to it, and it runs, merges and stops them."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Literal, final

import trio

from axiom_trio.abc import Executor
from axiom_trio.engine import ladder
from axiom_trio.engine.child import Child
from axiom_trio.engine.completions import Completions
from axiom_trio.engine.patrol import Patrol
from axiom_trio.engine.port import ChildPort
from axiom_trio.engine.recorder import Recorder, random_id
from axiom_trio.engine.schedule import Schedule
from axiom_trio.engine.services import Services, check_arguments
from axiom_trio.engine.statistics import figures
from axiom_trio.engine.subscription import Subscription
from axiom_trio.engine.supervisor import supervise
from axiom_trio.engine.teardown import Teardown
from axiom_trio.sansio.errors import SpecificationError
from axiom_trio.sansio.names import SHORT_ID

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

    from axiom_trio.abc import Sink
    from axiom_trio.engine.notices import Notices
    from axiom_trio.engine.outlet import SinkFailure
    from axiom_trio.engine.rulebook import Rulebook
    from axiom_trio.engine.screens import Screens
    from axiom_trio.engine.services import Pace
    from axiom_trio.engine.statistics import AggregatorStatistics
    from axiom_trio.sansio.events import Completed, Escaped, Reason, TaskMetadata
    from axiom_trio.sansio.masks import Masks
    from axiom_trio.sansio.rules import Fired, Rule
    from axiom_trio.sansio.supervision import Supervision


@final
class StreamAggregator:
    """Runs children and merges their output; made by `open_aggregator`."""

    def __init__(
        self,
        *,
        sinks: Sequence[Sink],
        jobs: int | None,
        halt: str,
        supervision: Supervision,
        grace: float,
        gate: int,
        history: int,
        flush_interval: float,
        pace: Pace | None,
        mask: Iterable[str | bytes],
        allow_daemons: bool,
        subreaper: bool,
        guardian: bool,
    ) -> None:
        check_arguments(sinks, gate=gate, history=history, grace=grace, flush_interval=flush_interval)
        self.opened_at = trio.current_time()
        """When, in seconds on trio's clock."""
        self.run_id = random_id()
        """Identifies the run; `AXIOM_RUN_ID` in the environment of its processes."""
        self.rules_paused = False
        """Whether no rule acts: the ones that are due are told of, and passed over."""
        self.confirm: Callable[[Child, Fired], Awaitable[bool]] | None = None
        """Asks a person whether a rule of mode `confirm` may act; without it, none does."""
        self._rulebook: Rulebook | None = None
        self._supervision = supervision
        self._masks: Masks | None = None
        if mask:
            from axiom_trio.sansio.masks import Masks  # most runs need none

            self._masks = Masks(mask)
        self._grace = grace
        self._schedule = Schedule(jobs, halt, launch=self._launch, stop=self._stop)
        self._children: dict[str, Child] = {}
        self._teardown = Teardown(
            self.run_id,
            self._children,
            allow_daemons=allow_daemons,
            subreaper=subreaper,
            guardian=guardian,
            masked=self._masked,
        )
        # The last that may raise: a journal is opened, and locked, by it.
        self._services = Services(
            sinks,
            gate=gate,
            history=history,
            flush_interval=flush_interval,
            pace=pace,
            on_sinks_gone=self._on_sinks_gone,
            patrol=Patrol(lambda c, why: self._stop([c], reason=why), lambda c, s: self._recorder.idle(c, s)),
        )
        self._log = self._services.log
        self._merger = self._services.merger
        self._merger.on_completed = self._on_completed
        self._recorder = Recorder(self._services)
        self._merger.on_restarting = self._recorder.tell
        self._short_ids: set[str] = set()
        self._nursery: trio.Nursery | None = None
        self._idle = trio.Event()
        self._idle.set()
        self._closing = False

    # --- children

    @property
    def children(self) -> tuple[Child, ...]:
        """All children ever given, in order."""
        return tuple(self._children.values())

    def child(self, id: str) -> Child:  # noqa: A002 (the field's name)
        """The child with this id, as events carry it. Raises KeyError if there is none."""
        return self._children[id]

    def start_soon(
        self,
        executor: Executor,
        *,
        id: str | None = None,  # noqa: A002 (the field's name)
        name: str | None = None,
        metadata: TaskMetadata | None = None,
        supervision: Supervision | None = None,
        after: Sequence[Child] = (),
    ) -> Child:
        """Give a child to the aggregator; it's started as soon as there is a place.

        Args:
            executor: What to run.
            id: Unique within the run, its first 8 characters too; default: random.
            name: For display; default: the executor's label.
            metadata: Carried on its `Started` event.
            supervision: How it's looked after; default: as given to `open_aggregator`.
            after: It starts when these are ready or, those without `Supervision.ready`, have
                succeeded; if one fails before, it never runs (reason `skipped`).

        Raises:
            SpecificationError: The id is taken, `executor` is none, or one of `after` is not
                of this aggregator.
            RuntimeError: The aggregator is not open.
        """
        if self._nursery is None or self._closing:
            raise RuntimeError("the aggregator takes no more children: it has been left")
        child_id = self._unique_id() if id is None else id
        if not isinstance(executor, Executor):
            raise SpecificationError(f"{executor!r} is no Executor, such as ProcessExecutor('make')")
        if not child_id or child_id[:SHORT_ID] in self._short_ids:
            raise SpecificationError(
                f"the id {child_id!r} can't be used: ids must be unique in their first {SHORT_ID} characters"
            )
        if any(self._children.get(other.id) is not other for other in after):
            raise SpecificationError("a child can come only after children of the same aggregator")
        self._short_ids.add(child_id[:SHORT_ID])
        child = Child(
            id=child_id,
            name=self._masked(executor.label if name is None else name),
            index=len(self._children),
            metadata=self._masks.metadata(metadata) if self._masks and metadata else metadata,
            supervision=self._supervision if supervision is None else supervision,
            executor=executor,
            aggregator=self,
        )
        child._port = ChildPort(
            child_id,
            self._merger,
            self._services.tails,
            lambda pid: self._recorder.started(child, pid),
            self._masks,
        )
        child._port.environment = self._teardown.environment(child_id)
        child._port.grace = self._grace
        self._children[child_id] = child
        self._merger.added()
        if self._idle.is_set():
            self._idle = trio.Event()
        self._schedule.add(child, after)
        return child

    async def start(
        self,
        executor: Executor,
        *,
        id: str | None = None,  # noqa: A002 (the field's name)
        name: str | None = None,
        metadata: TaskMetadata | None = None,
        supervision: Supervision | None = None,
        after: Sequence[Child] = (),
    ) -> Child:
        """As `start_soon`, but return only when the child runs (or has ended already).

        Raises:
            SpawnError: It could not be started the first time; what became of it is in the log all the same.
        """
        child = self.start_soon(
            executor, id=id, name=name, metadata=metadata, supervision=supervision, after=after
        )
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

    def as_completed(self) -> AsyncIterator[Child]:
        """Iterate over the children in the order in which they end, until none is active."""
        return Completions(self)

    def notices(self) -> Notices:
        """Iterate over what a person may want to be told from now on; for ever.

        Unlike in a subscription, output costs nothing here.
        """
        return self._recorder.notices()

    def add_rule(self, rule: Rule) -> None:
        """Have a rule act on what its children write from now on; see `axiom_trio.sansio.rules`."""
        if self._rulebook is None:
            from axiom_trio.engine.rulebook import Rulebook  # most runs have none

            self._rulebook = Rulebook(self)
            self._services.run_beside(self._rulebook.run)
        self._rulebook.add(rule)

    def remove_rule(self, rule: Rule) -> None:
        """Have a rule act no more. Raises ValueError if it's not one of this run."""
        if self._rulebook is None:
            raise ValueError(f"there is no rule {rule.name!r}")
        self._rulebook.remove(rule)

    def subscribe(
        self,
        after: int | Literal["now"] | None = None,
        *,
        lossless: bool = True,
        children: Iterable[Child | str] | None = None,
    ) -> Subscription:
        """Read the events: `async with aggregator.subscribe() as events: async for event in events`.

        Args:
            after: None: from the oldest event held; with a journal that's the run's first, as
                long as it's there. A cursor: from the event after it. `"now"`: only what comes
                from here on. Replay goes over into live without a gap or a duplicate.
            lossless: True: the children wait for this reader, unless a journal sets the pace. False:
                they don't; when it's overtaken it reads on in the journal, or gets a `Gap`.
            children: Only the events of these (handles or ids); a `Gap` counts all.
        """
        wanted = None
        if children is not None:
            wanted = frozenset(child if isinstance(child, str) else child.id for child in children)
        position = after if after is None else self._log.next if after == "now" else after + 1
        return Subscription(self._log, position, lossless=lossless, children=wanted)

    @property
    def screens(self) -> Screens:
        """The screens of children that draw one: followed from the first time this is asked for."""
        return self._services.follow_screens(self._children)

    def statistics(self) -> AggregatorStatistics:
        """Figures of the whole run."""
        return figures(self)

    @property
    def sink_failures(self) -> tuple[SinkFailure, ...]:
        """The sinks that have failed so far, and why."""
        return tuple(outlet.failure for outlet in self._services.outlets if outlet.failure is not None)

    @property
    def escaped(self) -> tuple[Escaped, ...]:
        """Processes that had left their groups and are in no child's `Completed`: found only later.

        Complete when the `async with` has been left.
        """
        return tuple(self._teardown.escaped.values())

    @property
    def guarded(self) -> bool:
        """Whether a guardian is at work: asked for with `guardian`, and it could be started."""
        return self._teardown.guarded

    # --- inside

    def _unique_id(self) -> str:
        while (child_id := random_id())[:SHORT_ID] in self._short_ids:
            pass
        return child_id

    def _masked(self, text: str) -> str:
        return text if self._masks is None else self._masks.text(text)

    def _launch(self, child: Child) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(supervise, child, name=child.name)
        if child.supervision.ready is not None:
            self._nursery.start_soon(self._schedule.watch_ready, child, self._log.next - 1)

    def _on_completed(self, port: ChildPort, event: Completed) -> None:
        child = self._children[port.child]
        child.completed = event
        if not event.ok and event.reason not in ("stopped", "cancelled"):
            self._merger.failed += 1
        child._done.set()
        self._schedule.ended(child, event)
        self._recorder.tell(event)
        if not self._merger.active:
            self._idle.set()

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
        asked = ladder.ask(children, self._schedule, signum, grace, reason)
        if asked:
            self._services.climb(asked, signum, grace)

    def _on_sinks_gone(self) -> None:
        self._schedule.halted = True
        self.stop()

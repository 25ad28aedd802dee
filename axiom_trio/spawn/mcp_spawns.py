"""The spawns of an MCP server, and their tasks: how they begin, stand, are found and end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import trio

from axiom_trio.engine.recorder import random_id
from axiom_trio.sansio.errors import AxiomError, sentence
from axiom_trio.sansio.names import SHORT_ID
from axiom_trio.spawn.mcp_describe import described, short
from axiom_trio.spawn.mcp_schema import ArgumentError
from axiom_trio.spawn.mcp_tools import UNSET, Planned, SpawnInfo
from axiom_trio.spawn.patterns import Spawner

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from msgspec import UnsetType

    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.spawn.mcp_tools import SpawnState, Task
    from axiom_trio.spawn.patterns import Work
    from axiom_trio.spawn.plan import Plan
    from axiom_trio.spawn.worktree import Worktrees

_FOR_GIT: Final = 0.1  # seconds that who doesn't wait for a spawn waits for its worktrees
_NAMED: Final = 10  # ids in a sentence


@final
class Spawned:
    """One call of axiom_mcp_spawn.

    Args:
        id: Its own.
        plan: What was asked for.
        cursor: Where its output begins.
    """

    def __init__(self, id: str, plan: Plan, cursor: int) -> None:  # noqa: A002 (the field's name)
        self.id = id
        self.plan = plan
        self.cursor = cursor
        self.children: list[Child] = []
        """Its tasks so far."""
        self.planned = False
        """Whether it was only planned, and is."""
        self.error: str | None = None
        self.stopping = False
        """Whether no more tasks are to begin."""
        self.notices: list[str] = []
        """What was said of it, in sentences."""
        self.ended = trio.Event()
        self.changed = trio.Event()
        """Set when it has another task, or has ended; then there's a new one."""

    @property
    def state(self) -> SpawnState:
        """How it stands."""
        if not self.ended.is_set():
            return "running"
        if self.stopping:
            return "stopped"
        if self.error is not None:
            return "failed"
        if self.planned:
            return "planned"
        ok = all(child.completed is not None and child.completed.ok for child in self.children)
        return "completed" if ok else "failed"

    @property
    def would_run(self) -> list[Planned] | UnsetType:
        """The plan, of one that was only planned."""
        return [Planned(prompt=task.prompt) for task in self.plan.subtasks] if self.planned else UNSET

    def info(self) -> SpawnInfo:
        """How it stands, for who asks."""
        return SpawnInfo(
            spawn_id=self.id,
            pattern=self.plan.pattern,
            state=self.state,
            prompt=short(self.plan.prompt),
            task_ids=[child.id for child in self.children],
            plan=self.would_run,
            error=UNSET if self.error is None else self.error,
            notices=[*self.notices],
        )

    def change(self) -> None:
        """Tell who waits for a change."""
        self.changed.set()
        self.changed = trio.Event()


@final
class Spawns:
    """All spawns of a server.

    Args:
        aggregator: Where they run.
        start: Starts a child for a piece of work, in the aggregator.
        label: What children are called.
        end: The cursor of what comes next.
        on_change: Called when a spawn has another task, or has ended.
        worktrees: Gets ready to make a git worktree for each agent of a spawn; None: they get none.
        keep_going: Whether a sequence goes on after a failure.
    """

    def __init__(
        self,
        aggregator: StreamAggregator,
        start: Callable[[Work], Child],
        *,
        label: str,
        end: Callable[[], int],
        on_change: Callable[[], None],
        worktrees: Callable[[], Awaitable[Worktrees]] | None = None,
        keep_going: bool = False,
    ) -> None:
        self._aggregator = aggregator
        self._start = start
        self._label = label
        self._end = end
        self._on_change = on_change
        self._worktrees = worktrees
        self._keep_going = keep_going
        self._all: dict[str, Spawned] = {}
        self._of: dict[str, Spawned] = {}
        self._interrupted: set[str] = set()

    def __iter__(self) -> Iterator[Spawned]:
        return iter([*self._all.values()])

    def of(self, child: Child) -> Spawned | None:
        """The spawn that a task belongs to."""
        return self._of.get(child.id)

    # --- begin and end

    async def begin(self, plan: Plan, nursery: trio.Nursery, *, execute: bool = True) -> Spawned:
        """Begin one; returns when those of its tasks that begin at once have begun.

        Cancelled meanwhile, it's stopped.

        Args:
            plan: What is to be done.
            nursery: Where it's run.
            execute: Whether to do it, or only to plan.
        """
        spawned = Spawned(self._new_id(), plan, self._end())
        self._all[spawned.id] = spawned
        nursery.start_soon(self._run, spawned, execute)
        expected = len(plan.subtasks) if plan.pattern == "parallel" else 1
        try:
            with trio.move_on_after(float("inf") if self._worktrees is None else _FOR_GIT):
                while len(spawned.children) < expected and not spawned.ended.is_set():
                    await spawned.changed.wait()
        except trio.Cancelled:
            self.stop(spawned)
            raise
        return spawned

    async def _run(self, spawned: Spawned, execute: bool) -> None:
        def start(work: Work) -> Child:
            child = self._start(work)
            spawned.children.append(child)
            self._of[child.id] = spawned
            self._tell(spawned)
            return child

        spawner: Spawner | None = None
        try:
            trees = None if self._worktrees is None or not execute else await self._worktrees()
            spawner = Spawner(
                self._aggregator,
                spawned.plan,
                start,
                label=self._label if len(self._all) == 1 else f"{self._label}.{len(self._all)}",
                keep_going=self._keep_going,
                worktrees=trees,
                notice=spawned.notices.append,
                may_start=lambda: not spawned.stopping,
            )
            await (spawner.run() if execute else spawner.make_plan())
        except AxiomError as error:
            spawned.error = str(error)
        except Exception as error:  # noqa: BLE001 (one that can't be run harms no other)
            spawned.error = sentence(error)
        finally:
            spawned.plan = spawned.plan if spawner is None else spawner.plan
            spawned.planned = not execute
            if any(child.completed is None for child in spawned.children):  # cancelled, or it has failed
                self.stop(spawned)
            spawned.ended.set()
            self._tell(spawned)

    def _tell(self, spawned: Spawned) -> None:
        spawned.change()
        self._on_change()

    def _new_id(self) -> str:
        taken = {id_[:SHORT_ID] for id_ in [*self._all, *(c.id for c in self._aggregator.children)]}
        while (made := random_id())[:SHORT_ID] in taken:
            pass
        return made

    def stop(self, spawned: Spawned, *, grace: float | None = None) -> None:
        """Have no more tasks begin, and ask those that run to end."""
        if not spawned.ended.is_set():
            spawned.stopping = True
        for child in spawned.children:
            child.stop(grace=grace)

    def interrupt(self, spawned: Spawned | None, children: Iterable[Child]) -> tuple[list[str], list[str]]:
        """Send SIGINT to tasks, or ask them to end if they had it before; the ids of both.

        Args:
            spawned: The spawn, if all of it is meant: then no more of it begins.
            children: The tasks.
        """
        sent: list[str] = []
        stopped: list[str] = []
        if spawned is not None and not spawned.ended.is_set():
            spawned.stopping = True
        for child in children:
            if child.completed is not None:
                continue
            if child.id in self._interrupted or child.state not in ("running", "stopping"):
                child.stop()
                stopped.append(child.id)
            else:
                child.interrupt()
                sent.append(child.id)
            self._interrupted.add(child.id)
        return sent, stopped

    # --- find and describe

    def find(self, id_: str) -> tuple[Spawned | None, list[Child]]:
        """What has this id, or begins with these 8 characters: a spawn and its tasks, or a task.

        Raises:
            ArgumentError: Nothing has.
        """
        for spawned in self._all.values():
            if _is(id_, spawned.id):
                return spawned, [*spawned.children]
        known = [child for child in self._aggregator.children if child.id in self._of]
        for child in known:
            if _is(id_, child.id):
                return None, [child]
        names = ", ".join(f"{child.id[:SHORT_ID]} ({child.name})" for child in known[-_NAMED:])
        more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
        raise ArgumentError(f"there is no task {id_!r}; there are: {names or 'none yet'}{more}")

    def one(self, id_: str) -> Child:
        """The one task that is meant.

        Raises:
            ArgumentError: There is none, or there are several.
        """
        _, children = self.find(id_)
        if len(children) != 1:
            names = ", ".join(f"{child.id[:SHORT_ID]} ({child.name})" for child in children)
            raise ArgumentError(f"{id_!r} is a spawn; give the id of one of its tasks: {names or 'none yet'}")
        return children[0]

    def task(self, child: Child, *, words: bool = False) -> Task:
        """How a task stands; see `described`."""
        return described(child, self._of[child.id].id, words=words)


def _is(given: str, id_: str) -> bool:
    return given in (id_, id_[:SHORT_ID])

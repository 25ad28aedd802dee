"""Children that ask for children: hearing their requests, and keeping to the bounds."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Protocol, final

import attrs

from axiom_trio.sansio.events import Completed, Output, TaskMetadata
from axiom_trio.sansio.lines import LineSplitter
from axiom_trio.spawn.plan import LONGEST_REQUEST, TOTAL, Nonce, Plan, PlanError, Subtask, read_request
from axiom_trio.spawn.worktree import WorktreeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.events import Event
    from axiom_trio.spawn.worktree import Worktree

ENDED: Final = ("stopped", "cancelled")
"""Reasons after which nothing more is started."""


@final
@attrs.define(eq=False)
class Member:
    """A child that was started, and what it has asked for."""

    child: Child
    tree: Worktree | None
    """Its worktree, if it has one."""
    depth: int = 0
    nonce: Nonce | None = None
    """What it proves its requests by; None: it may ask for nothing."""
    had: int = 0
    asked: set[tuple[Subtask, ...]] = attrs.field(factory=set)
    splitter: LineSplitter = attrs.field(factory=LineSplitter)


class Begin(Protocol):
    """Starts a child."""

    async def __call__(self, prompt: str, name: str, metadata: TaskMetadata) -> Member | None:
        """Start a child that is told this; None: no more are wanted. Raises WorktreeError."""


@final
class Family:
    """The children of one spawn, and theirs.

    Args:
        plan: How many there may be.
        begin: Starts one.
        finish: Waits for the end of one, and tidies up.
        count: How many have been started in all.
        notice: Called with what a person may want to know.
        may_start: Whether more are wanted.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        begin: Begin,
        finish: Callable[[Member], Awaitable[object]],
        count: Callable[[], int],
        notice: Callable[[str], None],
        may_start: Callable[[], bool],
    ) -> None:
        self._plan = plan
        self._begin = begin
        self._finish = finish
        self._count = count
        self._notice = notice
        self._may_start = may_start
        self._members: dict[str, Member] = {}

    async def run(self, roots: list[tuple[Subtask, str]], events: AsyncIterator[Event]) -> None:
        """Start the first ones, and whom they ask for, until the last has ended.

        Args:
            roots: What the first are to do, and their names.
            events: All that happens from now on.
        """
        try:
            for index, (task, name) in enumerate(roots):
                await self._add(task, index, name, 0, None)
        finally:  # where one can't begin, those before it go on
            await self._follow(events)

    async def _follow(self, events: AsyncIterator[Event]) -> None:
        while self._members:
            event = await anext(events)
            member = self._members.get(getattr(event, "child", None) or "")
            if member is None:
                continue
            if type(event) is Output:
                if event.kind != "error":
                    await self._hear(member, event.data)
            elif type(event) is Completed:
                await self._hear(member, b"\n")
                del self._members[member.child.id]
                await self._finish(member)

    async def _add(self, task: Subtask, index: int, name: str, depth: int, parent: Child | None) -> bool:
        """Start one; False: no more are wanted."""
        nonce = None
        prompt = task.prompt
        below = self._plan.max_depth - depth - 1
        if below > 0:
            nonce = Nonce(secrets.token_hex(4), secrets.token_hex(4))
            prompt += nonce.instructions(self._plan.count, below)
        member = await self._begin(prompt, name, metadata_of(self._plan, task, index, depth, parent))
        if member is None:
            return False
        member.nonce, member.depth = nonce, depth
        self._members[member.child.id] = member
        return True

    async def _hear(self, member: Member, data: bytes) -> None:
        """See whether it asks for children, and start them."""
        if member.nonce is None:
            return
        for line in member.splitter.feed(data).split(b"\n"):
            try:
                tasks = read_request(line, member.nonce, self._plan.count)
                if tasks is None or tasks in member.asked:  # said again, it's the same request
                    continue
                member.asked.add(tasks)
                self._check_room(member, len(tasks))
            except PlanError as error:
                self._notice(f"{member.child.name} asks for children, and gets none: {error}")
                continue
            await self._give(member, tasks)
        if member.splitter.pending > LONGEST_REQUEST:
            member.splitter.take()

    async def _give(self, member: Member, tasks: tuple[Subtask, ...]) -> None:
        parent = member.child
        names = [task.name or str(number) for number, task in enumerate(tasks, member.had + 1)]
        self._notice(f"{parent.name} asks for {len(tasks)}: {', '.join(names)}")
        try:
            for task, name in zip(tasks, names, strict=True):
                if not await self._add(task, member.had, f"{parent.name}.{name}", member.depth + 1, parent):
                    return
                member.had += 1
        except WorktreeError as error:
            self._notice(f"{parent.name} can't have more children: {error}")

    def _check_room(self, member: Member, more: int) -> None:
        """Raises PlanError if it can't have so many."""
        ended = member.child.completed
        was_ended = member.child.state == "stopping" or (ended is not None and ended.reason in ENDED)
        if was_ended or not self._may_start():
            raise PlanError("it is being stopped")
        if member.had + more > self._plan.count:
            raise PlanError(f"it has had {member.had}, and may have {self._plan.count}")
        if self._count() + more > TOTAL:
            raise PlanError(f"{self._count()} have been started, and {TOTAL} are all that may be")


def metadata_of(plan: Plan, task: Subtask, index: int, depth: int, parent: Child | None) -> TaskMetadata:
    """What is known of a child beyond its command."""
    return TaskMetadata(
        prompt=task.prompt,
        index=index,
        depth=depth,
        pattern=plan.pattern,
        parent=None if parent is None else parent.id,
    )

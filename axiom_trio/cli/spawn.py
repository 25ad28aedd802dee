"""`axiom-trio spawn`: a plan, run as `axiom-trio run` runs commands."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

import trio

from axiom_trio.cli import say
from axiom_trio.cli.limits import allow_descriptors
from axiom_trio.cli.run import USAGE, Run, run
from axiom_trio.cli.tasks import TaskSpec
from axiom_trio.sansio.errors import SpecificationError
from axiom_trio.sansio.events import TaskMetadata
from axiom_trio.sansio.names import printable
from axiom_trio.spawn.patterns import Spawner
from axiom_trio.spawn.plan import TOTAL, PlanError
from axiom_trio.spawn.presets import find_agent, wants_terminal
from axiom_trio.spawn.worktree import WorktreeError, open_worktrees

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.abc import Executor
    from axiom_trio.cli.spawn_options import SpawnOptions
    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.spawn.patterns import Work
    from axiom_trio.spawn.plan import Plan
    from axiom_trio.spawn.presets import Agent

_HEADLINE: Final = 60  # characters of the prompt in the banner


def spawn(options: SpawnOptions, *, stdout_closed: bool) -> int:
    """Run to the end, or show the plan; returns the exit status."""
    try:
        find_agent(options.agent)
    except SpecificationError as error:
        say(f"axiom-trio spawn: {printable(str(error))}\n")
        return USAGE
    if not options.execute:
        if options.plan.subtasks:
            return _show(options, options.plan)
        options.output = "none"  # stdout is for the plan
    allow_descriptors(TOTAL)
    return run(options, stdout_closed=stdout_closed, make=SpawnRun)


@final
class AgentSpec(TaskSpec):
    """A child that is an agent."""

    __slots__ = ("interactive", "prompt")

    def __init__(self, work: Work, agent: Agent, *, interactive: bool) -> None:
        super().__init__(agent.argv(work.prompt, interactive=interactive), work.name, cwd=work.cwd)
        self.metadata = work.metadata
        self.prompt = work.prompt
        self.interactive = interactive


@final
class SpawnRun(Run):
    """One run of a plan."""

    _options: SpawnOptions

    def __init__(self, options: SpawnOptions, *, stdout_closed: bool) -> None:
        super().__init__(options, stdout_closed=stdout_closed)
        self._agent = find_agent(options.agent)
        self._failed = False
        self._begun = trio.Event()
        plan = options.plan
        prompt = printable(" ".join(self._masked(plan.prompt).split()))
        prompt = prompt if len(prompt) <= _HEADLINE else prompt[: _HEADLINE - 1] + "…"
        count = len(plan.subtasks)
        many = f"{count} child{'ren' * (count != 1)}" if count else f"at most {plan.count} children"
        if plan.pattern == "recursive":
            many += f", each of at most {plan.count}, {plan.max_depth} deep"
        self.headline = (many, plan.pattern, self._agent.name, prompt)

    async def _work(self, aggregator: StreamAggregator, start: Callable[[TaskSpec], Child]) -> None:
        options = self._options
        expected = len(options.plan.subtasks) if options.plan.pattern in ("parallel", "decompose") else 1

        def begin(work: Work) -> Child:
            interactive = wants_terminal(work.metadata, options.terminals)
            child = start(AgentSpec(work, self._agent, interactive=interactive))
            if len(aggregator.children) >= expected:
                self._begun.set()
            return child

        async with trio.open_nursery() as nursery:
            if options.report is not None:
                nursery.start_soon(self._report, options.report, aggregator)
            try:
                worktrees = await open_worktrees() if options.worktree else None
                if worktrees is not None and worktrees.dirty:
                    self._notice("what is not committed is in no worktree: they begin at HEAD")
                spawner = Spawner(
                    aggregator,
                    options.plan,
                    begin,
                    label=self._agent.name,
                    keep_going=options.keep_going,
                    worktrees=worktrees,
                    notice=lambda text: self._notice(self._masked(printable(text))),
                    may_start=lambda: self._signal is None,
                )
                if options.execute:
                    await spawner.run()
                else:
                    self._failed = bool(_show(options, await spawner.make_plan()))
            except (PlanError, WorktreeError, SpecificationError) as error:
                self._failed = True
                if self._signal is None:
                    self._notice(self._masked(printable(str(error))))
            self._begun.set()

    def _executor(self, task: TaskSpec) -> Executor:
        if not isinstance(task, AgentSpec):
            return super()._executor(task)
        return self._agent.executor(
            task.prompt,
            interactive=task.interactive,
            cwd=task.cwd,
            size=self._making.window(task),
            echo=True,
        )

    def _succeeded(self, aggregator: StreamAggregator) -> bool:
        return not self._failed and super()._succeeded(aggregator)

    async def _report(self, descriptor: int, aggregator: StreamAggregator) -> None:
        """Tell who waits for it which children there are, once they can be reached."""
        await self._begun.wait()
        if self._serving is not None:
            await self._serving.tried.wait()
        children = [
            {"taskId": child.id, "shortId": child.short_id, "name": child.name}
            for child in aggregator.children
        ]
        told = {"runId": aggregator.run_id, "pid": os.getpid(), "journal": self._options.journal}
        with suppress(OSError):  # who wanted to know has gone
            if children:
                os.write(descriptor, json.dumps({**told, "children": children}).encode())
        os.close(descriptor)


def _show(options: SpawnOptions, plan: Plan) -> int:
    """Print a plan; returns the exit status."""
    from axiom_trio.cli import _print

    if options.json:
        return _print(json.dumps(plan.document(), ensure_ascii=False, indent=2) + "\n")
    agent = find_agent(options.agent)
    lines = [f"{plan.pattern}: {printable(' '.join(plan.prompt.split()))}"]
    for number, task in enumerate(plan.subtasks, 1):
        metadata = TaskMetadata(prompt=task.prompt, index=number, pattern=plan.pattern)
        terminal = wants_terminal(metadata, options.terminals)
        name = task.name or (agent.name if len(plan.subtasks) == 1 else f"{agent.name}-{number}")
        where = " (on a terminal)" if terminal else ""
        lines.append(f"  {name}{where}: {printable(' '.join(task.prompt.split()))}")
    if plan.pattern == "recursive":
        lines.append(f"  and what they ask for: at most {plan.count} each, {plan.max_depth} generations")
    return _print("\n".join(lines) + "\n")

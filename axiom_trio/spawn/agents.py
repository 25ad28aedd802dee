"""Spawning agents in a trio program, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axiom_trio.spawn.patterns import Spawner
from axiom_trio.spawn.plan import Subtask, make_plan
from axiom_trio.spawn.presets import find_agent, wants_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from axiom_trio.abc import Executor
    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.spawn.patterns import Planner, Work


async def spawn_agents(
    aggregator: StreamAggregator,
    prompt: str,
    pattern: str = "parallel",
    *,
    agent: str | Callable[[Work], Executor] = "claude",
    count: int | None = None,
    max_depth: int | None = None,
    subtasks: Sequence[str | Subtask] = (),
    planner: Planner | None = None,
    interactive: bool | None = None,
    keep_going: bool = False,
    worktree: bool = False,
    notice: Callable[[str], None] = lambda _text: None,
) -> tuple[Child, ...]:
    """Have agents work on a task, and wait until the last has ended.

    Each child has a `TaskMetadata` with its prompt, index, depth, pattern and parent.

    Args:
        aggregator: Where the children run.
        prompt: What is to be done.
        pattern: `parallel`, `sequential`, `decompose` or `recursive`.
        agent: `claude`, `codex`, `gemini` or `aider`, with options behind; a command with `{prompt}`; or a
            function that makes the executor for a piece of work.
        count: Children, 1–10; for `decompose` and `recursive`, the most that one parent may have. Default:
            as many as there are subtasks, else 3.
        max_depth: Generations of `recursive`, 1–5; default 3.
        subtasks: What each child is to do; default: the prompt.
        planner: An async function of a prompt and the most subtasks there may be, which returns them, or a
            text with JSON; for `decompose`. Default: a child is asked.
        interactive: Whether agents run on terminals; None: those whose prompt speaks of installing,
            logging in, permissions or servers; but not a planner, nor those who may ask for children.
        keep_going: Whether a sequence goes on after a failure.
        worktree: Whether each child works in a git worktree of its own, a sequence in one, of the
            repository we are in.
        notice: Called with what a person may want to know: who asks for children, which worktree is kept.

    Returns:
        All children, in the order of their start.

    Raises:
        PlanError: A number or pattern can't be, or the planner has made no plan.
        WorktreeError: There can be no worktree.
        SpecificationError: There is no such agent.

    Example::

        children = await spawn_agents(aggregator, "Review it", subtasks=["Review src", "Review tests"])
    """
    chosen = [Subtask(task) if isinstance(task, str) else task for task in subtasks]
    plan = make_plan(prompt, pattern, count=count, max_depth=max_depth, subtasks=chosen)
    label, make = ("agent", agent) if not isinstance(agent, str) else _maker(agent, interactive)

    def start(work: Work) -> Child:
        return aggregator.start_soon(make(work), name=work.name, metadata=work.metadata)

    worktrees = None
    if worktree:
        from axiom_trio.spawn.worktree import open_worktrees

        worktrees = await open_worktrees()
    spawner = Spawner(
        aggregator,
        plan,
        start,
        label=label,
        planner=planner,
        keep_going=keep_going,
        worktrees=worktrees,
        notice=notice,
    )
    await spawner.run()
    return tuple(spawner.children)


def _maker(text: str, interactive: bool | None) -> tuple[str, Callable[[Work], Executor]]:
    """What an agent's children are called, and what makes their executors."""
    agent = find_agent(text)

    def make(work: Work) -> Executor:
        terminal = wants_terminal(work.metadata, interactive)
        return agent.executor(work.prompt, interactive=terminal, cwd=work.cwd)

    return agent.name, make

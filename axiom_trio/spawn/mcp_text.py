"""Results of the tools as text, for hosts that show their model nothing else: short, and with the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axiom_trio.sansio.durations import format_duration
from axiom_trio.spawn.mcp_tools import UNSET

if TYPE_CHECKING:
    from axiom_trio.spawn.mcp_tools import OutputResult, Planned, SpawnResult, StatusResult, Task


def spawn_text(result: SpawnResult) -> str:
    """Of axiom_mcp_spawn."""
    lines = [f"spawn {result.spawn_id[:8]} ({result.pattern}) {result.state}"]
    if result.error is not UNSET:
        lines[0] += f": {result.error}"
    if result.url is not UNSET:
        lines.append(f"watch it: {result.url}")
    if result.plan is not UNSET:
        lines += _plan(result.plan)
    for task in result.tasks:
        lines.append(task_line(task))
        lines += _last_words(task)
    lines += result.notices
    if result.state == "running":
        lines.append(f"axiom_mcp_output reads what they write: cursor {result.cursor}")
    return "\n".join(lines)


def status_text(result: StatusResult) -> str:
    """Of axiom_mcp_status."""
    lines = [f"{result.active_count} of {len(result.tasks) + result.left_out} tasks have not ended"]
    for task in result.tasks:
        lines.append(task_line(task))
        lines += _last_words(task)
    for spawn in result.spawns:
        lines += [] if spawn.plan is UNSET else _plan(spawn.plan)
        lines += spawn.notices
    if result.left_out:
        lines.append(f"and {result.left_out} that have ended before")
    return "\n".join(lines)


def output_text(result: OutputResult) -> str:
    """Of axiom_mcp_output."""
    lines: list[str] = []
    for entry in result.entries:
        prefix = "" if entry.name is UNSET else f"[{entry.name}] "
        if entry.kind in ("started", "sent", "delivery", "idle", "restarting", "completed", "gap"):
            prefix += f"({entry.kind}) "
        lines += [prefix + line for line in entry.text.removesuffix("\n").split("\n")]
    left = "all have ended" if result.done else f"{result.active_count} have not ended"
    more = ", there is more already" if result.more else ""
    lines.append(f"-- nextCursor {result.next_cursor}: {left}{more}")
    return "\n".join(lines)


def task_line(task: Task) -> str:
    """How a task stands, in a line."""
    how: str = task.state
    if task.ok is not UNSET:
        how = "ok" if task.ok else "failed"
        if task.error is not UNSET:
            how += f": {task.error}"
        elif task.signal is not UNSET:
            how += f": signal {task.signal}"
        elif not task.ok and task.exit_code is not UNSET:
            how += f": exit {task.exit_code}"
    took = format_duration(task.uptime / 1000)
    return f"[{task.name}] {task.short_id} {how}, {task.lines} lines, {took}"


def _plan(plan: list[Planned]) -> list[str]:
    return [f"{number}. {planned.prompt}" for number, planned in enumerate(plan, 1)]


def _last_words(task: Task) -> list[str]:
    if task.answer is not UNSET:
        return [f"  {line}" for line in task.answer.splitlines()]
    if task.screen is not UNSET:
        return [f"  | {line}" for line in task.screen if line]
    return [] if task.tail is UNSET else [f"  {line}" for line in task.tail]

"""How a task stands, as the tools of the MCP server tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from axiom_trio.sansio.escapes import EscapeFilter
from axiom_trio.spawn.mcp_tools import UNSET, Task

if TYPE_CHECKING:
    from axiom_trio.engine.child import Child

_TAIL: Final = 20  # lines
_PROMPT: Final = 300  # characters of a prompt, where it only says which task it is
_ANSWER: Final = 16_000  # characters of an answer
_LONGEST_LINE: Final = 500  # characters of a line of a tail


def described(child: Child, spawn_id: str, *, words: bool = False) -> Task:
    """How a task stands.

    Args:
        child: Which.
        spawn_id: Of the spawn it belongs to.
        words: Whether with what it said last, or shows.
    """
    figures, ended, metadata = child.statistics(), child.completed, child.metadata
    return Task(
        task_id=child.id,
        short_id=child.short_id,
        name=child.name,
        spawn_id=spawn_id,
        state=child.state,
        ok=UNSET if ended is None else ended.ok,
        exit_code=UNSET if ended is None or ended.exit.code is None else ended.exit.code,
        signal=UNSET if ended is None or ended.exit.signal is None else ended.exit.signal,
        reason=UNSET if ended is None else ended.reason,
        error=UNSET if ended is None or ended.exit.error is None else ended.exit.error,
        prompt=UNSET if metadata is None or metadata.prompt is None else short(metadata.prompt),
        index=UNSET if metadata is None or metadata.index is None else metadata.index,
        depth=UNSET if metadata is None or metadata.depth is None else metadata.depth,
        parent=UNSET if metadata is None or metadata.parent is None else metadata.parent,
        pid=UNSET if child.pid is None else child.pid,
        lines=figures.lines,
        bytes=figures.bytes,
        interventions=figures.interventions,
        uptime=round(figures.uptime * 1000),
        idle=round(figures.idle * 1000),
        **(last_words(child) if words else {}),
    )


def last_words(child: Child) -> dict[str, Any]:
    """What a task said last, or what its screen shows: fields of a `Task`."""
    answer: str = getattr(child._executor, "answer", "")
    if answer and child.completed is not None:
        return {"answer": answer if len(answer) <= _ANSWER else f"{answer[:_ANSWER]}…"}
    if child.tty and (terminal := child._aggregator.screens.of(child)) is not None:
        return {"screen": terminal.text()}
    return {"tail": tail_of(child)}


def tail_of(child: Child, lines: int = _TAIL) -> list[str]:
    """A task's last lines, as text."""
    text = EscapeFilter("none").feed(b"".join(line + b"\n" for line in child.tail(lines))).decode()
    return [line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…" for line in text.splitlines()]


def short(prompt: str) -> str:
    """The beginning of a prompt."""
    return prompt if len(prompt) <= _PROMPT else f"{prompt[:_PROMPT]}…"

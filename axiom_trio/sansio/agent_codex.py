"""Reads what Codex writes with `exec --json`: items that are started, updated and completed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from axiom_trio.sansio.agent_events import (
    AgentEvent,
    Begun,
    Ended,
    Said,
    Seen,
    Thought,
    ToolCall,
    ToolOutput,
    Usage,
    Warned,
    count_of,
    detail_of,
    items,
    key_of,
    table,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


@final
class CodexReader:
    """Reads one session."""

    def __init__(self) -> None:
        self._done = Seen()
        self._called = Seen()
        self._shown: dict[str, str] = {}
        self._plan = ""

    def read(self, message: Mapping[str, Any]) -> list[AgentEvent] | None:
        """See `Reader.read`."""
        kind = message.get("type")
        if kind == "thread.started":
            return [Begun(text_of(message.get("thread_id")), "")]
        if kind in ("item.started", "item.updated", "item.completed"):
            return self._item(table(message.get("item")), completed=kind == "item.completed")
        if kind == "turn.completed":
            usage = table(message.get("usage"))
            spent = Usage(count_of(usage.get("input_tokens")), count_of(usage.get("output_tokens")))
            return [Ended(True, usage=spent)]
        if kind == "turn.failed":
            return [Ended(False, _error(message.get("error")))]
        if kind == "error":
            return [Warned(_error(message))]
        return [] if kind == "turn.started" else None

    def _item(self, item: Mapping[str, Any], *, completed: bool) -> list[AgentEvent] | None:
        ident = key_of(item.get("id")) or ""
        if completed and ident and self._done(ident):
            return []
        kind = item.get("type")
        if kind == "agent_message":
            return self._message(ident, text_of(item.get("text")), completed=completed)
        if kind == "todo_list":
            return self._todo(items(item.get("items")))
        if kind == "reasoning":
            return [Thought(text_of(item.get("text")))] if completed else []
        if kind == "error":  # this may be a mere warning
            return [Warned(_error(item))] if completed else []
        call = _call(item)
        if call is None:
            return None
        found: list[AgentEvent] = []
        if not (ident and self._called(ident)):
            found.append(call)
        if completed and (output := _output(item)) is not None:
            found.append(output)
        return found

    def _message(self, ident: str, text: str, *, completed: bool) -> list[AgentEvent]:
        """What is new of a text that may come again and again, each time longer."""
        shown = self._shown.pop(ident, "")
        rest = text.removeprefix(shown)
        if not completed:
            self._shown[ident] = text
            if len(self._shown) > 64:
                del self._shown[next(iter(self._shown))]
        return [Said(rest, ends=completed)]

    def _todo(self, steps: list[Any]) -> list[AgentEvent]:
        plan = [(text_of(table(step).get("text")), bool(table(step).get("completed"))) for step in steps]
        ahead = next((text for text, done in plan if not done), "all is done")
        shown = f"{sum(done for _, done in plan)} of {len(plan)} done; {ahead}"
        if shown == self._plan:
            return []
        self._plan = shown
        return [ToolCall("plan", shown)]


def _call(item: Mapping[str, Any]) -> ToolCall | None:
    kind = item.get("type")
    if kind == "command_execution":
        return ToolCall("shell", text_of(item.get("command")))
    if kind == "file_change":
        changes = [table(change) for change in items(item.get("changes"))]
        paths = (f"{text_of(c.get('kind')) or 'change'} {text_of(c.get('path'))}" for c in changes)
        return ToolCall("edit", ", ".join(paths))
    if kind == "mcp_tool_call":
        name = f"{text_of(item.get('server'))}.{text_of(item.get('tool'))}"
        return ToolCall(name, detail_of(item.get("arguments")))
    if kind == "web_search":
        return ToolCall("search", text_of(item.get("query")))
    return None


def _output(item: Mapping[str, Any]) -> ToolOutput | None:
    kind, status = item.get("type"), item.get("status")
    failed = status in ("failed", "declined")
    if kind == "command_execution":
        code = count_of(item.get("exit_code"))
        return ToolOutput(text_of(item.get("aggregated_output")), not (failed or code))
    if kind == "mcp_tool_call":
        error = item.get("error")
        result = table(item.get("result"))
        text = _error(error) if error else text_of(result.get("content"))
        return ToolOutput(text, not (failed or error))
    return ToolOutput("", ok=False) if failed else None


def _error(value: object) -> str:
    """The message in an error; some are JSON in a string."""
    return text_of(table(value).get("message")) or text_of(value) or "it gives no reason"

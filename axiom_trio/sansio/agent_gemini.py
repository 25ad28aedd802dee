"""Reads what Gemini CLI writes with `--output-format stream-json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from axiom_trio.sansio.agent_events import (
    AgentEvent,
    Begun,
    Ended,
    Said,
    Seen,
    Streamed,
    ToolCall,
    ToolOutput,
    Usage,
    Warned,
    count_of,
    detail_of,
    key_of,
    table,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


@final
class GeminiReader:
    """Reads one session."""

    def __init__(self) -> None:
        self._seen = Seen()
        self._streamed = Streamed()

    def read(self, message: Mapping[str, Any]) -> list[AgentEvent] | None:
        """See `Reader.read`."""
        kind = message.get("type")
        if kind == "message":
            return self._message(message)
        found: list[AgentEvent]
        if kind == "init":
            found = [Begun(text_of(message.get("session_id")), text_of(message.get("model")))]
        elif kind == "tool_use":
            call = ToolCall(text_of(message.get("tool_name")), detail_of(message.get("parameters")))
            found = [] if self._is_known(message) else [call]
        elif kind == "tool_result":
            ok = message.get("status") == "success"
            text = text_of(message.get("output")) or _error(message)
            found = [] if self._is_known(message) else [ToolOutput(text, ok)]
        elif kind == "error":
            found = [Warned(text_of(message.get("message")) or "it reports an error, and not which")]
        elif kind == "result":
            found = [_result(message)]
        else:
            return None
        self._streamed.begin("")
        return [Said(""), *found]

    def _message(self, message: Mapping[str, Any]) -> list[AgentEvent]:
        text = text_of(message.get("content"))
        if message.get("role") == "user":  # what it was told
            return []
        if message.get("delta"):
            self._streamed.add(text)
            return [Said(text, ends=False)] if text else []
        shown = self._streamed.text()
        self._streamed.begin("")
        return [Said(text.removeprefix(shown))]

    def _is_known(self, message: Mapping[str, Any]) -> bool:
        ident = key_of(message.get("tool_id"))
        return ident is not None and self._seen((message.get("type"), ident))


def _result(message: Mapping[str, Any]) -> Ended:
    stats = table(message.get("stats"))
    usage = Usage(count_of(stats.get("input_tokens")), count_of(stats.get("output_tokens")))
    if message.get("status") == "success":
        return Ended(True, usage=usage)
    return Ended(False, _error(message) or f"it ended with {message.get('status')}", usage=usage)


def _error(message: Mapping[str, Any]) -> str:
    return text_of(table(message.get("error")).get("message"))

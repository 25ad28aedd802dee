"""Reads what Claude Code writes with `--output-format stream-json`; the SDK's messages are the same.

With partial messages, a text comes in deltas first and whole afterwards: the whole adds only
what the deltas lacked. Each line bears a `uuid`: one that comes again, as after a reconnection,
is passed over, and a message that's streamed anew is shown from where it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from axiom_trio.sansio.agent_events import (
    AgentEvent,
    Begun,
    Ended,
    Said,
    Seen,
    Streamed,
    Thought,
    ToolCall,
    ToolOutput,
    Usage,
    Warned,
    count_of,
    detail_of,
    is_number,
    items,
    key_of,
    table,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_MESSAGES: Final = 32  # of which the text is remembered, until they come whole
_QUIET: Final = ("status", "task_progress", "hook_started", "hook_progress", "thinking_tokens")
_ENDS: Final = {
    "error_max_turns": "it has used all turns it may",
    "error_max_budget_usd": "it has used all the money it may",
    "error_during_execution": "it was interrupted, or failed at work",
}


class _Streamed:
    """What was shown of a message that comes in deltas, by block."""

    __slots__ = ("_again", "_shown")

    def __init__(self) -> None:
        self._shown: dict[int, Streamed] = {}
        self._again: dict[int, str] = {}  # when it's streamed anew: how much has come again

    def delta(self, index: int, text: str) -> str:
        """What of it is to be shown."""
        streamed = self._shown.get(index)
        if streamed is None:
            streamed = self._shown[index] = Streamed()
        if index not in self._again:
            streamed.add(text)
            return text
        shown, again = streamed.text(), self._again[index] + text
        self._again[index] = again
        if len(again) < len(shown) and shown.startswith(again):
            return ""
        del self._again[index]
        streamed.begin(again)
        return again[len(shown) :] if again.startswith(shown) else text

    def again(self) -> None:
        """It begins anew."""
        self._again = dict.fromkeys(self._shown, "")

    def rest(self, whole: str) -> str:
        """What was not shown of a block that now comes whole, which may be all of it."""
        for index, streamed in self._shown.items():
            shown = streamed.text()
            if shown and whole.startswith(shown):
                del self._shown[index]
                self._again.pop(index, None)
                return whole[len(shown) :]
        return whole


@final
class ClaudeReader:
    """Reads one session."""

    def __init__(self) -> None:
        self._seen = Seen()
        self._began = False
        self._messages: dict[tuple[str | None, str | None], _Streamed] = {}
        self._current: dict[str | None, str | None] = {}

    def read(self, message: Mapping[str, Any]) -> list[AgentEvent] | None:
        """See `Reader.read`."""
        uuid = key_of(message.get("uuid"))
        if uuid is not None and self._seen(uuid):
            return []
        kind = message.get("type")
        source = key_of(message.get("parent_tool_use_id"))
        if kind == "stream_event":
            return self._stream(table(message.get("event")), source)
        if kind == "assistant":
            return self._assistant(message, source, known=uuid is not None)
        if kind == "user":
            return self._user(table(message.get("message")), source)
        if kind == "result":
            return [_result(message)]
        if kind == "system":
            return self._system(message)
        if kind == "rate_limit_event":
            info = table(message.get("rate_limit_info"))
            status = text_of(info.get("status"))
            return [] if status in ("", "allowed") else [Warned(f"rate limit: {status}")]
        return None

    def _system(self, message: Mapping[str, Any]) -> list[AgentEvent] | None:
        subtype = message.get("subtype")
        if subtype == "init":
            if self._began:  # each turn of a session says it again
                return []
            self._began = True
            return [Begun(text_of(message.get("session_id")), text_of(message.get("model")))]
        if subtype == "api_retry":
            return [Warned(f"the model can't be reached, attempt {message.get('attempt')}")]
        return [] if subtype in _QUIET else None

    def _stream(self, event: Mapping[str, Any], source: str | None) -> list[AgentEvent] | None:
        kind = event.get("type")
        if kind == "message_start":
            ident = key_of(table(event.get("message")).get("id"))
            known = self._messages.get((source, ident))
            if known is not None and ident is not None and self._current.get(source) == ident:
                known.again()
            else:
                self._messages[source, ident] = _Streamed()
            self._current[source] = ident
            self._forget()
            return []
        if kind == "content_block_delta":
            delta = table(event.get("delta"))
            text = delta.get("text")
            if delta.get("type") != "text_delta" or not isinstance(text, str):
                return []  # arguments, thoughts: they come whole
            streamed = self._messages.setdefault((source, self._current.get(source)), _Streamed())
            shown = streamed.delta(count_of(event.get("index")) or 0, text)
            return [Said(shown, ends=False, source=source)] if shown else []
        if kind in ("content_block_stop", "message_stop"):
            return [Said("", source=source)]
        return [] if kind in ("content_block_start", "message_delta", "ping") else None

    def _forget(self) -> None:
        while len(self._messages) > _MESSAGES:
            del self._messages[next(iter(self._messages))]
        while len(self._current) > _MESSAGES:
            del self._current[next(iter(self._current))]

    def _assistant(
        self, message: Mapping[str, Any], source: str | None, *, known: bool
    ) -> list[AgentEvent] | None:
        inner = table(message.get("message"))
        ident = key_of(inner.get("id"))
        streamed = self._messages.get((source, ident if ident is not None else self._current.get(source)))
        content = inner.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else items(content)
        found: list[AgentEvent] = []
        for block in map(table, blocks):
            kind = block.get("type")
            if kind == "text":
                text = text_of(block.get("text"))
                if not known and ident is not None and self._seen((ident, text)):
                    continue
                found.append(Said(text if streamed is None else streamed.rest(text), source=source))
            elif kind == "thinking":
                found.append(Thought(text_of(block.get("thinking")), source))
            elif kind in ("tool_use", "server_tool_use"):
                if (call := key_of(block.get("id"))) is None or not self._seen(("call", call)):
                    found.append(ToolCall(text_of(block.get("name")), detail_of(block.get("input")), source))
            elif kind != "redacted_thinking":
                found.append(ToolCall(text_of(kind) or "block", detail_of(block), source))
        if (error := key_of(message.get("error"))) is not None:
            found.append(Warned(error.replace("_", " ")))
        return found

    def _user(self, inner: Mapping[str, Any], source: str | None) -> list[AgentEvent]:
        found: list[AgentEvent] = []
        for block in map(table, items(inner.get("content"))):
            if block.get("type") == "tool_result":
                call = key_of(block.get("tool_use_id"))
                if call is None or not self._seen(("result", call)):
                    found.append(ToolOutput(text_of(block.get("content")), not block.get("is_error"), source))
        return found  # other text of a user is what it was told


def _result(message: Mapping[str, Any]) -> Ended:
    """How it ended: `subtype` may say success while `is_error` is true."""
    usage, cost = table(message.get("usage")), message.get("total_cost_usd")
    spent = Usage(
        input_tokens=_input(usage),
        output_tokens=count_of(usage.get("output_tokens")),
        turns=count_of(message.get("num_turns")),
        cost=float(cost) if is_number(cost) else None,
    )
    answer = message.get("result")
    answer = answer if isinstance(answer, str) else None
    subtype = text_of(message.get("subtype")) or "success"
    if not message.get("is_error") and subtype == "success":
        return Ended(True, None, answer, spent)
    errors = "; ".join(text for text in map(text_of, items(message.get("errors"))) if text)
    reason = _ENDS.get(subtype) or errors or answer or subtype.replace("_", " ")
    return Ended(False, reason, answer, spent)


def _input(usage: Mapping[str, Any]) -> int | None:
    """All tokens that went in, those from the cache too."""
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    counts = [count for count in (count_of(usage.get(name)) for name in names) if count is not None]
    return sum(counts) if counts else None

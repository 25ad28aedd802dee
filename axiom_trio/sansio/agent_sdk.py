"""The messages of the Claude Agent SDK as those of the CLI that it talks to.

They're told apart by what they have, not by their classes, so the SDK is not imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_RESULT = (
    *("subtype", "is_error", "num_turns", "session_id", "total_cost_usd", "usage", "result", "errors"),
    "uuid",
)


def from_sdk(item: object) -> Mapping[str, Any] | str:
    """A message as the CLI would write it; a text for what is none.

    Args:
        item: A message of the SDK, a mapping as the CLI writes it, or anything else.
    """
    if isinstance(item, Mapping):
        return dict(item) if "type" in item else repr(item)
    if isinstance(item, bytes):
        return item.decode("utf-8", "replace")
    if isinstance(item, str):
        return item
    data = getattr(item, "data", None)
    if hasattr(item, "subtype") and isinstance(data, Mapping):
        return {**data, "type": "system", "subtype": item.subtype}
    if isinstance(event := getattr(item, "event", None), Mapping):
        return {"type": "stream_event", "event": dict(event), **_fields(item)}
    if hasattr(item, "is_error") and hasattr(item, "num_turns"):
        return {"type": "result", **{name: getattr(item, name, None) for name in _RESULT}}
    if hasattr(item, "content"):
        content = item.content
        blocks = content if isinstance(content, str) else [_block(block) for block in _list(content)]
        kind = "assistant" if hasattr(item, "model") else "user"
        message = {"id": getattr(item, "message_id", None), "content": blocks}
        return {"type": kind, "message": message, "error": getattr(item, "error", None), **_fields(item)}
    if hasattr(item, "rate_limit_info"):
        status = getattr(item.rate_limit_info, "status", "")
        return {"type": "rate_limit_event", "rate_limit_info": {"status": status}}
    return repr(item)


def _fields(item: object) -> dict[str, Any]:
    return {name: getattr(item, name, None) for name in ("uuid", "parent_tool_use_id")}


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def _block(block: object) -> dict[str, Any]:
    if isinstance(block, Mapping):
        return dict(block)
    names: tuple[str, ...]
    if hasattr(block, "tool_use_id"):
        kind, names = "tool_result", ("tool_use_id", "content", "is_error")
    elif hasattr(block, "input"):
        kind, names = "tool_use", ("id", "name", "input")
    elif hasattr(block, "thinking"):
        kind, names = "thinking", ("thinking",)
    elif hasattr(block, "text"):
        kind, names = "text", ("text",)
    else:
        return {"type": type(block).__name__, "description": repr(block)}
    return {"type": kind, **{name: getattr(block, name, None) for name in names}}

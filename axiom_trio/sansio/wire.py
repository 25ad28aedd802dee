"""The wire form: one JSON object per event, the same for JSON lines, WebSocket and control socket.

`{"type": T, "cursor": C, "data": {…}}`, keys in camelCase, times in milliseconds.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from axiom_trio.sansio.events import (
    AllCompleted,
    Completed,
    Delivery,
    Gap,
    Idle,
    Intervention,
    Output,
    Restarting,
    Started,
    Stats,
)
from axiom_trio.sansio.lines import fold
from axiom_trio.sansio.names import SHORT_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.sansio.events import ChildStatistics, Event, TaskMetadata

PROTOCOL_VERSION: Final = 1

_encode: Final = msgspec.json.Encoder().encode


class WireEncoder:
    """Encodes the events of one run, in order: it remembers each child's name and kind from `Started`."""

    def __init__(self) -> None:
        self._children: dict[str, tuple[str, bool]] = {}

    def know(self, child: str, name: str, *, tty: bool) -> None:
        """Take in a child whose `Started` may not come by."""
        self._children[child] = name, tty

    def encode(self, event: Event) -> bytes:
        """One line of JSON, with its newline."""
        return to_line(self.to_object(event))

    def to_object(self, event: Event) -> dict[str, object]:
        """The event as plain objects, ready for JSON."""
        if type(event) is Output:
            name, tty = self._children.get(event.child, (event.child, False))
            return {"type": "stream", "cursor": event.cursor, "data": _output(event, name, tty=tty)}
        if type(event) is Started:
            self.know(event.child, event.name, tty=event.tty)
        elif type(event) is Completed:
            self._children.pop(event.child, None)
        wire_type, data = _ENCODERS[type(event)]
        # Who resumes after a gap's cursor reads on with the first event that wasn't missed.
        cursor = event.to_cursor - 1 if isinstance(event, Gap) else event.cursor
        return {"type": wire_type, "cursor": cursor, "data": data(event)}


def to_line(value: object) -> bytes:
    """An object as a line of JSON, with its newline."""
    try:
        return _encode(value) + b"\n"
    except UnicodeEncodeError:  # lone surrogates: a name or a prompt from undecodable arguments
        return _encode(_replace_surrogates(value)) + b"\n"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _replace_surrogates(value: object) -> object:
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, dict):
        return {key: _replace_surrogates(item) for key, item in value.items()}
    return [_replace_surrogates(item) for item in value] if isinstance(value, list) else value


def _output(event: Output, name: str, *, tty: bool) -> dict[str, object]:
    data: dict[str, object] = {
        "taskId": event.child,
        "shortId": event.child[:SHORT_ID],
        "name": name,
        "seq": event.seq,
        "kind": event.kind,
        "timestamp": _ms(event.time),
        "lines": event.lines,
    }
    block = fold(event.data) if tty else event.data
    try:
        data["text"] = block.decode()
    except UnicodeDecodeError:
        data["text"] = block.decode("utf-8", "replace")
        data["raw"] = base64.b64encode(block).decode("ascii")
    if event.partial:
        data["partial"] = True
    return data


def _started(event: Started) -> dict[str, object]:
    return {
        "taskId": event.child,
        "shortId": event.child[:SHORT_ID],
        "name": event.name,
        "index": event.index,
        "pid": event.pid,
        "tty": event.tty,
        "timestamp": _ms(event.time),
        "metadata": metadata_fields(event.metadata),
    }


def metadata_fields(metadata: TaskMetadata | None) -> dict[str, object] | None:
    """What a caller said of a child."""
    if metadata is None:
        return None
    return {
        "prompt": metadata.prompt,
        "index": metadata.index,
        "depth": metadata.depth,
        "pattern": metadata.pattern,
        "parent": metadata.parent,
    }


def _child_statistics(figures: ChildStatistics) -> dict[str, object]:
    return {
        "taskId": figures.child,
        "shortId": figures.child[:SHORT_ID],
        "name": figures.name,
        "bytes": figures.bytes,
        "lines": figures.lines,
        "interventions": figures.interventions,
        "uptime": _ms(figures.uptime),
        "idle": _ms(figures.idle),
    }


_ENCODERS: Final[dict[type, tuple[str, Callable[[Any], dict[str, object]]]]] = {
    Started: ("started", _started),
    Intervention: (
        "intervention",
        lambda e: {
            "taskId": e.child,
            "timestamp": _ms(e.time),
            "count": e.count,
            "origin": e.origin,
            "text": e.text,
            "receipt": e.receipt,
            "rule": e.rule,
        },
    ),
    Delivery: (
        "delivery",
        lambda e: {
            "taskId": e.child,
            "timestamp": _ms(e.time),
            "receipt": e.receipt,
            "rule": e.rule,
            "state": e.state,
            "reason": e.reason,
        },
    ),
    Idle: ("idle", lambda e: {"taskId": e.child, "timestamp": _ms(e.time), "idleTime": _ms(e.idle)}),
    Stats: (
        "stats",
        lambda e: {
            "timestamp": _ms(e.time),
            "activeCount": e.active,
            "totalBytes": e.bytes,
            "totalLines": e.lines,
            "totalInterventions": e.interventions,
            "streams": [_child_statistics(child) for child in e.children],
        },
    ),
    Restarting: (
        "restarting",
        lambda e: {
            "taskId": e.child,
            "timestamp": _ms(e.time),
            "attempt": e.attempt,
            "delay": _ms(e.delay),
            "exitCode": e.exit.code,
            "signal": e.exit.signal,
            "error": e.exit.error,
            "reason": e.reason,
        },
    ),
    Gap: (
        "gap",
        lambda e: {
            "fromCursor": e.from_cursor,
            "toCursor": e.to_cursor,
            "events": e.events,
            "lines": e.lines,
            "bytes": e.bytes,
        },
    ),
    Completed: (
        "complete",
        lambda e: {
            "taskId": e.child,
            "timestamp": _ms(e.time),
            "exitCode": e.exit.code,
            "signal": e.exit.signal,
            "error": e.exit.error,
            "reason": e.reason,
            "duration": _ms(e.duration),
            "bytes": e.bytes,
            "lines": e.lines,
            "interventions": e.interventions,
            "attempts": e.attempts,
            "escaped": [{"pid": p.pid, "command": p.command, "killed": p.killed} for p in e.escaped],
        },
    ),
    AllCompleted: (
        "allComplete",
        lambda e: {
            "timestamp": _ms(e.time),
            "completed": e.children,
            "failed": e.failed,
            "totalBytes": e.bytes,
            "totalLines": e.lines,
            "totalInterventions": e.interventions,
        },
    ),
}

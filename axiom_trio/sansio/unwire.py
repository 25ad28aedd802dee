"""The wire form read again: events from the objects that `sansio/wire.py` makes of them.

What the wire form leaves out stays out: a terminal's `\\r\\n` comes as `\\n`.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from axiom_trio.sansio.events import (
    AllCompleted,
    Completed,
    Delivery,
    Escaped,
    Exit,
    Gap,
    Idle,
    Intervention,
    Output,
    Restarting,
    Started,
    TaskMetadata,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.sansio.events import Event


def from_wire(message: dict[str, Any]) -> Event | None:
    """The event that a wire object tells of; None if it's none, or one of figures alone.

    Raises:
        LookupError, TypeError, ValueError: It lacks something, or something has another type.
    """
    make = _MAKERS.get(message["type"])
    return None if make is None else make(message["cursor"], message["data"])


def data_of(stream: dict[str, Any]) -> bytes:
    """The bytes of a `stream` message's block."""
    raw = stream.get("raw")
    return stream["text"].encode("utf-8", "replace") if raw is None else base64.b64decode(raw)


def _seconds(milliseconds: float) -> float:
    return milliseconds / 1000


def _exit(data: dict[str, Any]) -> Exit:
    return Exit(data["exitCode"], data["signal"], data["error"])


def _started(cursor: int, data: dict[str, Any]) -> Started:
    metadata = data["metadata"]
    return Started(
        cursor=cursor,
        time=_seconds(data["timestamp"]),
        child=data["taskId"],
        name=data["name"],
        index=data["index"],
        pid=data["pid"],
        tty=data["tty"],
        metadata=None if metadata is None else TaskMetadata(**metadata),
    )


_MAKERS: Final[dict[str, Callable[[int, dict[str, Any]], Event]]] = {
    "started": _started,
    "stream": lambda cursor, d: Output(
        cursor=cursor,
        time=_seconds(d["timestamp"]),
        child=d["taskId"],
        seq=d["seq"],
        kind=d["kind"],
        data=data_of(d),
        lines=d["lines"],
        partial=d.get("partial", False),
    ),
    "intervention": lambda cursor, d: Intervention(
        cursor=cursor,
        time=_seconds(d["timestamp"]),
        child=d["taskId"],
        count=d["count"],
        origin=d["origin"],
        text=d["text"],
        receipt=d["receipt"],
        rule=d.get("rule"),
    ),
    "delivery": lambda cursor, d: Delivery(
        cursor=cursor,
        time=_seconds(d["timestamp"]),
        child=d["taskId"],
        receipt=d["receipt"],
        state=d["state"],
        reason=d["reason"],
        rule=d.get("rule"),
    ),
    "idle": lambda cursor, d: Idle(
        cursor=cursor, time=_seconds(d["timestamp"]), child=d["taskId"], idle=_seconds(d["idleTime"])
    ),
    "restarting": lambda cursor, d: Restarting(
        cursor=cursor,
        time=_seconds(d["timestamp"]),
        child=d["taskId"],
        attempt=d["attempt"],
        delay=_seconds(d["delay"]),
        exit=_exit(d),
        reason=d["reason"],
    ),
    "gap": lambda _, d: Gap(
        from_cursor=d["fromCursor"],
        to_cursor=d["toCursor"],
        events=d["events"],
        lines=d["lines"],
        bytes=d["bytes"],
    ),
    "complete": lambda cursor, d: Completed(
        cursor=cursor,
        time=_seconds(d["timestamp"]),
        child=d["taskId"],
        exit=_exit(d),
        reason=d["reason"],
        duration=_seconds(d["duration"]),
        bytes=d["bytes"],
        lines=d["lines"],
        interventions=d["interventions"],
        attempts=d.get("attempts", 1),
        escaped=tuple(Escaped(**process) for process in d.get("escaped", ())),
    ),
    "allComplete": lambda cursor, d: AllCompleted(
        cursor=cursor,
        time=_seconds(d["timestamp"]),
        children=d["completed"],
        failed=d["failed"],
        bytes=d["totalBytes"],
        lines=d["totalLines"],
        interventions=d["totalInterventions"],
    ),
}

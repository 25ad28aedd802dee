"""The lines that tell what happens to a child, in the stream of it all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axiom_trio.cli.closing import failure, why
from axiom_trio.sansio.durations import format_duration
from axiom_trio.sansio.events import Completed, Delivery, Idle, Intervention, Restarting
from axiom_trio.sansio.names import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.sansio.events import Event

    Paint = Callable[[str, str], str]


def what_happened(event: Event, label: str, paint: Paint) -> str:
    """What tells of an event, without newline; empty if nothing is to be said, or it's for `ending` to say.

    Args:
        event: Of a child.
        label: The child's, as it stands before its lines.
        paint: Gives a text (the second) a colour.
    """
    if isinstance(event, Idle):
        silence = format_duration(event.idle, running=event.idle >= 1)
        return f"{paint('33', '⏸')} {label} idle for {silence}"
    if isinstance(event, Restarting):
        when = f"in {format_duration(event.delay)}" if event.delay >= 0.1 else "now"
        how = "Stopped, as asked" if event.reason == "stopped" else f"Failed: {why(event.exit, event.reason)}"
        return f"{paint('33', '↻')} {label} {how}; attempt {event.attempt} starts {when}"
    if isinstance(event, Intervention) and event.origin != "detected":
        first = printable(event.text.split("\n", 1)[0])
        return f"{paint('1;33', '⚡')} Intervention #{event.count} in {label}: {first}"
    if isinstance(event, Delivery) and event.state == "refused":
        rule = f" ({printable(event.rule)})" if event.rule is not None else ""
        return f"{paint('1;33', '⚡')} {label} not sent{rule}: {printable(event.reason)}"
    if isinstance(event, Delivery) and event.state == "suppressed":
        return f"{paint('1;33', '⚡')} {label} {printable(event.rule or '')}: {printable(event.reason)}"
    return ""


def ending(completed: Completed, label: str, paint: Paint) -> str:
    """What tells how a child has ended, without newline."""
    took = format_duration(completed.duration)
    if completed.attempts > 1:
        took += f", {completed.attempts} attempts"
    if completed.reason == "stopped":
        return f"{paint('33', '■')} {label} Stopped ({took})"
    if not completed.ok:
        return f"{paint('31', '✗')} {label} {failure(completed, took)}"
    return f"{paint('32', '✓')} {label} Completed ({took})"

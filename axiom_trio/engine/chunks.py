"""What travels on a child's channel, and the splitter that it's made with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from axiom_trio.sansio.lines import LineSplitter

if TYPE_CHECKING:
    from axiom_trio.sansio.events import Exit, Kind, Reason


class Chunk:
    """What travels on the channel: whole lines, or a piece of an open line."""

    __slots__ = ("kind", "partial", "parts", "size", "taken", "time")

    def __init__(self, data: bytes, kind: Kind, time: float, *, partial: bool) -> None:
        self.parts = [data]
        self.size = len(data)
        self.kind = kind
        self.time = time
        self.partial = partial
        self.taken = False

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)


class RestartMark(Chunk):
    """Ends an attempt: what came before it is the last attempt's, what follows the next one's."""

    __slots__ = ("attempt", "delay", "exit", "merged", "reason")

    def __init__(self, ended: Exit, reason: Reason, attempt: int, delay: float) -> None:
        super().__init__(b"", "output", trio.current_time(), partial=True)  # so it's joined with nothing
        self.exit = ended
        self.reason: Reason = reason
        self.attempt = attempt
        self.delay = delay
        self.merged = trio.Event()


class Splitter(LineSplitter):
    """A line splitter that the tail clock can watch."""

    __slots__ = ("changed", "kind", "watched")

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind
        self.changed = 0.0
        self.watched = False

    def silent(self) -> None:
        """Nothing has come for a while."""


class OpenLine:
    """A line that was published in pieces and has not ended."""

    __slots__ = ("head", "size", "waited")

    def __init__(self) -> None:
        self.size = 0
        self.head = b""
        self.waited = 0.0
        """Seconds that others have waited for it."""

"""Counting what a child does: bytes, lines, interventions, idle time and uptime."""

from __future__ import annotations

from axiom_trio.sansio.events import ChildStatistics


class Meter:
    """The figures of one child. Times are any monotonic clock's seconds."""

    __slots__ = ("attempt", "bytes", "ended", "interventions", "last_output", "lines", "started")

    def __init__(self) -> None:
        self.bytes = 0
        self.lines = 0
        self.interventions = 0
        self.started: float | None = None
        self.attempt: float | None = None
        """When the present attempt started; None between two."""
        self.last_output: float | None = None
        self.ended: float | None = None

    def start(self, now: float) -> None:
        """An attempt has started."""
        self.attempt = now
        if self.started is None:
            self.started = now

    def uptime(self, now: float) -> float:
        """Seconds from the start to the end, or to now; 0 before the start."""
        if self.started is None:
            return 0.0
        return max(0.0, (now if self.ended is None else self.ended) - self.started)

    def idle(self, now: float) -> float:
        """Seconds since the last output, or since the attempt's start; 0 when it does not run."""
        if self.attempt is None or self.ended is not None:
            return 0.0
        return max(0.0, now - max(self.attempt, self.last_output or self.attempt))

    def statistics(self, child: str, name: str, now: float) -> ChildStatistics:
        """A frozen view."""
        return ChildStatistics(
            child=child,
            name=name,
            bytes=self.bytes,
            lines=self.lines,
            interventions=self.interventions,
            uptime=self.uptime(now),
            idle=self.idle(now),
        )

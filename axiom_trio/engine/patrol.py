"""The patrol: looks after the time that children take, and their silence.

One task for all children. It looks at least twice a second, so that it notices when
the whole program was stopped or asleep: that time counts against nobody. Nor does
time in which a child waits for the run (back-pressure), which is not silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from axiom_trio.engine.wakeup import Wakeup
from axiom_trio.sansio.supervision import Absences, Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.events import Reason

_LONGEST: Final = 0.5
_SHORTEST: Final = 0.01
_ABSENCE: Final = 0.5  # so late comes no busy loop


class _Attempt:
    __slots__ = ("spoke", "started", "watch")

    def __init__(self, watch: Watch, started: float) -> None:
        self.watch = watch
        self.started = started
        self.spoke = started


class Patrol:
    """Watches the attempts of children.

    Args:
        stop: Called with a child and the reason for which it's to be stopped.
        warn: Called with a child and the seconds for which it has been silent.
    """

    def __init__(self, stop: Callable[[Child, Reason], None], warn: Callable[[Child, float], None]) -> None:
        self._stop = stop
        self._warn = warn
        self._attempts: dict[Child, _Attempt] = {}
        self._absences = Absences()
        self._due = 0.0
        self._wakeup = Wakeup()

    def watch(self, child: Child) -> None:
        """An attempt of the child has started."""
        if child.supervision.watched:
            now = trio.current_time()
            if not self._attempts:
                self._due = now
            self._attempts[child] = _Attempt(Watch(child.supervision), now)
            self._wakeup.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            if not self._attempts:
                await self._wakeup.wait()
                continue
            now = trio.current_time()
            if now - self._due > _ABSENCE:
                self._absences.add(now, now - self._due)
            self._due = now + min(_LONGEST, max(_SHORTEST, self._look(now)))
            with trio.move_on_at(self._due):
                await self._wakeup.wait()

    def _look(self, now: float) -> float:
        """Look at all; seconds until the next look is due."""
        elapsed = self._absences.elapsed
        next_look = _LONGEST
        for child, attempt in list(self._attempts.items()):
            meter = child._port.meter
            if child._stop_reason is not None or meter.attempt is None or child._port.exited:
                del self._attempts[child]
                continue
            if child._port.behind:
                attempt.spoke = now
            attempt.spoke = max(attempt.spoke, meter.last_output or 0.0)
            running, silent = elapsed(attempt.started, now), elapsed(attempt.spoke, now)
            for due in attempt.watch.look(running, silent):
                if due == "warn":
                    self._warn(child, silent)
                else:
                    self._stop(child, due)
            next_look = min(next_look, attempt.watch.due(running, silent))
        return next_look

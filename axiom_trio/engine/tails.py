"""The tail clock: publishes what a child left open once it has been silent for 50 ms.

One task for all children, so that a read costs no timer of its own.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

import trio

from axiom_trio.engine.wakeup import Wakeup

if TYPE_CHECKING:
    from axiom_trio.engine.chunks import Splitter
    from axiom_trio.engine.port import ChildPort

SILENCE: Final = 0.05
"""Seconds."""


class TailClock:
    """Watches the splitters that hold an open line."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, ChildPort, Splitter]] = []
        self._count = 0
        self._wakeup = Wakeup()

    def watch(self, port: ChildPort, splitter: Splitter) -> None:
        """Publish the splitter's tail when it has not changed for `SILENCE` seconds."""
        splitter.watched = True
        self._count += 1
        heapq.heappush(self._due, (splitter.changed + SILENCE, self._count, port, splitter))
        if len(self._due) == 1:
            self._wakeup.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            if not self._due:
                await self._wakeup.wait()
                continue
            await trio.sleep_until(self._due[0][0])
            now = trio.current_time()
            while self._due and self._due[0][0] <= now:
                _, _, port, splitter = heapq.heappop(self._due)
                splitter.watched = False
                if port.exit is not None or not splitter.pending:
                    continue
                if splitter.changed + SILENCE > now:
                    self.watch(port, splitter)
                elif not port.publish_tail(splitter):
                    splitter.changed = now  # look again when the channel may be free
                    self.watch(port, splitter)

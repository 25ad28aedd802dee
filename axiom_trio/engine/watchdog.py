"""The watchdog: names what keeps the event loop from turning.

A function or a stream of this very process that never waits (a long computation, a
blocking call) stops everything: all children, the console, signals. No task can tell
of that; so a thread looks whether the loop still turns, and at what it is doing.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from typing import TYPE_CHECKING, Final, final

import trio

from axiom_trio.engine import supervisor

if TYPE_CHECKING:
    from types import FrameType

LOGGER: Final = logging.getLogger("axiom_trio")
_PATIENCE: Final = 1.0  # seconds that its thread is waited for in the end


@final
class Watchdog:
    """Warns once for each time that the loop stands still; watches from the beginning.

    Args:
        limit: Seconds after which it counts as standing still.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._beat = time.monotonic()
        self._told = False
        self._over = threading.Event()
        self._loop = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="axiom_trio watchdog", daemon=True)
        self._thread.start()

    async def run(self) -> None:
        """Watch until cancelled; to be called once."""
        try:
            while True:
                self._beat = time.monotonic()
                self._told = False
                await trio.sleep(self._limit / 4)
        finally:
            self._over.set()
            self._thread.join(_PATIENCE)

    def _watch(self) -> None:
        while not self._over.wait(self._limit / 4):
            silent = time.monotonic() - self._beat
            if silent < self._limit or self._told:
                continue
            self._told = True
            frame = sys._current_frames().get(self._loop)
            if frame is not None:
                LOGGER.warning("the event loop has stood still for %.1f s: %s", silent, _place(frame))


def _place(frame: FrameType) -> str:
    """What runs there: file, line and function, and whose it is if it's a child's."""
    code = frame.f_code
    place = f"{code.co_filename}:{frame.f_lineno} in {code.co_name}"
    outer: FrameType | None = frame
    while outer is not None:
        if outer.f_code is supervisor.supervise.__code__:
            return f"{place}, child {outer.f_locals['child'].name}"
        outer = outer.f_back
    return place

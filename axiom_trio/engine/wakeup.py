"""A level-triggered wake-up for one waiting task."""

from __future__ import annotations

import trio


class Wakeup:
    """Like an Event that its waiter clears. Setting it twice wakes once."""

    __slots__ = ("_flag", "_lot")

    def __init__(self) -> None:
        self._flag = False
        self._lot = trio.lowlevel.ParkingLot()

    def set(self) -> None:
        """Wake the waiter, or let its next wait return at once."""
        self._flag = True
        self._lot.unpark_all()

    async def wait(self) -> None:
        """Wait until set, and clear it. Always a checkpoint."""
        if self._flag:
            await trio.lowlevel.checkpoint()
        else:
            await self._lot.park()
        self._flag = False

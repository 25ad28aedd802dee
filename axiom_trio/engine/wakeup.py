"""A level-triggered wake-up for one waiting task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable


class Wakeup:
    """Like an Event that its waiter clears. Setting it twice wakes once.

    Made of trio's traps and not of a ParkingLot: it's set and awaited for every chunk.
    """

    __slots__ = ("_flag", "_task")

    def __init__(self) -> None:
        self._flag = False
        self._task: trio.lowlevel.Task | None = None

    def set(self) -> None:
        """Wake the waiter, or let its next wait return at once."""
        if self._task is None:
            self._flag = True
        else:
            task, self._task = self._task, None
            trio.lowlevel.reschedule(task)

    async def wait(self) -> None:
        """Wait until set, and clear it. Always a checkpoint."""
        if self._flag:
            self._flag = False
            await trio.lowlevel.checkpoint()
            return
        if self._task is not None:
            raise trio.BusyResourceError("another task waits already")
        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: Callable[[], None]) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

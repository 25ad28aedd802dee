"""The supervision of one child: its attempts, and how whatever happens becomes data.

The one place where a child's exceptions become how it ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from axiom_trio.sansio.errors import SpawnError, sentence
from axiom_trio.sansio.events import Exit
from axiom_trio.sansio.supervision import Restarts

if TYPE_CHECKING:
    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.events import Reason


async def supervise(child: Child) -> None:
    """Run a child to its end, again if it's to be; its channel is closed when this returns."""
    port = child._port
    restarts = Restarts(child.supervision)
    attempts = 0
    ended = Exit(None)
    reason: Reason = "cancelled"
    if child._stop_reason is not None:  # stopped before it began
        port.end_attempt(ended)
        port.finish(ended, child._stop_reason, 0)
        return
    try:
        while True:
            attempts += 1
            port.attempts = attempts
            ended, reason = await _attempt(child)
            ended = port.masked(ended)
            port.end_attempt(ended)
            delay = _delay(child, restarts, ended, reason)
            if delay is None:
                break
            await _pause(child, ended, reason, attempts + 1, delay)
            if child._stop_reason is not None:
                reason = child._stop_reason
                break
            child._renew()
    finally:  # even if it raised what is no Exception: nobody may wait for it for ever
        if port.meter.attempt is not None:
            port.end_attempt(ended)
        port.finish(ended, reason, attempts)


def _delay(child: Child, restarts: Restarts, ended: Exit, reason: Reason) -> float | None:
    """Seconds until it's started again, or None."""
    if child._again and not child._aggregator._schedule.halted:
        return 0.0
    return restarts.next_delay(trio.current_time()) if child._may_restart(ended, reason) else None


async def _pause(child: Child, ended: Exit, reason: Reason, attempt: int, delay: float) -> None:
    child._renew()
    child._pausing = True
    child._hurry = trio.Event()  # there from the beginning: a full log may hold the mark up for long
    with child._scope:
        await child._port.restart(ended, reason, attempt, delay).wait()
        with trio.move_on_after(delay):
            await child._hurry.wait()
    child._pausing = False


async def _attempt(child: Child) -> tuple[Exit, Reason]:
    ended = Exit(None)
    reason: Reason = "cancelled"
    try:
        # Shielded: a cancelled program first asks its children to end, and reads what they still say.
        # Exceptions are caught outside, where no Cancelled is among them any more.
        with child._scope:
            ended = _checked(child, await child._executor.run(child._port))
            await child._aggregator._teardown.settle(child)
            reason = "signal" if ended.signal is not None else "exit"
            if child._stop_reason is not None and not child._ended_first:
                reason = child._stop_reason
        if child._scope.cancelled_caught:
            reason = child._stop_reason or "cancelled"
    except SpawnError as error:
        ended = Exit(error.exit_code, error=str(error))
        reason = "error"
        child._spawn_error = error
    except Exception as error:  # noqa: BLE001 (whatever a child raises is its own failure)
        ended = Exit(1, error=sentence(error))
        reason = "error"
    return ended, reason


def _checked(child: Child, ended: object) -> Exit:
    if not isinstance(ended, Exit):
        raise TypeError(f"{type(child._executor).__name__}.run returned {ended!r}: it must return an Exit")
    return ended

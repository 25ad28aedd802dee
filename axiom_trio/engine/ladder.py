"""The stop ladder: how children are asked to end, and made to.

The asked signal and CONT (a stopped process acts on nothing else) → after 1 s HUP
too, for a child on a PTY (together with TERM it would cut short one that says
goodbye) → at half of the grace TERM, for one that was asked by INT (a shell may miss
that between two commands) → at the end of the grace KILL. Each goes to the child's
whole group; its output is read all the while, by its own task.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

import trio

from axiom_trio.sansio.events import Exit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from axiom_trio.engine.child import Child
    from axiom_trio.engine.schedule import Schedule
    from axiom_trio.sansio.events import Reason

HANGUP_AFTER: Final = 1.0


def ask(
    children: Iterable[Child], schedule: Schedule, signum: int, grace: float, reason: Reason
) -> list[Child]:
    """Ask children to end, the first rung; returns those that have the next ones before them.

    One that has not been launched ends at once; one that takes no signals is cancelled.
    """
    asked = []
    signum = signum if grace > 0 else signal.SIGKILL
    for child in children:
        if child.completed is not None or child._port.exit is not None:
            continue
        if child._port.exited and child._stop_reason is None:
            child._ended_first = True
        child._port.grace = grace if child._stop_reason is None else min(grace, child._port.grace)
        child._again = False
        if child._stop_reason in (None, "timeout", "idle"):  # what a person asks for counts more
            child._stop_reason = reason
        if not child._launched:
            schedule.withdraw(child)
            child._port.end_attempt(Exit(None))
            child._port.finish(Exit(None), reason, 0)
        elif child._pausing:
            child._scope.cancel(reason="stopped")
        else:
            asked.append(child)
            if not child._executor.signal(signum):
                child._scope.cancel(reason="stopped")
            elif signum != signal.SIGKILL:
                child._executor.signal(signal.SIGCONT)
    return asked


async def climb(children: Sequence[Child], signum: int, grace: float) -> None:
    """Take the next rungs with those that still run, in the same attempt."""
    attempts = [(child, child._scope) for child in children]
    rungs = [(grace, signal.SIGKILL)]
    if any(child._executor.tty for child in children):
        rungs.append((HANGUP_AFTER, signal.SIGHUP))
    if signum == signal.SIGINT:
        rungs.append((grace / 2, signal.SIGTERM))
    began = trio.current_time()
    for after, rung in sorted(rungs):
        if after <= grace:
            await trio.sleep_until(began + after)
            _signal([(c, scope) for c, scope in attempts if c._executor.tty or rung != signal.SIGHUP], rung)


def _signal(attempts: Iterable[tuple[Child, trio.CancelScope]], signum: int) -> None:
    for child, scope in attempts:
        if child._scope is scope and child._port.exit is None:
            child._executor.signal(signum)

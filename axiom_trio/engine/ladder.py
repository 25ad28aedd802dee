"""The stop ladder: how children are asked to end, and made to.

The asked signal and CONT (a stopped process acts on nothing else) → after 1 s HUP
too, for a child on a PTY (together with TERM it would cut short one that says
goodbye) → at the end of the grace KILL. Each goes to the child's whole group;
its output is read all the while, by its own task.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from axiom_trio.engine.child import Child

HANGUP_AFTER: Final = 1.0


def first_rung(children: Iterable[Child], signum: int, grace: float) -> None:
    """Ask them to end; cancel those that take no signals."""
    signum = signum if grace > 0 else signal.SIGKILL
    for child in children:
        if not child._executor.signal(signum):
            child._scope.cancel(reason="stopped")
        elif signum != signal.SIGKILL:
            child._executor.signal(signal.SIGCONT)


async def climb(children: Sequence[Child], grace: float) -> None:
    """Take the next rungs with those that still run."""
    if grace > HANGUP_AFTER and any(child._executor.tty for child in children):
        await trio.sleep(HANGUP_AFTER)
        _signal((child for child in children if child._executor.tty), signal.SIGHUP)
        grace -= HANGUP_AFTER
    await trio.sleep(grace)
    _signal(children, signal.SIGKILL)


def _signal(children: Iterable[Child], signum: int) -> None:
    for child in children:
        if child._port.exit is None:
            child._executor.signal(signum)

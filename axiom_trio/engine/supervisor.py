"""The supervision of one child: run its executor, and turn whatever happens into how it ended.

The one place where a child's exceptions become data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from axiom_trio.sansio.errors import SpawnError
from axiom_trio.sansio.events import Exit

if TYPE_CHECKING:
    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.events import Reason


async def supervise(child: Child) -> None:
    """Run a child to its end; its channel is closed when this returns."""
    port = child._port
    reason: Reason
    last_words = b""
    # Shielded: a cancelled program first asks its children to end, and reads what they still say.
    with child._scope:
        try:
            if child._stop_reason is not None:  # stopped before it began
                child._scope.cancel()
                await trio.lowlevel.checkpoint()
            ended = await child._executor.run(port)
            reason = child._exit_from(ended)
        except SpawnError as error:
            ended = Exit(error.exit_code, error=str(error))
            reason = "error"
            child._spawn_error = error
        except Exception as error:  # noqa: BLE001 (whatever a child raises is its own failure)
            ended = Exit(1, error=_sentence(error))
            reason = "error"
        if ended.error is not None:
            last_words = b"[ERROR] " + ended.error.encode("utf-8", "replace") + b"\n"
    if child._scope.cancelled_caught:
        ended = Exit(None)
        reason = child._stop_reason or "cancelled"
    if port.meter.started is None:
        port.started()
    port.finish(ended, reason, last_words)


def _sentence(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__



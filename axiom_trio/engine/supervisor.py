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
    ended = Exit(None)
    reason: Reason = "cancelled"
    try:
        # Shielded: a cancelled program first asks its children to end, and reads what they still say.
        # Exceptions are caught outside, where no Cancelled is among them any more.
        with child._scope:
            if child._stop_reason is not None:  # stopped before it began
                child._scope.cancel(reason="stopped")
                await trio.lowlevel.checkpoint()
            ended = await child._executor.run(port)
            reason = child._exit_from(ended)
        if child._scope.cancelled_caught:
            reason = child._stop_reason or "cancelled"
    except SpawnError as error:
        ended = Exit(error.exit_code, error=str(error))
        reason = "error"
        child._spawn_error = error
    except Exception as error:  # noqa: BLE001 (whatever a child raises is its own failure)
        ended = Exit(1, error=_sentence(error))
        reason = "error"
    finally:
        last_words = b""
        if ended.error is not None:
            last_words = b"[ERROR] " + ended.error.encode("utf-8", "replace") + b"\n"
        if port.meter.started is None:
            port.started()
        port.finish(ended, reason, last_words)


def _sentence(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

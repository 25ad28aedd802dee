"""Writing to a non-blocking descriptor that is ours alone."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

FINISH: Final = 1.0
"""Seconds that a write may take which is cancelled half done."""


def unread(descriptor: int) -> int | None:
    """Bytes in a pipe or a terminal's input that nobody has read; None if that can't be known."""
    import fcntl
    import termios

    try:
        return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)
    except OSError:
        return None


async def write_all(descriptor: int, data: bytes, is_open: Callable[[], bool]) -> None:
    """Write all of `data`, waiting while the other side doesn't read.

    **Cancellation:** what is begun is finished, if the other side reads on within `FINISH` seconds; else an
    unknown part was written.

    Args:
        descriptor: Where to write.
        data: What to write.
        is_open: Whether the descriptor is still the one that was meant: once it's
            closed, its number may be another file's.

    Raises:
        trio.BrokenResourceError: Nobody can read it any more.
        trio.ClosedResourceError: The descriptor was closed meanwhile.
    """
    await trio.lowlevel.checkpoint()
    with trio.CancelScope() as scope:
        view = memoryview(data)
        while view:
            if not is_open():
                raise trio.ClosedResourceError("its input was closed meanwhile")
            try:
                view = view[os.write(descriptor, view) :]
            except BlockingIOError:
                try:
                    await trio.lowlevel.wait_writable(descriptor)
                except trio.Cancelled:
                    if len(view) == len(data) or scope.shield:
                        raise
                    scope.shield = True
                    scope.deadline = trio.current_time() + FINISH
            except OSError as error:  # EPIPE, or EIO of a terminal whose other side is gone
                raise trio.BrokenResourceError("its input is closed") from error
    if scope.cancelled_caught:
        await trio.lowlevel.checkpoint()  # raises what was caught: a part is missing

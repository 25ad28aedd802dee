"""Writing to a non-blocking descriptor that is ours alone."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable


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

    **Cancellation:** an unknown part may have been written.

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
    view = memoryview(data)
    while view:
        if not is_open():
            raise trio.ClosedResourceError("its input was closed meanwhile")
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            await trio.lowlevel.wait_writable(descriptor)
        except OSError as error:  # EPIPE, or EIO of a terminal whose other side is gone
            raise trio.BrokenResourceError("its input is closed") from error

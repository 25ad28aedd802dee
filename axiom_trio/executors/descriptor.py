"""Writing to a non-blocking descriptor that is ours alone."""

from __future__ import annotations

import os

import trio


async def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, waiting while the other side doesn't read.

    **Cancellation:** an unknown part may have been written.

    Raises:
        trio.BrokenResourceError: Nobody can read it any more.
        trio.ClosedResourceError: The descriptor was closed meanwhile.
    """
    await trio.lowlevel.checkpoint()
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            await trio.lowlevel.wait_writable(descriptor)
        except OSError as error:  # EPIPE, or EIO of a terminal whose other side is gone
            raise trio.BrokenResourceError("its input is closed") from error

"""Writing to a descriptor that others share, without ever blocking the loop.

O_NONBLOCK belongs to the open file description, which stdout shares with the
shell and with the other processes of a pipeline: it's never set on one that is
not ours. What each kind of descriptor allows instead:

* pipe, socket: `pwritev2` with RWF_NOWAIT, which blocks neither us nor others;
* terminal, or a pipe that does not know it, as one with a name: a file description of our own,
  opened again by name, non-blocking;
* regular file: a plain write, which does not wait for anybody;
* anything else: a plain write in a worker thread.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import stat
import time
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from axiom_trio.sansio.cursor import Buffer

PIPE_SIZE: Final = 512 * 1024
"""What a pipe to the consumer is grown to: the largest single gain in throughput."""
_JOIN: Final = 64 * 1024  # below this, joining the pieces is cheaper than handing them over one by one
_UNSUPPORTED: Final = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.ESPIPE)
MAX_PIECES: Final = 1000  # IOV_MAX is 1024


class DescriptorWriter:
    """Writes to a file descriptor, which stays the caller's.

    Args:
        descriptor: Where to write.
    """

    def __init__(self, descriptor: int) -> None:
        self.progress = 0
        """Bytes written so far."""
        self._descriptor = os.dup(descriptor)  # ours to wait on and to close
        self._no_wait = False
        self._in_thread = False
        self.tty = os.isatty(descriptor)
        mode = os.fstat(descriptor).st_mode
        if self.tty:
            self._reopen()
        elif stat.S_ISFIFO(mode):
            with contextlib.suppress(OSError):
                if fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ) < PIPE_SIZE:
                    fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
            self._no_wait = hasattr(os, "RWF_NOWAIT")
            if not self._no_wait:
                self._reopen()
        elif stat.S_ISSOCK(mode):
            self._no_wait = hasattr(os, "RWF_NOWAIT")
            self._in_thread = not self._no_wait
        elif not stat.S_ISREG(mode):
            self._in_thread = not _is_null(descriptor)

    async def write(self, pieces: Sequence[Buffer]) -> None:
        """Write all pieces, in order; a checkpoint only if it must wait.

        **Cancellation:** a part may have been written; `progress` tells how much.

        Raises:
            BrokenPipeError: The reader has left.
            OSError: It can't be written.
        """
        start = 0
        while start < len(pieces):
            part = pieces[start : start + MAX_PIECES]
            start += len(part)
            if sum(map(len, part)) <= _JOIN:
                part = [b"".join(part)]
            await self._write_part(list(part))

    def close(self) -> None:
        """Give up our hold; the caller's descriptor stays open."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    async def _write_part(self, part: list[Buffer]) -> None:
        while part:
            try:
                if self._no_wait:
                    written = os.pwritev(self._descriptor, part, -1, os.RWF_NOWAIT)
                elif self._in_thread:
                    written = await trio.to_thread.run_sync(
                        os.writev, self._descriptor, part, abandon_on_cancel=True
                    )
                else:
                    written = os.writev(self._descriptor, part)
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._descriptor)
                continue
            except InterruptedError:
                continue
            except OSError as error:
                if not self._no_wait or error.errno not in _UNSUPPORTED:
                    raise
                self._no_wait = False
                self._reopen()
                continue
            self.progress += written
            drop_written(part, written)

    def _reopen(self) -> None:
        """Open the same file again, for a description of our own that can be non-blocking."""
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        try:
            own = os.open(f"/proc/self/fd/{self._descriptor}", flags)
        except OSError:
            self._in_thread = True
            return
        os.close(self._descriptor)
        self._descriptor = own


def drop_written(pieces: list[Buffer], written: int) -> None:
    """Take off the first `written` bytes."""
    done = 0
    while done < len(pieces) and written >= len(pieces[done]):
        written -= len(pieces[done])
        done += 1
    del pieces[:done]
    if written:
        pieces[0] = memoryview(pieces[0])[written:]


def _is_null(descriptor: int) -> bool:
    try:
        null = os.stat(os.devnull)
    except OSError:
        return False
    return os.fstat(descriptor).st_rdev == null.st_rdev


def write_within(descriptor: int, data: bytes, seconds: float) -> None:
    """Write to a terminal or pipe without the loop; what it does not take in time is given up.

    Raises:
        OSError: It can't be written.
    """
    deadline = time.monotonic() + seconds
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    while data and (left := deadline - time.monotonic()) > 0 and poll.poll(left * 1000):
        data = data[os.write(descriptor, data[:256]) :]  # never blocks when it's writable

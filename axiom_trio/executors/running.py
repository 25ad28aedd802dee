"""A process that runs: reading its output to the end, seeing its exit, signalling its group.

End of output and exit of the process are two events, in either order:

* Output ends first (it closed its stdout, or is gone): wait for the exit.
* It exits first, and another process still holds the descriptor: what lies in the
  kernel's buffer is read; then 100 ms without output, or 1 s in all, and the rest
  of the group is killed, which ends the output; one that has left the group and
  still holds the descriptor is cut off when the descriptor is empty.

Those of the group who outlive their leader after it was asked to end (a shell dies of
TERM at once, the program it runs may need a moment) and hold its output have 5 s to say
goodbye, too, or until they're killed at the end of the grace.

Time spent waiting for the run (back-pressure) never counts: the clock runs only
while the reader is parked because there's nothing to read.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from typing import TYPE_CHECKING, Final

import trio

from axiom_trio.executors import groups
from axiom_trio.executors.spawn import exit_status
from axiom_trio.sansio.events import Exit

if TYPE_CHECKING:
    from axiom_trio.abc import Port
    from axiom_trio.sansio.events import Kind

DRAIN_SILENCE: Final = 0.1
DRAIN_TOTAL: Final = 1.0
LAST_WORDS: Final = 5.0
_ASKS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_KERNEL_BUFFER: Final = 1024 * 1024  # the most that a pipe can hold unless root says otherwise
_BURST: Final = 16  # reads joined, where reads are small
_BURST_MIN: Final = 1024  # a read shorter than this ends a burst: the rest is not there yet


class RunningProcess:
    """A spawned process and the descriptors that are ours."""

    def __init__(
        self, pid: int, pidfd: int | None, outputs: list[tuple[int, Kind]], *, small_reads: bool = False
    ) -> None:
        self.pid = pid
        self._pidfd = pidfd
        self._outputs = outputs
        self._small_reads = small_reads
        self._exited = False
        self._reaped = False
        self._parked = 0.0
        self._blocked = 0.0
        self._after_exit = 0
        self._exit_time: float | None = None
        self._killed = False
        self._asked: int | None = None
        self._ended = 0.0
        self._ended_monotonic = 0.0

    def signal(self, signum: int) -> None:
        """Send a signal to the whole group; nothing happens when it's gone."""
        if self._reaped:
            return
        if signum in _ASKS:
            self._asked = signum
        try:
            os.killpg(self.pid, signum)
        except ProcessLookupError:
            pass
        except PermissionError:  # a set-uid child; its descriptors' end is all we can wait for
            pass

    async def run(self, port: Port) -> Exit:
        """Read to the end, and return the exit. Kills what is left of the group, and closes."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch_exit)
                for descriptor, kind in self._outputs[1:]:
                    nursery.start_soon(self._read, descriptor, kind, port)
                await self._read(*self._outputs[0], port)
            # The leader is a zombie until it's reaped here, so its group's number can't be another's.
            self.signal(signal.SIGKILL)
        finally:
            if not self._exited:  # only on a defect or an exception of the port: leave nothing behind
                self.signal(signal.SIGKILL)
            try:
                _, status = os.waitpid(self.pid, 0)
            except ChildProcessError:
                status = None
            self._reaped = True
            for descriptor, _ in self._outputs:
                trio.lowlevel.notify_closing(descriptor)
                os.close(descriptor)
        if status is None:
            return Exit(None, error="its exit status can't be known: SIGCHLD is ignored in this program")
        return Exit(*exit_status(status))

    async def _watch_exit(self) -> None:
        if self._pidfd is not None:
            try:
                await trio.lowlevel.wait_readable(self._pidfd)
            finally:
                trio.lowlevel.notify_closing(self._pidfd)
                os.close(self._pidfd)
        self._exited = True
        self._ended = trio.current_time()
        self._ended_monotonic = time.monotonic()
        for output, _ in self._outputs:
            trio.lowlevel.notify_closing(output)  # wakes a parked reader, with ClosedResourceError

    async def _read(self, descriptor: int, kind: Kind, port: Port) -> None:
        read = self._read_burst if self._small_reads else os.read
        while True:
            size = port.read_size
            try:
                data = read(descriptor, size)
            except BlockingIOError:
                if await self._await_output(descriptor):
                    continue
                return
            except OSError as error:
                if error.errno == errno.EIO:  # how a PTY says end of file
                    return
                raise
            if not data:
                return
            if not self._exited:
                await port.send(data, kind)
            elif not await self._send_after_exit(data, kind, port):
                return

    async def _send_after_exit(self, data: bytes, kind: Kind, port: Port) -> bool:
        """Send what still comes; False to stop reading from one that writes on without end."""
        began = trio.current_time()
        if self._exit_time is None:
            self._exit_time = began
        await port.send(data, kind)
        self._blocked += trio.current_time() - began
        self._after_exit += len(data)
        if self._after_exit <= _KERNEL_BUFFER or began - self._exit_time - self._blocked < DRAIN_TOTAL:
            return True
        if self._killed:
            return False
        self._kill()
        return True

    def _kill(self) -> None:
        """End the rest of the group: what holds the descriptor now has escaped from it."""
        self._killed = True
        self._after_exit = 0
        self.signal(signal.SIGKILL)

    def _has_last_words(self) -> bool:
        """Whether others of the group, asked to end as their leader was, may still take their time."""
        if (
            self._asked is None
            or self._killed
            or trio.current_time() >= self._ended + LAST_WORDS
            or not groups.lives(self.pid, self._ended_monotonic)
        ):
            return False
        if self._asked == signal.SIGINT:  # which a shell makes those in its background ignore
            self.signal(signal.SIGTERM)
        return True

    def _read_burst(self, descriptor: int, size: int) -> bytes:
        """Read until there's nothing more, as a PTY gives at most 4 KiB at once."""
        first = os.read(descriptor, size)
        if len(first) < _BURST_MIN:
            return first
        parts = [first]
        size -= len(first)
        try:
            while size > 0 and len(parts) < _BURST:
                part = os.read(descriptor, size)
                parts.append(part)
                size -= len(part)
                if len(part) < _BURST_MIN:
                    break
        except OSError:  # nothing more now, or the end: the next read will tell
            pass
        return b"".join(parts)

    async def _await_output(self, descriptor: int) -> bool:
        """Wait until there is something to read; False if nothing is to be waited for any longer."""
        if not self._exited:
            try:
                await trio.lowlevel.wait_readable(descriptor)
            except trio.ClosedResourceError:  # woken by the exit
                await trio.lowlevel.checkpoint()
            return True
        patience = min(DRAIN_SILENCE, DRAIN_TOTAL - self._parked)
        if patience > 0:
            began = trio.current_time()
            with trio.move_on_after(patience) as scope:
                await trio.lowlevel.wait_readable(descriptor)
            self._parked += trio.current_time() - began
            if not scope.cancelled_caught:
                return True
            self._parked = DRAIN_TOTAL
        if self._has_last_words():
            self._parked = 0.0
            return True
        if not self._killed:
            # Whoever of the group still holds it dies now, and the output ends.
            self._kill()
            with trio.move_on_after(DRAIN_SILENCE):
                await trio.lowlevel.wait_readable(descriptor)
            return True
        return False

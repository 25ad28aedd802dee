"""A process that runs: reading its output to the end, seeing its exit, signalling its group.

End of output and exit of the process are two events, in either order:

* Output ends first (it closed its stdout, or is gone): wait for the exit.
* It exits first, and another process still holds the descriptor: what lies in the
  kernel's buffer is read; then 100 ms without output, or 1 s in all, and the rest
  of the group is killed, which ends the output; one that has left the group and
  still holds the descriptor is cut off when the descriptor is empty.

Those of the group who outlive their leader after it was asked to end (a shell dies of
TERM at once, the program it runs may need a moment) have the grace to say goodbye, too.

Time spent waiting for the run (back-pressure) never counts: the clock runs only
while the readers, one for each descriptor, are all parked because there's nothing to read.
"""

from __future__ import annotations

import errno
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import trio

from axiom_trio.executors import groups
from axiom_trio.executors.spawn import exit_status
from axiom_trio.sansio.events import Exit

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.abc import Port
    from axiom_trio.sansio.events import Kind

DRAIN_SILENCE: Final = 0.1
DRAIN_TOTAL: Final = 1.0
_LOOK_TOGETHER: Final = 0.01  # children stopped at once share one look at all processes
_ASKS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_KERNEL_BUFFER: Final = 1024 * 1024  # the most that a pipe can hold unless root says otherwise
_POLL_EXIT: Final = 0.02
_BURST: Final = 16  # reads joined, where reads are small: 64 KiB
_BURST_READ: Final = 4096  # a PTY's read gives at most 4095; to ask for more only costs memory
_BURST_MIN: Final = 1024  # a read shorter than this ends a burst: the rest is not there yet


class RunningProcess:
    """A spawned process and the descriptors that are ours."""

    def __init__(
        self,
        pid: int,
        outputs: list[tuple[int, Kind]],
        port: Port,
        *,
        small_reads: bool = False,
        on_read: Callable[[bytes], object] | None = None,
    ) -> None:
        self.pid = pid
        self._outputs = outputs
        self._port = port
        self._small_reads = small_reads
        self._on_read = on_read  # sees what was read before it waits for the run
        self._exited = False
        self._reaped = False
        self._parked = 0.0
        self._parked_until = float("-inf")  # up to when that was counted
        self._handing = 0  # readers that wait for the run
        self._handed = 0  # how often one has
        self._blocked = 0.0
        self._after_exit = 0
        self._exit_time: float | None = None
        self._killed = False
        self._held = False
        self._asked: int | None = None
        self._ended = 0.0

    def signal(self, signum: int) -> None:
        """Send a signal to the whole group; nothing happens when it's gone."""
        if self._reaped:
            return
        if signum in _ASKS:
            self._asked = signum
        # Not permitted: a set-uid child; its descriptors' end is all we can wait for.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signum)

    async def run(self) -> Exit:
        """Read to the end, and return the exit. Kills what is left of the group, and closes."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch_exit)
                for descriptor, kind in self._outputs[1:]:
                    nursery.start_soon(self._read, descriptor, kind)
                await self._read(*self._outputs[0])
            if self._asked is not None:
                await trio.sleep(_LOOK_TOGETHER)
                while self._has_last_words():  # noqa: ASYNC110 (nobody tells of a group's end)
                    await trio.sleep(DRAIN_SILENCE)
            # The leader is a zombie until it's reaped here, so its group's number can't be another's.
            self.signal(signal.SIGKILL)
        finally:
            if not self._exited:  # only on a defect or an exception of the port: leave nothing behind
                self.signal(signal.SIGKILL)
            status: int | None
            groups.end(self.pid)
            try:
                _, status = os.waitpid(self.pid, 0)  # noqa: ASYNC222 (it has exited, or was just killed)
            except ChildProcessError:
                status = None
            self._reaped = True
            for descriptor, _ in self._outputs:
                trio.lowlevel.notify_closing(descriptor)
                os.close(descriptor)
            self._port.process_ended(self.pid, held=self._held)
        if status is None:
            return Exit(None, error="its exit status can't be known: SIGCHLD is ignored in this program")
        return Exit(*exit_status(status))

    async def _watch_exit(self) -> None:
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:  # gone without a trace, as where SIGCHLD is ignored
            await trio.lowlevel.checkpoint()
        except (AttributeError, OSError):  # not this kernel, or no descriptor left
            await self._poll_exit()
        else:
            try:
                await trio.lowlevel.wait_readable(descriptor)
            finally:
                trio.lowlevel.notify_closing(descriptor)
                os.close(descriptor)
        self._exited = True
        self._port.process_exited()
        self._ended = trio.current_time()
        for output, _ in self._outputs:
            trio.lowlevel.notify_closing(output)  # wakes a parked reader, with ClosedResourceError

    async def _poll_exit(self) -> None:
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT  # leaves it a zombie, as a pidfd does
        with suppress(ChildProcessError):
            while os.waitid(os.P_PID, self.pid, flags) is None:  # noqa: ASYNC110, ASYNC222 (WNOHANG)
                await trio.sleep(_POLL_EXIT)

    async def _read(self, descriptor: int, kind: Kind) -> None:
        port = self._port
        while True:
            try:
                if self._small_reads:
                    data = await self._read_burst(descriptor)
                else:
                    data = os.read(descriptor, port.read_size)
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
            if self._on_read is not None:
                self._on_read(data)
            self._handing += 1
            try:
                if not self._exited:
                    await port.send(data, kind)
                elif not await self._send_after_exit(data, kind):
                    return
            finally:
                self._handing -= 1
                self._handed += 1

    async def _send_after_exit(self, data: bytes, kind: Kind) -> bool:
        """Send what still comes; False to stop reading from one that writes on without end."""
        began = trio.current_time()
        if self._exit_time is None:
            self._exit_time = began
        await self._port.send(data, kind)
        self._blocked += trio.current_time() - began
        self._after_exit += len(data)
        if self._after_exit <= _KERNEL_BUFFER or began - self._exit_time - self._blocked < DRAIN_TOTAL:
            return True
        if self._killed:
            self._held = True
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
        since_end = trio.current_time() - self._ended
        if (
            self._asked is None
            or self._killed
            or since_end >= self._port.grace
            or not groups.lives(self.pid, within=min(since_end, DRAIN_SILENCE))
        ):
            return False
        if self._asked == signal.SIGINT:  # which a shell makes those in its background ignore
            self.signal(signal.SIGTERM)
        return True

    async def _read_burst(self, descriptor: int) -> bytes:
        """Read as much as comes, as a PTY gives at most 4 KiB at once.

        A read of a PTY that was just emptied waits in the kernel until the other side's
        worker has run; so others are served between two reads.
        """
        parts = [os.read(descriptor, _BURST_READ)]
        with suppress(OSError):  # nothing more now, or the end: the next read will tell
            while len(parts[-1]) >= _BURST_MIN and len(parts) < _BURST:
                await trio.lowlevel.cancel_shielded_checkpoint()
                parts.append(os.read(descriptor, _BURST_READ))
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
            began, handed = trio.current_time(), self._handed
            with trio.move_on_after(patience) as scope:
                await trio.lowlevel.wait_readable(descriptor)
            if scope.cancelled_caught and (self._handing or self._handed > handed):
                return True  # another descriptor was not silent
            now = trio.current_time()
            self._parked += now - max(began, self._parked_until)
            self._parked_until = now
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
        self._held = True
        return False

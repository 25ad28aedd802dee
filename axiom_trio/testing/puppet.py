"""A child that is told from outside what to do next."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, final

import trio

from axiom_trio.abc import Exit
from axiom_trio.sansio.errors import NotRunningError
from axiom_trio.testing.executors import Actor, Fail, Send, SendLine

if TYPE_CHECKING:
    from axiom_trio.abc import Port
    from axiom_trio.sansio.events import Kind
    from axiom_trio.testing.executors import Signals, Step


@final
class Puppet(Actor):
    """A child that is told from outside what to do next, while it runs.

    Example::

        puppet = Puppet()
        aggregator.start_soon(puppet)
        await puppet.send(b"hello\\n")  # returns when the engine has taken it
        puppet.end(3)                  # at once: it does it when it comes to it

    Args:
        label: Its name where the caller gives none.
        signals: What it does with signals: `none`, `obey` or `ignore`.
        goodbye: What it writes when a signal other than KILL ends it.
        takes_input: Whether it can be written to; see `input`.
        split: Whether a task of its own writes the errors, as with two pipes.
    """

    def __init__(
        self,
        *,
        label: str = "puppet",
        signals: Signals = "none",
        goodbye: bytes = b"",
        takes_input: bool = False,
        split: bool = False,
    ) -> None:
        super().__init__(label=label, signals=signals, goodbye=goodbye, takes_input=takes_input)
        self._steps: dict[bool, deque[tuple[Step, trio.Event]]] = {False: deque(), True: deque()}
        self._lot = trio.lowlevel.ParkingLot()
        self._split = split
        self._ended = False

    def post(self, step: Step) -> trio.Event:
        """Put a step into its queue; the event is set when it's done, or never will be."""
        done = trio.Event()
        is_error = self._split and isinstance(step, Send | SendLine) and step.kind == "error"
        self._steps[is_error].append((step, done))
        self._lot.unpark_all()
        if self._ended:
            done.set()
        return done

    async def send(self, data: bytes, kind: Kind = "output") -> None:
        """Have it write, and wait until the engine has taken the bytes.

        **Cancellation:** it will write all the same.

        Raises:
            NotRunningError: It ended before it came to it.
        """
        done = self.post(Send(data, kind))
        await done.wait()
        if self._ended:
            raise NotRunningError(f"{self.label} ended before it had written this")

    def end(self, code: int = 0) -> None:
        """Have it end with an exit status, when it has written all it was told to."""
        self.post(Exit(code))

    def fail(self, error: Exception) -> None:
        """Have it raise."""
        self.post(Fail(error))

    async def _act(self, port: Port) -> Exit:
        self._ended = False
        port.started()
        try:
            if not self._split:
                return await self._follow(port, False)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._follow, port, True)
                ended = await self._follow(port, False)
                while self._steps[True]:
                    await self._steps[True][-1][1].wait()
                nursery.cancel_scope.cancel(reason="the puppet ends")
            return ended
        finally:
            self._ended = True
            for steps in self._steps.values():
                for _, done in steps:
                    done.set()
                steps.clear()

    async def _follow(self, port: Port, is_error: bool) -> Exit:
        steps = self._steps[is_error]
        while True:
            while not steps:
                await self._lot.park()
            step, done = steps.popleft()
            try:
                ended = await self._perform(port, step)
            except BaseException:
                self._ended = True
                raise
            finally:
                self._ended = self._ended or isinstance(step, Exit)
                done.set()
            if ended is not None:
                return ended

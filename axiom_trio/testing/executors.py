"""Children that follow a script.

A `ScriptedExecutor` follows one that is known beforehand; a `Puppet` (`puppet.py`) is
told its next step while it runs. Both record which bytes were **accepted**: those are
what every lossless reader must get.
"""

from __future__ import annotations

import signal as signals
from abc import abstractmethod
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, final

import attrs
import trio

from axiom_trio.abc import Executor, Exit
from axiom_trio.sansio.errors import NotWritableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axiom_trio.abc import Port
    from axiom_trio.sansio.events import Kind

Signals: TypeAlias = Literal["none", "obey", "ignore"]
"""What a scripted child does with signals: it takes none (and is cancelled when it is stopped), any
of INT, TERM, HUP and KILL ends it, or only KILL does."""

_DEADLY: Final = (signals.SIGINT, signals.SIGTERM, signals.SIGHUP, signals.SIGKILL)


@attrs.frozen
class Send:
    """Write bytes, cut anywhere: many lines, half a line, nothing."""

    data: bytes
    kind: Kind = "output"


@attrs.frozen
class SendLine:
    """Write a whole message; a newline is added unless it ends with one."""

    line: bytes
    kind: Kind = "output"


@attrs.frozen
class Pause:
    """Do nothing for a while."""

    seconds: float


@attrs.frozen
class Fail:
    """Raise an exception: a `SpawnError` is one that could not be started."""

    error: Exception


@attrs.frozen
class Forever:
    """Do nothing until stopped."""


Step: TypeAlias = Send | SendLine | Pause | Fail | Forever | Exit
"""One thing that a scripted child does; an `Exit` ends it."""


class Actor(Executor):
    """Base of both: performs steps, records what was accepted, takes signals and input as told."""

    def __init__(self, *, label: str, signals: Signals, goodbye: bytes, takes_input: bool) -> None:
        self._label = label
        self._signals = signals
        self._goodbye = goodbye
        self._takes_input = takes_input
        self._scope = trio.CancelScope()
        self._killed_by: int | None = None
        self._accepted = {False: bytearray(), True: bytearray()}
        self._offered = {False: bytearray(), True: bytearray()}
        self._open = {False: False, True: False}
        self.runs = 0
        """How often it was run."""
        self.running = False
        self._sending = 0
        self.signals_got: list[int] = []
        """The signals it was sent, whether it takes them or not."""
        self.input = bytearray()
        """What was written into it."""

    @property
    def label(self) -> str:
        """The name it was made with."""
        return self._label

    @property
    def blocked(self) -> bool:
        """Whether it is in a `send` now: when nothing moves, because the run is behind."""
        return self._sending > 0

    def accepted(self, kind: Kind = "output") -> bytes:
        """The bytes taken over by the engine so far, in the last run: of the errors, or of all else.

        Counted as accepted are sends that returned, and sends that were cancelled: by
        contract (`Port.send`) nothing of them is lost.
        """
        return bytes(self._accepted[kind == "error"])

    def offered(self, kind: Kind = "output") -> bytes:
        """What was accepted, and what it's trying to send now."""
        return bytes(self._offered[kind == "error"])

    async def run(self, port: Port) -> Exit:
        """See `Executor.run`."""
        self.runs += 1
        self._scope = trio.CancelScope()
        self._killed_by = None
        for is_error in (False, True):
            self._accepted[is_error].clear()
            self._offered[is_error].clear()
            self._open[is_error] = False
        self.running = True
        try:
            ended = None
            with self._scope:
                ended = await self._act(port)
            if ended is not None:
                return ended
            if self._goodbye and self._killed_by != signals.SIGKILL:
                await self._perform(port, Send(self._goodbye))
            return Exit(None, self._killed_by)
        finally:
            self.running = False

    @property
    def writable(self) -> bool:
        """See `Executor.writable`."""
        return self._takes_input

    async def write(self, data: bytes) -> None:
        """See `Executor.write`."""
        if not self._takes_input:
            raise NotWritableError(f"{self.label} takes no input")
        await trio.lowlevel.checkpoint()
        self.input += data

    def signal(self, signum: int) -> bool:
        """See `Executor.signal`."""
        self.signals_got.append(signum)
        if self._signals == "none":
            return False
        if signum == signals.SIGKILL or (self._signals == "obey" and signum in _DEADLY):
            self._killed_by = self._killed_by or signum
            self._scope.cancel(reason=f"signal {signum}")
        return True

    @abstractmethod
    async def _act(self, port: Port) -> Exit:
        """Do what the script, or the test, says."""

    async def _perform(self, port: Port, step: Step) -> Exit | None:
        if isinstance(step, Exit):
            return step
        if isinstance(step, Fail):
            raise step.error
        if isinstance(step, Pause):
            await trio.sleep(step.seconds)
        elif isinstance(step, Forever):
            await trio.sleep_forever()
        else:
            await self._send(port, step)
        return None

    async def _send(self, port: Port, step: Send | SendLine) -> None:
        is_error = step.kind == "error"
        if isinstance(step, Send):
            data = step.data
        else:
            data = step.line if step.line.endswith(b"\n") else step.line + b"\n"
            data = b"\n" + data if self._open[is_error] else data
        self._offered[is_error] += data
        self._sending += 1
        try:
            if isinstance(step, Send):
                await port.send(step.data, step.kind)
            else:
                await port.send_line(step.line, step.kind)
        except trio.Cancelled:
            self._accept(is_error, data)
            raise
        else:
            self._accept(is_error, data)
        finally:
            self._sending -= 1

    def _accept(self, is_error: bool, data: bytes) -> None:
        self._accepted[is_error] += data
        if data:
            self._open[is_error] = not data.endswith(b"\n")


@final
class ScriptedExecutor(Actor):
    """A child that follows a script; at its end it exits with status 0.

    Example::

        child = ScriptedExecutor([Send(b"one\\ntw"), Pause(0.2), Send(b"o\\n"), Exit(3)])

    Args:
        script: What it does, in order; the same again each time it's run.
        label: Its name where the caller gives none.
        signals: What it does with signals: `none`, `obey` or `ignore`.
        goodbye: What it writes when a signal other than KILL ends it.
        takes_input: Whether it can be written to; see `input`.
    """

    def __init__(
        self,
        script: Iterable[Step] = (),
        *,
        label: str = "scripted",
        signals: Signals = "none",
        goodbye: bytes = b"",
        takes_input: bool = False,
    ) -> None:
        super().__init__(label=label, signals=signals, goodbye=goodbye, takes_input=takes_input)
        self.script = tuple(script)

    async def _act(self, port: Port) -> Exit:
        port.started()
        for step in self.script:
            ended = await self._perform(port, step)
            if ended is not None:
                return ended
        return Exit(0)

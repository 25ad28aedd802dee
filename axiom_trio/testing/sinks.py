"""A destination that keeps what it gets, and stalls or fails when a test says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, final

import trio

from axiom_trio.abc import Sink
from axiom_trio.sansio.events import AllCompleted, Gap, Output, Stats

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.sansio.cursor import Batch
    from axiom_trio.sansio.events import Event
    from axiom_trio.sansio.text import TextFormat

E = TypeVar("E")


@final
class MemorySink(Sink):
    """Keeps all events, and their text if it was given a format.

    Example::

        sink = MemorySink(TextFormat())
        async with open_aggregator([sink]) as aggregator:
            aggregator.start_soon(ScriptedExecutor([Send(b"hello\\n")], label="a"))
        assert sink.text_written == b"[a] hello\\n"

    Args:
        text: The text form to ask for; None: events only.
        lossless: False makes it a viewer.
        paused: Whether it begins paused.
        delay: Seconds that each write takes.
        fail_at: The write that fails, counted from 0; None: none does.
        error: What that write raises; default: an OSError.
        open_error: What `open` raises; default: nothing.
    """

    def __init__(
        self,
        text: TextFormat | None = None,
        *,
        lossless: bool = True,
        paused: bool = False,
        delay: float = 0.0,
        fail_at: int | None = None,
        error: Exception | None = None,
        open_error: Exception | None = None,
    ) -> None:
        self.text = text
        self.lossless = lossless
        self.events: list[Event] = []
        """What it has taken, in order."""
        self.calls: list[str] = []
        """What was called, in order: `open`, `write`, `aclose`."""
        self.size = 0
        """Bytes of output it has taken."""
        self._text = bytearray()
        self._delay = delay
        self._fail_at = fail_at
        self._error = OSError("told to fail") if error is None else error
        self._open_error = open_error
        self._running = trio.Event()
        self._taken = trio.lowlevel.ParkingLot()
        if not paused:
            self._running.set()

    @property
    def text_written(self) -> bytes:
        """The text it has taken."""
        return bytes(self._text)

    @property
    def writes(self) -> int:
        """How often `write` was called."""
        return self.calls.count("write")

    @property
    def paused(self) -> bool:
        """Whether it takes nothing now."""
        return not self._running.is_set()

    def pause(self) -> None:
        """Take nothing from the next write on: that is a slow consumer."""
        if not self.paused:
            self._running = trio.Event()

    def resume(self) -> None:
        """Go on."""
        self._running.set()

    def fail(self, error: Exception | None = None) -> None:
        """Let the write under way, if it's paused, or else the next one fail."""
        self._fail_at = max(0, self.writes - 1 if self.paused else self.writes)
        self._error = self._error if error is None else error

    def data(self, child: str, *, errors: bool | None = None) -> bytes:
        """All output of a child (its id) so far, joined.

        Args:
            child: The id.
            errors: True: of kind `error` only; False: without; None: all.
        """
        return b"".join(
            event.data
            for event in self.events
            if type(event) is Output and event.child == child and errors in (None, event.kind == "error")
        )

    def of_child(self, child: str) -> list[Event]:
        """The events of one child (its id)."""
        return [e for e in self.events if not isinstance(e, Gap | Stats | AllCompleted) and e.child == child]

    def of_type(self, event_type: type[E]) -> list[E]:
        """The events of one type."""
        return [event for event in self.events if isinstance(event, event_type)]

    async def wait_until(self, condition: Callable[[MemorySink], object]) -> None:
        """Wait until a condition holds, looked at after each write; within the caller's cancel scope."""
        while not condition(self):
            await self._taken.park()

    async def open(self) -> None:
        """See `Sink.open`."""
        self.calls.append("open")
        await trio.lowlevel.checkpoint()
        if self._open_error is not None:
            raise self._open_error

    async def write(self, batch: Batch) -> None:
        """See `Sink.write`."""
        number = self.writes
        self.calls.append("write")
        await trio.lowlevel.checkpoint()
        while self.paused:
            await self._running.wait()
        if self._delay:
            await trio.sleep(self._delay)
        if self._fail_at is not None and number >= self._fail_at:
            raise self._error
        self.events.extend(batch.events)
        self.size += sum(len(event.data) for event in batch.events if type(event) is Output)
        for piece in batch.text:
            self._text += piece
        self._taken.unpark_all()

    async def aclose(self) -> None:
        """See `Sink.aclose`."""
        self.calls.append("aclose")
        self._taken.unpark_all()
        await trio.lowlevel.checkpoint()

"""What a child is and what a destination is: the two classes to implement.

A child is an `Executor`: it runs, hands its output to a `Port`, and may take
input and signals. A destination is a `Sink`: it takes batches of events.
`axiom_trio.testing` has a conformance check for each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from axiom_trio.sansio.errors import NotWritableError
from axiom_trio.sansio.events import Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from axiom_trio.sansio.cursor import Archive, Batch
    from axiom_trio.sansio.events import Kind
    from axiom_trio.sansio.modes import InputMode
    from axiom_trio.sansio.text import TextFormat

__all__ = ["Executor", "Exit", "Port", "Sink"]


class Port(ABC):
    """An executor's way out: what it is given to hand on its output.

    The engine implements it. It cuts the bytes into blocks of whole lines,
    publishes an open tail after 50 ms of silence, and blocks while the run is
    behind; that is the back-pressure.
    """

    environment: Mapping[str, str] = MappingProxyType({})
    """What to add to the environment of a process, so that it's found wherever it goes."""

    grace: float = 5.0
    """Seconds that those who were asked to end may take."""

    @property
    @abstractmethod
    def read_size(self) -> int:
        """Bytes worth reading at once; shrinks as the number of children grows."""

    @abstractmethod
    def started(self, *, pid: int | None = None) -> None:
        """Report that the child runs. Without it, the first output or the end does."""

    def process_exited(self) -> None:  # noqa: B027 (optional to implement)
        """Report that a process has exited; what it wrote may still have to be read."""

    def process_ended(self, pid: int, *, held: bool) -> None:  # noqa: B027 (optional to implement)
        """Report that a process has ended that led a session and a group, and was reaped.

        Args:
            pid: Its number, and its group's; what was left of the group has been killed.
            held: Whether another process holds its output all the same.
        """

    @abstractmethod
    async def send(self, data: bytes, kind: Kind = "output") -> None:
        """Hand on a piece of a byte stream, cut anywhere. Blocks while the run is behind.

        Nothing of `data` is lost if this is cancelled: it's kept and handed over.
        """

    @abstractmethod
    async def send_line(self, line: bytes, kind: Kind = "output") -> None:
        """Hand on a message that is whole: a newline is added unless it ends with one.

        An open line of the byte stream is ended first.
        """


class Executor(ABC):
    """What a child is. Only `run` must be implemented.

    One executor is one child; `run` may be called again after it returned.

    Example::

        class Ticker(Executor):
            async def run(self, port):
                for n in range(3):
                    await port.send(b"tick %d\\n" % n)
                    await trio.sleep(1)
                return Exit(0)
    """

    tty: ClassVar[bool] = False
    """Whether output comes from a terminal, where lines end with `\\r\\n`."""

    @property
    def label(self) -> str:
        """The child's name where the caller gives none."""
        return type(self).__name__

    @property
    def terminal_size(self) -> tuple[int, int] | None:
        """Rows and columns of its terminal; None where there's none."""
        return None

    def resize(self, rows: int, columns: int) -> None:  # noqa: B027 (optional to implement)
        """Give its terminal another size; called only where there is one."""

    def follow_cursor(self, cursor: Callable[[], tuple[int, int, int] | None]) -> None:  # noqa: B027 (optional to implement)
        """Be told where the cursor of its terminal is, by someone who follows its output.

        Args:
            cursor: Returns row and column, from 1, and after how many bytes of output; None if it's
                not known.
        """

    @abstractmethod
    async def run(self, port: Port) -> Exit:
        """Work to the end, handing output to `port`, and say how it ended.

        **Cancellation:** a child that takes signals (`signal` returns True) is
        asked to end by signals and is never cancelled, so that its last words
        are read; any other is cancelled when it's stopped.

        Raises:
            SpawnError: It could not be started.
            Exception: Anything else is reported as the child's failure, and
                harms no other child.
        """

    async def write(self, data: bytes) -> None:
        """Write into the child's input, all of it.

        Raises:
            NotWritableError: It has no input.
            trio.BrokenResourceError: It has closed its input.
        """
        raise NotWritableError(f"{self.label} takes no input")

    @property
    def writable(self) -> bool:
        """Whether it has an input that takes something; by default if it has a `write` of its own."""
        return type(self).write is not Executor.write

    def input_mode(self) -> InputMode | None:
        """How its terminal treats what is typed; None if it has none."""
        return None

    def pending_input(self) -> int | None:
        """Bytes that were written into its input and not read yet; None if that can't be known.

        In a terminal's canonical mode only whole lines count.
        """
        return None

    def signal(self, signum: int) -> bool:
        """Send a signal to all of the child's processes; False if it takes none."""
        return False


class Sink(ABC):
    """Where events go. Only `write` must be implemented.

    Each sink is served by a task of its own, one batch after the other.
    """

    lossless: bool = True
    """True: it gets every event, and the children wait for it when it's slow.
    False: it is a viewer, never slows a child, and may get a `Gap`."""

    text: TextFormat | None = None
    """The text form it wants in `Batch.text`, or None for events only."""

    @property
    def progress(self) -> int:
        """Grows as it writes, for a sink whose `write` may take long.

        One that has stopped growing is given up when the run has been told to stop.
        """
        return 0

    def lead(self) -> Archive | None:
        """Lead the others, which see only what this one has written: return what they read on from.

        Called once, when the aggregator is opened and nothing has begun; a sink that leads nobody,
        as most, returns None. What this raises comes out of `open_aggregator`.
        """
        return None

    async def open(self) -> None:  # noqa: B027 (optional to implement)
        """Get ready; called once, before the first batch."""

    def write_now(self, batch: Batch) -> bool:
        """Write all of the batch if that can be done without waiting; asked of one that leads.

        It spares a turn of the loop. False: it can't; the same events, and maybe more, come to `write`.
        """
        return False

    @abstractmethod
    async def write(self, batch: Batch) -> None:
        """Write all of the batch, or raise.

        Raises:
            Exception: This destination is lost. It's closed and reported, and the
                others go on, unless it was the last lossless one.
        """

    async def aclose(self) -> None:  # noqa: B027 (optional to implement)
        """Flush and close; called once, after the last batch or a failure."""

"""A child that is an async function of this program."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from axiom_trio.abc import Executor
from axiom_trio.sansio.events import Exit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from axiom_trio.abc import Port


@final
class CallableExecutor(Executor):
    """Runs `function(writer)`; what it sends to the writer is its output.

    The writer is a `Port`: `await writer.send(bytes)` for a stream of bytes,
    `await writer.send_line(bytes)` for whole messages. Returning None is success,
    returning an int is an exit status; an exception is the child's failure. It's
    cancelled when the child is stopped.

    Example::

        async def count(writer):
            for n in range(10):
                await writer.send_line(b"%d" % n)

        aggregator.start_soon(CallableExecutor(count), name="count")
    """

    def __init__(self, function: Callable[[Port], Awaitable[int | None]]) -> None:
        self._function = function

    @property
    def label(self) -> str:
        """The function's name."""
        return getattr(self._function, "__name__", "callable")

    async def run(self, port: Port) -> Exit:
        """See `Executor.run`."""
        port.started()
        code = await self._function(port)
        if isinstance(code, bool) or not isinstance(code, int | None):  # True would be status 1, a failure
            raise TypeError(f"{self.label} returned {code!r}: it must return None or an exit status")
        return Exit(code or 0)

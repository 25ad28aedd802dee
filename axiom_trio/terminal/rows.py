"""What full-screen children have to say: the rows that their screens settle, in the stream."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, final

from axiom_trio.sansio.events import Output
from axiom_trio.sansio.text import TextFormatter

if TYPE_CHECKING:
    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.linefilter import LineFilter
    from axiom_trio.sansio.text import TextFormat
    from axiom_trio.sinks.console import ConsoleSink


@final
class SettledRows:
    """Writes them; see `Screens.show`.

    Args:
        sink: The console.
        text: How its lines look.
        lines: Which of them are shown; None: all.
    """

    def __init__(self, sink: ConsoleSink, text: TextFormat, lines: LineFilter | None) -> None:
        self._sink = sink
        self._lines = lines
        self._formatter = TextFormatter(text)
        self._known: set[str] = set()

    async def __call__(self, child: Child, rows: list[bytes]) -> None:
        """Write rows of a child between the lines of the stream."""
        if child.id not in self._known:
            self._known.add(child.id)
            self._formatter.add(child.id, child.name, child.index, child.pid, tty=False)
        event = Output(
            cursor=-1,
            time=time.time(),
            child=child.id,
            seq=0,
            kind="output",
            data=b"\n".join(rows) + b"\n",
            lines=len(rows),
        )
        events = [event] if self._lines is None else self._lines.events([event])
        pieces = [piece for shown in events for piece in self._formatter.event(shown)]
        if pieces:
            with suppress(OSError):  # the terminal is gone, and its sink says so
                await self._sink.notify(b"".join(pieces))

"""What the program itself has to say, on stderr."""

from __future__ import annotations

import os
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import trio

from axiom_trio.cli import say
from axiom_trio.cli.banner import banner
from axiom_trio.cli.closing import Closing, left_behind
from axiom_trio.cli.making import columns_of
from axiom_trio.cli.telling import ending, what_happened
from axiom_trio.engine.wakeup import Wakeup
from axiom_trio.sansio.events import Completed, Delivery, Intervention
from axiom_trio.sansio.names import shorten
from axiom_trio.sansio.rows import COLORS
from axiom_trio.sinks.console import ConsoleSink
from axiom_trio.sinks.writer import DescriptorWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from axiom_trio.abc import Sink
    from axiom_trio.cli.options import RunOptions
    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.engine.screens import Screens
    from axiom_trio.sinks.grouped import GroupedSink

_MOST = 10_000  # lines that wait for a stderr that takes nothing; the end tells of all that failed


class _Line(NamedTuple):
    text: str
    key: str | None
    """What it tells of: told once."""
    after: int
    """The cursor of an event that the stream is to have shown before."""


class Reporter:
    """Tells what happens to the children as it does, and how it ended.

    On a terminal that is all of it; elsewhere what failed, and a summary.

    When stdout and stderr are terminals, its lines go through the console's writer,
    so that they never tear a line of the stream; and none comes before what it tells of. Of a child whose
    text waits for its turn, the end waits with it.
    """

    def __init__(self, options: RunOptions, sinks: Sequence[Sink], headline: Sequence[str] = ()) -> None:
        self._options = options
        self._headline = headline
        self._terminal = os.isatty(2)
        self._color = options.color == "always" or (options.color == "auto" and self._terminal)
        self._console = next((sink for sink in sinks if isinstance(sink, ConsoleSink) and os.isatty(1)), None)
        self._grouped: GroupedSink | None = None
        if not self._terminal:
            self._console = None
        elif options.output == "grouped" and os.isatty(1):
            from axiom_trio.sinks.grouped import GroupedSink

            self._grouped = next((sink for sink in sinks if isinstance(sink, GroupedSink)), None)
        self._labels: list[str] = []
        self._widest = 0
        self._lines: deque[_Line] = deque()
        self._wakeup = Wakeup()
        self._told: set[str] = set()
        self._writing = False
        self.screens: Screens | None = None
        """What follows full-screen children, if anything does."""

    def begin(self) -> None:
        """Tell what is about to run, before any of it says something."""
        if self._terminal and not self._options.quiet:
            say(self.paint("1", banner(self._options, os.environ, self._headline)) + "\n")

    async def report(self, aggregator: StreamAggregator) -> None:
        """Tell of what happens until cancelled."""
        if not aggregator.guarded and sys.platform == "linux":
            self._tell("axiom-trio: no guardian could be started: if this is killed, its children live on")
        if self._grouped is not None:
            self._grouped.ending = lambda event: self._ending(aggregator.child(event.child), event)
        notices = aggregator.notices()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write)
            async for event in notices:
                child = aggregator.child(event.child)
                if self.screens is not None and isinstance(event, Completed):
                    await self.screens.settled(child)  # its last rows come before its end
                self._notice(child, event)

    def stopping(self, aggregator: StreamAggregator) -> None:
        """Tell that a signal has come, and who is still running."""
        names = [child.name for child in aggregator.children if child.state in ("running", "starting")]
        if names and not self._options.quiet:
            shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
            self._tell(f"stopping {shown}; once more kills")

    def notice(self, text: str) -> None:
        """Tell at once what the user should know, however quiet we are to be."""
        line = f"axiom-trio: {text}"
        if self._writing:
            self._tell(line)
        else:
            say(line + "\n")

    def finish(self, aggregator: StreamAggregator, status: int) -> None:
        """Tell how it ended. The stream has ended before."""
        if self._options.quiet or status == 141:
            return
        for line in self._lines:
            say(line.text)
            self._told.add(line.key or "")
        for child in aggregator.children:
            if child.completed is not None:
                self._completed(child, child.completed, say_now=True)
        if aggregator.escaped:
            say(left_behind(aggregator.escaped, kept=self._options.allow_daemons) + "\n")
        closing = Closing(aggregator, status, paint=self.paint, label=self.label, color=self._color)
        if self._terminal:
            say(closing.tails())
        if self._terminal or self._options.timings:
            say(closing.block())
        else:
            say(closing.line())
        broken = aggregator.statistics().broken_lines
        if broken:
            say(f"axiom-trio: {broken} over-long lines were broken, as others could not wait for their end\n")

    def paint(self, color: str, text: str) -> str:
        """In a colour, if there is to be any."""
        return f"\x1b[{color}m{text}\x1b[0m" if self._color else text

    def label(self, child: Child, padded: bool = False) -> str:
        """A child's name as it stands before its lines; `padded` to the longest."""
        self._add_labels()
        name = self._labels[child.index]
        space = " " * (self._widest - columns_of(name)) if padded else ""
        return self.paint(COLORS[child.index % len(COLORS)], f"[{name}]") + space

    def _add_labels(self) -> None:
        """Know how children are called that have come since."""
        names = [task.name for task in self._options.tasks[len(self._labels) :]]
        if names:
            length = self._options.prefix_length
            self._labels += names if length is None else shorten(names, length, self._labels)
            self._widest = max([self._widest, *map(columns_of, self._labels)])

    # --- what happens

    def _notice(self, child: Child, event: Any) -> None:
        label = self.label(child)
        if isinstance(event, Completed):
            self._completed(child, event)
            return
        if isinstance(event, Intervention) and not self._terminal:
            return
        text = what_happened(event, label, self.paint)
        if isinstance(event, Delivery) and self._terminal and event.state == "refused" and event.rule is None:
            from axiom_trio.engine.interventions import ASKS_FOR_PASSWORD  # it's there: it has refused this

            if event.reason == ASKS_FOR_PASSWORD:
                text += ", or choose it, and type it in full view"
        if text:
            self._tell(text, after=event.cursor)

    def _completed(self, child: Child, completed: Completed, *, say_now: bool = False) -> None:
        """Tell of its end: of each on a terminal, of failures elsewhere."""
        if self._grouped is not None and not say_now:
            return  # it comes behind the child's text
        for text, key in self._end_of(child, completed):
            if key in self._told:
                continue
            if say_now:
                say(text + "\n")
            else:
                self._tell(text, key, after=completed.cursor)

    def _ending(self, child: Child, completed: Completed) -> bytes:
        """What stands behind the text of a child that has ended."""
        lines = self._end_of(child, completed)
        self._told.update(key for _, key in lines)
        return "".join(text + "\n" for text, _ in lines).encode("utf-8", "backslashreplace")

    def _end_of(self, child: Child, completed: Completed) -> list[tuple[str, str]]:
        """The lines that tell of its end, and what each tells of."""
        lines: list[tuple[str, str]] = []
        label = self.label(child)
        failed = not completed.ok and completed.reason != "stopped"
        if failed or self._terminal:
            lines.append((ending(completed, label, self.paint), child.id))
        if completed.escaped:
            text = left_behind(completed.escaped, child.name, kept=self._options.allow_daemons)
            lines.append((text, f"what {child.id} left behind"))
        return lines

    # --- writing

    def _tell(self, line: str, key: str | None = None, *, after: int = -1) -> None:
        if len(self._lines) < _MOST:
            self._lines.append(_Line(line + "\n", key, after))
            self._wakeup.set()

    async def _write(self) -> None:
        writer = None
        self._writing = True
        try:
            if self._console is None:
                writer = DescriptorWriter(2)
            while True:
                while not self._lines:
                    await self._wakeup.wait()
                text, key, after = self._lines[0]
                data = text.encode("utf-8", "backslashreplace")
                if self._console is not None:
                    await self._console.notify(data, after=after)
                elif writer is not None:
                    await writer.write([data])
                self._lines.popleft()
                if key is not None:
                    self._told.add(key)
        except OSError:
            self._lines.clear()  # nobody listens
        finally:
            self._writing = False
            if writer is not None:
                writer.close()

"""`axiom-trio replay`: a journal printed again."""

from __future__ import annotations

import os
import signal
from contextlib import aclosing
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

import trio

from axiom_trio.cli import say
from axiom_trio.cli.outputs import CONSUMER_GONE, OUTPUT_LOST, stdout_sink
from axiom_trio.sansio.cursor import Batch
from axiom_trio.sansio.errors import JournalError
from axiom_trio.sansio.events import AllCompleted, Gap, Output, Started, Stats
from axiom_trio.sansio.names import printable
from axiom_trio.sansio.text import TextFormatter
from axiom_trio.sinks.journal_reader import JournalReader

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from axiom_trio.abc import Sink
    from axiom_trio.cli.replay_options import ReplayOptions
    from axiom_trio.sansio.events import Event

NOTHING: Final = 1
USAGE: Final = 2
_POLL: Final = 0.1  # seconds between two looks at a journal that is being written
_ID_BEGINNING: Final = 4  # characters
_AT_ONCE: Final = 256 * 1024


def replay(options: ReplayOptions, *, stdout_closed: bool) -> int:
    """Print to the end; returns the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        with JournalReader(options.directory) as reader:
            return trio.run(_Replay(options, reader, stdout_closed=stdout_closed).main)
    except JournalError as error:
        say(f"axiom-trio replay: {error}\n")
        return USAGE


class _Replay:
    def __init__(self, options: ReplayOptions, reader: JournalReader, *, stdout_closed: bool) -> None:
        self._options = options
        self._reader = reader
        self._sinks: list[Sink] = []
        terminal = not stdout_closed and os.isatty(1)
        color = options.color == "always" or (options.color == "auto" and terminal)
        if not stdout_closed:
            stdout = stdout_sink(options, color=color, terminal=terminal, width=0)
            self._sinks += [stdout] if stdout is not None else []
        if options.files is not None:
            from axiom_trio.sinks.files import FilesSink

            self._sinks.append(FilesSink(options.files))
        self._nowhere = stdout_closed and options.output != "none" and not self._sinks
        self._wanted: dict[str, bool] = {}
        self._since = self._since_when()
        self._lost_events = self._lost_bytes = 0
        self._matched = not options.task

    async def main(self) -> int:
        if self._nowhere:
            say("axiom-trio: stdout is closed: nothing could be shown\n")
            return OUTPUT_LOST
        formatters = [None if sink.text is None else TextFormatter(sink.text) for sink in self._sinks]
        try:
            for sink in self._sinks:
                await sink.open()
            async with aclosing(self._events()) as pieces:
                async for events in pieces:
                    for sink, formatter in zip(self._sinks, formatters, strict=True):
                        text = [] if formatter is None else [p for e in events for p in formatter.event(e)]
                        await sink.write(Batch(events, text, 0))
        except BrokenPipeError:
            return CONSUMER_GONE
        except OSError as error:
            say(f"axiom-trio: it could not be written: {error.strerror}\n")
            return OUTPUT_LOST
        finally:
            for sink in self._sinks:
                await sink.aclose()
        return self._status()

    def _status(self) -> int:
        if self._lost_events:
            lost = f"{self._lost_events} events with {self._lost_bytes} bytes"
            say(f"axiom-trio: {lost} are not in the journal any more: damaged, or let go to keep it small\n")
            return OUTPUT_LOST
        if not self._reader.runs:
            say(f"axiom-trio replay: there is no journal in {printable(self._options.directory)}\n")
            return NOTHING
        if not self._matched:
            names = ",".join(self._options.task)
            nothing = f"nothing in {self._options.directory} is called {names}"
            say(f"axiom-trio replay: {printable(nothing)}\n")
            return NOTHING
        if not self._options.quiet:
            self._tell_of_the_end()
        return 0

    def _tell_of_the_end(self) -> None:
        if not self._reader.runs[-1].clean:
            torn = f"; {self._reader.torn} bytes at its end are no whole record" if self._reader.torn else ""
            say(f"axiom-trio: the run was killed, or goes on: the journal has no end{torn}\n")

    def _since_when(self) -> float:
        since = self._options.since
        if since is None:
            return float("-inf")
        what, value = since
        if what == "time":
            return value
        events = self._reader.read(max(self._reader.oldest, self._reader.next - 1))
        return max((event.time for event in events if not isinstance(event, Gap)), default=0.0) - value

    async def _events(self) -> AsyncGenerator[list[Event]]:
        """What is wanted, in pieces, at the speed asked for."""
        position = self._reader.oldest
        began: tuple[float, float] | None = None
        while True:
            goes_on = self._options.follow and self._reader.is_written
            events = self._reader.read(position, _AT_ONCE)
            if not events:
                if not goes_on:
                    return
                await trio.sleep(_POLL)
                continue
            last = events[-1]
            position = last.to_cursor if isinstance(last, Gap) else last.cursor + 1
            wanted = [event for event in events if self._wants(event)]
            if not self._options.speed:
                yield wanted
                await trio.lowlevel.checkpoint()
                continue
            for event in wanted:
                if not isinstance(event, Gap) and event.time >= self._since:
                    if began is None:
                        began = trio.current_time(), event.time
                    await trio.sleep_until(began[0] + (event.time - began[1]) / self._options.speed)
                yield [event]

    def _wants(self, event: Event) -> bool:
        if isinstance(event, Gap):
            self._lost_events += event.events
            self._lost_bytes += event.bytes
            return True
        if isinstance(event, Stats | AllCompleted):
            return not self._options.task and event.time >= self._since
        if type(event) is Started:
            self._wanted[event.child] = self._is_meant(event)
            self._matched = self._matched or self._wanted[event.child]
            return self._wanted[event.child]
        wanted = self._wanted.get(event.child, not self._options.task)
        return wanted and (event.time >= self._since or type(event) is not Output)

    def _is_meant(self, event: Started) -> bool:
        tasks = self._options.task
        return not tasks or any(
            event.name == task
            or fnmatchcase(event.name, task)
            or (len(task) >= _ID_BEGINNING and event.child.startswith(task))
            for task in tasks
        )

"""`axiom-trio run`: the options turned into children, sinks and an exit status."""

from __future__ import annotations

import gc
import os
import signal
from typing import TYPE_CHECKING

import trio

from axiom_trio.cli import say
from axiom_trio.cli.report import Reporter, write_summary
from axiom_trio.engine.opening import open_aggregator
from axiom_trio.executors.process import ProcessExecutor
from axiom_trio.executors.pty import PtyExecutor
from axiom_trio.sansio.errors import SinkError
from axiom_trio.sansio.log import GATE
from axiom_trio.sansio.names import shorten
from axiom_trio.sansio.text import SHORT_ID, TextFormat
from axiom_trio.sinks.console import ConsoleSink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from axiom_trio.abc import Executor, Sink
    from axiom_trio.cli.options import RunOptions
    from axiom_trio.cli.tasks import TaskSpec
    from axiom_trio.engine.aggregator import StreamAggregator

CONSUMER_GONE = 141
OUTPUT_LOST = 3
USAGE = 2


def run(options: RunOptions, *, stdout_closed: bool) -> int:
    """Run to the end; returns the exit status."""
    if options.summary is not None:
        try:
            with open(options.summary, "ab"):
                pass
        except OSError as error:
            say(f"axiom-trio run: the summary can't be written to {options.summary}: {error.strerror}\n")
            return USAGE
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # were it ignored, exit statuses would vanish
    return trio.run(_Run(options, stdout_closed=stdout_closed).main)


class _Run:
    """One run of the command."""

    def __init__(self, options: RunOptions, *, stdout_closed: bool) -> None:
        self._options = options
        self._stdout_closed = stdout_closed
        self._terminal = not stdout_closed and os.isatty(1)
        self._color = options.color == "always" or (options.color == "auto" and self._terminal)
        self._signal: signal.Signals | None = None
        self._terminals: list[PtyExecutor] = []

    async def main(self) -> int:
        options = self._options
        status = 0
        sinks = self._sinks()
        reporter = Reporter(options, sinks)
        gc.enable()
        gc.freeze()  # what was imported is never garbage
        # What our parent made us ignore stays ignored: so do nohup, and a shell's background jobs.
        asked = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        heeded = [signum for signum in asked if signal.getsignal(signum) is not signal.SIG_IGN]
        with trio.open_signal_receiver(*heeded, signal.SIGWINCH) as signals:
            try:
                async with trio.open_nursery() as nursery:
                    async with open_aggregator(
                        sinks,
                        jobs=options.jobs,
                        grace=options.grace,
                        stats_interval=options.stats_interval if options.output == "jsonl" else 0.0,
                        gate=options.buffer_size or GATE,
                        flush_interval=options.flush_interval,
                    ) as aggregator:
                        nursery.start_soon(self._watch_signals, signals, aggregator, reporter)
                        if not options.quiet:
                            nursery.start_soon(reporter.report, aggregator)
                        for task in options.tasks:
                            aggregator.start_soon(self._executor(task), name=task.name)
                    nursery.cancel_scope.cancel(reason="all children have ended")
            except* SinkError as group:
                status = self._sink_failed(group)
        if self._stdout_closed and options.output != "none":
            say("axiom-trio: stdout is closed: nothing could be shown\n")
            status = OUTPUT_LOST
        if self._signal is not None:
            status = 128 + self._signal
        elif not status and any(not c.completed or not c.completed.exit.ok for c in aggregator.children):
            status = 1
        reporter.finish(aggregator, status)
        if options.summary is not None and not write_summary(options, aggregator, status):
            status = status or OUTPUT_LOST
        return status

    # --- what runs

    def _executor(self, task: TaskSpec) -> Executor:
        env = None if task.env is None else {**os.environ, **task.env}
        pty = task.pty if task.pty is not None else self._options.pty
        if pty if pty is not None else self._terminal:
            executor = PtyExecutor(task.command, cwd=task.cwd, env=env, size=self._window())
            self._terminals.append(executor)
            return executor
        return ProcessExecutor(
            task.command,
            cwd=task.cwd,
            env=env,
            stderr=self._options.stderr,
            stdin=self._options.stdin,
        )

    def _window(self) -> tuple[int, int]:
        """Rows and columns for a child: our own, less the room that the prefix takes."""
        for descriptor in (1, 2, 0):
            try:
                columns, rows = os.get_terminal_size(descriptor)
            except OSError:
                continue
            if rows > 0 and columns > 0:
                return rows, max(20, columns - self._prefix_width() - 1)
        return 24, 80

    def _prefix_width(self) -> int:
        if self._options.output == "raw" or not self._options.prefix:
            return 0
        names = [task.name for task in self._options.tasks]
        if self._options.prefix_length is not None:
            names = shorten(names, self._options.prefix_length)
        fields = {"id": "x" * SHORT_ID, "index": len(names) - 1, "pid": "1234567", "time": "x" * 24}
        widths = (len(self._options.prefix.format(name=name, **fields)) for name in names)
        return max(widths) + (25 if self._options.timestamps else 0)

    # --- where it goes

    def _sinks(self) -> list[Sink]:
        options = self._options
        if options.output == "none" or self._stdout_closed:
            return []
        if options.output == "jsonl":
            from axiom_trio.sinks.jsonl import JsonlSink

            return [JsonlSink()]
        raw = options.output == "raw"
        text = TextFormat(
            prefix="" if raw else options.prefix,
            timestamps=options.timestamps,
            color=self._color,
            escapes=options.escapes or ("color" if self._terminal else "raw"),
            name_length=options.prefix_length,
            width=self._prefix_width() - (25 if options.timestamps else 0) if options.pad and not raw else 0,
        )
        if options.output == "grouped":
            from axiom_trio.sinks.grouped import GroupedSink

            return [GroupedSink(text)]
        return [ConsoleSink(text)]

    def _sink_failed(self, group: BaseExceptionGroup[SinkError]) -> int:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        cause = error.__cause__
        if isinstance(cause, BrokenPipeError):
            return CONSUMER_GONE
        why = cause.strerror if isinstance(cause, OSError) and cause.strerror else cause
        say(f"axiom-trio: output was lost: stdout could not be written ({why})\n")
        return OUTPUT_LOST

    # --- signals

    async def _watch_signals(
        self, signals: AsyncIterator[int], aggregator: StreamAggregator, reporter: Reporter
    ) -> None:
        async for signum in signals:
            if signum == signal.SIGWINCH:
                for executor in self._terminals:
                    executor.resize(*self._window())
            elif self._signal is None:
                self._signal = signal.Signals(signum)
                reporter.stopping(aggregator)
                aggregator.stop(signum=signal.SIGINT if signum == signal.SIGINT else signal.SIGTERM)
            else:
                aggregator.stop(grace=0)

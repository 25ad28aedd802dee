"""`axiom-trio run`: the options turned into children, sinks and an exit status."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs
import trio

from axiom_trio.cli import say
from axiom_trio.cli.limits import allow_descriptors
from axiom_trio.cli.making import Making
from axiom_trio.cli.outputs import Outputs, UnwritableError, stdout_sink
from axiom_trio.cli.report import Reporter
from axiom_trio.cli.serving import Serving
from axiom_trio.engine.opening import open_aggregator
from axiom_trio.engine.run import succeeded
from axiom_trio.executors import cgroup
from axiom_trio.sansio.errors import JournalError, SinkError, SpecificationError
from axiom_trio.sansio.log import GATE, HISTORY
from axiom_trio.sansio.names import shorten
from axiom_trio.sansio.supervision import Supervision

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from axiom_trio.abc import Executor
    from axiom_trio.cli.options import RunOptions
    from axiom_trio.cli.page import PagePort
    from axiom_trio.cli.tasks import TaskSpec
    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.engine.screens import Screens
    from axiom_trio.terminal.interaction import Interaction
    from axiom_trio.terminal.sink import TerminalSink

USAGE = 2
_PAGE_HISTORY = 4 * 1024 * 1024  # bytes kept for viewers that come late


def run(options: RunOptions, *, stdout_closed: bool, make: type[Run] | None = None) -> int:
    """Run to the end; returns the exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # were it ignored, exit statuses would vanish
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback before the first child and after the last
    allow_descriptors(len(options.tasks))
    try:
        try:
            this_run = (make or Run)(options, stdout_closed=stdout_closed)
        except (UnwritableError, JournalError, SpecificationError) as error:
            say(f"axiom-trio {options.verb}: {error}\n")
            return USAGE
        return trio.run(this_run.main)
    finally:
        cgroup.leave()


class Run:
    """One run of the command; `spawn` has one of its own."""

    headline: tuple[str, ...] = ()
    """What its banner says instead of the number of children."""

    def __init__(self, options: RunOptions, *, stdout_closed: bool) -> None:
        self._options = options
        self._stdout_closed = stdout_closed
        self._terminal = not stdout_closed and os.isatty(1)
        self._color = options.color == "always" or (options.color == "auto" and self._terminal)
        self._reporter: Reporter | None = None
        self._signal: signal.Signals | None = None
        self._interaction: Interaction | None = None
        self._masked: Callable[[str], str] = str
        if options.secrets:
            from axiom_trio.sansio.masks import Masks

            self._masked = Masks(options.secrets).text
        self._page: PagePort | None = None
        if options.listen is not None:
            from axiom_trio.cli.page import PagePort

            self._page = PagePort(
                options.listen, allow_hosts=options.allow_host, anywhere=options.listen_anywhere
            )
        self._making = Making(options, terminal=self._terminal)
        stdout = stdout_sink(options, color=self._color, terminal=self._terminal, width=self._making.padding)
        self._screens: Screens | None = None
        self._serving: Serving | None = None
        self._terminal_sink: TerminalSink | None = None
        if self._terminal and options.output in ("lines", "raw"):
            from axiom_trio.terminal.sink import TerminalSink

            self._terminal_sink = stdout if isinstance(stdout, TerminalSink) else None
        self._outputs = Outputs(
            options,
            None if stdout_closed else stdout,
            stdout_closed=stdout_closed and stdout is not None,
            masked=self._masked,
            notify=self._notice,
        )

    async def main(self) -> int:
        """Run to the end; returns the exit status."""
        options = self._options
        reporter = self._reporter = Reporter(options, self._outputs.sinks, self.headline)
        reporter.begin()
        secrets = [*options.secrets]
        if self._page is not None:
            for line in self._page.lines:
                self._notice(line)
            secrets += self._page.secrets
        supervision = Supervision(
            retries=options.retries,
            restart_after=options.restart_after,
            restart_window=options.restart_window,
            timeout=options.timeout,
            idle_warn=options.idle_warn,
            idle_timeout=options.idle_timeout,
        )
        gc.enable()
        gc.freeze()  # what was imported is never garbage
        # What our parent made us ignore stays ignored: so do nohup, and a shell's background jobs.
        asked = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
        if self._terminal_sink is not None:
            asked += (signal.SIGTSTP, signal.SIGCONT)
        heeded = [signum for signum in asked if signal.getsignal(signum) is not signal.SIG_IGN]
        with trio.open_signal_receiver(*heeded, signal.SIGWINCH) as signals:
            try:
                async with trio.open_nursery() as nursery:
                    async with open_aggregator(
                        self._outputs.sinks,
                        jobs=options.jobs,
                        halt=options.halt,
                        supervision=supervision,
                        grace=options.grace,
                        stats_interval=options.stats_interval if options.output == "jsonl" else 0.0,
                        gate=options.buffer_size or GATE,
                        flush_interval=options.flush_interval,
                        mask=secrets,
                        history=HISTORY if self._page is None else _PAGE_HISTORY,
                        pace=options.pace,
                        allow_daemons=options.allow_daemons,
                        subreaper=sys.platform == "linux",
                        guardian=sys.platform == "linux",
                        rules=options.rules,
                    ) as aggregator:
                        nursery.start_soon(self._watch_signals, signals, aggregator, reporter)
                        nursery.start_soon(self._outputs.log_jobs, aggregator)
                        if not options.quiet:
                            nursery.start_soon(reporter.report, aggregator)
                        self._interact(nursery, aggregator)
                        if self._terminal_sink is not None:
                            self._show_screens(self._terminal_sink, aggregator)
                        if self._terminal_sink is not None and self._has_footer:
                            nursery.start_soon(self._view, self._terminal_sink, aggregator)
                        children: dict[TaskSpec, Child] = {}

                        def start(task: TaskSpec) -> Child:
                            child = children[task] = aggregator.start_soon(
                                self._executor(task),
                                name=task.name,
                                metadata=task.metadata,
                                supervision=attrs.evolve(supervision, **task.supervision),
                                after=[children[other] for other in task.after],
                            )
                            if len(children) > len(options.tasks):  # one that was added
                                options.tasks.append(task)
                            return child

                        self._serving = Serving(
                            aggregator,
                            children,
                            start=start,
                            masked=self._masked,
                            notice=self._notice,
                            page=self._page,
                        )
                        nursery.start_soon(self._serving.run)
                        await self._work(aggregator, start)
                    nursery.cancel_scope.cancel(reason="all children have ended")
            except* SinkError:
                pass  # the aggregator remembers
        status = self._outputs.finish(aggregator)
        if self._signal is not None:
            status = 128 + self._signal
        elif not status and not self._succeeded(aggregator):
            status = 1
        reporter.finish(aggregator, status)
        return self._outputs.write_summary(aggregator, status)

    # --- what runs

    async def _work(self, aggregator: StreamAggregator, start: Callable[[TaskSpec], Child]) -> None:  # noqa: ARG002 (spawn's needs it)
        """Start the children; the run goes on until all have ended."""
        for task in self._options.tasks:
            start(task)

    def _executor(self, task: TaskSpec) -> Executor:
        return self._making.executor(task)

    def _succeeded(self, aggregator: StreamAggregator) -> bool:
        return succeeded(aggregator.children, self._options.success)

    def _notice(self, text: str) -> None:
        if self._reporter is not None:
            self._reporter.notice(text)
        else:
            say(f"axiom-trio: {text}\n")

    # --- who types

    def _interact(self, nursery: trio.Nursery, aggregator: StreamAggregator) -> None:
        options = self._options
        if options.interactive or self._typed_to:
            from axiom_trio.terminal.interaction import Interaction

            self._interaction = Interaction(
                aggregator,
                self._terminal_sink if self._typed_to else None,
                asked=bool(options.interactive),
                quiet=options.quiet,
                say=self._notice,
                resize=lambda child: child.resize(*self._making.window()),
            )
            nursery.start_soon(self._interaction.run)

    @property
    def _typed_to(self) -> bool:
        """Whether a person may write to the children: in the footer they see what they type."""
        return self._terminal_sink is not None and self._has_footer and self._options.interactive is not False

    # --- the view

    @property
    def _has_footer(self) -> bool:
        """Whether there is to be a footer, where the terminal has room for one."""
        options = self._options
        if options.progress == "never" or (options.progress == "auto" and options.quiet):
            return False
        from axiom_trio.terminal.view import can_have_footer

        return options.escapes != "raw" and can_have_footer(os.environ)  # raw: the children draw

    async def _view(self, sink: TerminalSink, aggregator: StreamAggregator) -> None:
        from axiom_trio.terminal.view import View

        labels = None
        if self._options.prefix_length is not None:
            names = [task.name for task in self._options.tasks]
            labels = dict(zip(names, shorten(names, self._options.prefix_length), strict=True))
        journal = self._options.journal is not None and self._options.pace != "console"
        view = View(
            sink,
            aggregator,
            color=self._color,
            labels=labels,
            journal=journal,
            at_once=self._options.progress == "always",
            screens=lambda: self._screens,
        )
        try:
            await view.run()
        except OSError:
            pass  # the terminal is gone, and its sink says so
        except Exception as error:  # noqa: BLE001 (no footer is worth the children)
            self._notice(f"there is no footer any more: {error!r}")
            with suppress(OSError):
                await sink.draw([])

    def _show_screens(self, sink: TerminalSink, aggregator: StreamAggregator) -> None:
        """Have full-screen children's rows in the stream; before any starts, as it begins with its screen."""
        from axiom_trio.terminal.rows import SettledRows

        self._screens = aggregator.screens
        self._screens.show(SettledRows(sink, sink.format, sink.lines))
        if self._reporter is not None:
            self._reporter.screens = self._screens

    async def _suspend(self) -> None:
        """Stop, as Ctrl-Z asks, with the terminal as it was before."""
        if self._interaction is not None and self._interaction.has_keyboard:
            await self._interaction.suspend()
            return
        if self._terminal_sink is not None:
            await self._terminal_sink.suspend()
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # the whole program stops here
        signal.signal(signal.SIGTSTP, handler)

    # --- signals

    async def _watch_signals(
        self, signals: AsyncIterator[int], aggregator: StreamAggregator, reporter: Reporter
    ) -> None:
        async for signum in signals:
            if signum == signal.SIGWINCH:
                window = self._making.window()
                attached = None if self._interaction is None else self._interaction.attached
                for child in aggregator.children:
                    if child is not attached:
                        child.resize(*window)
                if self._terminal_sink is not None:
                    self._terminal_sink.resized()
                if self._interaction is not None:
                    self._interaction.resized()
            elif signum == signal.SIGTSTP:
                await self._suspend()
            elif signum == signal.SIGCONT:
                if self._interaction is not None and self._interaction.has_keyboard:
                    self._interaction.continued()
                elif self._terminal_sink is not None:
                    self._terminal_sink.resume()
            elif self._signal is None:
                self._signal = signal.Signals(signum)
                if self._terminal_sink is not None:
                    self._terminal_sink.paused = False
                reporter.stopping(aggregator)
                aggregator.stop(signum=signal.SIGINT if signum == signal.SIGINT else signal.SIGTERM)
            else:
                aggregator.stop(grace=0)

"""Where the output of a run goes: stdout, and the files that the options name."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from axiom_trio.cli import say
from axiom_trio.sansio.text import TextFormat
from axiom_trio.sinks.console import ConsoleSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from axiom_trio.abc import Sink
    from axiom_trio.cli.joblog import Joblog
    from axiom_trio.cli.options import RunOptions
    from axiom_trio.cli.replay_options import ReplayOptions
    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.outlet import SinkFailure
    from axiom_trio.sansio.linefilter import LineFilter
    from axiom_trio.sinks.journal import JournalSink

CONSUMER_GONE = 141
OUTPUT_LOST = 3


class UnwritableError(Exception):
    """A file that the options name can't be written."""

    def __init__(self, what: str, path: str, error: OSError) -> None:
        super().__init__(f"{what} can't be written to {path}: {error.strerror}")


class Outputs:
    """The sinks of a run, and its joblog and summary. Files are opened before anything starts.

    Args:
        options: Which.
        stdout: The sink for stdout, if there is to be one.
        stdout_closed: Whether stdout could not be used though asked for.
        masked: Takes the secrets out of a text.
        notify: Called with what the journal has to say.

    Raises:
        UnwritableError: A file can't be written.
        JournalError: The journal can't be.
        SpecificationError: An option of it can't be.
    """

    def __init__(
        self,
        options: RunOptions,
        stdout: Sink | None,
        *,
        stdout_closed: bool,
        masked: Callable[[str], str],
        notify: Callable[[str], None],
    ) -> None:
        self._options = options
        self._masked = masked
        self._stdout_closed = stdout_closed
        self._files: Sink | None = None
        self._journal: JournalSink | None = None
        self._joblog: Joblog | None = None
        if options.summary is not None:
            from axiom_trio.cli import summary

            with _writing("the summary", options.summary):
                summary.check(options.summary)
        if options.files is not None:
            from axiom_trio.sinks.files import FilesSink, open_directory

            with _writing("the children's files", options.files):
                os.close(open_directory(options.files))
            self._files = FilesSink(options.files)
        if options.joblog is not None:
            from axiom_trio.cli.joblog import Joblog

            with _writing("the joblog", options.joblog):
                self._joblog = Joblog(options.joblog, options.tasks, masked)
        if options.journal is not None:
            self._journal = self._open_journal(options.journal, notify)
        if self._joblog is not None:
            with _writing("the joblog", self._joblog.path):
                self._joblog.begin()
        self.sinks = [sink for sink in (stdout, self._files, self._journal) if sink is not None]

    def _open_journal(self, directory: str, notify: Callable[[str], None]) -> JournalSink:
        from axiom_trio.sinks.journal import JournalSink

        options = self._options
        journal = JournalSink(
            directory,
            fsync=options.fsync,
            max_size=options.journal_size,
            notify=notify,
            header={"tasks": [task.document(self._masked) for task in options.tasks]},
        )
        journal.lead()
        return journal

    async def log_jobs(self, aggregator: StreamAggregator) -> None:
        """Write the joblog, if there is one, until cancelled."""
        if self._joblog is not None:
            await self._joblog.report(aggregator)

    def finish(self, aggregator: StreamAggregator) -> int:
        """Finish the joblog, and say what was lost; returns the exit status that follows, 0 if none."""
        if self._joblog is not None:
            self._joblog.finish(aggregator)
        side = (self._files, self._journal)
        consumer_gone = False
        for failure in aggregator.sink_failures:
            if isinstance(failure.error, BrokenPipeError) and failure.sink not in side:
                consumer_gone = True
            else:
                say(f"axiom-trio: output was lost: {self._name(failure)} {self._lack(failure)}\n")
        if consumer_gone:
            return CONSUMER_GONE
        if self._stdout_closed:
            say("axiom-trio: stdout is closed: nothing could be shown\n")
        if aggregator.sink_failures or (self._stdout_closed and not self.sinks):
            return OUTPUT_LOST
        return OUTPUT_LOST if self._joblog is not None and self._joblog.error is not None else 0

    def write_summary(self, aggregator: StreamAggregator, status: int) -> int:
        """Write the summary, if there is to be one; returns the exit status, another one if it fails."""
        if self._options.summary is None:
            return status
        from axiom_trio.cli import summary

        failures = {self._name(failure): _why(failure.error) for failure in aggregator.sink_failures}
        if self._stdout_closed:
            failures["stdout"] = "it is closed"
        if self._joblog is not None and self._joblog.error is not None:
            failures["the joblog"] = _why(self._joblog.error)
        if summary.write(self._options, aggregator, status, failures, self._masked):
            return status
        return OUTPUT_LOST if status in (0, 1) else status

    def _lack(self, failure: SinkFailure) -> str:
        why = _why(failure.error)
        if failure.sink is self._journal or isinstance(failure.error, LookupError):
            return f"lacks {failure.missed} bytes ({why})"
        return f"could not be written ({why})"

    def _name(self, failure: SinkFailure) -> str:
        if failure.sink is self._journal:
            return f"the journal {self._options.journal}"
        return f"a file in {self._options.files}" if failure.sink is self._files else "stdout"


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def stdout_sink(
    options: RunOptions | ReplayOptions, *, color: bool, terminal: bool, width: int
) -> Sink | None:
    """The sink for stdout.

    Args:
        options: Which it's to be.
        color: Whether in colour.
        terminal: Whether stdout is a terminal.
        width: To how many columns prefixes are padded.
    """
    if options.output == "none":
        return None
    if options.output == "jsonl":
        from axiom_trio.sinks.jsonl import JsonlSink

        return JsonlSink()
    text = TextFormat(
        prefix="" if options.output == "raw" else options.prefix,
        timestamps=options.timestamps,
        color=color,
        escapes=options.escapes or ("color" if terminal else "raw"),
        name_length=options.prefix_length,
        width=width,
    )
    lines = _line_filter(options, color=color)
    if options.output == "grouped":
        from axiom_trio.sinks.grouped import GroupedSink

        return GroupedSink(text, lines=lines)
    if terminal:
        from axiom_trio.terminal.sink import TerminalSink  # it's for terminals alone

        return TerminalSink(text, lines=lines)
    return ConsoleSink(text, lines=lines)


def _line_filter(options: RunOptions | ReplayOptions, *, color: bool) -> LineFilter | None:
    """What `--include`, `--exclude` and `--highlight` ask for, if anything."""
    given = {name: getattr(options, name, None) for name in ("include", "exclude", "highlight")}
    if not color:
        given["highlight"] = None
    if not any(given.values()):
        return None
    import re

    from axiom_trio.sansio.linefilter import LineFilter

    return LineFilter(**{name: re.compile(text.encode()) for name, text in given.items() if text})


@contextmanager
def _writing(what: str, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnwritableError(what, path, error) from None

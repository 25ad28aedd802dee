"""What the program itself has to say, on stderr; and the summary file."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from axiom_trio.cli import say
from axiom_trio.sansio.durations import format_duration
from axiom_trio.sinks.console import ConsoleSink
from axiom_trio.sinks.writer import DescriptorWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from axiom_trio.abc import Sink
    from axiom_trio.cli.options import RunOptions
    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child


class Reporter:
    """Tells of children that failed as they do, and how it ended.

    When stdout and stderr are terminals, its lines go through the console's writer,
    so that they never tear a line of the stream.
    """

    def __init__(self, options: RunOptions, sinks: Sequence[Sink]) -> None:
        self._quiet = options.quiet
        self._color = options.color == "always" or (options.color == "auto" and os.isatty(2))
        self._console = next((sink for sink in sinks if isinstance(sink, ConsoleSink) and os.isatty(1)), None)
        if not os.isatty(2):
            self._console = None
        self._send, self._receive = trio.open_memory_channel[tuple[str, str | None]](64)
        self._told: set[str] = set()

    async def report(self, aggregator: StreamAggregator) -> None:
        """Tell of failures until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write)
            async for child in aggregator.as_completed():
                if _has_failed(child):
                    self._tell(self._failure(child), child.id)

    def stopping(self, aggregator: StreamAggregator) -> None:
        """Tell that a signal has come, and who is still running."""
        names = [child.name for child in aggregator.children if child.state in ("running", "starting")]
        if names and not self._quiet:
            shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
            self._tell(f"stopping {shown}; once more kills")

    def finish(self, aggregator: StreamAggregator, status: int) -> None:
        """Tell how it ended. The stream has ended before."""
        if self._quiet or status == 141:
            return
        children = aggregator.children
        duration = format_duration(trio.current_time() - aggregator.opened_at)
        failed = [child for child in children if _has_failed(child)]
        stopped = [child for child in children if child.completed and child.completed.reason == "stopped"]
        killed = ", ".join(
            child.name for child in stopped if child.completed and child.completed.exit.signal == 9
        )
        how = f" ({killed} by SIGKILL)" if killed else ""
        say("".join(self._failure(child) + "\n" for child in failed if child.id not in self._told))
        if failed:
            names = ", ".join(f"{child.name} ({_why(child)})" for child in failed[:8])
            names += f" and {len(failed) - 8} more" if len(failed) > 8 else ""
            names += f"; {len(stopped)} stopped{how}" if stopped else ""
            say(self._paint("31", "✗") + f" {len(failed)} of {len(children)} failed in {duration}: {names}\n")
        elif stopped:
            say(
                self._paint("33", "■") + f" {len(stopped)} of {len(children)} stopped after {duration}{how}\n"
            )
        else:
            say(self._paint("32", "✓") + f" {len(children)} completed in {duration}\n")
        broken = aggregator.statistics().broken_lines
        if broken:
            say(f"axiom-trio: {broken} over-long lines were broken, as others could not wait for their end\n")

    def _failure(self, child: Child) -> str:
        assert child.completed is not None
        duration = format_duration(child.completed.duration)
        return self._paint("31", "✗") + f" [{child.name}] failed: {_why(child)} ({duration})"

    def _paint(self, color: str, text: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if self._color else text

    def _tell(self, line: str, child: str | None = None) -> None:
        with suppress(trio.WouldBlock):  # stderr takes nothing; the end tells of all
            self._send.send_nowait((line + "\n", child))

    async def _write(self) -> None:
        writer = None
        try:
            if self._console is None:
                writer = DescriptorWriter(2)
            async for text, child in self._receive:
                data = text.encode("utf-8", "backslashreplace")
                if self._console is not None:
                    await self._console.notify(data)
                elif writer is not None:
                    await writer.write([data])
                if child is not None:
                    self._told.add(child)
        except OSError:
            pass  # nobody listens
        finally:
            if writer is not None:
                writer.close()


def _has_failed(child: Child) -> bool:
    """Whether it failed by itself, and not because it was stopped."""
    completed = child.completed
    return completed is not None and not completed.exit.ok and completed.reason != "stopped"


def _why(child: Child) -> str:
    completed = child.completed
    assert completed is not None
    if completed.exit.signal is not None:
        import signal

        try:
            return signal.Signals(completed.exit.signal).name
        except ValueError:
            return f"signal {completed.exit.signal}"
    return str(completed.exit)


def write_summary(options: RunOptions, aggregator: StreamAggregator, status: int) -> bool:
    """Write `--summary`: whole or not at all. False if it could not be written, after saying so."""
    import json

    figures = aggregator.statistics()
    children = []
    for child, task in zip(aggregator.children, options.tasks, strict=True):
        completed = child.completed
        exit_ = None if completed is None else completed.exit
        own = child.statistics()
        children.append(
            {
                "id": child.id,
                "name": child.name,
                "command": task.command,
                "pid": child.pid,
                "exitCode": exit_ and exit_.code,
                "signal": exit_ and exit_.signal,
                "error": exit_ and exit_.error,
                "reason": completed and completed.reason,
                "duration": round(own.uptime * 1000),
                "bytes": own.bytes,
                "lines": own.lines,
                "interventions": own.interventions,
            }
        )
    summary = {
        "exitStatus": status,
        "duration": round((trio.current_time() - aggregator.opened_at) * 1000),
        "completed": figures.completed,
        "failed": figures.failed,
        "totalBytes": figures.bytes,
        "totalLines": figures.lines,
        "totalInterventions": figures.interventions,
        "children": children,
    }
    assert options.summary is not None
    try:
        with open(options.summary, "w", encoding="utf-8") as file:
            json.dump(summary, file, indent=2)
            file.write("\n")
    except OSError as error:
        say(f"axiom-trio: the summary could not be written to {options.summary}: {error.strerror}\n")
        return False
    return True

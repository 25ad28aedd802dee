"""How a run has ended, in words: a line; on a terminal a block, and the last lines of what failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

from axiom_trio.sansio.amounts import format_size
from axiom_trio.sansio.durations import format_duration
from axiom_trio.sansio.names import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.events import Completed, Escaped, Exit, Reason

_TAIL = 20
_MOST_ROWS = 200
"""Children that the block has a row for; more are counted."""


@final
class Closing:
    """Says how it ended.

    Args:
        aggregator: What ran, and has ended.
        status: The exit status.
        paint: Puts a text into a colour.
        label: A child's name as it stands before its lines; padded to the longest if asked for.
        color: Whether colours of the children are kept.
    """

    def __init__(
        self,
        aggregator: StreamAggregator,
        status: int,
        *,
        paint: Callable[[str, str], str],
        label: Callable[[Child, bool], str],
        color: bool,
    ) -> None:
        self._aggregator = aggregator
        self._children = aggregator.children
        self._status = status
        self._paint = paint
        self._label = label
        self._color = color
        self._failed = [child for child in self._children if has_failed(child)]
        self._stopped = [c for c in self._children if c.completed and c.completed.reason == "stopped"]
        self._seconds = trio.current_time() - aggregator.opened_at

    def line(self) -> str:
        """The whole run in a line."""
        children, failed, stopped = self._children, self._failed, self._stopped
        duration = format_duration(self._seconds)
        if failed:
            names = ", ".join(
                f"{child.name} ({why(c.exit, c.reason)})" for child in failed[:8] if (c := child.completed)
            )
            names += f" and {len(failed) - 8} more" if len(failed) > 8 else ""
            names += f"; {len(stopped)} stopped{self._by_kill()}" if stopped else ""
            return f"{self._sign()} {len(failed)} of {len(children)} failed in {duration}: {names}\n"
        if stopped:
            text = f"{len(stopped)} of {len(children)} stopped after {duration}{self._by_kill()}"
            return f"{self._paint('33', '■')} {text}\n"
        return f"{self._sign()} {len(children)} completed in {duration}\n"

    def block(self) -> str:
        """The run in some lines: all that is known of it, and of each child."""
        figures = self._aggregator.statistics()
        count = len(self._children)
        counts = [_plural(count, "child", "children")]
        for number, word in ((len(self._failed), "failed"), (len(self._stopped), "stopped")):
            if number:
                counts.append(f"{number:,} {word}")
        parts = [
            *counts,
            _plural(figures.lines, "line", "lines"),
            format_size(figures.bytes),
            _plural(figures.interventions, "intervention", "interventions"),
            format_duration(self._seconds),
        ]
        title = "STOPPED" if self._stopped else "ALL TASKS COMPLETED"
        color = "31" if self._failed and self._status else "33" if self._stopped else "32"
        out = [f"{self._paint(f'1;{color}', title)}  {' · '.join(parts)}\n"]
        rows = [(child, *_cells(child)) for child in self._children[:_MOST_ROWS]]
        took = max((len(row[1]) for row in rows), default=0)
        lines = max((len(row[2]) for row in rows), default=0)
        for child, duration, written, how in rows:
            label = self._label(child, True)
            out.append(
                f"  {self._child_sign(child)} {label}  {duration:>{took}}  {written:>{lines}}  {how}\n"
            )
        if count > _MOST_ROWS:
            out.append(f"  … and {count - _MOST_ROWS:,} more\n")
        return "".join(out)

    def tails(self) -> str:
        """The last lines of each child that failed."""
        from axiom_trio.sansio.escapes import EscapeFilter

        out: list[str] = []
        for child in self._failed:
            lines = child.tail(_TAIL)
            if not lines:
                continue
            completed = child.completed
            assert completed is not None
            count = f"its last {len(lines)} lines" if completed.lines > len(lines) else "all it wrote"
            reason = failure(completed, "")
            out.append(f"{self._paint('31', '✗')} {self._label(child, False)} {reason}; {count}:\n")
            for line in lines:
                filtered = EscapeFilter("color" if self._color else "none")
                text = filtered.feed(line + b"\n").rstrip(b"\n").decode("utf-8", "replace")
                out += [f"  {self._paint('2', '│')} {part}\n" for part in text.split("\n")]
        return "".join(out)

    def _sign(self) -> str:
        return self._paint("31", "✗") if self._status else self._paint("32", "✓")

    def _child_sign(self, child: Child) -> str:
        if child in self._failed:
            return self._paint("31", "✗")
        return self._paint("33", "■") if child in self._stopped else self._paint("32", "✓")

    def _by_kill(self) -> str:
        killed = [c.name for c in self._stopped if c.completed and c.completed.exit.signal == 9]
        return f" ({', '.join(killed)} by SIGKILL)" if killed else ""


def has_failed(child: Child) -> bool:
    """Whether it failed by itself, and not because it was stopped."""
    completed = child.completed
    return completed is not None and not completed.ok and completed.reason != "stopped"


def failure(completed: Completed, took: str) -> str:
    """How a child failed: `Failed: exit 3 (4.2 s)`."""
    if completed.reason == "skipped":
        return f"Skipped: {printable(str(completed.exit))}"
    return f"Failed: {why(completed.exit, completed.reason)}" + (f" ({took})" if took else "")


def why(ended: Exit, reason: Reason) -> str:
    """Why it ended as it did, in some words."""
    if reason == "skipped":
        return "not started"
    if reason == "timeout":
        return "its time was up"
    if reason == "idle":
        return "it was silent for too long"
    if ended.signal is not None:
        import signal

        try:
            return signal.Signals(ended.signal).name
        except ValueError:
            return f"signal {ended.signal}"
    return str(ended)


def left_behind(escaped: Sequence[Escaped], name: str | None = None, *, kept: bool) -> str:
    """Which processes had left their groups, and what became of them."""
    left = "kept" if kept else "it can't be killed"
    shown = ", ".join(f"{p.pid} ({p.command}; {'killed' if p.killed else left})" for p in escaped[:8])
    more = f" and {len(escaped) - 8} more" if len(escaped) > 8 else ""
    return f"axiom-trio: {f'[{name}] ' if name is not None else ''}left behind {shown}{more}"


def _cells(child: Child) -> tuple[str, str, str]:
    completed = child.completed
    assert completed is not None
    how = why(completed.exit, completed.reason)
    if completed.interventions:
        how += f"  ⚡{completed.interventions:,}"
    if completed.attempts > 1:
        how += f"  {completed.attempts} attempts"
    return format_duration(completed.duration), _plural(completed.lines, "line", "lines"), how


def _plural(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"

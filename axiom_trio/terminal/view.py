"""The task that keeps the footer up to date: at most ten times a second, less often if nobody types."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, final

import trio

from axiom_trio.engine.statistics import figures
from axiom_trio.sansio.progress import ProgressTracker, Rate, row_text
from axiom_trio.sansio.rows import COLORS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.engine.screens import Screens
    from axiom_trio.sansio.events import Exit
    from axiom_trio.terminal.footer import ChildRow, Footer
    from axiom_trio.terminal.sink import TerminalSink

LEAST_ROWS: Final = 8
"""A terminal with fewer has no footer."""
FIRST: Final = 0.3
"""Seconds before it's shown: a short run has none."""
INTERVAL: Final = 0.1
"""Seconds between two drawings at least."""
_PACE: Final = 0.25  # seconds between two where nobody asks for one: figures can be read no faster
_SHARE: Final = 20  # drawing takes at most this part of the time
_STEP: Final = 100e-6  # seconds of work after which others have their turn
_BREAK: Final = 1e-3  # seconds
SILENT: Final = 30.0
"""Seconds after which a child that runs is shown as silent."""
_OWN_REASONS: Final = ("timeout", "idle", "skipped")
_PART: Final = 3  # the footer takes at most a third of the rows


def can_have_footer(environ: Mapping[str, str]) -> bool:
    """Whether the terminal understands what a footer needs."""
    return environ.get("TERM", "") not in ("", "dumb", "unknown")


def rows_for_children(rows: int, *, typing: bool) -> int:
    """How many rows of the footer of a terminal with so many rows are for children."""
    return rows // _PART - 1 - typing


@final
class View:
    """Draws the footer of a run.

    Args:
        sink: The terminal's.
        aggregator: What runs.
        color: Whether in colour.
        labels: What children are called, by their names, where that differs.
        journal: Whether the children go on while the view is paused.
        at_once: Whether it is shown however short the run.
        screens: What follows full-screen children, once anything does.
    """

    def __init__(
        self,
        sink: TerminalSink,
        aggregator: StreamAggregator,
        *,
        color: bool,
        labels: Mapping[str, str] | None = None,
        journal: bool = False,
        at_once: bool = False,
        screens: Callable[[], Screens | None] = lambda: None,
    ) -> None:
        self._sink = sink
        self._aggregator = aggregator
        self._color = color
        self._screens = screens
        self._first = 0.0 if at_once else FIRST
        self._labels = labels or {}
        self._journal = journal
        self._footer: Footer | None = None
        self._trackers: dict[str, ProgressTracker] = {}
        self._rates: dict[str, Rate] = {}
        self._bytes = Rate()
        self._worked = 0.0
        self._resumed = 0.0

    async def run(self) -> None:
        """Draw until cancelled.

        Raises:
            OSError: The terminal can't be written.
        """
        await trio.sleep(self._first)
        self._footer = (await trio.to_thread.run_sync(_load, abandon_on_cancel=True))(color=self._color)
        while True:
            began = trio.current_time()
            self._worked = 0.0
            rows = await self._rows() if self._may_draw() else []
            await self._sink.draw(rows)
            pause = max(_PACE, self._worked * _SHARE)
            with trio.move_on_at(began + pause):
                await self._sink.wait_redraw()
                await trio.sleep_until(began + INTERVAL)

    async def _let_others(self) -> None:
        """After some work, leave the loop to all else, long enough for a line to pass through it."""
        work = time.thread_time() - self._resumed
        if work >= _STEP:
            self._worked += work
            await trio.sleep(_BREAK)
            self._resumed = time.thread_time()

    def _may_draw(self) -> bool:
        """Whether there is room, and the terminal is ours: a job in the background leaves it alone."""
        return self._sink.size[0] >= LEAST_ROWS and self._sink.in_foreground

    async def _rows(self) -> list[bytes]:
        """What there is to show now; made in steps, each of which keeps the stream waiting but shortly."""
        from axiom_trio.terminal.footer import Totals, choose

        assert self._footer is not None
        sink, aggregator = self._sink, self._aggregator
        now = trio.current_time()
        self._resumed = time.thread_time()
        children = aggregator.children
        states = [_state(child) for child in children]
        marked = next((n for n, child in enumerate(children) if child.id == sink.chosen), None)
        room = rows_for_children(sink.size[0], typing=sink.input_line is not None)
        shown, hidden = choose(states, room, marked)
        laid = []
        for n in shown:
            await self._let_others()
            laid.append(self._footer.lay(self._row(children[n], states[n], now)))
        await self._let_others()
        counts: dict[str, int] = {}
        for state in states:
            counts[state] = counts.get(state, 0) + 1
        total = figures(aggregator, ())
        totals = Totals(
            children=len(children),
            states=counts,
            lines=total.lines,
            rate=self._bytes.feed(total.bytes, now),
            interventions=total.interventions,
            seconds=now - aggregator.opened_at,
            paused=self._paused(log_full=total.log_full) if sink.paused else "",
        )
        rows = []
        for row in self._footer.rows(totals, laid, hidden, columns=sink.size[1], input_line=sink.input_line):
            rows.append(row)
            await self._let_others()
        self._worked += time.thread_time() - self._resumed
        return rows

    def _paused(self, *, log_full: bool) -> str:
        if self._journal:
            return "paused, the children go on"
        return "paused, the log is full: the children wait" if log_full else "paused"

    def _row(self, child: Child, state: str, now: float) -> ChildRow:
        from axiom_trio.terminal.footer import ChildRow

        figure = child.statistics()
        rate = self._rates.get(child.id)
        if rate is None:
            rate = self._rates[child.id] = Rate()
            rate.feed(0, now - figure.uptime)
        completed = child.completed
        screens = self._screens()
        full_screen = completed is None and screens is not None and screens.of(child) is not None
        detail = f"▣ {state}" if full_screen else ""
        if completed is not None and state == "failed":
            detail = why_failed(completed.reason, completed.exit)
        elif state == "running" and not full_screen and figure.idle >= SILENT:
            state = "silent"
        started = state not in ("queued", "starting")
        row = child.open_row() if completed is None and not full_screen else b""
        return ChildRow(
            name=self._labels.get(child.name, child.name),
            color=COLORS[child.index % len(COLORS)],
            state=state,
            lines=figure.lines,
            rate=rate.feed(figure.lines, now),
            fraction=None if completed is not None or full_screen else self._fraction(child, row, now),
            seconds=figure.uptime if completed is not None else figure.idle if started else None,
            interventions=figure.interventions,
            detail=detail,
            chosen=child.id == self._sink.chosen,
            text=row_text(row) if row else "",
        )

    def _fraction(self, child: Child, row: bytes, now: float) -> float | None:
        tracker = self._trackers.get(child.id)
        if tracker is None:
            tracker = self._trackers[child.id] = ProgressTracker()
        if row:
            tracker.look(row, now, is_open=True)
        else:
            for line in child.tail(1):
                tracker.look(line, now, is_open=False)
        return tracker.fraction(now)


def _state(child: Child) -> str:
    completed = child.completed
    return child.state if completed is None else state_of_ended(completed.reason, ok=completed.ok)


def state_of_ended(reason: str | None, *, ok: bool) -> str:
    """The state that is shown of a child that has ended."""
    if reason in ("stopped", "cancelled"):
        return "stopped"
    return "done" if ok else "failed"


def why_failed(reason: str | None, ended: Exit) -> str:
    """What is shown instead of the state of one that has failed."""
    return reason if reason in _OWN_REASONS else str(ended)


def _load() -> type[Footer]:
    """Rich takes a while to import."""
    from axiom_trio.terminal.footer import Footer

    return Footer

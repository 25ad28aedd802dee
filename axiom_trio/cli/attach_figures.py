"""How the children of a run in another terminal stand, as a footer shows it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, final

import trio

from axiom_trio.sansio.progress import Rate
from axiom_trio.sansio.rows import COLORS
from axiom_trio.terminal.footer import ChildRow, Footer, Totals, choose
from axiom_trio.terminal.view import SILENT, rows_for_children, state_of_ended, why_failed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from axiom_trio.server.remote import ChildInfo
    from axiom_trio.terminal.sink import TerminalSink


@final
class Figures:
    """What the run has told last.

    Args:
        started_at: When it began, in seconds since 1970.
        color: Whether rows are in colour.
    """

    def __init__(self, started_at: float, *, color: bool) -> None:
        self.children: Sequence[ChildInfo] = ()
        """All children, as they stood then."""
        self._started_at = started_at
        self._footer = Footer(color=color)
        self._told_at = 0.0
        self._rates: dict[str, Rate] = {}
        self._rate = Rate()

    def take(self, children: Sequence[ChildInfo]) -> None:
        """They stand so now."""
        self.children = children
        self._told_at = now = trio.current_time()
        for child in children:
            self._rates.setdefault(child.id, Rate()).feed(child.lines, now)
        self._rate.feed(sum(child.bytes for child in children), now)

    def order(self, sink: TerminalSink) -> list[str]:
        """Their ids, as they stand in the footer; where not all have a row, those that run come first."""
        children = [*self.children]
        if len(children) > rows_for_children(sink.size[0], typing=True):
            children.sort(key=lambda child: child.exit is not None)
        return [child.id for child in children]

    def rows(self, sink: TerminalSink) -> Iterator[bytes]:
        """The rows for the footer of a terminal."""
        children = self.children
        states = [_state(child) for child in children]
        marked = next((n for n, child in enumerate(children) if child.id == sink.chosen), None)
        shown, hidden = choose(states, rows_for_children(sink.size[0], typing=True), marked)
        laid = [self._footer.lay(self._row(children[n], states[n], sink.chosen)) for n in shown]
        totals = Totals(
            children=len(children),
            states={state: states.count(state) for state in {*states}},
            lines=sum(child.lines for child in children),
            rate=self._rate.feed(sum(child.bytes for child in children), self._told_at),
            interventions=sum(child.interventions for child in children),
            seconds=time.time() - self._started_at,
            paused="paused" if sink.paused else "",
        )
        return self._footer.rows(totals, laid, hidden, columns=sink.size[1], input_line=sink.input_line)

    def _row(self, child: ChildInfo, state: str, chosen: str | None) -> ChildRow:
        idle = child.idle + trio.current_time() - self._told_at
        if state == "running" and idle >= SILENT:
            state = "silent"
        detail = ""
        seconds: float | None = None
        if child.exit is not None:
            detail = why_failed(child.reason, child.exit) if state == "failed" else ""
            seconds = child.uptime
        elif state not in ("queued", "starting"):
            seconds = idle
        return ChildRow(
            name=child.name,
            color=COLORS[child.index % len(COLORS)],
            state=state,
            lines=child.lines,
            rate=self._rates[child.id].feed(child.lines, self._told_at),
            seconds=seconds,
            interventions=child.interventions,
            detail=detail,
            chosen=child.id == chosen,
        )


def _state(child: ChildInfo) -> str:
    return child.state if child.exit is None else state_of_ended(child.reason, ok=child.ok)

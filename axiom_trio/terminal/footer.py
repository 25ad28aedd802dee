"""The rows below the stream: how the run stands, and how each child does.

Rows are laid out in cells, not characters, and cut to the terminal's width. Columns only ever
grow, so that nothing jumps from one drawing to the next. It's done in small steps, since each keeps the
stream waiting: `lay` takes in one child, and `rows` makes one row at a time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, final

from rich.cells import cell_len as cell_len_of_any
from rich.cells import set_cell_size

from axiom_trio.sansio.amounts import format_count, format_size
from axiom_trio.sansio.durations import format_duration
from axiom_trio.sansio.names import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_BAR: Final = 10  # cells
_SPINNER: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_NAME: Final = 24
_GAP: Final = "  "
_DIM, _RED, _GREEN, _YELLOW, _BOLD = "2", "31", "32", "33", "1"
_STATES: Final = {
    "failed": ("✗", _RED),
    "done": ("✓", _GREEN),
    "stopped": ("■", _YELLOW),
    "queued": ("·", _DIM),
    "restarting": ("↻", _YELLOW),
    "stopping": ("■", _YELLOW),
    "silent": ("⏸", _YELLOW),
}
_ORDER: Final = (
    "running",
    "silent",
    "starting",
    "restarting",
    "stopping",
    "failed",
    "queued",
    "stopped",
    "done",
)


class ChildRow(NamedTuple):
    """What the footer shows of a child."""

    name: str
    color: str
    """SGR parameters of its prefix."""
    state: str
    """A key of `_STATES`, or any other word."""
    lines: int = 0
    rate: float = 0.0
    """Lines per second."""
    fraction: float | None = None
    """How much it has done, if it says so."""
    seconds: float | None = None
    """Since it last said something; for one that has ended: how long it took."""
    interventions: int = 0
    detail: str = ""
    """Takes the place of the state, such as `exit 3`."""
    chosen: bool = False
    text: str = ""
    """What it has written of a line that has not ended: a prompt, a bar."""


class Laid(NamedTuple):
    """A child's row, in columns."""

    cells: tuple[str, ...]
    widths: tuple[int, ...]
    color: str
    state: str
    chosen: bool
    text: str


class Totals(NamedTuple):
    """What the footer shows of the run."""

    children: int
    states: Mapping[str, int]
    """How many are in which state."""
    lines: int
    rate: float
    """Bytes per second."""
    interventions: int
    seconds: float
    paused: str = ""
    """What to say about a view that stands still."""


@final
class Footer:
    """Lays the rows out.

    Args:
        color: Whether in colour.
    """

    def __init__(self, *, color: bool) -> None:
        self._color = color
        self._widths: list[int] = []
        self._made: dict[object, bytes] = {}  # the rows of the last drawing, by what they were made of

    def lay(self, child: ChildRow) -> Laid:
        """Take in a child whose row is to be shown."""
        cells = _cells(child)
        widths = tuple(map(cell_len, cells))
        if not self._widths:
            self._widths = [0] * len(widths)
        for place, width in enumerate(widths):
            if width > self._widths[place]:
                self._widths[place] = width
        return Laid(cells, widths, child.color, child.state, child.chosen, child.text)

    def rows(
        self,
        totals: Totals,
        shown: Sequence[Laid],
        hidden: Mapping[str, int],
        *,
        columns: int,
        input_line: tuple[str, int] | None = None,
    ) -> Iterator[bytes]:
        """The rows, from the top.

        Args:
            totals: Of the run.
            shown: Those that have a row each.
            hidden: How many of the others are in which state.
            columns: Of the terminal.
            input_line: What is being typed, and the column of its cursor.
        """
        yield self._head(totals, columns)
        dropped = self._dropped(columns)
        layout = columns, dropped, tuple(self._widths)
        made: dict[object, bytes] = {}
        for laid in shown:
            key = laid, layout
            row = self._made.get(key)
            if row is None:
                row = self._row(laid, dropped, columns)
            made[key] = row
            yield row
        self._made = made
        if hidden:
            states = ", ".join(f"{hidden[state]:,} {state}" for state in _ORDER if hidden.get(state))
            more = f"… and {sum(hidden.values()):,} more: {states}" if shown else f"  {states}"
            yield self._cut([(more, _DIM)], columns)
        if input_line is not None:
            yield self._input(*input_line, columns)

    def _head(self, totals: Totals, columns: int) -> bytes:
        counts = {state: count for state in _ORDER if (count := totals.states.get(state))}
        parts = [f"{totals.lines:,} line{'s' * (totals.lines != 1)}", f"{format_size(totals.rate)}/s"]
        if totals.interventions:
            parts.append(f"⚡ {totals.interventions:,}")
        parts.append(format_duration(totals.seconds, running=True))
        text = ""
        for states in (counts, [state for state in counts if state in ("running", "failed")], []):
            first = [f"{totals.children:,} child{'ren' * (totals.children != 1)}"]
            first += [f"{counts[state]:,} {state}" for state in states]
            text = "── " + " · ".join(first + parts) + " "
            if cell_len(text) <= columns:
                break
        spans = [(text, _DIM)]
        if totals.paused:
            spans.insert(0, (f"── ⏸ {totals.paused} ", f"{_BOLD};{_YELLOW}"))
        used = sum(cell_len(part) for part, _ in spans)
        return self._cut([*spans, ("─" * max(0, columns - used), _DIM)], columns)

    def _dropped(self, columns: int) -> frozenset[int]:
        """The columns for which there is no room."""
        dropped: set[int] = set()
        for column in (1, 4, 3, 5, 2):  # bar, rate, lines, time, percentage
            if self._full_width(dropped) <= columns:
                break
            dropped.add(column)
        return frozenset(dropped)

    def _full_width(self, dropped: set[int]) -> int:
        kept = [width for place, width in enumerate(self._widths) if place not in dropped and width]
        return sum(kept) + len(_GAP) * (len(kept) - 1) + 2

    def _row(self, laid: Laid, dropped: frozenset[int], columns: int) -> bytes:
        spans = [("▶ " if laid.chosen else "  ", _BOLD)]
        style = _STATES.get(laid.state, ("", ""))[1]
        for place, (text, own, width) in enumerate(zip(laid.cells, laid.widths, self._widths, strict=True)):
            if place in dropped or not width:
                continue
            left = place in (0, 1, len(laid.cells) - 1)
            space = " " * (width - own)
            look = laid.color if place in (0, 1) else style if left else ""
            if place == 0 and laid.chosen:
                look += ";7"
            spans += [(text, look), (space, "")] if left else [(space, ""), (text, look)]
            spans.append((_GAP, ""))
        if laid.text:
            spans.append((laid.text, _DIM))
        else:
            del spans[-2:]  # nothing behind the state
        return self._cut(spans, columns)

    def _input(self, text: str, cursor: int, columns: int) -> bytes:
        before, after = text[:cursor], text[cursor:]
        room = max(1, columns - 4)
        while cell_len(before) > room - 1:  # what is being typed stays in sight
            before = before[1:]
        return self._cut([("› ", _BOLD), (before, ""), ("▏", _BOLD), (after, "")], columns)

    def _cut(self, spans: Sequence[tuple[str, str]], columns: int) -> bytes:
        """Style pieces of a row, as far as they fit."""
        out: list[str] = []
        for text, style in spans:
            if columns <= 0:
                break
            width = cell_len(text)
            if width > columns:
                text = set_cell_size(text, columns - 1) + "…"
                width = columns
            columns -= width
            out.append(f"\x1b[{style}m{text}\x1b[0m" if self._color and style and text else text)
        return "".join(out).encode("utf-8", "replace")


def cell_len(text: str) -> int:
    """The cells that a text without control characters takes."""
    return len(text) if text.isascii() else _cell_len_beyond_ascii(text)


_cell_len_beyond_ascii = lru_cache(1024)(cell_len_of_any)  # spinners and bars come again


def _cells(child: ChildRow) -> tuple[str, ...]:
    name = child.name if cell_len(child.name) <= _NAME else _middle(child.name)
    bar = percent = ""
    if child.fraction is not None:
        full = int(child.fraction * _BAR)
        bar = f"|{'█' * full}{'░' * (_BAR - full)}|"
        percent = f"{int(child.fraction * 100)} %"
    elif child.state in ("running", "silent"):
        bar = _SPINNER[child.lines % len(_SPINNER)]  # it turns when something comes
    ended = child.state in ("failed", "done", "stopped")
    when = ""
    if child.seconds is not None:
        when = format_duration(child.seconds, running=True) if ended or child.seconds >= 1 else "now"
        if not ended and child.seconds >= 1:
            when += " ago"
    sign, _ = _STATES.get(child.state, ("", ""))
    state = " ".join(part for part in (sign, child.detail or child.state) if part)
    return (
        name,
        bar,
        percent,
        f"{child.lines:,} line{'s' * (child.lines != 1)}" if child.state != "queued" else "",
        f"{format_count(child.rate)}/s" if not ended and child.rate >= 0.05 else "",
        when,
        f"⚡{child.interventions}" if child.interventions else "",
        state,
    )


def choose(states: Sequence[str], room: int, marked: int | None = None) -> tuple[list[int], dict[str, int]]:
    """Which children are shown, and how many others are in which state.

    All, where there is room; else those that run or failed come first, and one row is left for
    telling of the others. They stand in the order in which they were given.

    Args:
        states: Of all children.
        room: Rows for them.
        marked: The place of one that's shown in any case.
    """
    if len(states) <= room:
        return [*range(len(states))], {}
    first = _ORDER.index("failed")
    ranks = [max(first, _ORDER.index(state)) if state in _ORDER else first for state in states]
    if marked is not None:
        ranks[marked] = -1
        if room == 1:
            return [marked], {}  # the head counts the others
    shown = {*sorted(range(len(states)), key=ranks.__getitem__)[: max(0, room - 1)]}
    hidden: dict[str, int] = {}
    for place, state in enumerate(states):
        if place not in shown:
            hidden[state] = hidden.get(state, 0) + 1
    return sorted(shown), hidden


def _middle(name: str) -> str:
    return shorten([name], _NAME // max(1, cell_len(name) // len(name)))[0]

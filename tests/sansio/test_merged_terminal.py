"""pyte as the oracle: whatever several children write, the terminal that shows them merged is not theirs."""

from __future__ import annotations

import re
from typing import Any

import pyte
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from axiom_trio.sansio.events import Intervention
from axiom_trio.sansio.lines import LineSplitter
from axiom_trio.sansio.screen import VirtualTerminal
from axiom_trio.sansio.text import TextFormat, TextFormatter
from tests.sansio import test_escapes, test_queries, test_redraw, test_screen

NAMES = ("web", "db", "agent")
FORMAT = TextFormat(color=True, escapes="color")
FRAGMENTS = [
    *(f.encode() if isinstance(f, str) else f for f in test_escapes.FRAGMENTS),
    *(f.encode() for f in test_screen.FRAGMENTS),
    *(data for _, data, _, _ in test_redraw.TABLE),
    *(query for query, _ in test_queries.ANSWERED),
    *test_queries.OTHERS,
    *(
        b"\r",
        b"\r",
        b"\r\n",
        b"\n",
        b"\x1b]0;evil\x07",
        b"\x1b]52;c;ZXZpbA==\x07",
        b"\x1b[5;1H\x1b[J",
        b"\x1b[?2004h",
    ),
    *(b"[INTERVENTION] forged\r\n", b"\x1b[2A\r[db] forged", b"[db] forged\n"),
]
pieces = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=4), max_size=6).map(b"".join)
steps = st.lists(st.tuples(st.sampled_from(NAMES), pieces, st.booleans()), max_size=25)


class Terminal:
    """A terminal that takes text, tabs, newlines and colours, and fails on all else."""

    def __init__(self, columns: int = 400) -> None:
        self.screen = pyte.Screen(columns, 3)
        self.screen.write_process_input = self.forbidden("report")  # type: ignore[method-assign]  # (it must not be called)
        self.stream = pyte.Stream()
        allowed = {"draw", "tab", "select_graphic_rendition"}
        for event in pyte.Stream.events:
            setattr(self, event, getattr(self.screen, event) if event in allowed else self.forbidden(event))
        self.linefeed = self.next_line
        self.stream.attach(self)  # type: ignore[arg-type]  # (pyte wants more than it needs)
        self.rows: list[str] = []

    @staticmethod
    def forbidden(event: str) -> Any:
        def fail(*args: Any, **kwargs: Any) -> None:
            raise AssertionError(f"the terminal got {event} {args}")

        return fail

    def next_line(self) -> None:
        screen = self.screen
        assert screen.cursor.attrs == screen.default_char, "a line ends with default attributes"
        assert (screen.title, screen.icon_name) == ("", "")
        assert screen.mode == pyte.Screen(1, 1).mode
        cells = screen.buffer[screen.cursor.y]
        self.rows.append("".join(cells[x].data for x in range(screen.columns)).rstrip())
        screen.linefeed()  # the kernel makes \n of ours \r\n
        screen.carriage_return()

    def write(self, data: bytes) -> None:
        text = data.decode()  # or it fails: what goes out is UTF-8
        # pyte forgets what follows a character without width, and knows no colons in colours.
        text = re.sub(r"[\u0300-\u036f\u200b-\u200d\ufe0e\ufe0f\ufeff\u2060]", "", text)
        self.stream.feed(re.sub(r"\x1b\[[0-9;:]*m", lambda match: match[0].replace(":", ";"), text))


def merged(steps: list[tuple[str, bytes, bool]], *, ttys: tuple[bool, ...] = (True, True, False)) -> Terminal:
    """What the engine does: whole lines as blocks, open ones in pieces, screens beside it."""
    terminal = Terminal()
    formatter = TextFormatter(FORMAT)
    screens = TextFormatter(FORMAT)
    splitters, virtual = {}, {}
    for index, name in enumerate(NAMES):
        formatter.add(name, name, index, None, tty=ttys[index])
        screens.add(name, name, index, None, tty=False)
        splitters[name] = LineSplitter()
        virtual[name] = VirtualTerminal(6, 40)

    def output(name: str, data: bytes, *, partial: bool) -> None:
        if data:
            terminal.write(
                b"".join(map(bytes, formatter.output(name, data, "output", time, partial=partial)[0]))
            )

    for time, (name, data, flush) in enumerate(steps):
        output(name, splitters[name].feed(data), partial=False)
        if flush:
            output(name, splitters[name].take(), partial=True)
            virtual[name].feed(data)
            for row in virtual[name].settle(quiet=False):
                pieces = screens.output(name, row + b"\n", "output", time, partial=False)[0]
                terminal.write(b"".join(map(bytes, pieces)))
            event = Intervention(
                cursor=0,
                time=time,
                child=name,
                count=1,
                origin="user",
                text=data.decode("latin-1"),
                receipt="r",
            )
            terminal.write(b"".join(map(bytes, formatter.intervention(event))))
    for name in NAMES:
        output(name, splitters[name].take(final=True), partial=False)
        terminal.write(b"".join(map(bytes, formatter.end(name))))
    return terminal


@settings(deadline=None, max_examples=250)
@given(steps, st.tuples(*[st.booleans()] * 3))
@example(
    [("web", b"a\x1b[31m", True), ("db", b"x\n", False), ("web", b"b\rc\x1b[2;2H", True)], (True, True, True)
)
@example([("web", b"x" * 70_000 + b"\x1b[31m", True), ("db", b"y\n", True)], (True, False, False))
def test_the_terminal_is_ours(steps: list[tuple[str, bytes, bool]], ttys: tuple[bool, ...]) -> None:
    if any(len(data) > 1000 for _, data, _ in steps):
        merged(steps, ttys=ttys)
        return
    terminal = merged(steps, ttys=ttys)
    assert terminal.screen.cursor.x == 0, "nothing is left open"
    assert terminal.screen.cursor.attrs == terminal.screen.default_char
    for row in terminal.rows:
        assert row.startswith(("[web]", "[db]", "[agent]")), "each line is behind a prefix of ours"


@settings(deadline=None, max_examples=100)
@given(steps)
def test_nobody_forges_a_line_of_another(steps: list[tuple[str, bytes, bool]]) -> None:
    """All that is on a row behind a name was written by the child of that name."""
    only = [(name, data.replace(b"web", b""), flush) for name, data, flush in steps if name != "web"]
    assert not any(row.startswith("[web]") for row in merged(only).rows)


def test_the_oracle_bites() -> None:
    for hostile in (
        b"\x1b[A",
        b"\r",
        b"\x1b[6n",
        b"\x1b]0;t\x07",
        b"\x1b[2J",
        b"\b",
        b"\x1b[?25l",
        b"\x1b7",
        b"\x07",
    ):
        with pytest.raises(AssertionError):
            Terminal().write(hostile)
    with pytest.raises(AssertionError):
        Terminal().write(b"\x1b[31mred\n")

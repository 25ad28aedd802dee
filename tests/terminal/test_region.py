"""Stream and footer share a terminal: pyte says what is on it."""

from __future__ import annotations

from collections.abc import Iterator

import pyte
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from axiom_trio.terminal.region import Region

ROWS, COLUMNS = 8, 10


class Screen(pyte.Screen):
    """Keeps what scrolls off the top, as terminals do, and resizes as xterm and tmux do without reflow."""

    def __init__(self, columns: int, lines: int) -> None:
        super().__init__(columns, lines)
        self.gone: list[str] = []
        self.set_mode(pyte.modes.LNM)

    def text_of(self, row: int) -> str:
        line = self.buffer[row]
        return "".join(line[x].data for x in range(max(line.keys(), default=-1) + 1)).rstrip()

    def index(self) -> None:
        top, bottom = self.margins or (0, self.lines - 1)
        if self.cursor.y == bottom:
            assert top == 0
            self.gone.append(self.text_of(0))
        if self.cursor.y > bottom:  # below the region nothing scrolls, which pyte does not know
            self.cursor.y = min(self.cursor.y + 1, self.lines - 1)
        else:
            super().index()

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        lines, columns = lines or self.lines, columns or self.columns
        needed = self.lines - lines
        if needed > 0:
            needed -= min(needed, self.lines - 1 - self.cursor.y)  # rows below the cursor go first
            for _ in range(needed):
                self.gone.append(self.text_of(0))
                for row in range(self.lines - 1):
                    self.buffer[row] = self.buffer[row + 1]
                self.buffer.pop(self.lines - 1, None)
                self.cursor.y -= 1
        for row in [row for row in self.buffer if row >= lines]:
            self.buffer.pop(row)
        self.lines, self.columns = lines, columns
        self.margins = None
        self.cursor.x = min(self.cursor.x, columns - 1)

    def draw(self, data: str) -> None:
        """A wide character does not fall over the right edge, as pyte lets it."""
        for ch in data:
            if ch == "漢" and self.cursor.x == self.columns - 1 and pyte.modes.DECAWM in self.mode:
                self.cursor.x += 1
            super().draw(ch)

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        assert how == 0
        assert self.cursor.x == 0
        self.buffer.pop(self.cursor.y, None)  # the cells beyond a width that has shrunk, too

    def erase_in_display(self, how: int = 0, *_: object, **__: object) -> None:
        assert how == 0
        assert self.cursor.x == 0
        for row in range(self.cursor.y, self.lines):
            self.buffer.pop(row, None)

    def restore_cursor(self) -> None:
        """As tmux: a wrap that was to come is forgotten."""
        if self.savepoints:
            super().restore_cursor()
            self.savepoints.clear()

    @property
    def all(self) -> list[str]:
        text = self.gone + [self.text_of(row) for row in range(self.lines)]
        while text and not text[-1]:
            text.pop()
        return text


class Pair:
    """A terminal with a footer, and one without."""

    def __init__(self) -> None:
        self.region = Region(ROWS, COLUMNS)
        self.with_footer, self.without = Screen(COLUMNS, ROWS), Screen(COLUMNS, ROWS)
        self.one, self.other = pyte.ByteStream(self.with_footer), pyte.ByteStream(self.without)
        self.footer: list[bytes] = []

    def stream(self, text: str) -> None:
        data = text.encode()
        self.one.feed(b"".join(self.region.stream([data])))
        self.other.feed(data)

    def draw(self, footer: list[bytes]) -> None:
        known = self.region._column is not None or not footer
        self.one.feed(self.region.draw(footer))
        if known:
            self.footer = footer[: max(0, self.region.rows - 2)]

    def resize(self, rows: int, columns: int) -> None:
        self.with_footer.resize(rows, columns)
        self.without.resize(rows, columns)
        self.one.feed(self.region.resized(rows, columns))
        self.footer = []

    def check(self) -> None:
        screen, count = self.with_footer, len(self.footer)
        shown = [screen.text_of(row) for row in range(screen.lines)]
        assert shown[screen.lines - count :] == [row.decode().rstrip() for row in self.footer]
        text = screen.gone + shown[: screen.lines - count]
        while text and not text[-1]:
            text.pop()
        assert text == self.without.all
        assert screen.cursor.y < screen.lines - count
        row = len(screen.gone) + screen.cursor.y
        assert row == len(self.without.gone) + self.without.cursor.y
        assert screen.cursor.x == min(self.without.cursor.x, screen.columns - 1) or (
            screen.cursor.x == self.without.cursor.x
        )
        assert screen.cursor.hidden is bool(count)


lines = st.lists(
    st.sampled_from(["a", "bc", "漢", "é", "0123456789", "\x1b[31mr\x1b[0m", "x" * 25]), max_size=6
)
text = st.builds(lambda words, end: "".join(words) + end, lines, st.sampled_from(["", "\n", "\n\n"]))
row = st.text("ab─█ ", min_size=1, max_size=COLUMNS).map(str.encode)
steps = st.one_of(
    st.tuples(st.just("stream"), text),
    st.tuples(st.just("draw"), st.lists(row, max_size=4)),
)
sizes = st.tuples(st.just("resize"), st.tuples(st.integers(2, 12), st.integers(6, 20)))


@given(st.lists(steps, max_size=25))
@example([("stream", "0123456789"), ("draw", [b"f"]), ("stream", "a\n")])
@example([("stream", "0123456789"), ("draw", [b"f"]), ("stream", "\n")])
@example([("stream", "a\n" * 12 + "open"), ("draw", [b"f", b"g"]), ("draw", [b"f"]), ("draw", [])])
@settings(max_examples=500)
def test_the_stream_is_what_it_would_be_without_footer(steps: list[tuple[str, object]]) -> None:
    pair = Pair()
    for what, value in steps:
        if what == "stream":
            pair.stream(value)
        else:
            pair.draw(value)
        pair.check()
    pair.draw([])
    pair.check()
    assert pair.with_footer.margins in (None, (0, ROWS - 1))


@given(st.lists(st.one_of(steps, sizes), max_size=25))
@settings(max_examples=500)
def test_sizes_change(steps: list[tuple[str, object]]) -> None:
    pair = Pair()
    for what, value in steps:
        if what == "stream":
            pair.stream(value.rstrip("\n") + "\n")
        elif what == "draw":
            pair.draw([row.decode()[: pair.region.columns].encode() for row in value])
        else:
            pair.resize(*value)
        pair.check()


@given(
    before=st.integers(0, 6),
    steps=st.lists(st.one_of(st.integers(1, 6), st.binary(min_size=1, max_size=1)), max_size=12),
    size=st.tuples(st.integers(3, 16), st.integers(8, 20)),
    height=st.integers(1, 4),
)
@example(before=0, steps=[b"1", 2, b"2"], size=(ROWS, COLUMNS), height=2)
@example(before=0, steps=[3, b"1", 1, b"2"], size=(ROWS + 3, COLUMNS), height=2)
@example(before=0, steps=[3, b"1", 1, b"2"], size=(ROWS - 3, COLUMNS), height=2)
@settings(max_examples=500)
def test_no_line_is_lost_before_we_are_told_of_a_size(
    before: int, steps: list[int | bytes], size: tuple[int, int], height: int
) -> None:
    """The terminal has it, and forgets the region; lines and drawings go on as if it had not."""
    region, screen = Region(ROWS, COLUMNS), Screen(COLUMNS, ROWS)
    terminal = pyte.ByteStream(screen)
    count = 0

    def stream(lines: int) -> None:
        nonlocal count
        for _ in range(lines):
            terminal.feed(b"".join(region.stream([b"#%d.\n" % count])))
            count += 1

    stream(ROWS)
    terminal.feed(region.draw([b"f"] * height))
    stream(before)
    screen.resize(*size)
    for step in steps:
        if isinstance(step, int):
            stream(step)
        else:
            terminal.feed(region.draw([b"f", b"g" + step.hex().encode()][-height:] + [b"f"] * (height - 2)))
    terminal.feed(region.resized(*size))
    stream(2)
    found = [row.partition(".")[0] for row in screen.all if row.startswith("#")]
    assert found == [f"#{n}" for n in range(count)]


def test_what_is_open_goes_on_where_it_was() -> None:
    region, screen = Region(ROWS, COLUMNS), Screen(COLUMNS, ROWS)
    terminal = pyte.ByteStream(screen)
    for step in [*[b"a\n"] * ROWS, [b"f"], b"\x1b[31mopen", [b"g"], b"end", [b"h"], b"more\n", [b"i"]]:
        terminal.feed(region.draw(step) if isinstance(step, list) else b"".join(region.stream([step])))
    assert screen.text_of(ROWS - 4) == "openendmor"
    assert screen.buffer[ROWS - 4][6].fg == "red"
    assert (screen.text_of(ROWS - 3), screen.text_of(ROWS - 1)) == ("e", "i")


def pieces_of(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    for size in sizes:
        yield data[:size]
        data = data[size:]
    yield data


@given(st.text("ab漢é\t\n", max_size=60), st.lists(st.integers(0, 9), max_size=8))
def test_the_column_is_known_however_the_text_is_cut(text: str, sizes: list[int]) -> None:
    whole, cut = Region(ROWS, COLUMNS), Region(ROWS, COLUMNS)
    whole.stream([text.encode()])
    for piece in pieces_of(text.encode(), sizes):
        cut.stream([piece])
    assert cut._column == whole._column


def test_what_is_shown_already_is_not_written_again() -> None:
    region = Region(24, 80)
    assert region.draw([b"one", b"two"])
    assert region.draw([b"one", b"two"]) == b""
    assert b"two" not in region.draw([b"ONE", b"two"])


def test_without_a_footer_nothing_is_added() -> None:
    region = Region(24, 80)
    data = [b"[a] ", b"line\n", b"x" * 100]
    assert region.stream(data) == data
    assert region.clear() == b""
    region.resized(30, 100)
    assert region.draw([]) == b""


@pytest.mark.parametrize("count", [5, 30])
def test_two_rows_at_least_are_the_streams(count: int) -> None:
    region = Region(4, 20)
    region.draw([b"x"] * count)
    assert region.height == 2

"""Pages of lines: what is shown, against all rows in one list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.terminal.editor import width
from axiom_trio.terminal.scroll import _SGR, Pages, wrap

LINES = st.lists(
    st.text(st.sampled_from([*"ab ", "é", "漢", "\t"]), max_size=40).map(str.encode), max_size=30
)


PIECES = st.lists(st.sampled_from([*"ab", "漢", "e\u0301", "\x1b[31m", "\x1b[0m"]), max_size=60).map("".join)


@given(PIECES, st.integers(2, 20))
def test_wrapped_rows_fit_and_are_the_line(line: str, columns: int) -> None:
    rows = [_SGR.sub("", row.decode()) for row in wrap(line.encode(), columns)]
    assert "".join(rows) == _SGR.sub("", line)
    assert all(width(row) <= columns for row in rows)
    assert all(rows) or len(rows) == 1


@given(LINES, st.integers(1, 10), st.integers(8, 20), st.lists(st.integers(-25, 25), max_size=10))
def test_moving(lines: list[bytes], rows: int, columns: int, moves: list[int]) -> None:
    every = [row for line in lines for row in wrap(line, columns)]
    last = max(0, len(every) - rows)
    pages = Pages([*lines])
    pages.resize(rows, columns)
    place = 0
    assert pages.shown() == every[:rows]
    for move in moves:
        pages.move(move)
        place = max(0, min(last, place + move))
        assert pages.shown() == every[place : place + rows]
    pages.end()
    assert pages.shown() == every[last:]
    pages.begin()
    assert pages.shown() == every[:rows]


def test_lines_that_come_before_change_nothing() -> None:
    pages = Pages([b"%d" % n for n in range(50, 100)])
    pages.resize(10, 80)
    pages.prepend([b"%d" % n for n in range(50)])
    assert pages.shown() == [b"%d\x1b[0m" % n for n in range(50, 60)]
    pages.move(-1)
    assert pages.shown()[0].startswith(b"49")


def test_finding() -> None:
    pages = Pages([b"one", b"\x1b[31mTw\x1b[0mo", b"three", b"two again"])
    pages.resize(1, 80)
    pages.end()
    assert pages.find("two", up=True)
    assert pages.top == 1  # through colours, and in any case
    assert not pages.find("two", up=True)
    assert pages.find("two", up=False)
    assert pages.top == 3


def test_a_search_begins_with_what_is_seen() -> None:
    pages = Pages([b"a%d" % n for n in range(20)] + [b"x" * 30])
    pages.resize(5, 10)
    pages.end()
    assert [pages.find("a19", up=True, seen=True), pages.top] == [True, 19]
    pages.end()
    assert [pages.find("x", up=True, seen=True), pages.top] == [True, 20]
    pages.begin()
    assert not pages.find("a5", up=True, seen=True)
    assert [pages.find("a4", up=True, seen=True), pages.top] == [True, 4]
    empty = Pages([])
    assert not empty.find("a", up=True, seen=True)

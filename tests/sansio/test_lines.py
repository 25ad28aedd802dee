"""Cutting a byte stream into lines: whatever way it arrives, the same lines come out."""

from __future__ import annotations

import itertools
from typing import SupportsIndex

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from axiom_trio.sansio.lines import LineSplitter

TAKE = None  # among the pieces: the open tail is taken here

fragments = st.sampled_from(
    [
        b"\n",
        b"\n",
        b"\r\n",
        b"\r",
        b"\r\r\n",
        b"a",
        b"line",
        b"\xff",
        b"\xc3",
        b"\x00",
        b"\x1b[31m",
        b"x" * 200,
    ]
)
streams = st.lists(fragments | st.binary(max_size=3), max_size=30).map(b"".join)


@st.composite
def cuttings(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    data = draw(streams)
    places = draw(st.lists(st.integers(0, len(data)), max_size=12))
    edges = [0, *sorted(places), len(data)]  # equal places make empty pieces
    return data, [data[a:b] for a, b in itertools.pairwise(edges)]


def lines_of(data: bytes) -> list[bytes]:
    return [line + b"\n" for line in data.split(b"\n")[:-1]]


@settings(deadline=None)
@given(cuttings())
@example((b"", [b"", b""]))
@example((b"a\r\nb", [b"a\r", b"\nb"]))
def test_any_cutting_gives_the_same_lines(case: tuple[bytes, list[bytes]]) -> None:
    data, pieces = case
    splitter = LineSplitter()
    blocks = []
    for at, piece in enumerate(pieces):
        blocks.append(splitter.feed(piece))
        seen = b"".join(pieces[: at + 1])
        rest = seen[seen.rfind(b"\n") + 1 :]
        assert b"".join(blocks) == seen.removesuffix(rest)  # a line comes with its newline, not later
        assert splitter.pending == len(rest)
        assert splitter.open is bool(rest)
    assert all(block == b"" or block.endswith(b"\n") for block in blocks)
    assert [line for block in blocks for line in lines_of(block)] == lines_of(data)
    assert b"".join(blocks) + splitter.take(final=True) == data
    assert (splitter.pending, splitter.open) == (0, False)


@settings(deadline=None)
@given(cuttings(), st.data())
def test_open_tails_taken_in_between_lose_and_invent_nothing(
    case: tuple[bytes, list[bytes]], choices: st.DataObject
) -> None:
    data, pieces = case
    splitter = LineSplitter()
    given_out = fed = b""
    for piece in pieces:
        fed += piece
        given_out += splitter.feed(piece)
        for _ in range(choices.draw(st.integers(0, 2))):
            tail = splitter.take()
            assert b"\n" not in tail
            given_out += tail
            assert splitter.pending == fed.endswith(b"\r")  # held back: the first half of a \r\n?
        assert given_out == fed[: len(fed) - splitter.pending]
        assert splitter.open is bool(fed[fed.rfind(b"\n") + 1 :])
    assert given_out + splitter.take(final=True) == data
    assert not splitter.open


@pytest.mark.parametrize(
    ("steps", "out"),
    [
        ([b"a\nb"], [b"a\n"]),
        ([b"a", b"b", b"\n"], [b"", b"", b"ab\n"]),
        ([b"a\n\n\nb\nc"], [b"a\n\n\nb\n"]),
        ([b"a\r", b"\nb"], [b"", b"a\r\n"]),
        ([b"a\rb\r", b"c\n"], [b"", b"a\rb\rc\n"]),
        ([b"a\r", TAKE, TAKE, b"\n"], [b"", b"a", b"", b"\r\n"]),
        ([b"a\r", TAKE, b"b", TAKE], [b"", b"a", b"", b"\rb"]),
        ([b"a\r\r", TAKE, b"\r", TAKE, b"\n"], [b"", b"a\r", b"", b"\r", b"\r\n"]),
        ([b"\r", TAKE, b"\n"], [b"", b"", b"\r\n"]),
        ([b"tail", TAKE, b" more\nnext", TAKE], [b"", b"tail", b" more\n", b"next"]),
        ([TAKE, b"", TAKE], [b"", b"", b""]),
    ],
)
def test_table(steps: list[bytes | None], out: list[bytes]) -> None:
    splitter = LineSplitter()
    assert [splitter.take() if step is TAKE else splitter.feed(step) for step in steps] == out


def test_a_line_stays_open_after_its_tail_was_taken() -> None:
    splitter = LineSplitter()
    splitter.feed(b"prompt> ")
    assert splitter.take() == b"prompt> "
    assert (splitter.pending, splitter.open) == (0, True)
    splitter.feed(b"yes\n")
    assert not splitter.open


def test_an_end_takes_the_carriage_return_too() -> None:
    splitter = LineSplitter()
    splitter.feed(b"50%\r")
    assert splitter.take() == b"50%"
    assert splitter.take(final=True) == b"\r"


def test_a_whole_block_is_not_copied() -> None:
    block = b"many\nwhole\nlines\n" * 100
    assert LineSplitter().feed(block) is block


class Counted(bytes):
    """Bytes that count how far they are searched."""

    searched = 0

    def rfind(  # type: ignore[override]  # (narrower than of bytes)
        self, sub: bytes, start: SupportsIndex | None = None, end: SupportsIndex | None = None
    ) -> int:
        assert start is None
        assert end is None
        found = super().rfind(sub)
        Counted.searched += len(self) - max(found, 0)
        return found


@pytest.mark.parametrize("size", [1, 7, 400])
@pytest.mark.parametrize("count", [100, 4_000, 16_000])
def test_an_open_line_costs_what_it_is_long(size: int, count: int) -> None:
    """Counted: bytes searched, and bytes copied when the pieces are put together."""
    splitter = LineSplitter()
    Counted.searched = copied = 0
    head: bytes | bytearray = b""
    head_size = 0
    for at in range(count):
        splitter.feed(Counted(b"x" * size))
        pieces = splitter._pieces
        assert len(pieces) <= 65
        if at and len(pieces) == 1:  # put together: behind the first of them, or in a new one
            copied += len(pieces[0]) - (head_size if pieces[0] is head else 0)
        head, head_size = pieces[0], len(pieces[0])
    assert splitter.feed(Counted(b"\n")) == b"x" * (size * count) + b"\n"
    assert Counted.searched <= size * count + 1
    assert copied <= 2 * size * count

"""A terminal's answers: each query once, whatever way the output is cut; nothing without bound."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axiom_trio.sansio.queries import ANSWERS, QueryFilter, TerminalModes, without_queries

ANSWERED = [
    (b"\x1b[5n", b"\x1b[0n"),
    (b"\x1b[6n", b"\x1b[1;1R"),
    (b"\x1b[?6n", b"\x1b[?1;1R"),
    (b"ab\r\ncd\x1b[6n", b"\x1b[2;3R"),
    (b"\x1b[999;999H\x1b[6n", b"\x1b[24;80R"),
    (b"\x1b[999C\x1b[999B\x1b[6n", b"\x1b[24;80R"),
    (b"\x1b[32766;32766f\x1b[6n", b"\x1b[24;80R"),
    ("\x1b[2;1H日é\x1b[31m\x1b[6n".encode(), b"\x1b[2;4R"),
    (b"\n" * 99 + b"y\x1b[6n", b"\x1b[24;2R"),
    (b"\x1b[c", b"\x1b[?62;22c"),
    (b"\x1b[0c", b"\x1b[?62;22c"),
    (b"\x1b[>c", b"\x1b[>1;10;0c"),
    (b"\x1b[=c", b"\x1bP!|00000000\x1b\\"),
    (b"\x1b[>0q", b"\x1bP>|axiom-trio\x1b\\"),
    (b"\x1b]10;?\x07", b"\x1b]10;rgb:dddd/dddd/dddd\x07"),
    (b"\x1b]11;?\x1b\\", b"\x1b]11;rgb:0000/0000/0000\x1b\\"),
    (b"\x1b]11;?;?\x07", b"\x1b]11;rgb:0000/0000/0000\x07\x1b]12;rgb:dddd/dddd/dddd\x07"),
    (b"\x1b[?2004$p", b"\x1b[?2004;2$y"),
    (b"\x1b[?2004h\x1b[?2004$p", b"\x1b[?2004;1$y"),
    (b"\x1b[?2026$p", b"\x1b[?2026;2$y"),
    (b"\x1b[?31337$p", b"\x1b[?31337;0$y"),
    (b"\x1b[4$p", b"\x1b[4;2$y"),
    (b"\x1bP+q544e\x1b\\", b"\x1bP0+r\x1b\\"),
    (b"\x1bP$q q\x1b\\", b"\x1bP0$r\x1b\\"),
    (b"\x1b[18t", b"\x1b[8;24;80t"),
    (b"\x1b[19t", b"\x1b[9;24;80t"),
    (b"\x1b[?996n", b"\x1b[?997;1n"),
    (b"\x1b]0;title\x1b[5n", b"\x1b[0n"),  # any ESC ends a string
    (b"\x1b[?u\x1b[c", b"\x1b[?62;22c"),  # a keyboard protocol that we haven't: the answer is the next one's
]
SILENT = [
    *(b"text\r\n", b"\x1b[31mred\x1b[0m\x1b[K", b"\x1b[u\x1b[1;2c", b"\x1b[7n", b"\x1b[>4;2m", b"\x1b[1q"),
    *(
        b"\x1b]11;rgb:1/2/3\x07",
        b"\x1b]52;c;?\x07",
        b"\x1b[?1;2c",
        b"\x1b[14t",
        b"\x1b[?25l",
        b"\x1b]4;1;?\x07",
    ),
]
# What terminals answer and we don't: it's kept from them all the same.
OTHERS = [
    *(
        b"\x1b]52;c;?\x07",
        b"\x1b]4;1;?\x1b\\",
        b"\x1b]4;1;?;2;?\x07",
        b"\x1b[14t",
        b"\x1b[21t",
        b"\x05",
        b"\x1bZ",
    ),
    *(b"\x1b[?u", b"\x1b[?4m", b"\x1b[x", b"\x1b[?1;1;0S", b"\x1b]1337;ReportCellSize\x07", b"\x1b[?15n"),
    *(b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\", b"\x1b[1$w", b"\x1b[&u"),
]
FRAGMENTS = [
    *(query for query, _ in ANSWERED),
    *SILENT,
    *OTHERS,
    *(
        b"\x1b",
        b"\x1b[",
        b"\x1b]",
        b"\x1b]11",
        b"\x1bP+q",
        b"\x1b\\",
        b"\x07",
        b"?",
        b";",
        b"6n",
        b"\xff",
        b"\x1bc",
    ),
    *(b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?2004h", b"\x1b[?2026h", b"\x1b[?2026l", b"\x1b[?1;2004l"),
]
streams = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=3), max_size=12).map(b"".join)
places = st.lists(st.integers(0, 10_000), max_size=6)
quick = settings(deadline=None, max_examples=300)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def ask(*pieces: bytes) -> bytes:
    modes = TerminalModes(24, 80)
    return b"".join([modes.feed(piece) for piece in pieces])


def state(modes: TerminalModes) -> tuple[bool, ...]:
    return (
        modes.bracketed_paste,
        modes.alternate_screen,
        modes.synchronized,
        modes.application_cursor,
    )


@pytest.mark.parametrize(("query", "answer"), ANSWERED)
def test_each_query_is_answered_however_it_is_cut(query: bytes, answer: bytes) -> None:
    assert ask(query) == answer
    assert ask(*[bytes([byte]) for byte in query]) == answer
    for at in range(len(query)):
        assert ask(query[:at], query[at:]) == answer


@pytest.mark.parametrize("data", SILENT)
def test_what_is_no_query_of_ours_is_not_answered(data: bytes) -> None:
    assert ask(data) == ask(*[bytes([byte]) for byte in data]) == b""


@quick
@given(streams, places)
def test_cuts_change_nothing(data: bytes, places: list[int]) -> None:
    whole, cutted = TerminalModes(24, 80), TerminalModes(24, 80)
    answers = whole.feed(data)
    # The bound on answers is one per piece: cut, there may be more.
    several = b"".join([cutted.feed(piece) for piece in cut(data, places)])
    assert several == answers or len(answers) >= ANSWERS
    assert state(cutted) == state(whole)


def test_modes_are_kept_and_forgotten_with_a_reset() -> None:
    modes = TerminalModes(24, 80)
    modes.feed(b"\x1b[?1;2004h\x1b[?1049h\x1b[?2026h")
    assert state(modes) == (True, True, True, True)
    modes.feed(b"\x1b[?47l\x1b[?2026l\x1b[?1l")
    assert state(modes) == (True, False, False, False)
    modes.feed(b"\x1bc")
    assert state(modes) == (False,) * 4


def test_the_window_may_change() -> None:
    modes = TerminalModes(24, 80)
    modes.resize(50, 132)
    assert modes.feed(b"\x1b[18t\x1b[999;999H\x1b[6n") == b"\x1b[8;50;132t\x1b[50;132R"


def test_who_follows_knows_where_the_cursor_is() -> None:
    modes = TerminalModes(24, 80)
    modes.feed(b"something else\r\n")
    modes.cursor = lambda: (7, 9, 16)
    assert modes.feed(b"ab\x1b[6n") == b"\x1b[7;11R"
    modes.cursor = lambda: (7, 9, 3)  # too far behind
    modes.feed(b"x" * 1000)
    assert modes.feed(b"\r\n\x1b[6n") == b"\x1b[3;1R"


def test_a_flood_of_queries_is_not_answered_without_bound() -> None:
    assert len(ask(b"\x1b[c" * 20_000)) < ANSWERS + 64
    assert len(ask(b"\x1b]10;?;?;?\x07" * 20_000)) < ANSWERS + 128


@pytest.mark.parametrize(
    "opener", [b"\x1b]", b"\x1b]11;", b"\x1bP+q", b"\x1b[", b"\x1b[?", b"\x1b]52;c;", b"\x1b_G"]
)
def test_what_never_ends_is_not_kept(opener: bytes) -> None:
    modes, filter_ = TerminalModes(24, 80), QueryFilter()
    began = time.process_time()
    for piece in [opener, *[b"1" * 64] * 16_384, *[opener * 1000] * 16]:
        modes.feed(piece)
        filter_.feed(piece)
        assert len(modes._begun) + len(modes._before) < 1024
        assert len(filter_._held) < 8192
    assert time.process_time() - began < 20  # quadratic: minutes
    assert modes.feed(b"\x1b[5n") == b"\x1b[0n"


@pytest.mark.parametrize("query", [*[query for query, _ in ANSWERED if b"u" not in query], *OTHERS])
def test_no_query_reaches_another_terminal(query: bytes) -> None:
    asks = re.compile(
        rb"\x1b\[[?>=]?[0-9]*[ncq]|\?\x07|\?\x1b|\$p|\x1bP|1[4-9]t|\x05|a=q|Report|[Zxw]|&u|\?u|\?4m|1S|21t"
    )
    data = b"before" + query + b"after"
    left = without_queries(data)
    assert left.startswith(b"before")
    assert left.endswith(b"after")
    assert asks.search(left) is None
    for pieces in ([data[:at], data[at:]] for at in range(len(data))):
        filter_ = QueryFilter()
        assert b"".join(map(filter_.feed, pieces)) == left
    filter_ = QueryFilter()
    assert b"".join(filter_.feed(bytes([byte])) for byte in data) == left


@quick
@given(streams, places)
def test_a_filtered_stream_asks_nothing(data: bytes, places: list[int]) -> None:
    filter_ = QueryFilter()
    left = b"".join(map(filter_.feed, cut(data, places)))
    assert ask(left) == b""


@pytest.mark.parametrize(
    "data",
    [b"plain \xff text\r\n", b"\x1b[31mred\x1b[0m\x1b[2J\x1b[H\x1b[?25l", b"\x1b]0;title\x07\x1b[>1u\x1b[<u"],
)
def test_all_else_passes(data: bytes) -> None:
    assert without_queries(data) == data
    assert QueryFilter().feed(data) == data


def test_no_query_is_made_by_removing_one() -> None:
    for data in (b"\x1b[\x1b[5n6n", b"\x1b[\x056n", b"\x1b]11;\x1b[c?\x07", b"\x1bP+q\x1b[5n"):
        assert ask(without_queries(data)) == b""

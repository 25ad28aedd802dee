"""The virtual terminal: what a screen says, once; what it looks like; and nothing that can hurt it."""

from __future__ import annotations

import itertools
import time

import pyte
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from axiom_trio.sansio.escapes import EscapeFilter
from axiom_trio.sansio.screen import LARGEST, SCROLLED, VirtualTerminal

FRAGMENTS = [
    *(
        "\x1b[A",
        "\x1b[2J",
        "\x1b[H",
        "\x1b[3;5H",
        "\x1b[31m",
        "\x1b[38;5;9m",
        "\x1b[0m",
        "\n",
        "\r\n",
        "\r",
        "\t",
    ),
    *(
        "\b",
        "abc",
        "日本",
        "é",
        "e\u0301",
        "\x1b[2;4r",
        "\x1b[r",
        "\x1bM",
        "\x1b[L",
        "\x1b[M",
        "\x1b[2P",
        "\x1b[3@",
    ),
    *("\x1b[4h", "\x1b[4l", "\x1b[?6h", "\x1b[?6l", "\x1b[?7l", "\x1b[?7h", "\x1b7", "\x1b8", "\x1b[?1049h"),
    *(
        "\x1b[?1049l",
        "\x1b[S",
        "\x1b[2T",
        "\x1b[K",
        "\x1b[1J",
        "\x1b[J",
        "\x1b(0",
        "\x1b(B",
        "\x0e",
        "\x0f",
        "\x1b)0",
    ),
    *(
        "\x1b[?25l",
        "\x1b[44m",
        "\x1b[5b",
        "\x1b[3X",
        "x" * 30,
        "\x1b[7m",
        "\x1bc",
        "\x1b]0;aa",
        "\x1bP+q",
        "\x1b\\",
    ),
    *(
        "\x1b[",
        "\x1b#8",
        "\x1b[d",
        "\x1b[9C",
        "\x1b[?2004h",
        "\u202e",
        "\x1b[4:3m",
        "\x1b[38:2::1:2:3m",
        "\x1b[>4;2m",
    ),
    *(
        "\x1b[?4m",
        "\x1b[58;5;5m",
        "\x1b[!p",
        "\x1b[1 q",
        "\x1b[9999999999S",
        "\x1b[;;;;H",
        "\x1b[?3h",
        "\x1b[?5h",
    ),
    *(
        "⚠️",
        "👩‍🔬",
        "\x1b[I",
        "\x1b[Z",
        "\x1bH",
        "\x1b[3g",
        "\x1b[s",
        "\x1b[u",
        "\x1b[?2026h",
        "\x1b[?2026l",
        "\x85",
    ),
]
streams = st.lists(st.sampled_from([f.encode() for f in FRAGMENTS]) | st.binary(max_size=3), max_size=40).map(
    b"".join
)
places = st.lists(st.integers(0, 10_000), max_size=6)
quick = settings(deadline=None, max_examples=300)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def terminal(*pieces: bytes | str, rows: int = 5, columns: int = 20) -> VirtualTerminal:
    virtual = VirtualTerminal(rows, columns)
    for piece in pieces:
        virtual.feed(piece.encode() if isinstance(piece, str) else piece)
    return virtual


def settled(virtual: VirtualTerminal, *pieces: str, **how: bool) -> list[str]:
    for piece in pieces:
        virtual.feed(piece.encode())
    return [row.decode() for row in virtual.settle(**how)]


# --- it is a terminal


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        ("hé日本\r\nab", ["hé日本", "ab"]),
        ("\x1b[2;3Hx\x1b[1;1Hy", ["y", "  x"]),
        ("a\x1b]0;title\x07b\x1bP+q544e\x1b\\c\x1b_Gx\x1b\\d", ["abcd"]),
        ("a\x1b]0;never\x18b", ["ab"]),
        ("\x1b(0lqk\x1b(B|", ["┌─┐|"]),
        ("\x1b[>4;2ma\x1b[?4mb\x1b[?1$pc\x1b[>0qd\x1b[!pe", ["abcde"]),
        ("ab\x1b[?1049hcd", ["  cd"]),
        ("ab\x1b[?1049hcd\x1b[?1049lef", ["abef"]),
        ("1\r\n2\r\n3\r\n4\r\n5\x1b[2S", ["3", "4", "5"]),
        ("1\r\n2\x1b[T", ["", "1", "2"]),
        ("1\r\n2\x1b[1;2r\x1b[4;1H4\n\n\n5", ["1", "2", "", "4", " 5"]),
        ("=\x1b[9b", ["=========="]),
        ("⚠️k👩‍🔬", ["⚠️k👩‍🔬"]),
        ("x" * 22, ["x" * 20, "xx"]),
        ("x" * 19 + "日", ["x" * 19, "日"]),
        ("\x1b[?7lab" + "x" * 30 + "z", ["ab" + "x" * 17 + "z"]),
        ("日本\x1b[2Gx", [" x本"]),
        ("a\u202eb\u200fc", ["abc"]),
        ("a\x1b7\x1b[5;5H\x1b8b\x1b8c", ["ac"]),
        ("abc\x1b[1;2H\x1b[4hX", ["aXbc"]),
        ("\x1b[?6h\x1b[2dx", ["", "x"]),
        ("a\x1b[58;5;1mb\x1b[38:2::1:2:3mc", ["abc"]),
    ],
)
def test_table(data: str, rows: list[str]) -> None:
    virtual = terminal(data)
    assert virtual.text() == rows + [""] * (5 - len(rows))
    assert virtual.errors == 0
    assert terminal(*data).text() == virtual.text()


@quick
@given(streams, places)
def test_cuts_change_nothing(data: bytes, places: list[int]) -> None:
    whole, cutted = terminal(data), terminal(*cut(data, places))
    assert cutted.text() == whole.text()
    assert cutted.cursor == whole.cursor
    assert cutted.settle() == whole.settle()


@quick
@given(streams)
@example("日本日本日本\x1b[1;12H".encode())
@example(b"abc     \t \x1b[s")
@example(b"\x1b[?7l\x1b[s")
@example(b"\x1b[2;4r\x1b[?6h\x1b[2;2H\x1b7\x1b[?6l")
def test_a_painted_screen_looks_the_same_and_goes_on_the_same(data: bytes) -> None:
    data += b"\x18"  # nothing begun
    first = terminal(data, columns=12)
    second = terminal(b"junk\x1b[3;4r\x1b[?6h\x1b[7mjunk\x1b(0", columns=12)
    second.feed(first.paint())
    for _ in range(2):
        assert second.text() == first.text()
        assert second.cursor == first.cursor
        assert second.alternate == first.alternate
        assert second.paint() == first.paint()
        for virtual in (first, second):
            virtual.feed(b"Q\x1b[mz\nk\r\n\n\nr\x1b8s")


@quick
@given(streams)
def test_pyte_itself_shows_what_is_painted(data: bytes) -> None:
    """The other half of the oracle: pyte with its own parser, which knows no alternate screen."""
    virtual = terminal(data, columns=12)
    screen = pyte.Screen(12, 5)
    stream = pyte.ByteStream(screen)
    stream.select_other_charset("@")
    stream.feed(virtual.paint(alternate=False))
    wide = any(not row.isascii() for row in virtual.text())
    if not wide:  # pyte forgets what follows a joiner
        assert [row.rstrip() for row in screen.display] == virtual.text()
        assert (screen.cursor.y + 1, min(screen.cursor.x, 11) + 1) == virtual.cursor


@quick
@given(streams, st.lists(st.tuples(st.integers(1, 9), st.integers(1, 30)), max_size=3))
def test_any_size_at_any_time(data: bytes, sizes: list[tuple[int, int]]) -> None:
    virtual = terminal(data)
    for rows, columns in sizes:
        virtual.resize(rows, columns)
        assert virtual.size == (rows, columns)
        virtual.feed(data)
        assert len(virtual.text()) == rows
        row, column = virtual.cursor
        assert 1 <= row <= rows
        assert 1 <= column <= columns
        virtual.settle()
        virtual.paint()
    assert virtual.errors == 0


def test_what_has_no_room_scrolls_off() -> None:
    virtual = terminal("1\r\n2\r\n3\r\n4")
    virtual.resize(2, 20)
    assert virtual.text() == ["3", "4"]
    assert settled(virtual) == ["1", "2", "3", "4"]


# --- what it says


def test_rows_come_once_wherever_they_are() -> None:
    virtual = terminal("one\r\n\r\n\x1b[31mtwo\x1b[0m")
    assert settled(virtual) == ["one", "\x1b[31mtwo\x1b[0m"]
    assert settled(virtual, "\x1b[1;1H\x1b[K\x1b[4;1Hone") == []
    assert settled(virtual, "\x1b[5;1Hthree") == ["three"]
    assert settled(virtual, "\r\nfour\r\nfive\r\nsix") == ["four", "five", "six"]


def test_a_row_that_scrolls_off_between_two_looks_is_not_lost() -> None:
    rows = [f"line {n}" for n in range(40)]
    virtual = terminal()
    assert settled(virtual, "\r\n".join(rows)) == rows
    assert settled(virtual, "".join(f"\r\nline {n}" for n in range(40, 90))) == [
        f"line {n}" for n in range(40, 90)
    ]


def test_what_is_drawn_anew_is_not_said_again() -> None:
    rows = [
        f"said {word}" for word in ("this", "and that", "and more", "and on", "so on", "at last", "the end")
    ]
    text = "\r\n".join(rows)
    virtual = terminal()
    assert settled(virtual, text) == rows
    assert settled(virtual, "\x1b[2J\x1b[3J\x1b[H" + text) == []
    assert settled(virtual, "\x1b[2J\x1b[3J\x1b[H" + text + "\r\nnew") == ["new"]


def test_what_only_moves_is_not_said_again_until_its_last_state() -> None:
    virtual = terminal("⠋ Working 1s [=>   ]\x1b[3;1Hok")
    assert settled(virtual) == ["⠋ Working 1s [=>   ]", "ok"]
    assert settled(virtual, "\x1b[1;1H⠙ Working 2s [==>  ]") == []
    assert settled(virtual, "\x1b[1;1H⠹ Working 3s [===> ]\x1b[5;9H") == []
    assert settled(virtual, "\r\n\nmore") == ["⠹ Working 3s [===> ]", "more"]
    virtual = terminal("\x1b[1;1H12 done")
    assert settled(virtual) == ["12 done"]
    assert settled(virtual, "\x1b[1;1H13 done") == []
    assert settled(virtual, final=True) == ["13 done"]
    virtual = terminal("\x1b[1;1H12 done")
    assert settled(virtual) == ["12 done"]
    assert settled(virtual, "\x1b[1;1H13 done") == []
    assert settled(virtual, "\x1b[1;1H12 done") == []
    assert settled(virtual, final=True) == []


def test_a_table_that_is_sorted_anew_says_each_row_once() -> None:
    """As `top` does: other numbers, other widths, and who has left comes again."""
    names = ["bash", "python", "vim", "cat"]

    def table(turn: int) -> str:
        order = [names[(turn * 3 + n) % 4] for n in range(3)]
        rows = [f"{10 ** ((turn + n) % 4):>5} S {name}" for n, name in enumerate(order)]
        return "\x1b[H" + "\r\n".join(f"{row}\x1b[K" for row in rows)

    virtual = terminal()
    said = [row for turn in range(20) for row in settled(virtual, table(turn))]
    assert sorted(row.split()[-1] for row in said) == sorted(names)
    # One more of a kind than ever is another one, and so is one that comes when something has scrolled off.
    assert settled(virtual, "\x1b[4;1H    7 S vim\r\n    8 S vim")[-1:] == ["    8 S vim"]
    assert "    9 S cat" in settled(virtual, "\r\n    9 S cat\r\n")


def test_a_row_that_is_being_written_waits() -> None:
    virtual = terminal("done\r\nhalf a")
    assert settled(virtual, quiet=False) == ["done"]
    assert settled(virtual, " line", quiet=True) == ["half a line"]


def test_two_screens_do_not_mix() -> None:
    virtual = terminal("main\x1b[?1049h\x1b[Hother")
    assert settled(virtual) == ["other"]
    assert settled(virtual, "\x1b[?1049l") == ["main"]
    assert settled(virtual, "\x1b[?1049h\x1b[Hother") == []
    assert settled(virtual, "\x1b[?1049l") == []


def test_what_was_lost_is_counted() -> None:
    virtual = terminal(*[f"row {n}\r\n" for n in range(SCROLLED + 104)])
    rows = settled(virtual)
    assert rows[0] == "… 100 more rows"
    assert rows[1:] == [f"row {n}" for n in range(100, SCROLLED + 104)]


def test_after_a_loss_an_empty_screen() -> None:
    virtual = terminal("one\r\ntwo\x1b]0;half a title")
    assert settled(virtual) == ["one", "two"]
    virtual.start_anew(alternate=False)
    assert virtual.text() == [""] * 5
    assert settled(virtual, "two\r\nthree") == ["three"]
    virtual.start_anew(alternate=True)
    assert virtual.alternate


@quick
@given(streams)
def test_rows_are_text_and_colours(data: bytes) -> None:
    virtual = terminal(data)
    for row in virtual.settle(final=True):
        filter_ = EscapeFilter("color")
        shown = filter_.feed(row) + filter_.feed(b"\n")
        assert shown == row + b"\n"
        assert filter_.dropped == 0


def test_updates_that_belong_together_are_known() -> None:
    virtual = terminal("\x1b[?2026hx")
    assert virtual.synchronized
    assert virtual.frames == 0
    virtual.feed(b"\x1b[?2026l\x1b[?2026l")
    assert not virtual.synchronized
    assert virtual.frames == 1


# --- it is hard to hurt


@pytest.mark.parametrize(
    "data",
    [
        b"\x1b]0;" + b"x" * 1_000_000,
        b"\x1b[" + b"1" * 1_000_000,
        b"\x1b[" + b"1;" * 500_000 + b"m",
        b"e" + "\u0301".encode() * 300_000,
        b"\x1b7" * 200_000,
        b"\x1b[9999b" * 500,
        b"\x1b[9999S" * 2000,
        b"\x1b[9999L" * 2000,
        b"\x1b[?1049h\x1b[?1049l" * 5000,
        b"".join(b"\x1b[38;2;%d;%d;1m." % (n % 256, n // 256) for n in range(30_000)),
        b"\n" * 200_000,
        b"\x1bH" * 100_000,
    ],
)
def test_nothing_makes_it_grow_or_slow(data: bytes) -> None:
    virtual = VirtualTerminal(24, 80)
    began = time.process_time()
    for at in range(0, len(data), 1024):
        virtual.feed(data[at : at + 1024])
    assert time.process_time() - began < 30  # quadratic: minutes
    emulator = virtual._emulator
    cells = emulator.cells
    assert len(emulator._held) < 300
    assert len(cells.savepoints) <= 1
    assert len(virtual._scrolled) <= SCROLLED
    assert len(cells._ready) <= 256
    assert len(cells.tabstops) <= 81
    assert all(len(cell.data) < 10 for line in cells.buffer.values() for cell in line.values())
    virtual.feed(b"\x18\x1bcstill here")
    assert virtual.text()[0] == "still here"


def test_a_window_can_be_too_large_to_follow() -> None:
    virtual = VirtualTerminal(65535, 65535)
    assert virtual.size == LARGEST
    assert virtual.asked == (65535, 65535)
    virtual.resize(10, 10)
    assert virtual.size == (10, 10)


def test_what_pyte_raises_is_contained(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(pyte.Screen, "cursor_up", fail)
    virtual = terminal("a\x1b[Ab")
    assert virtual.errors == 1
    assert virtual.text()[0] == "ab"

"""What a text sink shows of hostile, coloured, redrawn and broken output."""

from __future__ import annotations

import itertools
import re
import time
from typing import Any, Literal

import pyte
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from axiom_trio.sansio.escapes import EscapeFilter

Mode = Literal["color", "none"]
MODES: tuple[Mode, ...] = ("color", "none")
PREFIX = "agent1 | "
BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
ALLOWED = {
    "none": re.compile(rf"[\t\n -~]|[^\x00-\x9f{BIDI}]"),
    "color": re.compile(rf"[\t\n -~]|[^\x00-\x9f{BIDI}]|\x1b\[[0-9;:]{{0,64}}m"),
}


def run(mode: Mode, *pieces: bytes) -> bytes:
    return counted(mode, *pieces)[0]


def counted(mode: Mode, *pieces: bytes) -> tuple[bytes, int]:
    filter_ = EscapeFilter(mode)
    shown = b"".join([filter_.feed(piece) for piece in pieces]) + filter_.end()
    return shown, filter_.dropped


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def joined(parts: list[bytes]) -> bytes:
    return b"".join(parts)


FRAGMENTS: list[str | bytes] = [
    *[bytes([code]) for code in range(256) if code != 0x0D],
    *["é", "привет", "日本", "🙂", "e\u0301", "\u009b31m", "\u0085", "\u2028", "\u202e", "\u2066", "\u200f"],
    *["\u061c", "\ufeff", "abc", "   ", "\n", "\n", "\r\n", "\r\n", "\t"],
    *["\x1b", "\x1b", "\x1b[", "\x1b]", "\x1bP", "\x1b_", "\x1b^", "\x1bX", "\x1b\\", "\x07", "m", ";", ":"],
    *["\x1b[31m", "\x1b[0m", "\x1b[m", "\x1b[1;5;8m", "\x1b[38;5;8m", "\x1b[48;2;5;6;8m", "\x1b[38:5:8m"],
    *["\x1b[39m", "\x1b[7m", "\x1b[4:3m", "\x1b[38;5m", "\x1b[8;m", "\x1b[" + "1;" * 40 + "m", "\x1b[?25l"],
    *["\x1b[2J", "\x1b[H", "\x1b[1A", "\x1b[6n", "\x1b[c", "\x1b[>4;2m", "\x1b[1 q", "\x1b[3\x07"],
    *["\x1b]0;title\x07", "\x1b]52;c;aGk=\x1b\\", "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "\x1b]x\r\ny"],
    *["\x1bP$qm\x1b\\", "\x1bPtmux;\x1b\x1b]0;t\x07\x1b\\", "\x1bc", "\x1b(B", "\x1b#8", "\x1bM", "\x1bE"],
    *[b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x99", b"\xed\xa0\x80", b"\xc0\xaf", b"\x9b2J", b"\xc2"],
]
fragments = st.sampled_from([f.encode() if isinstance(f, str) else f for f in FRAGMENTS])
whole = st.lists(fragments | st.binary(max_size=4).map(lambda b: b.replace(b"\r", b"")), max_size=25).map(
    b"".join
)
redrawn = st.lists(fragments | st.just(b"\r"), max_size=25).map(joined)
places = st.lists(st.integers(0, 10_000), max_size=8)
modes = st.sampled_from(MODES)
quick = settings(deadline=None, max_examples=400)


@quick
@given(modes, whole, places)
def test_cuts_change_nothing(mode: Mode, data: bytes, places: list[int]) -> None:
    expected = counted(mode, data)
    assert counted(mode, *cut(data, places)) == expected
    assert counted(mode, *[bytes([byte]) for byte in data]) == expected
    assert counted(mode, *data.splitlines(keepends=True)) == expected


@quick
@given(modes, whole)
@example("color", b"\x1b]52;c;\n\x1bP\n\x1b[31\n\x1b(\n\x1b\n")
def test_each_newline_stays(mode: Mode, data: bytes) -> None:
    assert run(mode, data).count(b"\n") == data.count(b"\n")


@quick
@given(modes, st.lists(whole | redrawn | st.binary(max_size=30), max_size=4), places)
def test_only_text_and_colours_come_out(mode: Mode, parts: list[bytes], places: list[int]) -> None:
    shown = run(mode, *cut(b"".join(parts), places)).decode()
    assert ALLOWED[mode].sub("", shown) == ""


class Terminal:
    """A pyte screen that fails on whatever is not text, a tab or a colour, and draws our prefixes."""

    def __init__(self, columns: int) -> None:
        self.screen = pyte.Screen(columns, 3)
        self.screen.write_process_input = self.forbidden("report")  # type: ignore[method-assign]  # (it must not be called)
        self.screen.cursor_position(3, 1)
        self.stream = pyte.Stream()
        allowed = {"draw", "tab", "select_graphic_rendition", "debug"}
        for event in pyte.Stream.events:
            setattr(self, event, getattr(self.screen, event) if event in allowed else self.forbidden(event))
        self.stream.attach(self)  # type: ignore[arg-type]  # (pyte wants more than it needs)

    @staticmethod
    def forbidden(event: str) -> Any:
        def fail(*args: Any, **kwargs: Any) -> None:
            raise AssertionError(f"the terminal got {event} {args}")

        return fail

    def line(self, text: str) -> None:
        self.stream.feed(PREFIX)
        self.stream.feed(text)
        screen = self.screen
        assert screen.cursor.y == 2
        cells = [screen.buffer[2][column] for column in range(len(PREFIX) - 1)]
        assert "".join(cell.data for cell in cells) == PREFIX[:-1]
        assert {cell._replace(data=" ") for cell in cells} == {screen.default_char}
        assert (screen.title, screen.icon_name) == ("", "")
        assert screen.mode == pyte.Screen(1, 1).mode
        screen.linefeed()
        screen.carriage_return()


@quick
@given(st.lists(whole | redrawn, max_size=3), places)
@example([b"ab\x1b[31m", b"\x1b[0m\rcd\nef"], [5])
@example([b"ab\x1b[31mcd\ref\ngh"], [8])
def test_a_terminal_keeps_its_prefixes(parts: list[bytes], places: list[int]) -> None:
    shown = run("color", *cut(b"".join(parts), places)).decode()
    terminal = Terminal(8 * max(map(len, shown.split("\n"))) + 40)
    for row in shown.split("\n"):
        terminal.line(row)


def test_the_oracle_bites() -> None:
    for hostile in (
        "\x1b[2J",
        "\x1b[6n",
        "\x1b]0;t\x07",
        "\r",
        "\b",
        "\x0b",
        "\x9b1A",
        "\x1bc",
        "\x07",
    ):
        with pytest.raises(AssertionError):
            Terminal(80).line(hostile)
    terminal = Terminal(80)
    terminal.line("\x1b[31mred")
    with pytest.raises(AssertionError):
        terminal.line("bleeds")


@quick
@given(
    st.lists(
        st.sampled_from(
            ["", "0", "1", "2", "5", "05", "6", "8", "38", "48", "58", "4:3", "8:1", "38:5:8", "31"]
        )
    )
)
def test_nothing_conceals_or_blinks(params: list[str]) -> None:
    shown = run("color", b"\x1b[" + ";".join(params).encode() + b"mx\n").decode()
    for sequence in re.findall(r"\x1b\[([0-9;:]*)m", shown):
        # An extended colour is one operand list; what is left are the attributes.
        rest = re.sub(r"(?<![0-9:])(?:38|48|58);(?:0*5;\d*|2;\d*;\d*;\d*)(?![0-9:])", "1", sequence)
        codes = {int(part or 0) for part in rest.split(";") if ":" not in part}
        assert not codes & {5, 6, 8, 38, 48, 58}
        assert "8:1" not in rest.split(";")


# input, shown with colours, shown without, sequences dropped with colours
TABLE: list[tuple[Any, ...]] = [
    ("plain", "abc\tdef\n", "abc\tdef\n", "abc\tdef\n", 0),
    ("unicode", "é привет 日本 🙂 \u2028\n", "é привет 日本 🙂 \u2028\n", "é привет 日本 🙂 \u2028\n", 0),
    ("no newline", "abc", "abc", "abc", 0),
    ("crlf", "a\r\n\r\nb\r\n", "a\n\nb\n", "a\n\nb\n", 0),
    ("cr cr lf", "a\r\r\nb\n", "a\nb\n", "a\nb\n", 0),
    ("cr at the end", "abc\r", "abc", "abc", 0),
    ("osc 52", "a\x1b]52;c;aGk=\x07b\n", "ab\n", "ab\n", 1),
    ("osc 8", "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", "link\n", "link\n", 2),
    ("title", "\x1b]0;evil\x1b\\a\x1b]2;evil\x07\n", "a\n", "a\n", 2),
    ("DECRQSS", "a\x1bP$qm\x1b\\b\n", "ab\n", "ab\n", 1),
    ("BEL in DCS", "a\x1bPx\x07y\x1b\\b\n", "ab\n", "ab\n", 1),
    ("APC PM SOS", "a\x1b_x\x1b\\b\x1b^x\x1b\\c\x1bXx\x1b\\d\n", "abcd\n", "abcd\n", 3),
    ("DSR DA", "a\x1b[6n\x1b[c\x1b[>0q\n", "a\n", "a\n", 3),
    ("clear", "a\x1b[2J\x1b[H\x1b[3J\x1bcb\n", "ab\n", "ab\n", 4),
    ("cursor", "a\x1b[1A\x1b[?25l\x1b[1;1Hb\n", "ab\n", "ab\n", 3),
    ("two bytes", "a\x1b(B\x1b)0\x1b7\x1bM\x1bE\x1b#8\x1b=b\n", "ab\n", "ab\n", 7),
    ("osc cancelled", "a\x1b]0;x\x18b\n", "a^Xb\n", "a^Xb\n", 2),
    ("osc in a dcs", "a\x1bPtmux;\x1b\x1b]0;t\x07\x1b\\b\n", "a^[b\n", "a^[b\n", 3),
    ("osc to newline", "a\x1b]0;x\nb\n", "a\nb\n", "a\nb\n", 1),
    ("osc to crlf", "a\x1b]0;x\r\nb\n", "a\nb\n", "a\nb\n", 1),
    ("cr in osc", "a\x1b]0;x\ry\x07b\n", "ab\n", "ab\n", 1),
    ("csi to newline", "a\x1b[31\nb\n", "a\nb\n", "a\nb\n", 1),
    ("csi to invalid", "a\x1b[31é\x1b[3\x07\x1b[\x1b[31mb\n", "aé^G\x1b[31mb\x1b[0m\n", "aé^Gb\n", 4),
    ("esc to newline", "a\x1b\nb\x1b(\nc\x1b", "a^[\nb\nc^[", "a^[\nb\nc^[", 3),
    ("osc to the end", "a\x1b]0;x", "a", "a", 1),
    ("c0", "\0\x07\b\x0b\x0c\x0e\x1a\x7f\n", "^@^G^H^K^L^Z^?\n", "^@^G^H^K^L^Z^?\n", 8),
    ("shifts", "\x1b[31mred\x1b[m\x0f \x0el\x0f\n", "\x1b[31mred\x1b[m l\n", "red l\n", 3),
    ("c1", "\x80\x85\x9b2J\x9f\xa0\n", "\\x80\\x85\\x9b2J\\x9f\xa0\n", "\\x80\\x85\\x9b2J\\x9f\xa0\n", 4),
    ("c1 raw", b"a\x9b2J\x9d0;x\x07\n", "a\\x9b2J\\x9d0;x^G\n", "a\\x9b2J\\x9d0;x^G\n", 3),
    (
        "utf-8 stray",
        b"\xff\xe9a\xc3\nb\xc0\xaf",
        "\\xff\\xe9a\\xc3\nb\\xc0\\xaf",
        "\\xff\\xe9a\\xc3\nb\\xc0\\xaf",
        5,
    ),
    ("utf-8 surrogate", b"\xed\xa0\x80\n", "\\xed\\xa0\\x80\n", "\\xed\\xa0\\x80\n", 3),
    ("utf-8 unfinished", b"a\xf0\x9f\x99", "a\\xf0\\x9f\\x99", "a\\xf0\\x9f\\x99", 3),
    ("bidi", "a\u202eb\u2066\u061c\u200f\n", *["a<U+202E>b<U+2066><U+061C><U+200F>\n"] * 2, 4),
    ("sgr", "\x1b[31mred\x1b[0m \x1b[1;4mx\x1b[m\n", "\x1b[31mred\x1b[0m \x1b[1;4mx\x1b[m\n", "red x\n", 0),
    ("sgr ended one by one", *["\x1b[1;31mred\x1b[22;39m\n"] * 2, "red\n", 0),
    ("sgr bleeds", "\x1b[31mred\nplain\n", "\x1b[31mred\x1b[0m\nplain\n", "red\nplain\n", 0),
    ("sgr bleeds in part", "\x1b[31;1mred\x1b[39m\nx\n", "\x1b[31;1mred\x1b[39m\x1b[0m\nx\n", "red\nx\n", 0),
    ("sgr bleeds at the end", "\x1b[31mred", "\x1b[31mred\x1b[0m", "red", 0),
    ("sgr bleeds with crlf", "\x1b[7mred\r\n", "\x1b[7mred\x1b[0m\n", "red\n", 0),
    ("sgr two lines late", "\x1b[31ma\nb\nc\x1b[0m\n", "\x1b[31ma\x1b[0m\nb\nc\x1b[0m\n", "a\nb\nc\n", 0),
    ("underline", "\x1b[4:3mx\x1b[4:0m\n", "\x1b[4:3mx\x1b[4:0m\n", "x\n", 0),
    ("conceal", "\x1b[8mx\x1b[5;6;08my\x1b[28;25m\n", "xy\x1b[28;25m\n", "xy\n", 2),
    ("conceal among others", "\x1b[1;8;31;5mx\x1b[0m\n", "\x1b[1;31mx\x1b[0m\n", "x\n", 1),
    ("colour 8", *["\x1b[38;5;8;48;5;5;58;5;6;38:5:8;48;2;5;6;8;1mx\x1b[0m\n"] * 2, "x\n", 0),
    ("colour 8, then conceal", "\x1b[38;5;8;8mx\x1b[0m\n", "\x1b[38;5;8mx\x1b[0m\n", "x\n", 1),
    (
        "colour cut short",
        "\x1b[1;38;5mx\x1b[0m\x1b[38;8my\n",
        "\x1b[1mx\x1b[0my\n",
        "xy\n",
        2,
    ),
    ("sgr no numbers", "\x1b[>4;2mx\x1b[?4m\x1b[1 m\n", "x\n", "x\n", 3),
    ("sgr too long", "\x1b[" + "1" * 65 + "mx\n", "x\n", "x\n", 1),
]


@pytest.mark.parametrize(
    ("data", "color", "none", "dropped"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_table(data: str | bytes, color: str, none: str, dropped: int) -> None:
    data = data.encode() if isinstance(data, str) else data
    for mode, expected in zip(MODES, (color, none), strict=True):
        for at in range(len(data) + 1):
            shown, count = counted(mode, data[:at], data[at:])
            assert shown.decode() == expected
            assert count == dropped or mode == "none"
        assert run(mode, *[bytes([byte]) for byte in data]).decode() == expected


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ("10%\r20%\r30%\n", "30%\n"),
        ("10%\r20%\r\n", "20%\n"),
        ("10%\r20%\r\r\r\nx\n", "20%\nx\n"),
        ("\rabc\n", "abc\n"),
        ("a\n10%\r20%\nb\n", "a\n20%\nb\n"),
        ("10%\r\x1b[K20%\r\x1b[K\n", "20%\n"),
        ("\x1b[31m10%\r20%\x1b[0m\n", "\x1b[31m20%\x1b[0m\n"),
        ("\x1b[32m10%\x1b[39m\r\x1b[32m20%\x1b[39m\nx\n", "\x1b[32m20%\x1b[39m\nx\n"),
        ("\x1b[1;31mabcd\ref\ngh\n", "\x1b[1m\x1b[31mef\x1b[0m\ngh\n"),
        ("abc\r\x1b[0m\n", "abc\x1b[0m\n"),
    ],
)
def test_a_redrawn_row_shows_its_final_state(data: str, shown: str) -> None:
    assert run("color", data.encode()).decode() == shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert run("none", data.encode()).decode() == plain


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["abc", "\rx", "yz\n"], ["abc", "\nx", "yz\n"]),
        (["abc\r", "x\n"], ["abc", "\nx\n"]),
        (["abc\r", "\n", "x\n"], ["abc", "\n", "x\n"]),
        (["abc\r", "\r", "\x1b[K", "x\n"], ["abc", "", "", "\nx\n"]),
        (["abc", "d\rx\ry\n"], ["abc", "d\ny\n"]),
        (["abc\n", "\rx\n"], ["abc\n", "x\n"]),
        (["\x1b[31m", "\rx\n"], ["\x1b[31m", "\x1b[0m\x1b[31mx\x1b[0m\n"]),
        (["\x1b[31mab", "\rc\n"], ["\x1b[31mab", "\x1b[0m\n\x1b[31mc\x1b[0m\n"]),
        (["\x1b[31m", "\x1b[0m\rc\nd\n"], ["\x1b[31m", "\x1b[0mc\nd\n"]),
    ],
)
def test_a_row_returned_in_part_is_not_overwritten(pieces: list[str], shown: list[str]) -> None:
    filter_ = EscapeFilter("color")
    assert [filter_.feed(piece.encode()).decode() for piece in pieces] == shown
    assert filter_.end() == b""


def test_end_starts_afresh() -> None:
    for left in (b"\x1b[31mx", b"x\r", b"x", b"\x1b]0;", b"\x1b[", b"\xe2\x82"):
        filter_ = EscapeFilter("color")
        filter_.feed(left)
        filter_.end()
        assert filter_.feed(b"\x82\r1m;\n") == b"1m;\n"
        assert filter_.end() == b""


def test_safe_blocks_are_not_copied() -> None:
    for block in (b"abc\n" * 1000, "é日\n".encode() * 1000):
        assert EscapeFilter("color").feed(block) is block


@pytest.mark.parametrize("opener", [b"\x1b]", b"\x1bP", b"\x1b_", b"\x1b["])
def test_a_sequence_that_never_ends_is_capped(opener: bytes) -> None:
    data = opener + b"1" * 5000
    for pieces in ([data], [bytes([byte]) for byte in data], [data[:4098], data[4098:]]):
        assert counted("color", *pieces) == (b"1" * 904, 1)
    assert run("none", opener, b"1" * 4000, b"\nnext\n") == b"\nnext\n"


@pytest.mark.parametrize(
    "data",
    [b"\x1b]" + b"1" * 200_000, b"\x1b[" + b"1" * 200_000, b"a" + b"\r" * 200_000, b"\x1b[31m\r" * 30_000],
)
def test_time_is_linear(data: bytes) -> None:
    began = time.perf_counter()
    run("color", data)
    run("color", *[bytes([byte]) for byte in data])
    assert time.perf_counter() - began < 8  # quadratic: minutes

"""What of a child's raw output reaches the user's terminal when it's seen in full."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.terminal.passing import CLEAR, PassFilter

PASSES = [
    *(
        b"text",
        b"\r\n",
        b"\xc3\xa9\xe6\xbc\xa2",
        b"\x1b[31;1m",
        b"\x1b[m",
        b"\x1b[2J",
        b"\x1b[H",
        b"\x1b[3;4H",
    ),
    *(
        b"\x1b[?25l",
        b"\x1b[?2004h",
        b"\x1b[?1h",
        b"\x1b[?1000;1006h",
        b"\x1b[1;20r",
        b"\x1b7",
        b"\x1b8",
        b"\x1bM",
    ),
    *(
        b"\x1b[2 q",
        b"\x1b(0",
        b"\x1b=",
        b"\x1b[u",
        b"\x1b[?2026h",
        b"\x1b]8;;http://x\x1b\\",
        b"\x0e",
        b"\x1b[5@",
    ),
]
DROPPED = [
    *(
        b"\x1b[6n",
        b"\x1b[?6n",
        b"\x1b[5n",
        b"\x1b[c",
        b"\x1b[>c",
        b"\x1b[=c",
        b"\x1bZ",
        b"\x05",
        b"\x1b[?1$p",
    ),
    *(
        b"\x1b[>q",
        b"\x1b[18t",
        b"\x1b[8;50;100t",
        b"\x1b[?u",
        b"\x1b[>1u",
        b"\x1b[<u",
        b"\x1b[=5;1u",
        b"\x1b[>4;2m",
    ),
    *(
        b"\x1b]0;title\x07",
        b"\x1b]2;title\x1b\\",
        b"\x1b]52;c;YQ==\x07",
        b"\x1b]11;?\x07",
        b"\x1b]10;red\x1b\\",
    ),
    *(
        b"\x1bP$qm\x1b\\",
        b"\x1bP+q544e\x1b\\",
        b"\x1b_Ga=q;\x1b\\",
        b"\x1b^x\x1b\\",
        b"\x1bXx\x1b\\",
        b"\x1b[x",
    ),
    *(b"\xc2\x9b6n", b"\x1b[?3h", b"\x1b[?1016h"),
]
ANSWERED = re.compile(
    rb"\x1b\[[?>=]?[\d;]*[cn]|\x1bZ|\x05|\x1b\[>?[\d;]*(?:q(?<! q)|t)|\x1b\[\?[\d;]*\$p|\x1b[P_^X]|\x1b\][^8]"
)


@pytest.mark.parametrize("data", PASSES, ids=repr)
def test_what_draws_passes(data: bytes) -> None:
    assert PassFilter().feed(b"a" + data + b"b") == b"a" + data + b"b"


@pytest.mark.parametrize("data", DROPPED, ids=repr)
def test_what_asks_or_outlasts_does_not(data: bytes) -> None:
    passed = PassFilter().feed(b"a" + data + b"b")
    assert passed == (b"a6nb" if data.startswith(b"\xc2") else b"ab")


def test_the_other_screen_is_only_cleared() -> None:
    assert PassFilter().feed(b"a\x1b[?1049hb") == b"a" + CLEAR + b"b"
    assert PassFilter().feed(b"a\x1b[?1049;25lb") == b"a" + CLEAR + b"\x1b[?25lb"
    assert PassFilter().feed(b"a\x1bcb") == b"a" + CLEAR + b"b"


@given(
    st.lists(st.one_of(st.sampled_from([*PASSES, *DROPPED]), st.binary(max_size=6)), max_size=12),
    st.data(),
)
def test_however_it_is_cut(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces) + b"\x1b\\end"
    whole = PassFilter().feed(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    cut = PassFilter()
    parts = [cut.feed(stream[a:b]) for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert b"".join(parts) == whole


@given(st.lists(st.one_of(st.sampled_from([*PASSES, *DROPPED]), st.binary(max_size=6)), max_size=12))
def test_nothing_that_a_terminal_answers_passes(pieces: list[bytes]) -> None:
    passed = PassFilter().feed(b"".join(pieces))
    assert not ANSWERED.search(passed), passed


def test_a_string_without_end_is_bounded() -> None:
    passes = PassFilter()
    passes.feed(b"\x1b]0;")
    for _ in range(100):
        assert passes.feed(b"x" * 4096) == b""
    assert len(passes._held) < 100_000
    assert passes.feed(b"x\x07after") == b"after"

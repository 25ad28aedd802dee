"""Hypothesis strategies: byte streams, their cuttings, and scripts of children.

Needs the extra `testing` (hypothesis); nothing else of `axiom_trio.testing` does.

Example::

    @given(byte_streams().flatmap(cuttings))
    def test_any_cutting_gives_the_same_lines(pieces): ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError(
        "axiom_trio.testing.strategies needs hypothesis: pip install 'axiom-trio[testing]'"
    ) from error

from axiom_trio.sansio.events import Exit
from axiom_trio.sansio.markers import INTERVENTION, PROGRESS
from axiom_trio.testing.executors import Fail, Pause, Send, SendLine

if TYPE_CHECKING:
    from axiom_trio.testing.executors import Step

__all__ = ["byte_streams", "cuttings", "lines", "scripts"]

_AWKWARD = (
    b"",
    b" ",
    b"\0",
    b"\r",
    b"50%\r60%\r",
    b"\xff\xfe",
    "käse €".encode(),
    "€".encode()[:2],
    b"\x1b[31mred\x1b[0m",
    b"\x1b[",
    b"[",
    INTERVENTION + b" do it",
    b"so far " + PROGRESS + b" 3/4",
    PROGRESS[:5],
    b"[c0] forged",
)


def lines(*, long: int = 5000) -> st.SearchStrategy[bytes]:
    r"""Lines without their end: plain ones, and all that has ever torn one.

    Lone `\r`, NUL, invalid and split UTF-8, colours, markers, empty ones, and long ones.

    Args:
        long: Bytes of the longest line.
    """
    return st.one_of(
        st.sampled_from(_AWKWARD),
        st.binary(max_size=20).map(lambda data: data.replace(b"\n", b"")),
        st.lists(st.sampled_from(_AWKWARD), max_size=4).map(b"".join),
        st.integers(1, long).map(lambda size: b"x" * size),
    )


def byte_streams(*, max_lines: int = 12, long: int = 5000) -> st.SearchStrategy[bytes]:
    r"""What a child may write from start to end: lines that end with `\n` or `\r\n`, the last maybe open.

    Args:
        max_lines: The most lines.
        long: Bytes of the longest line.
    """
    line = st.tuples(lines(long=long), st.sampled_from([b"\n", b"\n", b"\r\n"])).map(b"".join)
    return st.tuples(
        st.lists(line, max_size=max_lines).map(b"".join), st.one_of(st.just(b""), lines(long=long))
    ).map(b"".join)


def cuttings(data: bytes, *, max_cuts: int = 8) -> st.SearchStrategy[list[bytes]]:
    """Ways to cut bytes into pieces, empty ones among them; joined, the pieces are the bytes.

    Args:
        data: What to cut.
        max_cuts: The most places to cut at.
    """
    places = st.lists(st.integers(0, len(data)), max_size=max_cuts).map(sorted)
    return places.map(
        lambda at: [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)],
    )


@st.composite
def scripts(draw: st.DrawFn, *, max_steps: int = 8, failing: bool = True) -> list[Step]:
    """Scripts for a `ScriptedExecutor` that come to an end by themselves.

    Bursts, half lines with pauses around the 50 ms after which an open line is shown,
    errors, messages, and an end of any kind.

    Args:
        draw: Given by hypothesis.
        max_steps: The most steps before the end.
        failing: Whether the end may be an exception or a status other than 0.
    """
    kinds = st.sampled_from(["output", "output", "output", "error"])
    step: st.SearchStrategy[Step] = st.one_of(
        st.builds(Send, byte_streams(max_lines=4), kinds),
        st.builds(Send, lines(), kinds),
        st.builds(SendLine, lines(), kinds),
        st.builds(Pause, st.sampled_from([0.0, 0.04, 0.06, 1.0])),
    )
    script = draw(st.lists(step, max_size=max_steps))
    if failing:
        ends: list[list[Step]] = [[], [Exit(0)], [Exit(3)], [Exit(None, 9)], [Fail(ValueError("as told"))]]
        script += draw(st.sampled_from(ends))
    return script

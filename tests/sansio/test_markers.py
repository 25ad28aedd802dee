"""Cutting blocks around the lines that bear a marker."""

from __future__ import annotations

import itertools
from typing import SupportsIndex

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from axiom_trio.sansio import markers
from axiom_trio.sansio.events import Kind
from axiom_trio.sansio.markers import INTERVENTION, PROGRESS

fragments = st.sampled_from(
    [
        *[b"\n", b"\n", b"\n", b"\r\n", b"plain", b"[", b"]", b"[INFO]", b"[INTERVENTION", b"INTERVENTION]"],
        *[INTERVENTION, INTERVENTION, PROGRESS, PROGRESS, b"[PROG", b"RESS]", b"\xff", b"[[PROGRESS]]"],
    ]
)
blocks = st.lists(fragments, max_size=20).map(b"".join)


def marked(line: bytes) -> bool:
    return INTERVENTION in line or PROGRESS in line


def model(block: bytes, kind: Kind) -> list[tuple[Kind, bytes]]:
    """Line by line: a marked one alone, neighbours without a marker together."""
    pieces: list[tuple[Kind, bytes]] = []
    lines = [line for line in block.replace(b"\n", b"\n\0").split(b"\0") if line]
    for is_marked, group in itertools.groupby(lines, marked):
        if is_marked:
            pieces += [("intervention" if INTERVENTION in line else "progress", line) for line in group]
        else:
            pieces.append((kind, b"".join(group)))
    return pieces


@settings(deadline=None)
@given(blocks, st.sampled_from(["output", "error"]))
@example(b"", "output")
@example(INTERVENTION, "output")
@example(PROGRESS + INTERVENTION + b"\n", "output")
@example(b"a\n" + PROGRESS + b"\nb\nc\n" + INTERVENTION, "error")
def test_cut_against_line_by_line(block: bytes, kind: Kind) -> None:
    pieces = markers.cut(block, kind)
    assert pieces == model(block, kind)
    assert b"".join(piece for _, piece in pieces) == block
    assert markers.has_marker(block) is any(piece_kind != kind for piece_kind, _ in pieces)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"", "output"),
        (b"[INTERVENTION] stop\n", "intervention"),
        (b"  12:00 [PROGRESS] 40%\n", "progress"),
        (b"[PROGRESS] [INTERVENTION]\n", "intervention"),
        (b"[intervention] [Progress]\n", "output"),
        (b"[INTERVENTION", "output"),
        (b"\x1b[31m[PROGRESS]\x1b[0m", "progress"),
    ],
)
def test_kind_of(line: bytes, kind: Kind) -> None:
    assert markers.kind_of(line) == kind
    assert markers.has_marker(line) is (kind != "output")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"[INTERVENTION] stop it\n", "stop it"),
        (b"agent: [INTERVENTION]\r\n", ""),
        (b"[INTERVENTION] a [INTERVENTION] b\n", "a [INTERVENTION] b"),
        (b"[INTERVENTION] \xff\xc3\xa9\n", "\ufffdé"),
        (b"nothing\n", ""),
    ],
)
def test_claimed_text(line: bytes, text: str) -> None:
    assert markers.claimed_text(line) == text


def test_a_block_without_marker_stays_the_same_object() -> None:
    block = b"plain [x]\nlines\n"
    [(kind, piece)] = markers.cut(block)
    assert (kind, piece) == ("output", block)
    assert piece is block


class Counted(bytes):
    """Bytes that count how far they are searched and copied."""

    work = 0

    def find(  # type: ignore[override]  # (narrower than of bytes)
        self, sub: bytes, start: SupportsIndex = 0, end: SupportsIndex | None = None
    ) -> int:
        found = super().find(sub, start, end)
        Counted.work += (found if found >= 0 else len(self)) - int(start)
        return found

    def rfind(  # type: ignore[override]  # (narrower than of bytes)
        self, sub: bytes, start: SupportsIndex = 0, end: SupportsIndex | None = None
    ) -> int:
        found = super().rfind(sub, start, end)
        Counted.work += (len(self) if end is None else int(end)) - max(found, int(start))
        return found

    def __getitem__(self, index: slice) -> bytes:  # type: ignore[override]  # (narrower than of bytes)
        piece = super().__getitem__(index)
        Counted.work += len(piece)
        return piece


@pytest.mark.parametrize("count", [10, 1000, 5_000])
@pytest.mark.parametrize(
    "lines",
    [
        b"plain [x]\n",
        b"[INTERVENTION] a\n",
        b"[PROGRESS] 1%\nplain\n",
        b"[PROGRESS]\n" * 9 + b"[INTERVENTION]\n",
        b"[INTERVENTION] [PROGRESS] [INTERVENTION]\n",
        b"no newline at all [PROGRESS] [INTERVENTION] ",
    ],
)
def test_cutting_is_linear(lines: bytes, count: int) -> None:
    block = Counted(lines * count)
    Counted.work = 0
    markers.cut(block)
    assert Counted.work <= 5 * len(block)

"""The rows of the footer: they fit, they say what is so, and nothing more."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from axiom_trio.sansio.amounts import format_count, format_size
from axiom_trio.terminal.footer import ChildRow, Footer, Totals, choose

STATES = ["running", "silent", "starting", "restarting", "stopping", "failed", "queued", "stopped", "done"]


def totals(**changes: object) -> Totals:
    values = {"children": 2, "states": {"running": 2}, "lines": 12345, "rate": 3.2e6, "interventions": 2}
    return Totals(**{**values, "seconds": 65.0, **changes})


def drawn(
    footer: Footer,
    totals: Totals,
    children: list[ChildRow],
    hidden: dict[str, int],
    *,
    columns: int,
    input_line: tuple[str, int] | None = None,
) -> list[bytes]:
    laid = [footer.lay(child) for child in children]
    return [*footer.rows(totals, laid, hidden, columns=columns, input_line=input_line)]


def plain(rows: list[bytes]) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;]*m", "", row.decode()) for row in rows]


def test_what_it_looks_like() -> None:
    rows = drawn(
        Footer(color=False),
        totals(states={"running": 2, "failed": 1}, children=3),
        [
            ChildRow(
                "api", "36", "running", lines=1234, rate=56.2, fraction=0.427, seconds=0.2, interventions=1
            ),
            ChildRow("web", "33", "running", lines=7, seconds=12.0, chosen=True, text="Proceed? [y/N]"),
            ChildRow("test", "32", "failed", lines=1, rate=3.0, seconds=4.9, detail="exit 3"),
        ],
        {},
        columns=85,
        input_line=("api: hello", 7),
    )
    assert plain(rows) == [
        "── 3 children · 2 running · 1 failed · 12,345 lines · 3.2 MB/s · ⚡ 2 · 1 m 05 s ────",
        "  api   |████░░░░░░|  42 %  1,234 lines  56/s       now  ⚡1  running",
        "▶ web   ⠧                       7 lines        12 s ago       running   Proceed? [y/…",
        "  test                           1 line             4 s       ✗ exit 3",
        "› api: he▏llo",
    ]


def test_what_is_left_out_is_counted() -> None:
    rows = drawn(
        Footer(color=False),
        totals(children=14),
        [ChildRow("a", "36", "running")],
        {"queued": 2, "running": 9, "failed": 1},
        columns=60,
    )
    assert plain(rows)[-1] == "… and 12 more: 9 running, 1 failed, 2 queued"


def test_a_view_that_stands_still_says_so() -> None:
    [head] = plain(drawn(Footer(color=False), totals(paused="paused, the children wait"), [], {}, columns=80))
    assert head.startswith("── ⏸ paused, the children wait ")


text = st.text("ab漢é⚡👍 ", max_size=40)
rows_of_children = st.lists(
    st.builds(
        ChildRow,
        name=text,
        color=st.just("36"),
        state=st.sampled_from(STATES),
        lines=st.integers(0, 10**10),
        rate=st.floats(0, 1e9),
        fraction=st.none() | st.floats(0, 1),
        seconds=st.none() | st.floats(0, 1e6),
        interventions=st.integers(0, 999),
        detail=text,
        chosen=st.booleans(),
        text=text,
    ),
    max_size=6,
)


@given(
    st.lists(rows_of_children, min_size=1, max_size=3),
    st.integers(1, 120),
    st.booleans(),
    st.none() | text.flatmap(lambda t: st.tuples(st.just(t), st.integers(0, len(t)))),
    st.dictionaries(st.sampled_from(STATES), st.integers(1, 999)),
)
def test_rows_fit_whatever_they_say(
    drawings: list[list[ChildRow]],
    columns: int,
    color: bool,
    typed: tuple[str, int] | None,
    hidden: dict[str, int],
) -> None:
    footer = Footer(color=color)
    for children in drawings:
        rows = drawn(footer, totals(), children, hidden, columns=columns, input_line=typed)
        assert len(rows) == 1 + len(children) + bool(hidden) + (typed is not None)
        for row in plain(rows):
            assert cell_len(row) <= columns
            assert "\n" not in row
            assert "\x1b" not in row
        assert color or b"\x1b" not in b"".join(rows)
        for child, row in zip(children, plain(rows)[1:], strict=False):
            if child.fraction is None:
                assert "%" not in row
                assert "█" not in row
        if typed is not None and columns > 6:
            assert "▏" in plain(rows)[-1]


@given(
    st.lists(rows_of_children, min_size=1, max_size=4), st.lists(st.integers(20, 80), min_size=4, max_size=4)
)
def test_what_was_made_before_changes_nothing(drawings: list[list[ChildRow]], columns: list[int]) -> None:
    footer, widest = Footer(color=True), Footer(color=True)
    for children in drawings:
        for child in children:
            widest.lay(child)
    for children in drawings:
        for child in children:
            footer.lay(child)
    for children, width in [*zip(drawings, columns, strict=False)] * 2:
        fresh = Footer(color=True)
        fresh._widths = [*widest._widths]
        wanted = drawn(fresh, totals(), children, {}, columns=width)
        assert drawn(footer, totals(), children, {}, columns=width) == wanted


def test_a_row_that_says_the_same_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    real = Footer._row
    monkeypatch.setattr(
        Footer, "_row", lambda self, laid, *rest: made.append(laid.cells[0]) or real(self, laid, *rest)
    )
    footer = Footer(color=True)
    for lines in (2, 2, 3):
        children = [ChildRow("one", "36", "running", lines=2), ChildRow("two", "33", "running", lines=lines)]
        drawn(footer, totals(), children, {}, columns=80)
    assert made == ["one", "two", "two"]


@given(st.lists(st.sampled_from(STATES), max_size=30), st.integers(0, 12), st.none() | st.integers(0, 29))
def test_who_is_shown(states: list[str], room: int, marked: int | None) -> None:
    marked = marked if marked is not None and marked < len(states) else None
    shown, hidden = choose(states, room, marked)
    if room == 1 and marked is not None and len(states) > 1:
        assert (shown, hidden) == ([marked], {})  # the one row is for the one that the keys act on
        return
    assert shown == sorted({*shown})
    assert len(shown) + bool(hidden) <= max(room, 1)
    assert len(shown) + sum(hidden.values()) == len(states)
    if len(states) <= room:
        assert not hidden
    elif shown:
        assert len(shown) == room - 1
        assert marked is None or marked in shown
        first = {"running", "silent", "starting", "restarting", "stopping", "failed"}
        if any(state in first for state in hidden):
            assert all(states[n] in first or n == marked for n in shown)


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        (format_size(0), "0 B"), (format_size(999), "999 B"), (format_size(1000), "1.0 kB"),
        (format_size(3.2e6), "3.2 MB"), (format_size(123.4e6), "123 MB"), (format_size(5e12), "5000 GB"),
        (format_size(999_600), "1.0 MB"),
        (format_count(0.44), "0.4"), (format_count(1), "1"), (format_count(56.4), "56"),
        (format_count(12_345), "12.3k"), (format_count(2e6), "2.0M"), (format_count(3e9), "3000M"),
    ],
)  # fmt: skip
def test_amounts(got: str, wanted: str) -> None:
    assert got == wanted

"""Pages join to the same text, wherever they end; and arguments that can't be get a sentence."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.sansio.events import Completed, Exit, Gap, Output
from axiom_trio.spawn.mcp_page import LARGEST, Page, cursor_of
from axiom_trio.spawn.mcp_schema import ArgumentError, arguments, schema_of
from axiom_trio.spawn.mcp_tools import Spawn


def task(id_: str) -> Any:
    return SimpleNamespace(name=f"task {id_}", tty=False)


def pages(events: list[Any], limit: int, wanted: str | None = None) -> list[Page]:
    """All pages; each begins where the one before has ended."""
    found = []
    position = 0
    while position < cursor_of(len(events)):
        page = Page(limit, position, task)
        for event in events[position >> 20 :]:
            page.take(event, wanted=wanted in (None, event.child))
            if page.full:
                break
        assert page.position > position, "it moves on"
        position = page.position
        found.append(page)
    return found


def text_of(found: list[Page], child: str) -> str:
    return "".join(
        e.text for page in found for e in page.entries if e.task_id == child and e.kind == "output"
    )


# Open lines go on in the same child's next block.
BLOCKS = st.lists(
    st.tuples(st.sampled_from("ab"), st.text("x€\U0001f600 \n", max_size=30), st.booleans()), max_size=20
)


def events_of(blocks: list[tuple[str, str, bool]]) -> tuple[list[Any], dict[str, str]]:
    events: list[Any] = []
    expected = {"a": "", "b": ""}
    for child, text, whole in blocks:
        lines = text.splitlines(keepends=True) if text else []
        if whole and lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        for data in ["".join(lines)] if whole else lines:
            events.append(
                Output(
                    cursor=len(events),
                    time=0.0,
                    child=child,
                    seq=0,
                    kind="output",
                    data=data.encode(),
                    lines=data.count("\n"),
                    partial=not data.endswith("\n"),
                )
            )
            expected[child] += data
    return [event for event in events if event.data], expected


@given(BLOCKS, st.integers(1, 40))
def test_wherever_pages_end_the_text_is_the_same(blocks: list[tuple[str, str, bool]], limit: int) -> None:
    events, expected = events_of(blocks)
    for number, event in enumerate(events):
        object.__setattr__(event, "cursor", number)
    found = pages(events, limit)
    for child in "ab":
        assert text_of(found, child) == expected[child]
        assert text_of(pages(events, limit, child), child) == expected[child]
    assert all(page.lines <= limit for page in found)
    assert sum(page.lines for page in found) == sum(text.count("\n") for text in expected.values())


@pytest.mark.parametrize("shift", range(4))
def test_a_line_that_is_too_long_is_cut_between_characters(shift: int) -> None:
    line = "x" * shift + "\U0001f600" * 30_000 + "\n"
    event = Output(cursor=0, time=0.0, child="a", seq=0, kind="output", data=line.encode(), lines=1)
    found = pages([event], 10)
    assert text_of(found, "a") == line
    assert [e.partial for page in found for e in page.entries] == [True] * (len(found) - 1) + [False]
    assert all(sum(len(e.text.encode()) for e in page.entries) <= LARGEST for page in found)


def test_a_short_page_leaves_a_long_line_to_the_next() -> None:
    events = [
        Output(cursor=n, time=0.0, child="a", seq=n, kind="output", data=data, lines=1)
        for n, data in enumerate([b"short\n", b"y" * LARGEST + b"\n", b"last"])
    ]
    found = pages(events, 10)
    assert [page.lines for page in found] == [1, 0, 2]
    assert text_of(found, "a") == "short\n" + "y" * LARGEST + "\nlast\n", "a last line is a line"


def test_what_is_gone_is_told() -> None:
    page = Page(10, 0, task)
    page.take(Gap(from_cursor=0, to_cursor=7, events=7, lines=5, bytes=99), wanted=False)
    assert page.position == cursor_of(7)
    [entry] = page.entries
    assert entry.kind == "gap"
    assert "5 lines (99 bytes) are gone" in entry.text


@pytest.mark.parametrize(
    ("exit_", "reason", "wanted"),
    [
        (Exit(0), "exit", "ok: exit 0, after 1.5 s\n"),
        (Exit(3), "exit", "failed: exit 3, after 1.5 s\n"),
        (Exit(None, 15), "stopped", "stopped: signal 15, after 1.5 s\n"),
    ],
)
def test_an_end_in_words(exit_: Exit, reason: Any, wanted: str) -> None:
    page = Page(10, 0, task)
    ended = Completed(
        cursor=0,
        time=0.0,
        child="a",
        exit=exit_,
        reason=reason,
        duration=1.5,
        bytes=0,
        lines=0,
        interventions=0,
    )
    page.take(ended, wanted=True)
    [entry] = page.entries
    assert (entry.kind, entry.text, entry.name) == ("completed", wanted, "task a")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
SCHEMA = schema_of(Spawn)


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "other"]), JSON, max_size=4))
def test_any_arguments_are_taken_or_get_a_sentence(given_: dict[str, Any]) -> None:
    text = ""
    try:
        arguments(Spawn, given_, SCHEMA, "axiom_mcp_spawn")
    except ArgumentError as error:
        text = str(error)
    assert "\n" not in text
    assert "- at `$" not in text  # as msgspec says it
    assert len(text) < 300

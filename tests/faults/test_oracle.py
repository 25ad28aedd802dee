"""The oracle has teeth: whatever goes wrong with a line is seen, and what's right is not blamed."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.child import block, payloads
from tests.faults.oracle import Oracle, check

TASKS = dict.fromkeys("abc", 200)


def merged() -> list[bytes]:
    """A right merged stream, as lines."""
    queues = {task: [f"[{task}] ".encode() + text for text in lines_of(task)] for task in TASKS}
    chance = random.Random(1)
    rows: list[bytes] = []
    while any(queues.values()):
        queue = chance.choice([queue for queue in queues.values() if queue])
        count = chance.randint(1, 9)
        rows += queue[:count]
        del queue[:count]
    return rows


def lines_of(task: str) -> list[bytes]:
    name = task.encode()
    return block(name, 0, TASKS[task], 80, payloads(name)).splitlines(keepends=True)


GOOD = merged()


def swap(rows: list[bytes]) -> list[bytes]:
    a = [index for index, row in enumerate(rows) if row.startswith(b"[a]")]
    rows[a[7]], rows[a[8]] = rows[a[8]], rows[a[7]]
    return rows


BREAKS: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "a line lost": lambda rows: rows[:99] + rows[100:],
    "the last line lost": lambda rows: rows[:-1],
    "a line twice": lambda rows: [*rows[:99], rows[98], *rows[99:]],
    "two lines swapped": swap,
    "a newline lost": lambda rows: [*rows[:99], rows[99][:-1], *rows[100:]],
    "a line cut in two": lambda rows: [*rows[:99], rows[99][:30] + b"\n", rows[99][30:], *rows[100:]],
    "a byte changed": lambda rows: [*rows[:99], rows[99][:50] + b"!" + rows[99][51:], *rows[100:]],
    "another's prefix": lambda rows: [*rows[:99], b"[b] " + b"".join(lines_of("c")[:1]), *rows[99:]],
    "no prefix": lambda rows: [*rows[:99], rows[99][4:], *rows[100:]],
    "something else": lambda rows: [*rows[:99], b"[a] Traceback\n", *rows[99:]],
    "the last newline lost": lambda rows: [*rows[:-1], rows[-1][:-1]],
}


def right(rows: list[bytes]) -> bool:
    found = check(b"".join(rows), TASKS.keys())
    return found.exact and found.lost(TASKS) == 0


@pytest.mark.parametrize("name", BREAKS)
def test_each_break_is_seen(name: str) -> None:
    assert not right(BREAKS[name](list(GOOD)))


@given(st.lists(st.integers(0, 50_000), max_size=20))
def test_a_right_stream_is_right_however_it_is_cut(cuts: list[int]) -> None:
    data = b"".join(GOOD)
    oracle = Oracle({task: f"[{task}] ".encode() for task in TASKS})
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, stop in zip(places, places[1:], strict=False):
        oracle.feed(data[start:stop])
    found = oracle.end()
    assert found.exact
    assert found.lost(TASKS) == 0

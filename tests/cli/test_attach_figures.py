"""The rows below the stream of a run in another terminal."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import trio

from axiom_trio.cli.attach_figures import Figures
from axiom_trio.sansio.events import Exit
from axiom_trio.server.remote import ChildInfo


def info(index: int, ended: Exit | None = None, **more: Any) -> ChildInfo:
    values: dict[str, Any] = {
        "id": f"{index:08}",
        "name": f"c{index}",
        "index": index,
        "state": "running" if ended is None else "completed",
        "pid": 1,
        "tty": False,
        "exit": ended,
        "reason": None if ended is None else "exited",
        "lines": 10 * index,
        "bytes": 100,
        "interventions": 0,
        "restarts": 0,
        "uptime": 5.0,
        "idle": 0.0,
        "wire": {},
    }
    return ChildInfo(**(values | more))


def sink(rows: int, chosen: str | None = None) -> Any:
    return SimpleNamespace(size=(rows, 120), chosen=chosen, paused=False, input_line=("", 0))


async def test_they_are_chosen_as_they_stand_in_the_rows() -> None:
    figures = Figures(0.0, color=False)
    figures.take([info(0, Exit(0)), info(1, Exit(3)), info(2), info(3)])
    assert figures.order(sink(40)) == ["00000000", "00000001", "00000002", "00000003"]
    assert figures.order(sink(12)) == ["00000002", "00000003", "00000000", "00000001"]
    shown = [row.decode().split() for row in figures.rows(sink(12, "00000002"))]
    assert [words[:2] for words in shown[1:3]] == [["▶", "c2"], ["…", "and"]]


async def test_what_the_rows_say(mock_clock: trio.testing.MockClock) -> None:
    mock_clock.autojump_threshold = 0
    figures = Figures(0.0, color=False)
    figures.take([info(1, Exit(0)), info(2, Exit(3)), info(3, idle=29.0), info(4, state="queued")])
    await trio.sleep(2)  # nothing was told since
    head, *rows = [row.decode() for row in figures.rows(sink(40))]
    assert "4 children · 1 running · 1 failed · 1 queued · 1 done · 100 lines" in head
    assert [row.split()[-1] for row in rows[:4]] == ["done", "3", "silent", "queued"]
    assert "31 s ago" in rows[2]

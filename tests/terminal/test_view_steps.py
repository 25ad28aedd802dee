"""The footer is made in steps, and others have their turn in between."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import trio

from axiom_trio import open_aggregator
from axiom_trio.terminal import view
from axiom_trio.terminal.footer import Footer
from axiom_trio.terminal.view import View
from axiom_trio.testing import Forever, ScriptedExecutor


async def test_lines_do_not_wait_for_a_whole_drawing(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    happened: list[str] = []
    lay, cut = Footer.lay, Footer._cut
    monkeypatch.setattr(view, "_STEP", 0.0)
    monkeypatch.setattr(Footer, "lay", lambda *given: happened.append("work") or lay(*given))
    monkeypatch.setattr(Footer, "_cut", lambda *given: happened.append("work") or cut(*given))
    drawn: list[list[bytes]] = []
    enough = trio.Event()

    async def draw(rows: list[bytes]) -> None:
        drawn.append(rows)
        if len(drawn) == 3:
            enough.set()

    sink = SimpleNamespace(
        size=(40, 100), chosen=None, input_line=None, in_foreground=True, paused=False, draw=draw,
        wait_redraw=trio.sleep_forever,
    )  # fmt: skip

    async def lines() -> None:
        while True:
            await trio.sleep(view._BREAK / 2)
            happened.append("line")

    async with open_aggregator() as aggregator, trio.open_nursery() as nursery:
        for n in range(8):
            aggregator.start_soon(ScriptedExecutor([Forever()]), name=f"child-{n}")
        nursery.start_soon(lines)
        nursery.start_soon(View(sink, aggregator, color=True, at_once=True).run)
        with trio.fail_after(60):
            await enough.wait()
        nursery.cancel_scope.cancel()
        aggregator.stop()
    assert len(drawn[0]) == 9
    assert "work work" not in " ".join(happened)
    assert happened.count("work") >= 9

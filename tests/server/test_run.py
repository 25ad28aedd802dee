"""`axiom_trio.run` with a port: `outputMode` of the API."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import axiom_trio
from axiom_trio import Server
from axiom_trio.testing import Pause, ScriptedExecutor, Send
from tests.commands import PATIENCE, Collector


@pytest.mark.parametrize("mode", ["websocket", "both", None])
async def test_who_looks_on_sees_all(mode: Any, capsys: pytest.CaptureFixture[str]) -> None:
    servers: list[Server] = []
    seen: list[str] = []
    collector = Collector()
    listening = trio.Event()

    def told(server: Server) -> None:
        servers.append(server)
        listening.set()

    async def look_on() -> None:
        await listening.wait()
        async with axiom_trio.connect(url=servers[0].url) as client:
            assert client.hello.rights == ("view",)
            seen.extend([e["data"]["text"] async for e in client.subscribe() if e["type"] == "stream"])

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(look_on)
            child = ScriptedExecutor([Pause(0.5), Send(b"one\n"), Pause(0.1), Send(b"two\n")])
            sinks = None if mode == "websocket" else [collector]
            result = await axiom_trio.run({"a": child}, output_mode=mode, listening=told, sinks=sinks)
    assert result.ok
    assert "".join(seen) == "one\ntwo\n"
    assert collector.written == (b"" if mode == "websocket" else b"[a] one\n[a] two\n")
    assert capsys.readouterr() == ("", "")


async def test_urls_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    await axiom_trio.run({"a": ScriptedExecutor([])}, output_mode="websocket")
    assert capsys.readouterr().err.count("http://127.0.0.1:") == 2


async def test_modes_that_can_not_be() -> None:
    for sentence, arguments in (
        ("an output mode is console, websocket or both", {"output_mode": "page"}),
        ("nothing listens", {"output_mode": "console", "listen": 0}),
        ("there is no port", {"listen": 70000}),
    ):
        with pytest.raises(axiom_trio.SpecificationError, match=sentence):
            await axiom_trio.run({"a": ScriptedExecutor([])}, sinks=[], **arguments)  # type: ignore[arg-type]  # (what it must refuse)

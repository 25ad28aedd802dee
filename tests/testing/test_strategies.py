"""Drawn streams and scripts, through the whole engine."""

from __future__ import annotations

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from axiom_trio import TextFormat, open_aggregator
from axiom_trio.testing import MemorySink, ScriptedExecutor, Send
from axiom_trio.testing.strategies import byte_streams, cuttings, scripts


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(byte_streams().flatmap(lambda data: st.tuples(st.just(data), cuttings(data))))
def test_any_cutting_gives_the_same_text(drawn):
    data, pieces = drawn
    assert b"".join(pieces) == data
    sink = MemorySink(TextFormat())

    async def main() -> None:
        async with open_aggregator([sink]) as aggregator:
            aggregator.start_soon(ScriptedExecutor([Send(piece) for piece in pieces]), id="a", name="a")

    trio.run(main)
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    assert sink.text_written == b"".join(b"[a] " + line + b"\n" for line in lines)
    assert sink.data("a") == data


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(scripts(), min_size=1, max_size=3))
def test_all_that_scripted_children_write_arrives(drawn):
    executors = [ScriptedExecutor(script) for script in drawn]
    sink = MemorySink()

    async def main() -> None:
        async with open_aggregator([sink], gate=4096) as aggregator:
            for number, executor in enumerate(executors):
                aggregator.start_soon(executor, id=str(number))

    trio.run(main, clock=MockClock(autojump_threshold=0))
    for number, executor in enumerate(executors):
        assert sink.data(str(number), errors=False) == executor.accepted()
        assert sink.data(str(number), errors=True).startswith(executor.accepted("error"))

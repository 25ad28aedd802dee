"""Children that are streams of this program."""

from __future__ import annotations

import trio

from axiom_trio import StreamExecutor, open_aggregator
from axiom_trio.testing import MemorySink


async def test_what_lies_ready_before_an_item_that_is_none_is_shown() -> None:
    sender, receiver = trio.open_memory_channel[object](10)
    for item in (b"one\n", b"two\n", "three", 4, b"five\n"):
        sender.send_nowait(item)
    sender.close()
    sink = MemorySink()
    with trio.fail_after(60):
        async with open_aggregator([sink]) as aggregator:
            child = aggregator.start_soon(StreamExecutor(receiver), id="a")
    assert sink.data("a", errors=False) == b"one\ntwo\nthree\n"
    assert child.completed is not None
    assert "int came out of the stream" in str(child.completed.exit.error)

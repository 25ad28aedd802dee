"""Reading events from within the program: replay and live, back-pressure, and gaps."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from axiom_trio import open_aggregator
from axiom_trio.sansio.events import AllCompleted, Completed, Gap, Output, Started
from axiom_trio.testing import MemorySink, Pause, Puppet, ScriptedExecutor, Send


def run(main) -> None:
    async def bounded() -> None:
        with trio.fail_after(10_000):
            await main()

    trio.run(bounded, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize("after", [None, "now", 7])
def test_replay_goes_over_into_live_without_gap_or_duplicate(after):
    async def main() -> None:
        sink = MemorySink()
        seen = []
        script = [step for n in range(300) for step in (Send(b"%d\n" % n), Pause(0.001))]

        async def read() -> None:
            async with aggregator.subscribe(after) as events:
                async for event in events:
                    seen.append(event)
                    await trio.sleep(0.0007)

        async with trio.open_nursery() as nursery, open_aggregator([sink]) as aggregator:
            for name in "ab":
                aggregator.start_soon(ScriptedExecutor(script), id=name)
            await trio.sleep(0.1)
            first = {None: 0, "now": aggregator.statistics().next_cursor, 7: 8}[after]
            nursery.start_soon(read)
            await wait_all_tasks_blocked()
        assert seen == sink.events[first:]
        assert len(seen) > 200

    run(main)


def test_a_lossless_subscription_stops_the_children_and_a_lossy_one_does_not():
    async def main() -> None:
        for lossless in (True, False):
            puppet = Puppet()
            async with open_aggregator([MemorySink()], gate=4096) as aggregator:
                aggregator.start_soon(puppet)
                async with aggregator.subscribe(lossless=lossless):
                    for n in range(10):
                        puppet.post(Send(b"%032767d\n" % n))
                    await wait_all_tasks_blocked()
                    assert puppet.blocked == lossless
                await wait_all_tasks_blocked()
                assert not puppet.blocked, "closing a subscription lets the children go on"
                puppet.end()

    run(main)


def test_a_viewer_overtaken_while_reading_gets_exact_gaps():
    async def main() -> None:
        sink = MemorySink()
        puppet = Puppet()
        seen = []
        async with open_aggregator([sink], history=4000) as aggregator:
            aggregator.start_soon(puppet, id="a")
            async with aggregator.subscribe(lossless=False) as events:
                for n in range(100):
                    await puppet.send(b"%0300d\n\n" % n, "error" if n % 2 else "output")
                    await wait_all_tasks_blocked()
                    if n % 23 == 0:
                        seen.append(await anext(events))
                puppet.end()
                await aggregator.wait_all_completed()
                async for event in events:
                    seen.append(event)
                    if type(event) is AllCompleted:
                        break
        position = 0
        for event in seen:
            if type(event) is Gap:
                missed = sink.events[event.from_cursor : event.to_cursor]
                assert event.from_cursor == position
                assert event.events == len(missed)
                assert event.lines == sum(e.lines for e in missed if type(e) is Output)
                assert event.bytes == sum(len(e.data) for e in missed if type(e) is Output)
                position = event.to_cursor
            else:
                assert event == sink.events[position]
                position += 1
        assert position == len(sink.events)
        assert sum(type(event) is Gap for event in seen) >= 2

    run(main)


def test_one_who_comes_back_from_the_very_beginning_gets_an_exact_gap():
    async def main() -> None:
        async with open_aggregator([MemorySink()], history=2000) as aggregator:
            child = aggregator.start_soon(ScriptedExecutor([Send(b"%0999d\n" % n) for n in range(300)]))
            await child.wait()
            async with aggregator.subscribe(after=-1, lossless=False) as events:
                gap = await anext(events)
                rest = [
                    await anext(events) for _ in range(aggregator.statistics().next_cursor - gap.to_cursor)
                ]
        assert gap.from_cursor == 0
        assert gap.lines + sum(e.lines for e in rest if type(e) is Output) == 300
        assert gap.bytes + sum(len(e.data) for e in rest if type(e) is Output) == 300_000

    run(main)


def test_only_the_events_of_some_children():
    async def main() -> None:
        async with open_aggregator() as aggregator:
            puppets = [Puppet() for _ in range(2)]
            a, b = (
                aggregator.start_soon(puppet, id=name) for puppet, name in zip(puppets, "ab", strict=True)
            )
            async with aggregator.subscribe(children=[a]) as events:
                for puppet in reversed(puppets):
                    await puppet.send(b"x\n")
                    puppet.end()
                    await wait_all_tasks_blocked()
                await b.wait()
                seen = [await anext(events) for _ in range(4)]
        assert [type(event) for event in seen] == [Started, Output, Completed, AllCompleted]
        assert {event.child for event in seen[:3]} == {"a"}

    run(main)


def test_a_subscription_must_be_entered():
    async def main() -> None:
        async with open_aggregator() as aggregator:
            with pytest.raises(trio.ClosedResourceError, match="async with"):
                await anext(aggregator.subscribe())

    run(main)


@pytest.mark.parametrize("steps", range(3))
def test_closing_a_subscription_wakes_who_reads_it(steps: int):
    async def main() -> None:
        async def read() -> None:
            with pytest.raises(trio.ClosedResourceError):
                async for _ in events:
                    pass

        async with (
            open_aggregator() as aggregator,
            trio.open_nursery() as nursery,
            aggregator.subscribe() as events,
        ):
            nursery.start_soon(read)
            for _ in range(steps):
                await wait_all_tasks_blocked() if steps == 2 else await trio.lowlevel.checkpoint()
            events.close()

    run(main)

"""Sinks that fail, stall, or are stuck: who goes on, who stops, and when patience ends."""

from __future__ import annotations

import os

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from axiom_trio import ConsoleSink, SinkError, TextFormat, open_aggregator
from axiom_trio.sansio.events import Gap, Output, Stats
from axiom_trio.testing import Forever, MemorySink, Pause, Puppet, ScriptedExecutor, Send


def run(main) -> None:
    async def bounded() -> None:
        with trio.fail_after(10_000):
            await main()

    trio.run(bounded, clock=MockClock(autojump_threshold=0))


TEXT = [Send(b"%d\n" % n) for n in range(50)]


def test_a_failing_sink_is_reported_and_the_others_get_everything():
    async def main() -> None:
        good, bad = (
            MemorySink(TextFormat()),
            MemorySink(fail_at=0, error=OSError(28, "No space left on device")),
        )
        with pytest.raises(SinkError, match=r"MemorySink did not get everything.*No space") as caught:
            async with open_aggregator([good, bad]) as aggregator:
                aggregator.start_soon(ScriptedExecutor([*TEXT, Pause(1), *TEXT]), id="a")
        assert isinstance(caught.value.__cause__, OSError)
        assert [failure.sink for failure in aggregator.sink_failures] == [bad]
        assert bad.calls == ["open", "write", "aclose"]
        assert len(good.data("a").splitlines()) == 100

    run(main)


def test_a_sink_that_cannot_be_opened_is_closed_and_reported():
    async def main() -> None:
        good, bad = MemorySink(), MemorySink(open_error=PermissionError("no"))
        with pytest.raises(SinkError, match="no"):
            async with open_aggregator([good, bad]) as aggregator:
                aggregator.start_soon(ScriptedExecutor(TEXT), id="a")
        assert bad.calls == ["open", "aclose"]
        assert good.data("a")

    run(main)


def test_what_the_block_raises_comes_before_a_sinks_failure():
    async def main() -> None:
        with pytest.raises(KeyError):
            async with open_aggregator([MemorySink(open_error=OSError("no"))]):
                await trio.sleep(1)
                raise KeyError("mine")

    run(main)


def test_when_the_last_lossless_sink_is_gone_the_run_stops():
    async def main() -> None:
        sinks = [MemorySink(fail_at=0), MemorySink(fail_at=0), MemorySink(lossless=False)]
        with pytest.raises(SinkError):
            async with open_aggregator(sinks, jobs=2) as aggregator:
                children = [
                    aggregator.start_soon(ScriptedExecutor([Send(b"x\n"), Forever()])) for _ in range(3)
                ]
                for child in children:
                    assert (await child.wait()).reason == "stopped"
                late = aggregator.start_soon(ScriptedExecutor([Forever()]))
                assert (await late.wait()).reason == "stopped"

    run(main)


def test_a_reader_of_a_descriptor_that_has_left_stops_the_run_whoever_else_reads():
    async def main() -> None:
        other = MemorySink()
        reader, writer = os.pipe()
        os.close(reader)
        with pytest.raises(SinkError) as caught:
            async with open_aggregator([ConsoleSink(descriptor=writer), other]) as aggregator:
                child = aggregator.start_soon(ScriptedExecutor([Send(b"x\n"), Forever()]), id="a")
                assert (await child.wait()).reason == "stopped"
        os.close(writer)
        assert isinstance(caught.value.__cause__, BrokenPipeError)
        assert other.data("a") == b"x\n"

    run(main)


def test_any_other_sink_with_a_broken_pipe_is_only_left_out():
    async def main() -> None:
        other = MemorySink()
        with pytest.raises(SinkError):
            async with open_aggregator([MemorySink(fail_at=0, error=BrokenPipeError()), other]) as aggregator:
                child = aggregator.start_soon(
                    ScriptedExecutor([Send(b"x\n"), Pause(5), Send(b"y\n")]), id="a"
                )
                assert (await child.wait()).reason == "exit"
        assert other.data("a") == b"x\ny\n"

    run(main)


def test_what_is_being_written_still_counts_as_unread():
    async def main() -> None:
        sink = MemorySink(paused=True)
        async with open_aggregator([sink]) as aggregator:
            child = aggregator.start_soon(ScriptedExecutor([Send(b"x" * 1000 + b"\n")]))
            await child.wait()
            await wait_all_tasks_blocked()
            assert sink.calls == ["open", "write"]
            assert aggregator.statistics().log_lag > 1000
            sink.resume()
            await wait_all_tasks_blocked()
            assert aggregator.statistics().log_lag == 0

    run(main)


def test_a_paused_sink_is_waited_for_also_when_a_child_is_stopped():
    async def main() -> None:
        sink = MemorySink(paused=True)
        async with open_aggregator([sink], grace=1.0) as aggregator:
            kept = aggregator.start_soon(ScriptedExecutor([*TEXT, Pause(100), *TEXT]), id="a")
            stopped = aggregator.start_soon(ScriptedExecutor([*TEXT, Forever()]), id="b")
            await wait_all_tasks_blocked()
            stopped.stop()
            await trio.sleep(50)
            sink.resume()
            await kept.wait()
        assert not aggregator.sink_failures
        assert len(sink.data("a").splitlines()) == 100

    run(main)


@pytest.mark.parametrize("moment", ["running", "ended", "leaving"])
def test_a_stuck_sink_is_given_up_when_the_program_is_cancelled(moment):
    async def main() -> None:
        stuck, good = MemorySink(paused=True), MemorySink()
        began = trio.current_time()
        with trio.CancelScope() as scope:
            scope.deadline = began + 20
            async with open_aggregator([stuck, good], grace=3.0) as aggregator:
                script = [*TEXT, Forever()] if moment == "running" else TEXT
                aggregator.start_soon(ScriptedExecutor(script), id="a")
                if moment == "ended":
                    await trio.sleep_forever()
        assert scope.cancelled_caught
        assert 23 <= trio.current_time() - began <= 25
        assert [failure.sink for failure in aggregator.sink_failures] == [stuck]
        assert "took nothing" in str(aggregator.sink_failures[0].error)
        assert stuck.calls[-1] == "aclose"
        assert len(good.data("a").splitlines()) == 50

    run(main)


def test_a_slow_sink_is_not_given_up_while_it_takes_something():
    async def main() -> None:
        slow = MemorySink(delay=0.9)
        with trio.CancelScope() as scope:
            async with open_aggregator([slow], grace=1.0, gate=2000) as aggregator:
                puppet = Puppet(signals="ignore")
                aggregator.start_soon(puppet, id="a")
                for n in range(40):
                    puppet.post(Send(b"%0500d\n" % n, "error" if n % 2 else "output"))
                await wait_all_tasks_blocked()
                scope.cancel()
        assert not aggregator.sink_failures
        assert slow.size == len(puppet.accepted()) + len(puppet.accepted("error"))

    run(main)


def test_a_stuck_viewer_does_not_hold_up_a_cancelled_program():
    async def main() -> None:
        with trio.move_on_after(5) as scope:
            async with open_aggregator([MemorySink(), MemorySink(lossless=False, paused=True)]) as aggregator:
                aggregator.start_soon(ScriptedExecutor(TEXT))
        assert scope.cancelled_caught

    run(main)


def test_a_subscriber_given_up_goes_on_as_a_viewer():
    async def main() -> None:
        sink = MemorySink()
        async with open_aggregator([sink], grace=1.0, gate=2000, history=2000) as aggregator:
            puppet = Puppet(signals="ignore")
            aggregator.start_soon(puppet, id="a")
            async with aggregator.subscribe() as events:
                for n in range(40):
                    puppet.post(Send(b"%0500d\n" % n, "error" if n % 2 else "output"))
                await wait_all_tasks_blocked()
                aggregator.stop()
                await aggregator.wait_all_completed()
                seen = []
                with trio.move_on_after(1):
                    async for event in events:
                        seen.append(event)
        assert any(type(event) is Gap for event in seen)
        assert (
            sum(e.bytes if type(e) is Gap else len(e.data) for e in seen if type(e) in (Gap, Output))
            == sink.size
        )

    run(main)


def test_stats_come_at_their_times_and_coalesce_while_a_sink_is_stuck():
    async def main() -> None:
        sink = MemorySink()
        async with open_aggregator([sink], stats_interval=5.0) as aggregator:
            child = aggregator.start_soon(ScriptedExecutor([*TEXT, Forever()]), id="a")
            await trio.sleep(11)
            stats = sink.of_type(Stats)
            assert len(stats) == 2
            assert (stats[1].active, stats[1].lines, stats[1].bytes) == (1, 50, sink.size)
            assert stats[1].children[0].child == "a"
            assert 9.9 < stats[1].children[0].uptime <= 10.1
            assert 9.9 < stats[1].children[0].idle <= 10.1
            sink.pause()
            await trio.sleep(1000)
            assert aggregator.statistics().next_cursor <= len(sink.events) + 2
            sink.resume()
            child.stop()
        assert sink.of_type(Stats)[-1].active == 1

    run(main)

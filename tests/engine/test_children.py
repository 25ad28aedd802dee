"""The handle on a child, the queue, ids, and what becomes of them all."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

import axiom_trio
from axiom_trio import (
    CallableExecutor,
    Exit,
    NotRunningError,
    SpawnError,
    SpecificationError,
    TextFormat,
    open_aggregator,
)
from axiom_trio.engine.child import Child
from axiom_trio.sansio.events import AllCompleted, Completed, Intervention, Started
from axiom_trio.testing import Fail, Forever, MemorySink, Pause, Puppet, ScriptedExecutor, Send


def run(main) -> None:
    async def bounded() -> None:
        with trio.fail_after(10_000):
            await main()

    trio.run(bounded, clock=MockClock(autojump_threshold=0))


def test_a_normal_end_waits_for_all_children_and_their_output():
    async def main() -> None:
        sink = MemorySink(TextFormat())
        async with open_aggregator([sink]) as aggregator:
            aggregator.start_soon(ScriptedExecutor([Pause(5), Send(b"late"), Exit(3)]), name="a")
        assert sink.text_written == b"[a] late\n"
        completed = sink.of_type(Completed)[0]
        assert (completed.exit, completed.reason, completed.lines) == (Exit(3), "exit", 1)
        assert completed.duration == pytest.approx(5)
        assert sink.events[-1] == AllCompleted(
            cursor=len(sink.events) - 1,
            time=completed.time,
            children=1,
            failed=1,
            bytes=4,
            lines=1,
            interventions=0,
        )

    run(main)


def test_cancelled_from_outside_all_that_was_accepted_is_delivered():
    async def main() -> None:
        sink = MemorySink()
        puppets = [Puppet(signals=signals, goodbye=b"bye\n") for signals in ("none", "obey", "ignore")]
        with trio.CancelScope() as scope:
            async with open_aggregator([sink], gate=4096, grace=2.0) as aggregator:
                children = [aggregator.start_soon(puppet) for puppet in puppets]
                sink.pause()
                for puppet in puppets:
                    for n in range(10):
                        puppet.post(Send(b"%032767d\n" % n))
                await wait_all_tasks_blocked()
                assert all(puppet.blocked for puppet in puppets)
                sink.resume()
                scope.cancel()
        assert scope.cancelled_caught
        for child, puppet in zip(children, puppets, strict=True):
            assert not puppet.running
            assert sink.data(child.id) == puppet.accepted()
            assert child.completed.reason == "cancelled"
        assert puppets[0].accepted().count(b"\n") < 10
        assert puppets[1].accepted().endswith(b"bye\n")
        assert children[1].completed.exit == Exit(None, 15)
        assert children[2].completed.exit == Exit(None, 9), "it ignored TERM until the grace was over"

    run(main)


def test_an_exception_of_the_block_comes_out_as_it_is_and_stops_the_children():
    async def main() -> None:
        executor = ScriptedExecutor([Forever()])
        with pytest.raises(KeyError, match="mine"):
            async with open_aggregator() as aggregator:
                await aggregator.start(executor)
                raise KeyError("mine")
        assert not executor.running
        with pytest.raises(RuntimeError, match="no more children"):
            aggregator.start_soon(executor)

    run(main)


def test_a_group_that_the_block_raises_stays_a_group():
    async def main() -> None:
        with pytest.RaisesGroup(KeyError):
            async with open_aggregator():
                raise ExceptionGroup("mine", [KeyError()])

    run(main)


def test_a_failing_child_says_why_and_harms_no_other():
    async def main() -> None:
        sink = MemorySink(TextFormat())
        async with open_aggregator([sink]) as aggregator:
            bad = aggregator.start_soon(
                ScriptedExecutor([Send(b"ok\nha"), Fail(ValueError("as told"))]), name="bad"
            )
            aggregator.start_soon(ScriptedExecutor([Pause(1), Send(b"fine\n")]), name="good")
        assert bad.completed.exit == Exit(1, error="ValueError: as told")
        assert bad.completed.reason == "error"
        lines = sink.text_written.splitlines()
        assert sorted(lines[1:3]) == [b"[bad] [ERROR] ValueError: as told", b"[bad] ha"]
        assert lines[3] == b"[good] fine"

    run(main)


def test_start_raises_when_the_child_cannot_be_started():
    async def main() -> None:
        sink = MemorySink()
        error = SpawnError(2, "can't start nope: command not found")
        error.__cause__ = FileNotFoundError()
        async with open_aggregator([sink]) as aggregator:
            with pytest.raises(SpawnError, match="command not found"):
                await aggregator.start(ScriptedExecutor([Fail(error)]))
        assert sink.of_type(Completed)[0].exit.code == 127

    run(main)


def test_jobs_run_in_order_and_a_queued_child_can_be_stopped():
    async def main() -> None:
        sink = MemorySink()
        async with open_aggregator([sink], jobs=2) as aggregator:
            children = [
                aggregator.start_soon(ScriptedExecutor([Pause(1 + n / 10)]), name=str(n)) for n in range(6)
            ]
            await wait_all_tasks_blocked()
            assert [child.state for child in children] == ["running"] * 2 + ["queued"] * 4
            assert aggregator.statistics().queued == 4
            children[3].stop()
            assert (await children[3].wait()).reason == "stopped"
            with pytest.raises(NotRunningError, match="not started"):
                await children[5].write(b"x")
        order = [e.name for e in sink.of_type(Started)]
        assert (sorted(order[:2]), order[2:]) == (["0", "1"], ["3", "2", "4", "5"])
        assert sink.events[-1].children == 6
        assert aggregator.statistics().active == 0

    run(main)


def test_all_completed_comes_each_time_nobody_is_active():
    async def main() -> None:
        sink = MemorySink()
        async with open_aggregator([sink]) as aggregator:
            for _ in range(3):
                child = aggregator.start_soon(ScriptedExecutor([Pause(1), Exit(1)]))
                await child.wait()
            await aggregator.wait_all_completed()
        assert [(e.children, e.failed) for e in sink.of_type(AllCompleted)] == [(1, 1), (2, 2), (3, 3)]

    run(main)


def test_ids_are_unique_in_their_first_8_characters():
    async def main() -> None:
        async with open_aggregator() as aggregator:
            aggregator.start_soon(ScriptedExecutor(), id="12345678-one")
            for bad in ("12345678-two", "12345678", ""):
                with pytest.raises(SpecificationError, match="unique in their first 8"):
                    aggregator.start_soon(ScriptedExecutor(), id=bad)
            for _ in range(100):
                aggregator.start_soon(ScriptedExecutor())
        assert len({child.short_id for child in aggregator.children}) == 101

    run(main)


def test_as_completed_gives_the_children_as_they_end_until_none_is_active():
    async def main() -> None:
        async with open_aggregator() as aggregator:
            ended = aggregator.as_completed()
            for n in (3, 1, 2):
                aggregator.start_soon(ScriptedExecutor([Pause(n)]), name=str(n))
            names = [(await anext(ended)).name]  # left in the middle
            names += [child.name async for child in aggregator.as_completed()]
        assert names == ["1", "1", "2", "3"]
        assert [child.name async for child in ended] == ["2", "3"]

    run(main)


def test_tail_and_statistics():
    async def main() -> None:
        async with open_aggregator() as aggregator:
            child = aggregator.start_soon(
                ScriptedExecutor([Send(b"one\r\ntwo\nthr"), Pause(10), Send(b"ee")]), name="a"
            )
            await trio.sleep(4)
            assert child.tail(2) == [b"two", b"thr"]
            assert child.tail(0) == []
            statistics = child.statistics()
            assert (statistics.bytes, statistics.lines) == (12, 2)
            assert statistics.uptime == pytest.approx(4)
            assert statistics.idle == pytest.approx(4)
        assert child.tail() == [b"one", b"two", b"three"]
        assert child.statistics().lines == 3
        assert child.statistics().idle == 0
        assert aggregator.statistics().lines == 3

    run(main)


@given(text=st.text("ab\n", max_size=40).map(str.encode), n=st.integers(-1, 50), lost=st.integers(0, 3))
def test_a_tail_is_the_end_of_what_is_held(text: bytes, n: int, lost: int) -> None:
    port = SimpleNamespace(recent=text[lost:], meter=SimpleNamespace(bytes=len(text)))
    held = text[lost:].splitlines()
    if lost and len(text) > lost and len(held) > 1:
        del held[0]
    assert Child.tail(SimpleNamespace(_port=port), n) == (held[-n:] if n > 0 else [])


def test_wait_for_finds_over_reads_and_open_lines_and_says_when_it_is_in_vain():
    async def main() -> None:
        async with open_aggregator([MemorySink()]) as aggregator:
            child = aggregator.start_soon(
                ScriptedExecutor(
                    [Send(b"liste"), Pause(1), Send(b"ning on 80"), Pause(1), Send(b"80\n"), Pause(1)]
                ),
                name="api",
            )
            assert (await child.wait_for(rb"listening on (\d+)")).group(1) == b"80"
            assert trio.current_time() < 1.2
            assert (await child.wait_for(re.compile(rb"on (\d+)\n"))).group(1) == b"8080"
            with pytest.raises(NotRunningError, match="api ended and nothing it wrote matched"):
                await child.wait_for(rb"never")

    run(main)


def test_wait_for_a_child_whose_end_is_no_longer_held_does_not_wait_for_ever():
    async def main() -> None:
        async with open_aggregator([MemorySink()], history=1000) as aggregator:
            child = aggregator.start_soon(ScriptedExecutor([Send(b"here\n")]), name="a")
            await child.wait()
            flood = aggregator.start_soon(ScriptedExecutor([Send(b"x\n" * 5000), Forever()]))
            await wait_all_tasks_blocked()
            assert aggregator.statistics().oldest_cursor > child.completed.cursor
            with trio.fail_after(60), pytest.raises(NotRunningError, match="nothing it wrote matched"):
                await child.wait_for(rb"here")
            with trio.fail_after(60), pytest.raises(NotRunningError, match="nothing it wrote matched"):
                await child.wait_for(rb"here", after=aggregator.statistics().next_cursor - 1)
            flood.stop()

    run(main)


def test_an_intervention_is_seen_before_it_is_written_and_never_comes_after_the_end():
    async def main() -> None:
        sink = MemorySink(TextFormat())
        puppet = Puppet(takes_input=True)
        async with open_aggregator([sink]) as aggregator:
            child = await aggregator.start(puppet, name="a")
            receipt = await child.intervene("go on")
            assert puppet.input == b"go on\n"
            puppet.end()
            await child.wait()
            late = await child.intervene("too late")
        (event,) = sink.of_type(Intervention)
        assert (event.origin, event.count, event.text, event.receipt) == ("user", 1, "go on", receipt.id)
        assert (receipt.state, receipt.reason) == ("unconfirmed", "a pipe can't say more")
        assert (late.state, late.reason) == ("refused", "it has ended")
        assert sink.text_written == b"[a] [INTERVENTION] go on\n"

    run(main)


def test_run_in_one_call():
    async def main() -> None:
        sink = MemorySink()
        executors = [
            ScriptedExecutor([Send(b"one\ntwo\n")], label="make"),
            ScriptedExecutor([Exit(2)], label="make"),
        ]
        result = await axiom_trio.run(executors, sinks=[sink], jobs=1)
        assert not result.ok
        assert [child.name for child in result] == ["make", "make-2"]
        assert result["make"].tail == [b"one", b"two"]
        assert result["make-2"].exit == Exit(2)
        named = await axiom_trio.run({"a": executors[0]}, sinks=[sink])
        assert named.ok
        assert named["a"].lines == 2
        assert len(await axiom_trio.run([], sinks=[sink])) == 0

    run(main)


def test_run_wants_a_list_and_not_its_letters() -> None:
    with pytest.raises(SpecificationError, match=r"write \['ls'\]"):
        trio.run(axiom_trio.run, "ls")


@pytest.mark.parametrize("value", [True, False, "done"])
def test_a_function_that_returns_no_exit_status_says_so(value):
    async def returns(_writer):
        return value

    async def main() -> None:
        async with open_aggregator() as aggregator:
            child = aggregator.start_soon(CallableExecutor(returns))
        assert child.completed.exit == Exit(
            1, error=f"TypeError: returns returned {value!r}: it must return None or an exit status"
        )

    run(main)

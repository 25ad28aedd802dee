"""Restarts, limits, order and halt, with scripted children on a mock clock."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

import axiom_trio
from axiom_trio import (
    CallableExecutor,
    Child,
    Completed,
    Executor,
    Exit,
    Idle,
    NotRunningError,
    Output,
    Port,
    Restarting,
    SpawnError,
    SpecificationError,
    Started,
    Supervision,
    TextFormat,
    open_aggregator,
)
from axiom_trio.testing import Fail, Forever, MemorySink, Pause, Puppet, ScriptedExecutor, Send


def run(main: Any, **options: Any) -> None:
    async def bounded() -> None:
        with trio.fail_after(100_000):
            await main()

    trio.run(bounded, clock=MockClock(autojump_threshold=0), **options)


class Attempts(Executor):
    """Does something else each time it is run."""

    def __init__(self, *scripts: list[Any]) -> None:
        self.scripts = [ScriptedExecutor(script, signals="obey") for script in scripts]
        self.now = -1
        self.started: list[float] = []

    async def run(self, port: Port) -> Exit:
        self.now += 1
        self.started.append(trio.current_time())
        return await self.scripts[self.now].run(port)

    def signal(self, signum: int) -> bool:
        return self.scripts[self.now].signal(signum)


# --- restarts


def test_a_child_that_fails_is_started_again_and_completes_once():
    async def main() -> None:
        sink = MemorySink(TextFormat())
        child = Attempts([Send(b"one\nhalf"), Exit(3)], [Pause(2), Send(b"two\n"), Exit(0)])
        async with open_aggregator(
            [sink], supervision=Supervision(retries=5, restart_after=10)
        ) as aggregator:
            handle = aggregator.start_soon(child, name="a")
        assert sink.text_written == b"[a] one\n[a] half\n[a] two\n"
        kinds = [type(event) for event in sink.events]
        assert kinds[:-1] == [Started, Output, Output, Restarting, Started, Output, Completed]
        restarting = sink.of_type(Restarting)[0]
        assert (restarting.attempt, restarting.delay, restarting.exit) == (2, 10, Exit(3))
        completed = sink.of_type(Completed)[0]
        assert (completed.exit, completed.attempts, completed.lines) == (Exit(0), 2, 3)
        assert completed.duration == pytest.approx(12)
        assert child.started[1] - child.started[0] == pytest.approx(10)
        assert handle.completed is completed

    run(main)


def test_lines_are_numbered_on_and_every_byte_is_there_once():
    async def main() -> None:
        sink = MemorySink()
        scripts = [
            [Send(b"a\nb"), Pause(1), Send(b"c"), Pause(1), Exit(1)],
            [Send(b"d\n"), Exit(1)],
            [Send(b"e")],
        ]
        async with open_aggregator([sink], supervision=Supervision(retries=2)) as aggregator:
            aggregator.start_soon(Attempts(*scripts), id="x")
        outputs = sink.of_type(Output)
        assert b"".join(event.data for event in outputs) == b"a\nbcd\ne"
        assert [event.seq for event in outputs if not event.partial] == [0, 2, 3]
        assert sink.of_type(Completed)[0].lines == 4

    run(main)


@given(
    st.lists(
        st.lists(
            st.binary(max_size=40) | st.sampled_from([b"\n", b"x\n", b"[INTERVENTION] x\n"]), max_size=6
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(200, 2000),
)
def test_attempts_are_never_glued_whatever_they_write(attempts: list[list[bytes]], gate: int) -> None:
    async def main() -> None:
        sink = MemorySink(TextFormat())
        scripts = [[*map(Send, pieces), Pause(1), Exit(1)] for pieces in attempts]
        async with open_aggregator(
            [sink], gate=gate, supervision=Supervision(retries=len(scripts) - 1)
        ) as aggregator:
            aggregator.start_soon(Attempts(*scripts), name="a")
        expected = b""
        for pieces in attempts:
            data = b"".join(pieces)
            data += b"" if not data or data.endswith(b"\n") else b"\n"
            expected += data
        text = b"".join(b"[a] " + line for line in expected.splitlines(keepends=True))
        lines = expected.split(b"\n")[:-1]
        assert sink.text_written == b"".join(b"[a] " + line + b"\n" for line in lines), text
        assert b"".join(event.data for event in sink.of_type(Output)) == b"".join(map(b"".join, attempts))
        assert sink.of_type(Completed)[0].lines == len(lines)

    run(main)


def test_the_next_attempt_waits_until_the_last_ones_output_is_in():
    async def main() -> None:
        sink = MemorySink()
        child = Attempts([*[Send(b"%0999d\n" % n) for n in range(100)], Exit(1)], [Send(b"again\n")])
        async with open_aggregator([sink], gate=1000, supervision=Supervision(retries=1)) as aggregator:
            sink.pause()
            aggregator.start_soon(child)
            await trio.sleep(10)
            assert child.now == 0
            sink.resume()
        kinds = [type(event) for event in sink.events if type(event) is not Output]
        assert kinds[:4] == [Started, Restarting, Started, Completed]
        assert [type(event) for event in sink.events[-4:-1]] == [Started, Output, Completed]

    run(main)


def test_one_that_can_not_be_started_is_tried_again():
    async def main() -> None:
        sink = MemorySink(TextFormat())
        child = Attempts([Fail(SpawnError(2, "can't start x: command not found"))], [Send(b"now\n")])
        async with open_aggregator([sink], supervision=Supervision(retries=1)) as aggregator:
            aggregator.start_soon(child, name="a")
        assert sink.text_written == b"[a] [ERROR] can't start x: command not found\n[a] now\n"
        assert sink.of_type(Completed)[0].ok

    run(main)


def test_success_is_not_repeated_nor_is_a_stopped_child():
    async def main() -> None:
        async with open_aggregator(supervision=Supervision(retries=9, restart_after=5)) as aggregator:
            fine = aggregator.start_soon(ScriptedExecutor([Exit(0)]))
            stopped = aggregator.start_soon(ScriptedExecutor([Forever()], signals="obey"))
            pausing = aggregator.start_soon(ScriptedExecutor([Exit(1)]))
            cancelled = aggregator.start_soon(ScriptedExecutor([Forever()]))
            await trio.sleep(1)
            assert pausing.state == "restarting"
            with pytest.raises(NotRunningError, match="is being restarted"):
                await pausing.write(b"x")
            for child in (stopped, pausing, cancelled):
                child.stop()
            for child in (stopped, pausing, cancelled):
                completed = await child.wait()
                assert (completed.reason, completed.attempts) == ("stopped", 1), (
                    "an attempt that was only planned is none"
                )
            assert trio.current_time() - aggregator.opened_at == pytest.approx(1)
        assert fine.completed is not None
        assert fine.completed.attempts == 1

    run(main)


class Grumbler(Executor):
    """Fails in its own way when it's cancelled."""

    runs = 0

    async def run(self, port: Port) -> Exit:
        self.runs += 1
        try:
            await trio.sleep_forever() if self.runs == 1 else await trio.sleep(1)
        finally:
            raise ValueError("not now")


@pytest.mark.parametrize("how", ["stopped", "left"])
def test_one_that_fails_while_it_is_stopped_is_not_started_again(how: str):
    async def main() -> None:
        child = Grumbler()
        with pytest.raises(KeyError) if how == "left" else nullcontext():
            async with open_aggregator(supervision=Supervision(retries=9)) as aggregator:
                handle = aggregator.start_soon(child)
                await trio.sleep(1)
                if how == "left":
                    raise KeyError
                handle.stop()
        assert child.runs == 1

    run(main)


def test_the_kill_meant_for_one_attempt_does_not_hit_the_next():
    async def main() -> None:
        child = Attempts([Forever()], [Pause(60), Exit(0)])
        async with open_aggregator(supervision=Supervision(retries=1, timeout=30), grace=40) as aggregator:
            handle = aggregator.start_soon(
                child, supervision=Supervision(retries=1, timeout=90, restart_after=1)
            )
            await trio.sleep(89)
            assert child.now == 0
        assert handle.completed is not None
        assert (handle.completed.exit, handle.completed.attempts) == (Exit(0), 2)

    run(main)


def test_leaving_by_an_exception_ends_a_pause():
    async def main() -> None:
        sink = MemorySink()
        with pytest.raises(ValueError, match="enough"):
            async with open_aggregator(
                [sink], supervision=Supervision(retries=9, restart_after=5000)
            ) as aggregator:
                aggregator.start_soon(ScriptedExecutor([Exit(1)]))
                await trio.sleep(1)
                raise ValueError("enough")
        assert sink.of_type(Completed)[0].reason == "cancelled"
        assert trio.current_time() < 100

    run(main)


# --- time and silence


def test_a_child_whose_time_is_up_is_stopped_and_has_failed():
    async def main() -> None:
        sink = MemorySink(TextFormat())
        async with open_aggregator([sink], grace=5) as aggregator:
            obeys = aggregator.start_soon(
                ScriptedExecutor([Forever()], signals="obey", goodbye=b"bye\n"),
                supervision=Supervision(timeout=10),
            )
            deaf = aggregator.start_soon(
                ScriptedExecutor([Forever()], signals="ignore"), supervision=Supervision(timeout=10)
            )
        for child, took in ((obeys, 10), (deaf, 15)):
            completed = child.completed
            assert completed is not None
            assert (completed.reason, completed.ok) == ("timeout", False)
            assert completed.duration == pytest.approx(took, abs=0.1)
        assert b"bye" in sink.text_written

    run(main)


def test_silence_is_told_once_and_then_ends_it():
    async def main() -> None:
        sink = MemorySink()
        script = [Pause(4), Send(b"x\n"), Pause(2.5), Send(b"y\n"), Forever()]
        async with open_aggregator(
            [sink], supervision=Supervision(idle_warn=3, idle_timeout=8)
        ) as aggregator:
            notices = aggregator.notices()
            child = aggregator.start_soon(ScriptedExecutor(script, signals="obey"))
            told = [await anext(notices) for _ in range(3)]
        start = aggregator.opened_at
        idles = sink.of_type(Idle)
        assert [round(event.idle, 1) for event in idles] == [3, 3]
        assert child.completed is not None
        assert child.completed.reason == "idle"
        assert trio.current_time() - start == pytest.approx(4 + 2.5 + 8, abs=0.1)
        assert told == [*idles, child.completed]

    run(main)


def test_a_child_that_waits_for_the_run_is_not_silent():
    async def main() -> None:
        sink = MemorySink()
        puppet = Puppet(signals="obey")
        async with open_aggregator([sink], gate=1000, supervision=Supervision(idle_timeout=5)) as aggregator:
            child = aggregator.start_soon(puppet)
            sink.pause()
            for _ in range(20):
                puppet.post(Send(b"%039999d\n" % 0))
            await trio.sleep(60)
            assert child.state == "running"
            sink.resume()
            await trio.sleep(4)
            assert child.state == "running"
            await trio.sleep(2)
            assert child.completed is not None
            assert child.completed.reason == "idle"

    run(main)


def test_time_in_which_the_program_was_asleep_counts_against_nobody():
    async def main() -> None:
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, MockClock)
        async with open_aggregator(supervision=Supervision(timeout=100, idle_timeout=50)) as aggregator:
            child = aggregator.start_soon(ScriptedExecutor([Forever()], signals="obey"))
            await trio.sleep(20)
            clock.jump(3600)
            await trio.sleep(20)
            assert child.state == "running"
            await trio.sleep(20)
            assert child.completed is not None
            assert child.completed.reason == "idle"

    run(main)


def test_nobody_looks_where_there_is_nothing_to_look_after():
    async def main() -> None:
        async with open_aggregator() as aggregator:
            aggregator.start_soon(ScriptedExecutor([Pause(10_000)]))
            await wait_all_tasks_blocked()
            statistics = trio.lowlevel.current_statistics()
            assert statistics.seconds_to_next_deadline == pytest.approx(10_000)

    run(main)


# --- order


def test_one_comes_after_another_that_is_ready_or_has_succeeded():
    async def main() -> None:
        async with open_aggregator() as aggregator:
            server = aggregator.start_soon(
                ScriptedExecutor([Pause(1), Send(b"listen"), Pause(1), Send(b"ing on 80\n"), Pause(9)]),
                supervision=Supervision(ready="listening on"),
            )
            build = aggregator.start_soon(ScriptedExecutor([Pause(4)]))
            client = ScriptedExecutor()
            tests = ScriptedExecutor()
            waits = aggregator.start_soon(client, after=[server])
            both = aggregator.start_soon(tests, after=[server, build])
            assert (waits.state, both.state, aggregator.statistics().queued) == ("queued", "queued", 2)
            await server.wait_ready()
            assert trio.current_time() - aggregator.opened_at == pytest.approx(2)
            await waits.wait()
            assert tests.runs == 0
            await both.wait()
            assert trio.current_time() - aggregator.opened_at == pytest.approx(4)
            assert server.state == "running"
            late = aggregator.start_soon(ScriptedExecutor(), after=[server, build])
            assert (await late.wait()).ok

    run(main)


def test_one_that_is_ready_and_ends_at_once_was_ready():
    async def main() -> None:
        async with open_aggregator([MemorySink()]) as aggregator:
            for _ in range(20):
                server = aggregator.start_soon(
                    ScriptedExecutor([Send(b"listening on 80\n")]), supervision=Supervision(ready="listening")
                )
                other = aggregator.start_soon(ScriptedExecutor([Send(b"hello\n")]), after=[server])
                await server.wait_ready()
                completed = await other.wait()
                assert completed.ok, completed.exit

    run(main)


def test_who_waits_for_one_that_is_cancelled_is_told():
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                async with open_aggregator([MemorySink()]) as aggregator:
                    server = aggregator.start_soon(
                        ScriptedExecutor([Forever()]), supervision=Supervision(ready="listening")
                    )
                    nursery.start_soon(expect_never_ready, server)
                    await wait_all_tasks_blocked()
                    scope.cancel()

    async def expect_never_ready(server: Child) -> None:
        with pytest.raises(NotRunningError, match="ended before it was ready"):
            await server.wait_ready()

    run(main)


@pytest.mark.parametrize("how", ["fails", "never ready", "stopped", "not started"])
def test_what_comes_after_one_that_failed_never_runs(how: str):
    async def main() -> None:
        sink = MemorySink(TextFormat())
        async with open_aggregator([sink]) as aggregator:
            script = {
                "fails": [Exit(1)],
                "never ready": [Send(b"no\n"), Exit(0)],
                "stopped": [Forever()],
                "not started": [Fail(SpawnError(2, "no such program"))],
            }[how]
            first = aggregator.start_soon(
                ScriptedExecutor(script, signals="obey"),
                name="db",
                supervision=Supervision(ready="yes" if how == "never ready" else None),
            )
            never = ScriptedExecutor()
            second = aggregator.start_soon(never, name="api", after=[first])
            third = aggregator.start_soon(never, name="web", after=[second])
            await wait_all_tasks_blocked()
            if how == "stopped":
                first.stop()
            await third.wait()
            late = aggregator.start_soon(never, name="late", after=[first])
            if how == "never ready":
                with pytest.raises(NotRunningError, match="db ended before it was ready"):
                    await first.wait_ready()
        for child in (second, third, late):
            assert child.completed is not None
            assert (child.completed.reason, child.completed.ok) == ("skipped", False)
            with pytest.raises(NotRunningError, match="ended before it was ready"):
                await child.wait_ready()
        assert never.runs == 0
        assert b"[api] [ERROR] not started: db comes before it, and has not succeeded\n" in sink.text_written

    run(main)


def test_after_takes_only_children_of_the_same_aggregator():
    async def main() -> None:
        async with open_aggregator() as other, open_aggregator() as aggregator:
            stranger = other.start_soon(ScriptedExecutor())
            with pytest.raises(SpecificationError, match="of the same aggregator"):
                aggregator.start_soon(ScriptedExecutor(), after=[stranger])

    run(main)


def test_what_waits_can_be_stopped():
    async def main() -> None:
        async with open_aggregator() as aggregator:
            first = aggregator.start_soon(ScriptedExecutor([Pause(5)]))
            second = aggregator.start_soon(ScriptedExecutor(), after=[first])
            second.stop()
            assert (await second.wait()).reason == "stopped"
            assert trio.current_time() == aggregator.opened_at

    run(main)


# --- halt


@pytest.mark.parametrize(
    ("halt", "reasons"),
    [
        ("never", ["exit", "exit", "exit", "exit"]),
        ("soon,fail=1", ["exit", "exit", "exit", "stopped"]),
        ("now,fail=1", ["exit", "exit", "stopped", "stopped"]),
        ("now,fail=50%", ["exit", "exit", "exit", "stopped"]),
        ("now,done=1", ["exit", "stopped", "stopped", "stopped"]),
        ("now,success=1", ["exit", "stopped", "stopped", "stopped"]),
        ("soon,done=2", ["exit", "exit", "exit", "stopped"]),
    ],
)
def test_halt(halt: str, reasons: list[str]):
    async def main() -> None:
        async with open_aggregator(jobs=3, halt=halt) as aggregator:
            scripts = ([Pause(1), Exit(0)], [Pause(2), Exit(1)], [Pause(4), Exit(1)], [Pause(9)])
            first = [aggregator.start_soon(ScriptedExecutor(s, signals="obey")) for s in scripts[:3]]
            blocker = aggregator.start_soon(ScriptedExecutor(scripts[3], signals="obey"), after=first[:1])
            children = [*first, blocker]
            if halt in ("soon,fail=1", "soon,done=2", "now,fail=50%"):  # no place before the third has ended
                aggregator._schedule._jobs = 2
        assert [child.completed.reason for child in children if child.completed] == reasons

    run(main)


def test_after_a_halt_no_more_is_started_nor_started_again():
    async def main() -> None:
        never = ScriptedExecutor()
        async with open_aggregator(halt="soon,fail=1", supervision=Supervision(retries=3)) as aggregator:
            failing = ScriptedExecutor([Exit(1)])
            first = aggregator.start_soon(failing, supervision=Supervision())
            again = ScriptedExecutor([Pause(3), Exit(1)])
            aggregator.start_soon(again)
            await first.wait()
            assert (await aggregator.start_soon(never).wait()).reason == "stopped"
        assert (never.runs, again.runs, failing.runs) == (0, 1, 1)

    run(main)


def test_a_halt_ends_the_pause_of_those_that_would_be_started_again():
    async def main() -> None:
        again = ScriptedExecutor([Exit(1)])
        async with open_aggregator(halt="soon,fail=1") as aggregator:
            pausing = aggregator.start_soon(again, supervision=Supervision(retries=3, restart_after=50))
            aggregator.start_soon(ScriptedExecutor([Pause(1), Exit(1)]))
        assert pausing.completed is not None
        assert (pausing.completed.reason, again.runs) == ("stopped", 1)

    run(main)


def test_a_wrong_policy_is_refused():
    async def main() -> None:
        with pytest.raises(SpecificationError, match="no halt policy"):
            async with open_aggregator(halt="now"):
                pass
        with pytest.raises(SpecificationError, match="nor the name of a child"):
            await axiom_trio.run({"a": ScriptedExecutor()}, sinks=[], success="b")

    run(main)


@pytest.mark.parametrize(
    ("success", "ok"),
    [("all", False), ("any", True), ("first", True), ("last", False), ("b", False), ("a", True)],
)
def test_run_says_whether_those_succeeded_that_had_to(success: str, ok: bool):
    async def main() -> None:
        children = {"b": ScriptedExecutor([Pause(1), Exit(1)]), "a": ScriptedExecutor([Exit(0)])}
        result = await axiom_trio.run(children, sinks=[], success=success)
        assert result.ok == ok
        assert result["b"].attempts == 1

    run(main)


def test_a_race_is_a_success_when_one_succeeds():
    async def main() -> None:
        children = [ScriptedExecutor([Exit(1)]), ScriptedExecutor([Pause(1)]), ScriptedExecutor([Pause(9)])]
        result = await axiom_trio.run(children, sinks=[], halt="now,success=1")
        assert result.ok
        assert [child.reason for child in result] == ["exit", "exit", "stopped"]

    run(main)


@pytest.mark.parametrize("end", ["stopped", "cancelled"])
def test_one_that_raises_while_it_is_stopped_is_not_started_again(end: str) -> None:
    runs: list[float] = []

    async def stubborn(_port: Port) -> None:
        runs.append(trio.current_time())
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("in the middle")

    async def main() -> None:
        with trio.CancelScope() as scope:
            async with open_aggregator(supervision=Supervision(retries=3)) as aggregator:
                child = await aggregator.start(CallableExecutor(stubborn))
                child.stop() if end == "stopped" else scope.cancel()
        assert len(runs) == 1
        assert child.completed is not None
        assert child.completed.exit.error == "ValueError: in the middle"

    run(main)


def test_one_that_never_runs_is_never_ready() -> None:
    async def main() -> None:
        async with open_aggregator() as aggregator:
            first = aggregator.start_soon(ScriptedExecutor([Exit(1)]))
            second = aggregator.start_soon(ScriptedExecutor([]), after=[first])
            with pytest.raises(NotRunningError):
                await second.wait_ready()
            await first.wait_ready()

    run(main)


def test_readiness_is_not_looked_for_in_what_came_before() -> None:
    async def main() -> None:
        async with open_aggregator() as aggregator:
            first = aggregator.start_soon(ScriptedExecutor([Send(b"x\n" * 1000)]), id="a")
            await first.wait()
            second = aggregator.start_soon(
                ScriptedExecutor([Pause(1), Send(b"go\n"), Forever()]), supervision=Supervision(ready="go")
            )
            await wait_all_tasks_blocked()
            [cursor] = aggregator._log.gating
            assert first.completed is not None
            assert cursor.position > first.completed.cursor
            await second.wait_ready()
            second.stop()

    run(main)


class Exited(Executor):
    """A process that has exited, while what it wrote waits for the run."""

    async def run(self, port: Port) -> Exit:
        port.started()
        port.process_exited()
        for n in range(20):
            await port.send(b"%039999d\n" % n)
        return Exit(0)

    def signal(self, signum: int) -> bool:
        return True


@pytest.mark.parametrize("how", ["limits", "stop", "cancel"])
def test_a_process_that_has_exited_is_no_more_late_nor_stopped(how: str):
    async def main() -> None:
        sink = MemorySink()
        supervision = Supervision(timeout=5, idle_timeout=3, retries=2)
        with trio.CancelScope() as scope:
            async with open_aggregator([sink], gate=1000, supervision=supervision) as aggregator:
                child = aggregator.start_soon(Exited(), id="a")
                sink.pause()
                await trio.sleep(60)
                if how == "stop":
                    child.stop(grace=500)
                elif how == "cancel":
                    scope.cancel()
                sink.resume()
                await child.wait()
        completed = child.completed
        assert completed is not None
        assert (completed.reason, completed.exit, completed.attempts) == ("exit", Exit(0), 1)
        assert len(sink.data("a")) == 20 * 40_000

    run(main)

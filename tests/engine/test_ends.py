"""How children end: by themselves, stopped, cancelled, failing, before they began."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from axiom_trio import CallableExecutor, Executor, Exit, SpecificationError, open_aggregator
from axiom_trio.sansio.events import AllCompleted, Completed, Started
from axiom_trio.testing import Forever, MemorySink, Puppet, ScriptedExecutor


def run(main) -> None:
    async def bounded() -> None:
        with trio.fail_after(10_000):
            await main()

    trio.run(bounded, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize("signals", ["none", "obey", "ignore"])
def test_stopped_in_the_moment_of_its_start_it_never_runs(signals):
    async def main() -> None:
        sink = MemorySink()
        executor = ScriptedExecutor([Forever()], signals=signals)
        async with open_aggregator([sink]) as aggregator:
            child = aggregator.start_soon(executor)
            child.stop()
            completed = await child.wait()
        assert executor.runs == 0
        assert completed.reason == "stopped"
        assert (completed.exit, completed.attempts) == (Exit(None), 0)
        assert [type(event) for event in sink.events] == [Started, Completed, AllCompleted]

    run(main)


def test_an_executor_that_fails_while_it_is_cancelled_harms_nobody():
    class Clumsy(Executor):
        async def run(self, port):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                try:
                    await trio.sleep_forever()
                finally:
                    raise ValueError("in its cleanup")

    async def main() -> None:
        sink = MemorySink()
        async with open_aggregator([sink]) as aggregator:
            clumsy = await aggregator.start(Puppet())  # one beside it
            child = aggregator.start_soon(Clumsy())
            await wait_all_tasks_blocked()
            child.stop()
            completed = await child.wait()
            assert completed.reason == "error"
            assert completed.exit.error == "ValueError: in its cleanup"
            assert clumsy.state == "running"
            clumsy.stop()

    run(main)


def test_an_executor_that_returns_no_exit_has_failed():
    class Careless(Executor):
        def __init__(self) -> None:
            self.asked = trio.Event()

        async def run(self, port):
            port.started()
            await self.asked.wait()

        def signal(self, signum: int) -> bool:
            self.asked.set()
            return True

    async def main() -> None:
        async with open_aggregator() as aggregator:
            child = await aggregator.start(Careless())
            child.stop()
        assert child.completed is not None
        assert child.completed.exit.error == "TypeError: Careless.run returned None: it must return an Exit"

    run(main)


def test_an_executor_that_raises_what_is_no_exception_ends_the_program_and_not_by_hanging():
    async def work(writer):
        await writer.send(b"half")
        raise KeyboardInterrupt

    async def main() -> None:
        sink = MemorySink()
        with pytest.raises(KeyboardInterrupt):
            async with open_aggregator([sink]) as aggregator:
                aggregator.start_soon(CallableExecutor(work), id="a")
                aggregator.start_soon(ScriptedExecutor([Forever()]))
        assert sink.data("a") == b"half"
        assert len(sink.of_type(Completed)) == 2

    run(main)


def test_arguments_that_can_not_be_are_refused():
    async def main() -> None:
        for wrong in ({"grace": -1.0}, {"grace": float("nan")}, {"flush_interval": -1.0}, {"gate": 0}):
            with pytest.raises(SpecificationError, match="can't be"):
                async with open_aggregator(**wrong):
                    pass
        with pytest.raises(SpecificationError, match=r"must be a list of sinks, such as \[ConsoleSink\(\)\]"):
            async with open_aggregator(MemorySink()):
                pass
        async with open_aggregator() as aggregator:
            with pytest.raises(SpecificationError, match="'make' is no Executor, such as ProcessExecutor"):
                aggregator.start_soon("make")

    run(main)


async def test_a_block_that_is_entered_cancelled_ends() -> None:
    entered = []
    with trio.fail_after(60), trio.CancelScope() as scope:
        scope.cancel()
        async with open_aggregator() as aggregator:
            entered.append(aggregator)
            await trio.sleep_forever()
    assert scope.cancelled_caught

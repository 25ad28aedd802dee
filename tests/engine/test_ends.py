"""How children end: by themselves, stopped, cancelled, failing, before they began."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from axiom_trio import Executor, Exit, open_aggregator
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
        assert completed.exit == Exit(None)
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

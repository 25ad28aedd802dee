"""The way out of a child: several senders, cancelled senders, and their bounds."""

from __future__ import annotations

import tracemalloc

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from axiom_trio import CallableExecutor, Output, open_aggregator
from axiom_trio.testing import MemorySink, Puppet, Send


def run(main) -> None:
    async def bounded() -> None:
        with trio.fail_after(10_000):
            await main()

    trio.run(bounded, clock=MockClock(autojump_threshold=0))


def block(n: int) -> bytes:
    return b"%032767d\n" % n


def test_output_and_errors_of_one_child_blocked_at_once_are_both_exact():
    async def main() -> None:
        sink = MemorySink(paused=True)
        puppet = Puppet(split=True)
        async with open_aggregator([sink], gate=4096) as aggregator:
            aggregator.start_soon(puppet, id="a")
            for n in range(20):
                puppet.post(Send(block(n)))
                puppet.post(Send(block(n + 100), "error"))
            puppet.end()
            await wait_all_tasks_blocked()
            assert puppet.blocked
            sink.resume()
        assert sink.data("a", errors=False) == b"".join(block(n) for n in range(20))
        assert sink.data("a", errors=True) == b"".join(block(n + 100) for n in range(20))

    run(main)


def test_the_chunk_in_hand_of_a_cancelled_child_arrives():
    async def main() -> None:
        sink = MemorySink(paused=True)
        puppet = Puppet()
        async with open_aggregator([sink], gate=4096) as aggregator:
            child = aggregator.start_soon(puppet, id="a")
            for n in range(20):
                puppet.post(Send(block(n)))
            await wait_all_tasks_blocked()
            assert puppet.blocked
            child.stop()
            await wait_all_tasks_blocked()
            sink.resume()
        accepted = puppet.accepted()
        assert 0 < len(accepted) < 20 * 32768
        assert sink.data("a") == accepted

    run(main)


def test_what_a_sender_left_when_its_time_was_up_comes_without_another_send():
    async def send_in_time(writer) -> None:
        for n in range(8):
            with trio.move_on_after(1):
                await writer.send(block(n))
        await trio.sleep_forever()

    async def main() -> None:
        sink = MemorySink(paused=True)
        async with open_aggregator([sink], gate=4096) as aggregator:
            child = aggregator.start_soon(CallableExecutor(send_in_time), id="a")
            await trio.sleep(20)
            sink.resume()
            await trio.sleep(1)
            assert sink.data("a") == b"".join(block(n) for n in range(8))
            child.stop()

    run(main)


def test_an_open_line_whose_sender_was_cancelled_is_shown_in_the_silence():
    async def send_in_time(writer) -> None:
        for n in range(8):
            with trio.move_on_after(1):
                await writer.send(block(n))
        with trio.move_on_after(1) as scope:
            await writer.send(b"whole\nname? ")
        assert scope.cancelled_caught
        await trio.sleep_forever()

    async def main() -> None:
        sink = MemorySink(paused=True)
        async with open_aggregator([sink], gate=4096) as aggregator:
            child = aggregator.start_soon(CallableExecutor(send_in_time), id="a")
            await trio.sleep(20)
            sink.resume()
            await trio.sleep(1)
            assert sink.data("a").endswith(b"whole\nname? ")
            child.stop()

    run(main)


@pytest.mark.parametrize(("data", "shown"), [(b"\r", b"\r\n"), (b"hu", b"hu\n")])
def test_what_is_held_back_makes_no_event(data, shown):
    async def write(writer) -> None:
        await writer.send(data)
        await writer.send(b"\n")

    async def main() -> None:
        sink = MemorySink()
        async with open_aggregator([sink], mask=["hunter2-hunter3"]) as aggregator:
            aggregator._merger.urgent = bool
            aggregator.start_soon(CallableExecutor(write), id="a")
        assert [event.data for event in sink.of_type(Output)] == [shown]

    run(main)


def test_what_a_cancelled_sender_lays_back_stays_in_order():
    async def main() -> None:
        sink = MemorySink(paused=True)
        other = MemorySink(paused=True)
        puppet, flood = Puppet(), Puppet()
        async with open_aggregator([sink, other], gate=1000) as aggregator:
            aggregator.start_soon(flood, id="flood")
            await flood.send(b"f" * 2000 + b"\n")
            await wait_all_tasks_blocked()
            child = aggregator.start_soon(puppet, id="a")
            puppet.post(Send(block(1)))
            puppet.post(Send(b"y" * 100_000 + b"\n"))
            await wait_all_tasks_blocked()
            assert puppet.blocked
            other.resume()
            await wait_all_tasks_blocked()
            # In one tick the sender is cancelled and the merger gets room.
            sink.resume()
            for _ in range(tick):
                await trio.lowlevel.checkpoint()
            child.stop()
            flood.end()
        assert sink.data("a") == puppet.accepted()

    for tick in [*range(8)] * 10:  # noqa: B007 (main reads it)
        run(main)


def test_one_large_cancelled_send_is_kept_and_keeps_to_the_gate():
    async def main() -> None:
        sink = MemorySink(paused=True, delay=1.0)
        puppet = Puppet()
        async with open_aggregator([sink], gate=4096) as aggregator:
            child = aggregator.start_soon(puppet, id="a")
            data = b"".join(block(n) for n in range(40))
            puppet.post(Send(data))
            await wait_all_tasks_blocked()
            child.stop()
            await wait_all_tasks_blocked()
            assert not puppet.running
            sink.resume()
            while child.completed is None:
                assert aggregator.statistics().log_lag < 4096 + 2 * 65536
                await trio.sleep(0.5)
        assert sink.data("a") == data

    run(main)


def test_a_child_that_only_ever_sends_can_be_stopped():
    async def chatter(writer) -> None:
        while True:
            await writer.send(b"x\n")

    async def main() -> None:
        async with open_aggregator([MemorySink()]) as aggregator:
            child = await aggregator.start(CallableExecutor(chatter))
            child.stop()
            with trio.fail_after(60):
                completed = await child.wait()
        assert completed.reason == "stopped"

    run(main)


def test_what_a_child_has_written_is_let_go():
    async def write(writer) -> None:
        await writer.send(b"x" * 59_999 + b"\n")

    async def main() -> None:
        async with open_aggregator(history=0) as aggregator:
            for round_ in range(2):
                for _ in range(30):
                    await aggregator.start_soon(CallableExecutor(write)).wait()
                if not round_:
                    tracemalloc.start()
                    before, _ = tracemalloc.get_traced_memory()
            after, _ = tracemalloc.get_traced_memory()
        assert after - before < 30 * 20_000

    try:
        run(main)
    finally:
        tracemalloc.stop()

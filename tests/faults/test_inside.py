"""T47–T49, T66: faults within the program itself: sources, sinks, cancellation, clocks."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from axiom_trio import CallableExecutor, SinkError, StreamExecutor, TextFormat, open_aggregator
from axiom_trio.testing import Forever, MemorySink, Pause, Puppet, ScriptedExecutor, Send
from tests.faults.child import block, payloads
from tests.faults.oracle import check

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from axiom_trio import Port

TEXT = block(b"p", 0, 1000, 60, payloads(b"p"))


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with trio.fail_after(10_000):
            await main()

    trio.run(bounded, clock=MockClock(autojump_threshold=0))


def peer() -> ScriptedExecutor:
    """A child that writes oracle lines in pieces that cut them, with pauses."""
    pieces = [TEXT[at : at + 701] for at in range(0, len(TEXT), 701)]
    return ScriptedExecutor([step for piece in pieces for step in (Send(piece), Pause(0.01))])


def assert_unharmed(sink: MemorySink) -> None:
    found = check(
        b"".join(text for text in sink.text_written.splitlines(True) if text.startswith(b"[p]")), "p"
    )
    assert found.exact
    assert found.lost({"p": 1000}) == 0


async def raises_at_once() -> AsyncIterator[bytes]:
    raise RuntimeError("at once")
    yield b""


async def raises_in_the_middle() -> AsyncIterator[object]:
    yield b"before\n"
    await trio.sleep(1)
    raise ZeroDivisionError("in the middle")


async def raises_while_closing() -> AsyncIterator[object]:
    try:
        yield b"before\n"
        await trio.sleep_forever()
    finally:
        raise KeyError("while closing")


async def yields_nonsense() -> AsyncIterator[object]:
    yield b"before\n"
    yield 42


async def a_group(port: Port) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 1)
        await port.send(b"before\n")
        raise OSError(5, "in a nursery")


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (lambda: StreamExecutor(raises_at_once()), "RuntimeError: at once"),
        (lambda: StreamExecutor(raises_in_the_middle()), "ZeroDivisionError: in the middle"),
        (lambda: StreamExecutor(yields_nonsense()), "SpecificationError"),
        (lambda: CallableExecutor(a_group), "in a nursery"),
    ],
)
def test_T47_a_source_that_raises_is_contained(source: Callable[[], StreamExecutor], error: str) -> None:
    async def main() -> None:
        sink = MemorySink(TextFormat())
        async with open_aggregator([sink]) as aggregator:
            aggregator.start_soon(peer(), id="p", name="p")
            broken = aggregator.start_soon(source(), id="x", name="x")
        assert broken.completed is not None
        assert (broken.completed.exit.code, broken.completed.reason) == (1, "error")
        assert error in (broken.completed.exit.error or "")
        assert b"[x] [ERROR] " in sink.text_written
        assert (b"[x] before\n" in sink.text_written) == (error != "RuntimeError: at once")
        assert_unharmed(sink)

    run(main)


@pytest.mark.parametrize("cancel", ["the child", "the program"])
def test_T47_a_source_cancelled_at_its_yield(cancel: str) -> None:
    """It's closed at the place where it waits, whoever cancels; a peer that ends by itself is unharmed."""
    closed: list[str] = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            n = 0
            while True:
                yield b"%d\n" % n
                n += 1
                await trio.sleep(0.1)
        finally:
            closed.append("closed")

    async def main() -> None:
        sink = MemorySink(TextFormat())
        with trio.CancelScope() as scope:
            async with open_aggregator([sink]) as aggregator:
                other = aggregator.start_soon(peer(), id="p", name="p")
                child = aggregator.start_soon(StreamExecutor(endless()), id="x", name="x")
                await other.wait()
                if cancel == "the child":
                    child.stop()
                else:
                    scope.cancel()
        assert closed == ["closed"]
        assert child.completed is not None
        assert child.completed.reason == ("stopped" if cancel == "the child" else "cancelled")
        numbers = sink.data("x").split()
        assert numbers == [b"%d" % n for n in range(len(numbers))]
        assert_unharmed(sink)

    run(main)


def test_T47_a_source_that_raises_while_it_is_closed() -> None:
    async def main() -> None:
        sink = MemorySink(TextFormat())
        async with open_aggregator([sink]) as aggregator:
            other = aggregator.start_soon(peer(), id="p", name="p")
            child = aggregator.start_soon(StreamExecutor(raises_while_closing()), id="x", name="x")
            await other.wait()
            child.stop()
        assert child.completed is not None
        assert not child.completed.ok
        assert_unharmed(sink)

    run(main)


def test_T47_a_source_that_never_waits() -> None:
    """It's held up where it sends, so that others get their turn: nothing of anybody is lost."""

    async def greedy(port: Port) -> None:
        for n in range(3000):
            await port.send(b"%d\n" % n)  # no other checkpoint

    async def main() -> None:
        sink = MemorySink(TextFormat())
        async with open_aggregator([sink], gate=4096) as aggregator:
            aggregator.start_soon(peer(), id="p", name="p")
            aggregator.start_soon(CallableExecutor(greedy), id="x", name="x")
        assert sink.data("x") == b"".join(b"%d\n" % n for n in range(3000))
        assert_unharmed(sink)

    run(main)


@pytest.mark.parametrize(
    "broken",
    [
        lambda: MemorySink(fail_at=0, error=RuntimeError("a bug")),
        lambda: MemorySink(fail_at=3, error=OSError(28, "No space left on device")),
        lambda: MemorySink(open_error=PermissionError("no")),
    ],
    ids=["at once", "later", "at open"],
)
def test_T48_a_sink_that_raises_is_quarantined(broken: Callable[[], MemorySink]) -> None:
    """It's closed and reported; the children run on and the other sink gets everything."""

    async def main() -> None:
        good, bad = MemorySink(TextFormat()), broken()
        with pytest.raises(SinkError, match="MemorySink did not get everything") as caught:
            async with open_aggregator([good, bad]) as aggregator:
                child = aggregator.start_soon(peer(), id="p", name="p")
                await trio.sleep(0.5)
                assert [failure.sink for failure in aggregator.sink_failures] == [bad]
                assert child.completed is None
        assert child.completed is not None and child.completed.ok
        assert caught.value.__cause__ is aggregator.sink_failures[0].error
        assert bad.calls.count("aclose") == 1
        assert_unharmed(good)

    run(main)


@pytest.mark.parametrize("end", ["cancelled", "raises", "stopped"])
@pytest.mark.parametrize("stalled", [0.0, 2.0])
def test_T49_the_end_while_all_is_full(end: str, stalled: float) -> None:
    """The reader stalls, everything is full, and the program ends: what was accepted is drained, in order."""
    children: dict[str, Puppet] = {name: Puppet() for name in "abc"}

    async def main() -> None:
        sink = MemorySink(TextFormat(), paused=True)

        async def resume() -> None:
            await trio.sleep(stalled)
            sink.resume()

        async def fill_and_end(scope: trio.CancelScope, helpers: trio.Nursery) -> None:
            async with open_aggregator([sink], grace=5, gate=16_384) as aggregator:
                for name, puppet in children.items():
                    aggregator.start_soon(puppet, id=name, name=name)
                    puppet.post(Send(b"".join(b"%s %d\n" % (name.encode(), n) for n in range(50_000))))
                await wait_all_tasks_blocked()
                assert all(puppet.blocked for puppet in children.values())
                helpers.start_soon(resume)
                if end == "cancelled":
                    scope.cancel()
                elif end == "stopped":
                    aggregator.stop()
                else:
                    raise ZeroDivisionError

        async with trio.open_nursery() as helpers:
            with trio.CancelScope() as scope, contextlib.suppress(ZeroDivisionError):
                await fill_and_end(scope, helpers)
        for name, puppet in children.items():
            accepted = puppet.accepted()
            assert len(accepted) > 100_000
            assert sink.data(name) == accepted

    run(main)


@pytest.mark.parametrize("step", [3600, -3600])
def test_T66_the_clock_steps(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are ordered by cursor, and their times by the clock that does not step."""
    real = time.time
    now = [real]
    monkeypatch.setattr(time, "time", lambda: now[0]())

    async def main() -> None:
        sink = MemorySink(TextFormat(timestamps=True))
        began = real()
        async with open_aggregator([sink], stats_interval=1) as aggregator:
            aggregator.start_soon(peer(), id="p", name="p")
            silent = aggregator.start_soon(ScriptedExecutor([Pause(20)]), id="x", name="x")
            forever = aggregator.start_soon(ScriptedExecutor([Send(b"hi\n"), Forever()]), id="y", name="y")
            await trio.sleep(2)
            now[0] = lambda: real() + step
            async with aggregator.subscribe(after="now") as events:
                aggregator.start_soon(ScriptedExecutor([Send(b"after\n")]), id="late", name="late")
                assert (await anext(events)).time == pytest.approx(began + 2, abs=60)
            await silent.wait()
            forever.stop()
        assert [event.cursor for event in sink.events] == list(range(len(sink.events)))
        times = [event.time for event in sink.events]
        assert times == sorted(times)
        assert times[-1] - times[0] == pytest.approx(20, abs=0.001)
        assert silent.completed is not None
        assert silent.completed.duration == pytest.approx(20, abs=0.001)
        assert sink.data("p") == TEXT

    run(main)


async def test_T47_the_watchdog_names_who_never_waits(caplog: pytest.LogCaptureFixture) -> None:
    def computes() -> None:
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            sum(range(1000))

    async def blocks(port: Port) -> None:
        await port.send(b"before\n")
        computes()
        await port.send(b"after\n")

    sink = MemorySink()
    async with open_aggregator([sink], watchdog=0.3) as aggregator:
        aggregator.start_soon(CallableExecutor(blocks), id="a", name="the culprit")
        await aggregator.wait_all_completed()
        await trio.sleep(0.5)
    [warning] = caplog.records
    assert warning.name == "axiom_trio"
    assert "test_inside.py" in warning.getMessage()
    assert warning.getMessage().endswith("in computes, child the culprit")
    assert sink.data("a") == b"before\nafter\n"


async def test_T47_the_watchdog_has_nothing_to_say_of_those_who_wait(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_aggregator([MemorySink()], watchdog=2.0):
        await trio.sleep(0.3)
    assert not caplog.records

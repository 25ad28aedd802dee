"""What every executor and every sink must do: one specification, to be run against any.

In the spirit of `trio.testing.check_one_way_stream`: each check raises an
AssertionError that says what was promised and not kept. They run under any clock;
wrap them in a `trio.fail_after`, as an implementation that hangs is one that fails.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import trio

from axiom_trio.engine.opening import open_aggregator
from axiom_trio.sansio.cursor import Batch
from axiom_trio.sansio.errors import NotRunningError, NotWritableError, SinkError
from axiom_trio.sansio.events import Completed, Delivery, Exit, Output, Started
from axiom_trio.sansio.log import EVENT_COST
from axiom_trio.testing.executors import Fail, ScriptedExecutor, Send
from axiom_trio.testing.sinks import MemorySink

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.abc import Executor, Sink
    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.events import Event

_GATE = 16 * 1024
_CHUNKS = 2 * 64 * 1024  # one on its way to the merger, one in hand


def _check(holds: object, promise: str) -> None:
    if not holds:
        raise AssertionError(promise)


async def check_executor(
    make: Callable[[], Executor],
    *,
    output: bytes | None = None,
    errors: bytes | None = None,
    ended: Exit | None = None,
    make_endless: Callable[[], Executor] | None = None,
    repeatable: bool = True,
) -> None:
    r"""Check an implementation of `Executor`.

    Its output is complete, in order and the same each time; its events are well
    formed; it can be run again after it returned; it can be signalled and written to
    at any time; it harms no other child. With `make_endless`: it can be stopped and
    cancelled at any time, completes then, and stops writing while nobody reads.

    Example::

        await check_executor(
            lambda: ProcessExecutor("echo hello"),
            output=b"hello\n",
            make_endless=lambda: ProcessExecutor("yes"),
        )

    Args:
        make: Makes an executor that ends by itself, always with the same output.
        output: All of its output, without errors; None: not known.
        errors: All of its output of kind `error`; None: not known.
        ended: How it ends; None: not known.
        make_endless: Makes an executor that writes for ever; as fast as it can, under a real
            clock. (A `MockClock` stands still while there's work: pause now and then.)
        repeatable: Whether one executor may be run twice, as most can.

    Raises:
        AssertionError: A promise is not kept; says which.
    """
    executor = make()
    executor.signal(signal.SIGCONT)  # before it runs: must do nothing, and not raise
    first = await _run_beside_others(executor, output, errors, ended)
    executor.signal(signal.SIGCONT)  # and after its end
    again = await _run_beside_others(executor if repeatable else make(), output, errors, ended)
    _check(first == again, "the same executor writes the same and ends in the same way each time it is run")
    if make_endless is not None:
        await _check_back_pressure(make_endless())
        for leave in ("stop", "kill", "cancel"):
            await _check_stopping(make_endless(), leave)


async def _run_beside_others(
    executor: Executor, output: bytes | None, errors: bytes | None, ended: Exit | None
) -> tuple[bytes, bytes, Exit]:
    sink = MemorySink()
    steady = ScriptedExecutor([Send(b"%d\n" % n) for n in range(100)])
    failing = ScriptedExecutor([Send(b"half"), Fail(ValueError("as told"))])
    async with open_aggregator([sink], grace=1.0) as aggregator:
        others = [aggregator.start_soon(steady), aggregator.start_soon(failing)]
        child = await aggregator.start(executor)
        _check(child.state in ("running", "completed"), "start returns when the child runs")
    for other, actor in zip(others, (steady, failing), strict=True):
        _check(sink.data(other.id, errors=False) == actor.accepted(), "other children are unharmed")
    written = sink.data(child.id, errors=False)
    complaints = sink.data(child.id, errors=True)
    completed = check_events(sink.of_child(child.id))
    _check(completed.reason in ("exit", "signal", "error"), "it ends by itself")
    _check(output is None or written == output, f"all output arrives: {output!r}, not {written!r}")
    _check(errors is None or complaints == errors, f"all errors arrive: {errors!r}, not {complaints!r}")
    _check(ended is None or completed.exit == ended, f"it ends with {ended}, not with {completed.exit}")
    await _check_input_is_closed(child)
    return written, complaints, completed.exit


def check_events(events: list[Event]) -> Completed:
    """Check that the events of one child are well formed, from first to last; return its `Completed`.

    `Started` comes first and `Completed` last, each once, but for what became of a message that came
    too early or too late (`Delivery`); line numbers have no gap; the totals are the sums.

    Raises:
        AssertionError: A promise is not kept; says which.
    """
    events = [event for event in events if type(event) is not Delivery]
    completed = events[-1] if events else None
    _check([type(e) for e in events].count(Started) == 1, "there is one Started")
    _check(isinstance(events[0], Started), "Started comes first")
    _check([type(e) for e in events].count(Completed) == 1, "there is one Completed")
    assert isinstance(completed, Completed), "nothing comes after Completed"
    lines = size = 0
    open_lines = set()
    for event in events:
        if isinstance(event, Output):
            _check(event.seq == lines, f"line numbers have no gap: {lines} follows, not {event.seq}")
            _check(event.data, "no block is empty")
            lines += event.lines
            size += len(event.data)
            if event.partial:
                _check(b"\n" not in event.data, "a partial block is a piece of one line")
                open_lines.add(event.kind == "error")
            else:
                open_lines.discard(event.kind == "error")
    _check(size == completed.bytes, "Completed has the sum of the bytes")
    # A line that was published open is counted by the end, which has no block of its own.
    _check(lines + len(open_lines) == completed.lines, "Completed has the sum of the lines")
    return completed


async def _check_input_is_closed(child: Child) -> None:
    try:
        await child.write(b"too late\n")
    except (NotRunningError, NotWritableError):
        return
    raise AssertionError("a child that has ended takes no input")


async def _check_back_pressure(executor: Executor) -> None:
    sink = MemorySink(paused=True)
    async with open_aggregator([sink], grace=1.0, gate=_GATE, history=_GATE) as aggregator:
        child = await aggregator.start(executor)
        before = -1
        while before != (before := aggregator.statistics().bytes) or not before:  # noqa: ASYNC110 (until it stands still)
            await trio.sleep(0.1)
        _check(
            before <= _GATE + _CHUNKS,
            "it stops while nobody reads: the engine takes over no more than its bounds",
        )
        sink.resume()
        await sink.wait_until(lambda sink: sink.size > 4 * before)
        child.stop(grace=0.5)
    check_events(sink.of_child(child.id))


async def _check_stopping(executor: Executor, leave: str) -> None:
    sink = MemorySink()
    with trio.CancelScope() as scope:
        async with open_aggregator([sink], grace=0.5) as aggregator:
            child = await aggregator.start(executor)
            await sink.wait_until(lambda sink: sink.size)
            if leave == "cancel":
                scope.cancel(reason="the check is done")
            else:
                child.stop(grace=0 if leave == "kill" else 0.5)
                await child.wait()
    completed = check_events(sink.of_child(child.id))
    reason = "cancelled" if leave == "cancel" else "stopped"
    _check(completed.reason == reason, f"its end has the reason {reason}, not {completed.reason}")
    await _check_input_is_closed(child)


async def check_sink(
    make: Callable[[], Sink],
    *,
    received: Callable[[Sink], bytes] | None = None,
) -> None:
    """Check an implementation of `Sink`.

    It gets every event once and in order, and writes it (as far as `received` tells);
    it takes empty texts, control events alone and large batches; it can be closed
    without having been written to, and after its `open` was cancelled.

    Example::

        await check_sink(lambda: FileSink(path), received=lambda sink: path.read_bytes())

    Args:
        make: Makes a sink that writes to a fresh place each time.
        received: What has arrived at the place of a sink that was closed: the text in
            the sink's text format. None: not to be looked at.

    Raises:
        AssertionError: A promise is not kept; says which.
    """
    unused = make()
    await unused.open()
    await unused.aclose()
    never_opened = make()
    await never_opened.aclose()
    empty = make()
    await empty.open()
    await empty.write(Batch([], [], 0))
    await empty.aclose()

    sink = make()
    reference = MemorySink(sink.text)
    scripts = [
        ScriptedExecutor([Send(b"first\n\nthi"), Send(b"rd\r\n\xff\0"), Send(b"no newline")], label="a"),
        ScriptedExecutor([Send(b"%0999d\n" % n) for n in range(2000)], label="b"),
        ScriptedExecutor([Send(b"x" * 300_000)], label="c"),
    ]
    try:
        async with open_aggregator([sink, reference]) as aggregator:
            for script in scripts:
                aggregator.start_soon(script, id=script.label)
    except SinkError as error:
        raise AssertionError("it takes all there is") from error
    _check(not aggregator.sink_failures, "it takes all there is")
    if received is not None and sink.text is not None and sink.lossless:
        _check(received(sink) == reference.text_written, "it writes the text of all batches, in order")
    await _check_sink_is_cancellable(make())


async def _check_sink_is_cancellable(sink: Sink) -> None:
    source = MemorySink(sink.text)
    async with open_aggregator([source]) as aggregator:
        aggregator.start_soon(ScriptedExecutor([Send(b"line\n" * (EVENT_COST // 5))]))
    await sink.open()
    with trio.CancelScope() as scope:
        scope.cancel(reason="the check is done")
        await sink.write(Batch(source.events, [source.text_written], len(source.events)))
    await sink.aclose()

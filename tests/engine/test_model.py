"""The stateful model: drawn operations on a running aggregator, checked against a trivial model of it.

A list of operations is drawn and played in one `trio.run` under a MockClock, so an
example takes milliseconds and shrinks well. What a child was accepted for is the
truth; everything read anywhere must be an exact prefix of it, and all of it when the
end was a graceful one. Uniform operations reach "blocked, then cancelled" too seldom,
so there are targeted ones. `tests/mutants.py` proves that the model has teeth.
"""

from __future__ import annotations

import re
from unittest import mock

import attrs
import pytest
import trio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from axiom_trio import SinkError, TextFormat, open_aggregator
from axiom_trio.engine import merger as merger_module
from axiom_trio.sansio import text as text_module
from axiom_trio.sansio.events import AllCompleted, Completed, Delivery, Gap, Output, Started
from axiom_trio.sansio.log import EVENT_COST
from axiom_trio.testing import Fail, MemorySink, Puppet, Send, SendLine
from axiom_trio.testing.conformance import check_events

CHUNK = 512  # instead of 64 KiB, so that all bounds are reached within milliseconds
LINE_HOLD = 1024
GATE = 4096
HISTORY = (1500, 6000)  # less and more than the gate
GRACE = 2.0

LINES = (
    b"", b"plain", b"x" * 90, b"y" * 600, b"\r", b"50%\r60%", b"\0\xff\xfe", "€".encode()[:2],
    b"[INTERVENTION] do it", b"[PROGRESS] 1/2", b"[INTERV", b"[c0] forged", b"a b",
)  # fmt: skip

child = st.integers(0, 3)
kind = st.sampled_from(["output", "output", "output", "error"])
burst = st.lists(st.integers(0, len(LINES) - 1), min_size=1, max_size=4)
reader = st.integers(0, 3)
OPERATIONS = st.one_of(
    st.tuples(st.just("spawn"), st.sampled_from(["none", "none", "obey", "ignore"]), st.booleans()),
    st.tuples(st.just("spawn and stop"), st.sampled_from(["none", "obey", "ignore"])),
    # Bursts of 1, 2, CAP + 2, CAP + 4 chunks (CAP is 1), and one larger than every bound.
    st.tuples(st.just("chunks"), child, st.sampled_from([1, 2, 3, 5, 40]), kind),
    st.tuples(st.just("write"), child, burst, kind),
    st.tuples(st.just("half"), child, st.integers(0, len(LINES) - 1), kind),
    st.tuples(st.just("endless line"), child, st.sampled_from([700, 1500, 9000])),
    st.tuples(st.just("message"), child, st.integers(0, len(LINES) - 1), kind),
    st.tuples(st.just("pause")),
    st.tuples(st.just("resume")),
    st.tuples(st.just("pause other")),
    st.tuples(st.just("resume other")),
    st.tuples(st.just("sleep"), st.sampled_from([0.01, 0.06, 0.2, 5.0])),
    st.tuples(st.just("end"), child, st.sampled_from([0, 3])),
    st.tuples(st.just("fail"), child),
    st.tuples(st.just("stop"), child),
    st.tuples(st.just("intervene"), child),
    st.tuples(st.just("subscribe"), st.booleans(), st.sampled_from([None, "now", 3])),
    st.tuples(st.just("read"), reader, st.sampled_from([1, 3, 1000])),
    st.tuples(st.just("unsubscribe"), reader),
    st.tuples(st.just("sink fails")),
    st.tuples(st.just("block both"), child),
    st.tuples(st.just("block and stop"), child),
    st.tuples(st.just("overtake"), child, reader),
)
ENDS = st.sampled_from(["normal", "normal", "cancel", "cancel blocked", "cancel stuck", "raise", "stop all"])


class Reader:
    """A subscription that reads as many events as it is allowed."""

    def __init__(self, *, lossless: bool, after: object, start: int) -> None:
        self.lossless = lossless
        self.after = after
        self.start = start
        self.events: list = []
        self.finished = False
        self._allowed = 0
        self._lot = trio.lowlevel.ParkingLot()
        self._scope = trio.CancelScope()

    async def run(self, aggregator, *, task_status) -> None:
        with self._scope:
            async with aggregator.subscribe(self.after, lossless=self.lossless) as events:
                task_status.started()
                async for event in events:
                    self.events.append(event)
                    self._allowed -= 1
                    while self._allowed <= 0:
                        await self._lot.park()
                self.finished = True

    def allow(self, count: int) -> None:
        self._allowed += count
        self._lot.unpark_all()

    def close(self) -> None:
        self._scope.cancel()


@attrs.define
class Actor:
    puppet: Puppet
    handle: object
    receipts: list = attrs.Factory(list)
    stopped: bool = False


class World:
    def __init__(self, history: int) -> None:
        self.history = history
        self.sink = MemorySink(TextFormat())
        self.other = MemorySink(TextFormat(color=True))
        self.failing = MemorySink()
        self.viewer = MemorySink(lossless=False, delay=0.03)
        self.sinks = [self.sink, self.other, self.failing, self.viewer]
        self.actors: list[Actor] = []
        self.readers: list[Reader] = []
        self.late_lossless = False
        self.serial = 0
        self.graceful = True
        self.stuck = False
        self.gated = True

    def open(self):
        return open_aggregator(self.sinks, gate=GATE, history=self.history, grace=GRACE)

    # --- operations

    async def play(self, operations, end: str) -> None:
        raised = None
        self.graceful = end in ("normal", "stop all")
        self.stuck = end == "cancel stuck"
        try:
            with trio.CancelScope() as scope:
                async with (
                    self.open() as self.aggregator,
                    trio.open_nursery() as self.nursery,
                ):
                    for operation in operations:
                        await self.do(*operation)
                    await self.finish(end, scope)
        except (SinkError, ExceptionGroup) as error:
            raised = error
        if end == "raise":
            assert isinstance(raised, ExceptionGroup), "the nursery of the block wraps it, we don't unwrap it"
            assert [str(error) for error in raised.exceptions] == ["as told"]
        elif not end.startswith("cancel"):
            assert isinstance(raised, SinkError) == bool(self.aggregator.sink_failures)
        self.check_end()

    async def do(self, name: str, *args) -> None:
        await getattr(self, "do_" + name.replace(" ", "_"))(*args)
        await wait_all_tasks_blocked()
        self.check_bounds()

    async def finish(self, end: str, scope: trio.CancelScope) -> None:
        if end == "cancel blocked" and self.actors:
            await self.do_block(0)
            assert self.actors[0].puppet.blocked or not self.actors[0].puppet.running or not self.gated
        if end == "cancel stuck":
            self.sink.pause()
            self.other.resume()
            await self.do_chunks(0, 3, "output")
        else:
            for sink in self.sinks:
                sink.resume()
        if end == "raise":
            raise RuntimeError("as told")
        if end.startswith("cancel"):
            scope.cancel(reason="the example is over")
            return
        for actor in self.actors:
            actor.puppet.end()
        if end == "stop all":
            self.aggregator.stop()
        for reader in self.readers:
            reader.allow(10**9)
        await self.aggregator.wait_all_completed()
        # Lossless readers hold nobody up now; they get the rest when the aggregator has closed.
        await wait_all_tasks_blocked()
        for reader in self.readers:
            if not reader.finished:
                reader.close()

    def actor(self, index: int) -> Actor | None:
        return self.actors[index % len(self.actors)] if self.actors else None

    def post(self, index: int, data: bytes, kind: str = "output") -> None:
        actor = self.actor(index)
        if actor is not None:
            actor.puppet.post(Send(data, kind))

    async def do_spawn(self, signals: str, takes_input: bool) -> None:
        if len(self.actors) < 4:
            name = f"c{len(self.actors)}"
            puppet = Puppet(signals=signals, goodbye=b"goodbye\n", takes_input=takes_input, split=takes_input)
            self.actors.append(Actor(puppet, self.aggregator.start_soon(puppet, id=name, name=name)))

    async def do_spawn_and_stop(self, signals: str) -> None:
        if len(self.actors) < 4:
            await self.do_spawn(signals, takes_input=False)
            await self.do_stop(-1)

    async def do_chunks(self, index: int, count: int, kind: str) -> None:
        for _ in range(count):
            self.serial += 1
            self.post(index, b"%0400d\n" % self.serial, kind)

    async def do_write(self, index: int, lines: list[int], kind: str) -> None:
        self.post(index, b"".join(LINES[n] + (b"\r\n" if n % 3 == 2 else b"\n") for n in lines), kind)

    async def do_half(self, index: int, line: int, kind: str) -> None:
        self.post(index, LINES[line], kind)

    async def do_endless_line(self, index: int, size: int) -> None:
        self.post(index, b"z" * size)

    async def do_message(self, index: int, line: int, kind: str) -> None:
        actor = self.actor(index)
        if actor is not None:
            actor.puppet.post(SendLine(LINES[line], kind))

    async def do_pause(self) -> None:
        self.sink.pause()

    async def do_resume(self) -> None:
        self.sink.resume()

    async def do_pause_other(self) -> None:
        self.other.pause()

    async def do_resume_other(self) -> None:
        self.other.resume()

    async def do_sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    async def do_end(self, index: int, code: int) -> None:
        actor = self.actor(index)
        if actor is not None:
            actor.puppet.end(code)

    async def do_fail(self, index: int) -> None:
        actor = self.actor(index)
        if actor is not None:
            actor.puppet.post(Fail(ValueError("as told")))

    async def do_stop(self, index: int) -> None:
        actor = self.actor(index)
        if actor is not None:
            actor.stopped = actor.handle.completed is None
            actor.handle.stop()

    async def do_intervene(self, index: int) -> None:
        actor = self.actor(index)
        if actor is None:
            return
        actor.receipts.append(await actor.handle.intervene("go on"))

    async def do_subscribe(self, lossless: bool, after: object) -> None:
        if len(self.readers) < 4:
            statistics = self.aggregator.statistics()
            start = statistics.oldest_cursor
            if after == "now":
                start = statistics.next_cursor
            elif after is not None:
                start = after + 1
                if start > statistics.next_cursor or start < statistics.oldest_cursor:
                    return  # what lies before the history can't be counted any more
            self.late_lossless = self.late_lossless or lossless
            reader = Reader(lossless=lossless, after=after, start=start)
            await self.nursery.start(reader.run, self.aggregator)
            self.readers.append(reader)

    async def do_read(self, index: int, count: int) -> None:
        if self.readers:
            self.readers[index % len(self.readers)].allow(count)

    async def do_unsubscribe(self, index: int) -> None:
        if self.readers:
            self.readers[index % len(self.readers)].close()

    async def do_sink_fails(self) -> None:
        self.failing.fail()

    # --- targeted operations

    async def do_block(self, index: int) -> None:
        """Pause the consumer, and write until the child is blocked in `send`."""
        self.sink.pause()
        await self.do_chunks(index, 40, "output")
        await wait_all_tasks_blocked()

    async def do_block_both(self, index: int) -> None:
        """Have a child blocked with its output and its errors."""
        self.sink.pause()
        for _ in range(20):
            await self.do_chunks(index, 1, "output")
            await self.do_chunks(index, 1, "error")

    async def do_block_and_stop(self, index: int) -> None:
        await self.do_block(index)
        await self.do_stop(index)

    async def do_overtake(self, index: int, reader: int) -> None:
        """Let the history run past the lossy readers while they're in the middle of a batch."""
        await self.do_read(reader, 1)
        await wait_all_tasks_blocked()
        self.sink.resume()
        self.other.resume()
        await self.do_chunks(index, 40, "output")
        await wait_all_tasks_blocked()
        await self.do_read(reader, 3)

    # --- invariants

    def check_bounds(self) -> None:
        log = self.aggregator._log
        slowest = min((cursor.position for cursor in log.gating), default=log.next)
        written = min(len(self.sink.events), len(self.other.events))
        assert slowest <= written or self.aggregator.sink_failures, (
            "a cursor moves after the write, not before"
        )
        unread = log.events[max(0, slowest - log.base) :]
        output = sum(len(event.data) for event in unread if type(event) is Output)
        control = sum(EVENT_COST for event in unread if type(event) is not Output)
        # One chunk beyond the gate: up to two reads' size; lines of it cost a prefix each.
        chunk = 2 * CHUNK + 8 * EVENT_COST + CHUNK
        bound = GATE + chunk + (self.history * 9 // 8 if self.late_lossless else 0)
        assert log.lag <= bound + control, (log.lag, control)
        assert output <= bound
        assert sum(log.costs) == log.total - log._evicted_cost
        for actor in self.actors:
            port, puppet = actor.handle._port, actor.puppet
            assert port._receive.statistics().current_buffer_used <= 1
            in_hand = sum(len(puppet.accepted(kind)) for kind in ("output", "error")) - port.meter.bytes
            # A cancelled send is kept whole, however large it was.
            assert in_hand <= 6 * CHUNK or puppet.signals_got or not puppet.running, (
                "a child was accepted for more than its bounds"
            )

    def check_end(self) -> None:
        failures = {id(failure.sink): failure for failure in self.aggregator.sink_failures}
        assert id(self.other) not in failures
        complete = self.sink if id(self.sink) not in failures else self.other
        assert (id(self.sink) in failures) <= self.stuck
        reference = {event.cursor: event for event in complete.events}
        assert list(reference) == list(range(len(reference))), "every event once, in order"
        for sink in self.sinks:
            assert sink.calls[0] == "open"
            assert sink.calls[-1] == "aclose"
            check_read(sink.events, reference, 0, lossless=sink.lossless)
        assert sum_of(self.viewer.events) == len(reference)
        for reader in self.readers:
            check_read(reader.events, reference, reader.start, lossless=reader.lossless)
            if reader.finished:
                assert reader.start + sum_of(reader.events) == len(reference)
        active = 0
        for event in complete.events:
            active += (type(event) is Started) - (type(event) is Completed)
        assert active == 0
        for actor in self.actors:
            self.check_actor(actor, complete)
        if self.actors:
            last = [event for event in complete.events if type(event) is not Delivery][-1]
            assert type(last) is AllCompleted
            assert last.children == len(self.actors)
        self.check_text(complete.events)

    def check_actor(self, actor: Actor, sink: MemorySink) -> None:
        name, puppet = actor.handle.id, actor.puppet
        assert not puppet.running
        completed = check_events(sink.of_child(name))
        assert completed == actor.handle.completed
        # Accepted is delivered: also what a stopped child had in hand.
        assert sink.data(name, errors=False) == puppet.accepted()
        errors = puppet.accepted("error")
        if completed.exit.error == "ValueError: as told":
            errors += (
                b"\n" if errors and not errors.endswith(b"\n") else b""
            ) + b"[ERROR] ValueError: as told\n"
        assert sink.data(name, errors=True) == errors
        for other in self.sinks:
            if other.lossless:
                for which in (False, True):
                    assert sink.data(name, errors=which).startswith(other.data(name, errors=which))
        if self.graceful and not actor.stopped:
            assert completed.reason in ("exit", "error", "stopped")

    def check_text(self, events: list) -> None:
        """The text of each sink is what a loop over the lines would print."""
        broken = self.aggregator.statistics().broken_lines
        failed = {id(failure.sink) for failure in self.aggregator.sink_failures}
        if id(self.sink) not in failed:
            text = self.sink.text_written
            assert text.endswith(b"\n") or not text
            got = [
                line
                for line in text.split(b"\n")[:-1]
                if not re.match(rb"\[c\d\] \[INTERVENTION\] go on$", line)
            ]
            assert all(re.match(rb"\[c\d\] ", line) for line in got), "each line stands behind a prefix"
            for actor in self.actors:
                name = actor.handle.id.encode()
                mine = [line.partition(b" ")[2] for line in got if line.startswith(b"[%b] " % name)]
                check_lines(mine, expected(events, actor.handle.id, None), broken, ordered=False)
        if id(self.other) not in failed:
            lines = self.other.text_written.split(b"\n")[:-1]
            for actor in self.actors:
                name = actor.handle.id.encode()
                for is_error in (False, True):
                    color = b"31" if is_error else b"(?!31)\\d\\d"  # errors are red
                    prefix = re.compile(rb"\x1b\[%bm\[%b\]\x1b\[0m " % (color, name))
                    mine = [prefix.sub(b"", line, count=1) for line in lines if prefix.match(line)]
                    mine = [re.sub(rb"\x1b\[(1;33|0|0;1;33)m", b"", line) for line in mine]
                    check_lines(mine, expected(events, actor.handle.id, is_error), broken + 99, ordered=True)


def expected(events: list, name: str, is_error: bool | None) -> list[bytes]:
    """The lines of a child, its last one closed: of each of its two streams, as asked."""
    lines = []
    for which in (False, True) if is_error is None else (is_error,):
        data = b"".join(
            event.data
            for event in events
            if type(event) is Output and event.child == name and (event.kind == "error") is which
        )
        lines += data.split(b"\n")[: None if data and not data.endswith(b"\n") else -1]
    return lines


def check_lines(got: list[bytes], want: list[bytes], broken: int, *, ordered: bool) -> None:
    if not broken:
        assert (got if ordered else sorted(got)) == (want if ordered else sorted(want))
    elif ordered:
        assert b"".join(got) == b"".join(want)
    else:
        assert sorted(b"".join(got)) == sorted(b"".join(want))
    assert len(want) <= len(got) <= len(want) + broken


def sum_of(events: list) -> int:
    return sum(event.events if type(event) is Gap else 1 for event in events)


def check_read(events: list, reference: dict, start: int, *, lossless: bool) -> None:
    """What was read is the reference from `start` on, gaps counted exactly."""
    position = start
    for event in events:
        if type(event) is Gap:
            assert not lossless
            assert event.from_cursor == position
            missed = [reference[n] for n in range(event.from_cursor, event.to_cursor)]
            output = [e for e in missed if type(e) is Output]
            assert event.events == len(missed) > 0
            assert event.lines == sum(e.lines for e in output)
            assert event.bytes == sum(len(e.data) for e in output)
            position = event.to_cursor
        else:
            assert event == reference[position]
            position += 1


@pytest.fixture(scope="module", autouse=True)
def small_bounds():
    with (
        mock.patch.object(merger_module, "READ_MAX", CHUNK),
        mock.patch.object(merger_module, "READ_MIN", CHUNK),
        mock.patch.object(merger_module, "LINE_HOLD", LINE_HOLD),
        mock.patch.object(text_module, "LINE_HOLD", LINE_HOLD),
    ):
        yield


def play(operations: list, end: str, history: int) -> None:
    async def main() -> None:
        with trio.fail_after(1000):
            await World(history).play([("spawn", "none", True), *operations], end)

    trio.run(main, clock=MockClock(autojump_threshold=0))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@example(
    [("block both", 0), ("spawn", "ignore", False), ("chunks", 1, 1, "output"), ("message", 1, 3, "output")],
    "cancel stuck",
    1500,
)
@example([("spawn", "none", False), ("block both", 0), ("block both", 1)], "normal", 1500)
@given(st.lists(OPERATIONS, max_size=25), ENDS, st.sampled_from(HISTORY))
def test_whatever_happens_what_was_accepted_arrives(operations, end, history):
    play(operations, end, history)

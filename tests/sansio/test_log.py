"""The event log against a plain list that forgets nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

from axiom_trio.sansio import log as log_module
from axiom_trio.sansio.cursor import Batch, Cursor
from axiom_trio.sansio.events import Event, Gap, Idle, Output, Stats
from axiom_trio.sansio.log import EVENT_COST, EventLog

if TYPE_CHECKING:
    from collections.abc import Callable


def output(cursor: int, data: bytes, lines: int | None = None) -> Output:
    return Output(
        cursor=cursor,
        time=0.0,
        child="a",
        seq=0,
        kind="output",
        data=data,
        lines=data.count(b"\n") if lines is None else lines,
    )


def idle(cursor: int) -> Idle:
    return Idle(cursor=cursor, time=0.0, child="a", idle=1.0)


def stats(cursor: int) -> Stats:
    return Stats(cursor=cursor, time=0.0, active=0, bytes=0, lines=0, interventions=0, children=())


LOOKBACK = 5


class Item:
    """An event of the model, kept for ever."""

    def __init__(self, event: Event, text: bytes) -> None:
        self.event = event
        self.text = text
        """What a text cursor gets now."""
        data = event.data if isinstance(event, Output) else b""
        self.cost = EVENT_COST + max(len(data), len(text))
        self.bytes = len(data)
        self.lines = event.lines if isinstance(event, Output) else 0


class Reader:
    """A cursor and what it ought to have."""

    def __init__(self, cursor: Cursor, position: int, exact_from: int = 0) -> None:
        self.cursor = cursor
        self.position = position
        self.exact_from = exact_from
        """The counts of a gap from there on are exact."""
        self.peeked: tuple[Batch, int] | None = None
        """The last batch, and the position it leads to."""
        self.parked = False
        self.wakes = self.due_wakes = 0


class LogMachine(RuleBasedStateMachine):
    """Appends, reads, overtakes, closes; after each step all figures are compared."""

    readers = Bundle("readers")

    def __init__(self) -> None:
        super().__init__()
        self.lookback = mock.patch.object(log_module, "LOOKBACK", LOOKBACK)
        self.lookback.start()

    def teardown(self) -> None:
        self.lookback.stop()

    @initialize(target=readers, gate=st.integers(1, 3000), history=st.integers(0, 4000))
    def start(self, gate: int, history: int) -> Reader:
        self.gate = gate
        self.history = history
        self.log = EventLog(gate=gate, history=history)
        self.items: list[Item] = []
        self.base = 0
        self.open: list[Reader] = []
        self.leader: Reader | None = None
        self.rooms = 0
        self.awaits_room = False
        self.closed = False
        return self.open_cursor(None, lossless=False, text=True)

    # --- the model

    def gating(self) -> list[Reader]:
        return [reader for reader in self.open if reader.cursor.lossless]

    def texting(self) -> list[Reader]:
        return [reader for reader in self.open if reader.cursor.text]

    def end_for(self, reader: Reader) -> int:
        return len(self.items) if self.leader in (None, reader) else self.leader.position  # type: ignore[union-attr]  # (not None: see before)

    def cost(self, start: int, end: int | None = None) -> int:
        return sum(item.cost for item in self.items[max(start, self.base) : end])

    def counts(self, start: int, end: int) -> tuple[int, int]:
        items = self.items[start:end]
        return sum(item.lines for item in items), sum(item.bytes for item in items)

    def slowest(self) -> int:
        return min((reader.position for reader in self.gating()), default=len(self.items))

    def model_lag(self) -> int:
        return max((self.cost(reader.position) for reader in self.gating()), default=0)

    def let_go(self) -> None:
        """What follows from a move: texts that all have passed go, and a waiting writer is called."""
        passed = min((reader.position for reader in self.texting()), default=len(self.items))
        for item in self.items[: max(0, passed)]:
            item.text = b""
        if self.awaits_room and self.model_lag() <= self.gate // 2:
            self.awaits_room = False
            self.rooms += 1

    def wake_up(self) -> None:
        for reader in self.open:
            if reader.parked and (self.closed or reader.position < self.end_for(reader)):
                reader.parked = False
                reader.due_wakes += 1

    # --- rules

    @rule(
        size=st.one_of(st.integers(0, 30), st.integers(0, 3000)),
        lines=st.integers(0, 3),
        growth=st.integers(0, 40),
        many=st.integers(1, 4),
    )
    def append_output(self, size: int, lines: int, growth: int, many: int) -> None:
        if self.closed or self.log.full:  # the merger's rule: no output into a full log
            return
        for _ in range(many):
            text = bytes([65 + len(self.items) % 26]) * (size + growth)
            pieces = [text[:3], memoryview(text)[3:]]
            self.append(output(len(self.items), b"x" * size, lines), text, pieces)

    @rule(what=st.sampled_from([idle, idle, stats]))
    def append_control(self, what: Callable[[int], Event]) -> None:
        if not self.closed:
            self.append(what(len(self.items)), b"~", [b"~"])

    def append(self, event: Event, text: bytes, pieces: list[bytes | memoryview]) -> None:
        self.log.append(event, pieces)
        self.items.append(Item(event, text if self.texting() else b""))
        if self.cost(self.base) > self.history + self.history // 8:
            keep = self.slowest()
            while self.base < keep and self.cost(self.base) > self.history:
                self.base += 1
        assert self.log.base == self.base
        held = sum(self.log.costs)
        assert held <= self.history + self.history // 8 or self.slowest() <= self.base  # it holds the oldest

    @rule(
        target=readers,
        back=st.one_of(st.none(), st.integers(0, 30)),
        lossless=st.booleans(),
        text=st.booleans(),
    )
    def open_cursor(self, back: int | None, lossless: bool, text: bool) -> Reader:
        position = None if back is None else len(self.items) - back
        cursor = self.log.cursor(position, lossless=lossless, text=text)
        reader = Reader(cursor, self.base if position is None else max(0, position), self.base - LOOKBACK)
        self.open.append(reader)
        return reader

    @precondition(lambda self: self.leader is None)
    @rule(target=readers)
    def open_leader(self) -> Reader:
        reader = Reader(self.log.cursor(lossless=True, leader=True), self.base)
        self.open.append(reader)
        self.leader = reader
        return reader

    @rule(reader=readers, limit=st.one_of(st.integers(1, 1000), st.just(128 * 1024)))
    def peek(self, reader: Reader, limit: int) -> None:
        batch = reader.cursor.peek(limit)
        position, end = reader.position, self.end_for(reader)
        assert reader.cursor.position == position  # peeking moves nothing
        if position < self.base:
            [gap] = batch.events
            assert isinstance(gap, Gap)
            assert (gap.from_cursor, gap.to_cursor) == (position, self.base)
            assert gap.events == self.base - position
            counts = (gap.lines, gap.bytes)
            exact = self.counts(position, self.base)
            if position >= reader.exact_from or position == 0:
                assert counts == exact
            else:  # it was opened at a place that went long before: at least what was remembered
                remembered = self.counts(reader.exact_from, self.base)
                assert all(low <= n <= high for low, n, high in zip(remembered, counts, exact, strict=True))
            assert batch.text == []
            position = self.base
        else:
            size = 0
            wanted = []
            while position < end and size < limit:
                size += self.items[position].cost
                wanted.append(self.items[position])
                position += 1
            assert [*batch.events] == [item.event for item in wanted]
            text = b"".join(item.text for item in wanted) if reader.cursor.text else b""
            assert b"".join(batch.text) == text
        assert batch.end == position
        reader.peeked = (batch, position)

    @rule(reader=readers)
    def advance(self, reader: Reader) -> None:
        """The last batch has been dealt with: maybe long after it was overtaken, maybe again."""
        if reader.peeked is None:
            return
        batch, position = reader.peeked
        reader.cursor.advance(batch)
        if position > reader.position:
            reader.position = position
            reader.exact_from = 0
            self.let_go()
            if reader is self.leader:
                self.wake_up()

    @rule(reader=readers, limit=st.sampled_from([1, 128 * 1024]), many=st.integers(1, 5))
    def read_on(self, reader: Reader, limit: int, many: int) -> None:
        for _ in range(many):
            self.peek(reader, limit)
            self.advance(reader)

    @rule(reader=readers, size=st.integers(0, 900))
    def overtake(self, reader: Reader, size: int) -> None:
        """A viewer is overtaken between reading and having dealt with it."""
        self.peek(reader, 300)
        self.append_output(size, 1, 0, 4)
        self.advance(reader)
        self.peek(reader, 300)

    @rule(reader=consumes(readers))
    def close_cursor(self, reader: Reader) -> None:
        reader.cursor.close()
        self.open.remove(reader)
        if reader is self.leader:
            self.leader = None
            self.wake_up()
        self.let_go()
        reader.cursor.close()  # no harm

    @rule(reader=readers)
    def park(self, reader: Reader) -> None:
        def woken() -> None:
            reader.wakes += 1

        reader.cursor.wake = woken
        reader.parked = True

    @rule()
    def publish(self) -> None:
        self.log.publish()
        self.wake_up()

    @precondition(lambda self: self.gating() and not self.closed)
    @rule()
    def fill_up_and_await_room(self) -> None:
        while not self.log.full:
            self.append_output(100, 1, 10, 1)

        def room() -> None:
            self.real_rooms += 1

        self.log.room = room
        self.awaits_room = True

    @precondition(lambda self: len(self.items) > 8)
    @rule()
    def close_log(self) -> None:
        self.log.close()
        self.closed = True
        self.wake_up()
        assert not any(reader.parked for reader in self.open)

    real_rooms = 0

    # --- what always holds

    @invariant()
    def compare(self) -> None:
        log = self.log
        assert log.next == len(self.items)
        assert log.base == self.base
        assert [*log.events] == [item.event for item in self.items[self.base :]]
        assert log.lag == self.model_lag()
        assert log.full is any(self.cost(reader.position) >= self.gate for reader in self.gating())
        assert {*log.gating} == {reader.cursor for reader in self.gating()}
        assert self.real_rooms == self.rooms
        assert (log.room is not None) is self.awaits_room
        for item, pieces in zip(self.items[self.base :], log.texts, strict=True):
            assert b"".join(pieces) == item.text
        unread = self.items[max(self.slowest(), self.base) :]
        assert log.has_unread_stats() is any(isinstance(item.event, Stats) for item in unread)
        for reader in self.open:
            assert reader.cursor.position == reader.position
            assert (reader.cursor.wake is not None) is reader.parked
            assert reader.wakes == reader.due_wakes
            assert reader.cursor.pending is (reader.position < self.end_for(reader))
            if reader.cursor.lossless or reader.position >= self.base:
                assert reader.cursor.lag == self.cost(reader.position)


TestLog = LogMachine.TestCase
TestLog.settings = settings(deadline=None, max_examples=180, stateful_step_count=40)


def fill(log: EventLog, *events: bytes | None) -> None:
    for data in events:
        log.append(idle(log.next) if data is None else output(log.next, data))


def test_no_cursor_is_before_the_first_event() -> None:
    log = EventLog()
    fill(log, b"a\n")
    cursor = log.cursor(-5, lossless=False)
    assert cursor.position == 0
    assert [event.cursor for event in cursor.peek().events if not isinstance(event, Gap)] == [0]


@pytest.mark.parametrize(
    ("position", "lines"),
    [(0, 100), (1, 5), (90, 5), (94, 5), (95, 5), (96, 4), (99, 1), (100, 0)],
)
def test_the_gap_of_one_who_comes_back(position: int, lines: int) -> None:
    """Exact from the start and within the lookback; beyond it what is remembered."""
    with mock.patch.object(log_module, "LOOKBACK", 5):
        log = EventLog(history=0)
        for number in range(100):
            fill(log, b"%02d\n" % number)
        assert log.base == 100
        del log._past[:-10]  # as few as there may be
        cursor = log.cursor(position, lossless=False)
        if position == 100:
            assert cursor.peek().events == []
            return
        [gap] = cursor.peek().events
        assert gap == Gap(
            from_cursor=position, to_cursor=100, events=100 - position, lines=lines, bytes=3 * lines
        )


def test_the_lookback_is_bounded() -> None:
    log = EventLog(history=0)
    for number in range(3 * log_module.LOOKBACK):
        log.append(idle(number))
        assert len(log._past) <= 4 * log_module.LOOKBACK
    assert len(log._past) >= 2 * log_module.LOOKBACK


def test_an_overtaken_reader_gets_one_gap_after_another() -> None:
    log = EventLog(history=3 * EVENT_COST)
    viewer = log.cursor(lossless=False)
    fill(log, b"a\n", b"b\n", None)
    batch = viewer.peek()
    fill(log, *[b"c\n"] * 5)
    viewer.advance(batch)  # what it had read was evicted meanwhile
    first = viewer.peek()
    assert first.events == [
        Gap(
            from_cursor=3,
            to_cursor=log.base,
            events=log.base - 3,
            lines=log.base - 3,
            bytes=2 * (log.base - 3),
        )
    ]
    before = log.base
    fill(log, *[b"d\n"] * 5)
    viewer.advance(first)  # and so was what the gap led to
    [second] = viewer.peek().events
    assert isinstance(second, Gap)
    assert (second.from_cursor, second.to_cursor, second.lines) == (before, log.base, log.base - before)


def test_text_is_given_once_to_each_and_then_let_go() -> None:
    log = EventLog()
    first = log.cursor(lossless=True, text=True)
    second = log.cursor(lossless=False, text=True)
    plain = log.cursor(lossless=True)
    log.append(output(0, b"x\n"), [b"[a] ", b"x\n"])
    for cursor in (first, second):
        batch = cursor.peek()
        assert batch.text == [b"[a] ", b"x\n"]
        cursor.advance(batch)
        assert cursor.peek().text == []
    assert [*log.texts] == [()]
    assert plain.peek().text == []
    late = log.cursor(0, lossless=False, text=True)
    assert (len(late.peek().events), late.peek().text) == (1, [])


def test_without_a_text_cursor_no_text_is_kept_or_charged() -> None:
    log = EventLog()
    log.append(output(0, b"x\n"), [b"[a] ", b"x\n"])
    assert [*log.texts] == [()]
    assert log.total == EVENT_COST + 2


def test_followers_see_what_the_leader_has_passed() -> None:
    log = EventLog()
    leader = log.cursor(lossless=True, leader=True)
    viewer = log.cursor(lossless=False)
    woken = []
    fill(log, b"a\n", b"b\n")
    viewer.wake = lambda: woken.append(1)
    log.publish()
    assert not woken
    assert viewer.peek().events == []
    leader.advance(leader.peek(1))
    assert woken == [1]
    assert [event.cursor for event in viewer.peek().events if not isinstance(event, Gap)] == [0]
    leader.close()
    assert len(viewer.peek().events) == 2


def test_a_full_log_calls_once_when_half_empty() -> None:
    log = EventLog(gate=4 * EVENT_COST)
    calls = []
    reader = log.cursor(lossless=True)
    fill(log, None, None, None, None)
    assert log.full
    log.room = lambda: calls.append(log.lag)
    for _ in range(4):
        reader.advance(reader.peek(1))
    assert calls == [2 * EVENT_COST]


def test_control_events_have_room_in_a_full_log() -> None:
    log = EventLog(gate=EVENT_COST, history=0)
    reader = log.cursor(lossless=True)
    fill(log, b"x\n", None, None)
    assert log.full
    assert len(reader.peek().events) == 3


def test_a_batch_is_what_the_limit_says_or_one() -> None:
    log = EventLog()
    fill(log, b"x" * 5000, None, None, None)
    reader = log.cursor(lossless=True)
    assert len(reader.peek(1).events) == 1
    reader.advance(reader.peek(1))
    assert len(reader.peek(2 * EVENT_COST).events) == 2
    assert len(reader.peek().events) == 3


def test_history_is_let_go_in_steps_and_no_more_than_needed() -> None:
    log = EventLog(history=16 * EVENT_COST)
    bases = []
    for number in range(24):
        log.append(idle(number))
        bases.append(log.base)
    assert bases == [0] * 18 + [3] * 3 + [6] * 3

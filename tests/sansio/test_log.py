"""The event log against a plain list that forgets nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axiom_trio.sansio.events import Gap, Idle, Output, Stats
from axiom_trio.sansio.log import EventLog

if TYPE_CHECKING:
    pass


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


def fill(log: EventLog, *events: bytes | None) -> None:
    for data in events:
        log.append(idle(log.next) if data is None else output(log.next, data))


def test_no_cursor_is_before_the_first_event() -> None:
    log = EventLog()
    fill(log, b"a\n")
    cursor = log.cursor(-5, lossless=False)
    assert cursor.position == 0
    assert [event.cursor for event in cursor.peek().events if not isinstance(event, Gap)] == [0]

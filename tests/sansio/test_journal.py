"""The journal's records: every event comes back exactly, and damage costs what it hit and no more."""

from __future__ import annotations

import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axiom_trio.sansio import journal
from axiom_trio.sansio.events import (
    AllCompleted,
    ChildStatistics,
    Completed,
    Delivery,
    Escaped,
    Event,
    Exit,
    Gap,
    Idle,
    Intervention,
    Output,
    Restarting,
    Started,
    Stats,
    TaskMetadata,
)
from axiom_trio.sansio.journal import HEAD, Encoder, Record, scan

SYNC = b"\x9f\x01\xa7\x33"

# Lone surrogates, NUL, the longest code points: whatever a name or a prompt may hold.
text = st.text(st.characters(exclude_categories=()), max_size=12)
time = st.floats(allow_nan=False) | st.floats(1.7e9, 1.8e9)
count = st.integers(0, 2**63)
maybe = st.none() | st.integers(0, 2**40)
exits = st.builds(
    Exit, code=st.none() | st.integers(0, 255), signal=st.none() | st.integers(1, 64), error=st.none() | text
)
common = {"cursor": count, "time": time}
metadata = st.none() | st.builds(
    TaskMetadata,
    prompt=st.none() | text,
    index=maybe,
    depth=maybe,
    pattern=st.none() | text,
    parent=st.none() | text,
)
figures = st.builds(
    ChildStatistics,
    child=text,
    name=text,
    bytes=count,
    lines=count,
    interventions=count,
    uptime=time,
    idle=time,
)
totals = {"bytes": count, "lines": count, "interventions": count}
reasons = st.sampled_from(["exit", "signal", "stopped", "cancelled", "error", "timeout", "idle", "skipped"])
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        Started,
        **common,
        child=text,
        name=text,
        index=count,
        pid=maybe,
        tty=st.booleans(),
        metadata=metadata,
    ),
    st.builds(
        Output,
        **common,
        child=text,
        seq=count,
        kind=st.sampled_from(["output", "error", "intervention", "progress"]),
        data=st.binary(max_size=200),
        lines=st.integers(0, 2**32 - 1),
        partial=st.booleans(),
    ),
    st.builds(
        Intervention,
        **common,
        child=text,
        count=count,
        origin=st.sampled_from(["detected", "rule", "user"]),
        text=text,
        receipt=st.none() | text,
        rule=st.none() | text,
    ),
    st.builds(
        Delivery,
        **common,
        child=text,
        receipt=st.none() | text,
        state=st.sampled_from(["confirmed", "queued", "unconfirmed", "refused", "suppressed"]),
        reason=text,
        rule=st.none() | text,
    ),
    st.builds(Idle, **common, child=text, idle=time),
    st.builds(Stats, **common, active=count, **totals, children=st.lists(figures, max_size=3).map(tuple)),
    st.builds(Restarting, **common, child=text, attempt=count, delay=time, exit=exits, reason=reasons),
    st.builds(Gap, from_cursor=count, to_cursor=count, events=count, lines=count, bytes=count),
    st.builds(
        Completed,
        **common,
        child=text,
        exit=exits,
        reason=reasons,
        duration=time,
        **totals,
        attempts=st.integers(0, 9),
        escaped=st.lists(st.builds(Escaped, count, text, st.booleans()), max_size=2).map(tuple),
    ),
    st.builds(AllCompleted, **common, children=count, failed=count, **totals),
)


def encode(events: list[Event], sync: bytes = SYNC) -> list[bytes]:
    encoder = Encoder(sync)
    return [b"".join(encoder.event(event)) for event in events]


def decode(data: bytes, sync: bytes = SYNC) -> list[Event]:
    return [record.event() for record in scan(data, sync, final=True).records]


def output(cursor: int, data: bytes, child: str = "a") -> Output:
    return Output(
        cursor=cursor,
        time=cursor + 0.1,
        child=child,
        seq=cursor,
        kind="output",
        data=data,
        lines=data.count(b"\n"),
    )


@settings(max_examples=500)
@given(EVENTS)
def test_every_event_comes_back_exactly(event: Event) -> None:
    [got] = decode(encode([event])[0])
    assert got == event
    assert type(got) is type(event)


def test_every_event_has_a_number() -> None:
    assert set(journal._NUMBERS) == set(Event.__args__)


def test_infinite_times_come_back() -> None:
    idle = Idle(cursor=1, time=math.inf, child="a", idle=-math.inf)
    assert decode(encode([idle])[0]) == [idle]


@given(st.lists(EVENTS, max_size=6), st.lists(st.integers(1, 400), max_size=20))
def test_a_file_may_be_read_in_any_pieces(events: list[Event], sizes: list[int]) -> None:
    data = b"".join(encode(events))
    got: list[Event] = []
    at, size = 0, 0
    while at < len(data):
        size = max(size, sizes.pop() if sizes else len(data))
        piece = data[at : at + size]
        found = scan(piece, SYNC, final=at + size >= len(data))
        assert found.damaged == []
        got += [record.event() for record in found.records]
        assert found.end or found.wanted > len(piece), "it goes on, or says how much it needs"
        at, size = at + found.end, found.wanted
    assert got == events


def test_totals_stand_before_each_record() -> None:
    events = [output(0, b"a\nb\n"), output(1, b"c"), Idle(cursor=2, time=0, child="a", idle=1)]
    records = scan(b"".join(encode(events)), SYNC, final=True).records
    assert [(r.lines_before, r.bytes_before) for r in records] == [(0, 0), (2, 4), (2, 5)]
    assert [(r.lines_after, r.bytes_after) for r in records] == [(2, 4), (2, 5), (2, 5)]


def test_a_beginning_and_an_end_are_no_events() -> None:
    encoder = Encoder(SYNC, lines=7, size=9)
    header = {"tasks": ["a\udcff", 1, None]}
    started = Started(cursor=3, time=1, child="a", name="a", index=0)
    data = b"".join(
        b"".join(pieces)
        for pieces in (
            encoder.begin(5, 1.5, "abc", header),
            encoder.event(started, repeated=True),
            encoder.end(6, 2.5),
        )
    )
    begin, again, end = scan(data, SYNC, final=True).records
    assert not (begin.is_event or again.is_event or end.is_event)
    assert begin.is_begin
    assert begin.document() == {"format": 1, "run": "abc", "header": header}
    assert (begin.cursor, begin.time, begin.lines_before, begin.bytes_before) == (5, 1.5, 7, 9)
    assert again.is_started
    assert again.event() == started
    assert end.is_end
    assert (end.cursor, end.time) == (6, 2.5)


def test_an_event_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        Encoder(SYNC).event(output(0, bytes(65 * 1024 * 1024)))


# --- damage

RECORDS = encode(
    [
        Started(cursor=0, time=1.0, child="a", name="a", index=0),
        *(output(n, (b"%03d " % n) * 5 + b"\n") for n in range(1, 9)),
        Completed(
            cursor=9,
            time=1.0,
            child="a",
            exit=Exit(3),
            reason="exit",
            duration=1,
            bytes=1,
            lines=1,
            interventions=0,
        ),
    ]
)
EXACT = decode(b"".join(RECORDS))


def starts() -> list[int]:
    return [sum(map(len, RECORDS[:n])) for n in range(len(RECORDS) + 1)]


def check(data: bytes, wanted: list[Event]) -> list[tuple[int, int]]:
    """Whole and in any pieces: the events wanted, and what is told to be damaged is no record."""
    found = scan(data, SYNC, final=True)
    events = [record.event() for record in found.records]
    assert events == wanted
    whole = [(record.start, record.end) for record in found.records]
    pieces = sorted([*whole, *found.damaged, (found.end, len(data))])
    assert [start for start, _ in pieces[1:]] == [end for _, end in pieces[:-1]], "each byte is accounted for"
    assert pieces[0][0] == 0
    for size in (64, 100, 333):
        got, at, wanted_size = [], 0, 0
        while at < len(data):
            amount = max(size, wanted_size)
            part = scan(data[at : at + amount], SYNC, final=at + amount >= len(data))
            got += [record.event() for record in part.records]
            if at + amount >= len(data):
                break
            at, wanted_size = at + part.end, part.wanted
        assert got == wanted
    return found.damaged


def test_truncated_anywhere_in_the_last_three_records() -> None:
    data, begins = b"".join(RECORDS), starts()
    for size in range(begins[-4], len(data)):
        whole = max(n for n, start in enumerate(begins) if start <= size)
        assert check(data[:size], EXACT[:whole]) == []
        assert scan(data[:size], SYNC, final=True).end == begins[whole]


@pytest.mark.parametrize("flip", [1, 0x80, 0xFF])
def test_each_byte_of_one_in_the_middle_flipped(flip: int) -> None:
    data, begins = b"".join(RECORDS), starts()
    for at in range(begins[4], begins[5]):
        damaged = bytearray(data)
        damaged[at] ^= flip
        assert check(bytes(damaged), EXACT[:4] + EXACT[5:]) == [(begins[4], begins[5])]


def test_any_length_in_the_middle() -> None:
    data, begins = b"".join(RECORDS), starts()
    length = len(RECORDS[4]) - HEAD.size
    for claimed in [*range(600), 2**16, 2**24, 2**26, 2**31, 2**32 - 1]:
        if claimed != length:
            damaged = data[: begins[4] + 4] + claimed.to_bytes(4, "little") + data[begins[4] + 8 :]
            assert check(damaged, EXACT[:4] + EXACT[5:]) == [(begins[4], begins[5])]


def test_a_page_of_zeros_anywhere() -> None:
    events = [output(n, b"%0200d\n" % n) for n in range(80)]
    records = encode(events)
    data = b"".join(records)
    begins = [sum(map(len, records[:n])) for n in range(len(records) + 1)]
    for at in range(0, len(data) - 4096, 97):
        hit = {n for n in range(len(records)) if begins[n] < at + 4096 and begins[n + 1] > at}
        check(data[:at] + bytes(4096) + data[at + 4096 :], [e for n, e in enumerate(events) if n not in hit])


@given(st.data())
def test_a_block_twice_invents_nothing(data: st.DataObject) -> None:
    whole = b"".join(RECORDS)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    events = decode(whole[:end] + whole[start:])
    assert all(event in EXACT for event in events)
    begins = starts()
    cut = {n for n in range(len(EXACT)) if begins[n] < start <= end < begins[n + 1] and start != end}
    assert {n for n, event in enumerate(EXACT) if event not in events} == cut


@given(st.binary(max_size=200), st.integers(0, len(RECORDS)))
def test_garbage_between_records(garbage: bytes, place: int) -> None:
    data = b"".join([*RECORDS[:place], garbage, *RECORDS[place:]])
    assert decode(data) == EXACT


@given(st.binary(max_size=1000))
def test_anything_can_be_scanned(data: bytes) -> None:
    for final in (False, True):
        found = scan(data, SYNC, final=final)
        assert not found.records
        assert found.end <= len(data)


def test_a_journal_that_a_child_prints_is_output() -> None:
    """Also when the record that holds it is damaged: another run has another mark."""
    other = b"".join(encode(EXACT, os.urandom(3) + b"\1"))
    records = encode([output(0, other), output(1, b"x\n")])
    damaged = bytearray(b"".join(records))
    damaged[20] ^= 1
    check(bytes(damaged), [output(1, b"x\n")])


def test_a_kind_of_a_later_version_is_told_by_an_error() -> None:
    record = bytearray(RECORDS[0])
    record[HEAD.size - 2] = 99
    from zlib import crc32

    record[8:12] = crc32(record[12:]).to_bytes(4, "little")
    [found] = scan(bytes(record), SYNC, final=True).records
    assert isinstance(found, Record)
    with pytest.raises(ValueError, match="unknown type 99"):
        found.event()

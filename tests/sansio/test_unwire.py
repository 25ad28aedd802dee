"""The wire form read again is what was written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.sansio.events import (
    AllCompleted,
    Completed,
    Delivery,
    Escaped,
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
from axiom_trio.sansio.unwire import from_wire
from axiom_trio.sansio.wire import WireEncoder

if TYPE_CHECKING:
    from axiom_trio.sansio.events import Event

ID = "0123456789abcdef"
HEAD = {"cursor": 7, "time": 1_700_000_000.125, "child": ID}


def again(event: Event) -> Event | None:
    return from_wire(json.loads(WireEncoder().encode(event)))


@pytest.mark.parametrize(
    "event",
    [
        Started(**HEAD, name="a", index=2, pid=7, tty=True, metadata=TaskMetadata(prompt="p", depth=1)),
        Started(**HEAD, name="a", index=2),
        Intervention(**HEAD, count=3, origin="rule", text="x\ny", receipt="r", rule="q"),
        Delivery(**HEAD, receipt=None, state="suppressed", reason="cooldown", rule="q"),
        Idle(**HEAD, idle=1.5),
        Restarting(**HEAD, attempt=2, delay=0.5, exit=Exit(None, 9), reason="signal"),
        Completed(
            **HEAD,
            exit=Exit(None, error="not found"),
            reason="error",
            duration=0.25,
            bytes=1,
            lines=2,
            interventions=3,
            attempts=4,
            escaped=(Escaped(5, "sleep 1", killed=False),),
        ),
        AllCompleted(
            cursor=7, time=1_700_000_000.125, children=3, failed=1, bytes=4, lines=5, interventions=6
        ),
        Gap(from_cursor=3, to_cursor=9, events=6, lines=70, bytes=800),
    ],
)
def test_events_come_back(event: Event) -> None:
    assert again(event) == event


@given(st.binary(), st.booleans(), st.sampled_from(["output", "error", "intervention"]))
def test_each_byte_comes_back(data: bytes, partial: bool, kind: str) -> None:
    event = Output(**HEAD, seq=4, kind=kind, data=data, lines=data.count(b"\n"), partial=partial)
    assert again(event) == event
    assert again(attrs.evolve(event, cursor=8)) != event


def test_figures_are_no_events() -> None:
    stats = Stats(cursor=1, time=1.0, active=0, bytes=0, lines=0, interventions=0, children=())
    assert again(stats) is None
    assert from_wire({"type": "hello", "data": {}}) is None

"""What happened: frozen values, and how the work of a child ended."""

from __future__ import annotations

import typing

import attrs
import pytest

from axiom_trio.sansio import events
from axiom_trio.sansio.events import Exit, Gap, TaskMetadata

CLASSES = typing.get_args(events.Event)


@pytest.mark.parametrize(
    ("ended", "ok", "status", "shown"),
    [
        (Exit(), True, 0, "exit 0"),
        (Exit(0), True, 0, "exit 0"),
        (Exit(1), False, 1, "exit 1"),
        (Exit(255), False, 255, "exit 255"),
        (Exit(None, 15), False, 143, "signal 15"),
        (Exit(None, signal=9), False, 137, "signal 9"),
        (Exit(None), False, 1, "no exit status"),
        (Exit(127, error="no such command: nope"), False, 127, "no such command: nope"),
        (Exit(0, error="it raised"), False, 1, "it raised"),
        (Exit(None, error="it raised"), False, 1, "it raised"),
    ],
)
def test_exit(ended: Exit, ok: bool, status: int, shown: str) -> None:
    assert (ended.ok, ended.status, str(ended)) == (ok, status, shown)


def test_the_union_is_closed_and_has_every_event() -> None:
    names = {
        *("Started", "Output", "Intervention", "Idle", "Stats", "Restarting", "Gap"),
        *("Completed", "AllCompleted", "Delivery"),
    }
    assert {cls.__name__ for cls in CLASSES} == names


@pytest.mark.parametrize("cls", [*CLASSES, Exit, TaskMetadata, events.ChildStatistics, events.Receipt])
def test_values_are_frozen_slotted_and_documented(cls: type) -> None:
    value = cls(**{field.name: None for field in attrs.fields(cls)})
    for field in attrs.fields(cls):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, field.name, 1)
    assert not hasattr(value, "__dict__")
    assert value == attrs.evolve(value)
    assert hash(value) == hash(attrs.evolve(value))
    assert cls.__doc__


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if cls is not Gap])
def test_every_event_in_the_log_has_a_cursor_and_a_time(cls: type) -> None:
    assert [field.name for field in attrs.fields(cls)][:2] == ["cursor", "time"]
    assert all(field.kw_only for field in attrs.fields(cls))

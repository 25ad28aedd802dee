"""The records of a journal: how events lie on disk, and how they are found again.

A record is a head, the child's id, and what the event carries::

    sync 4 | length u32 | crc u32 | cursor u64 | time f64 | seq u64 | lines before u64
    | bytes before u64 | lines u32 | id length u32 | type u8 | flags u8 | id | payload

* `crc` is the CRC-32 of all that comes after it, `length` counts what comes after the head.
* `sync` is random, one for each run, and stands in the name of the file: what a child
  writes can't pass for a record, not even a journal that it prints.
* Each record has its child's id and the totals of output before it. So any record can be
  read without those before it, and what is missing between two of them can be counted.
* The payload of output is its bytes; that of other events is JSON of their fields, as it
  alone keeps the lone surrogates of undecodable names.

`scan` never raises: what is no whole record is skipped up to the next one, and reported.
"""

from __future__ import annotations

import json
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import msgspec

from axiom_trio.sansio.events import (
    AllCompleted,
    Completed,
    Delivery,
    Gap,
    Idle,
    Intervention,
    Output,
    Restarting,
    Started,
    Stats,
)

if TYPE_CHECKING:
    from axiom_trio.sansio.cursor import Buffer
    from axiom_trio.sansio.events import Event, Kind

FORMAT: Final = 1
SYNC_SIZE: Final = 4
HEAD: Final = Struct("<4sIIQdQQQIIBB")
_HEAD_FIRST: Final = Struct("<4sII")
_HEAD_REST: Final = Struct("<QdQQQIIBB")
_CRC_FROM: Final = HEAD.size - _HEAD_REST.size
_MAX_LENGTH: Final = 64 * 1024 * 1024
"""A record that claims to be longer is none; so a damaged length can't make us read for ever."""

_TYPES: Final[dict[int, Any]] = {
    1: Started,
    2: Output,
    3: Intervention,
    4: Idle,
    5: Stats,
    6: Restarting,
    7: Gap,
    8: Completed,
    9: AllCompleted,
    10: Delivery,
}
_NUMBERS: Final = {event_type: number for number, event_type in _TYPES.items()}
_OUTPUT: Final = _NUMBERS[Output]
_STARTED: Final = _NUMBERS[Started]
_BEGIN: Final = 64
_END: Final = 65
_KINDS: Final[tuple[Kind, ...]] = ("output", "error", "intervention", "progress")
_KIND_NUMBERS: Final = {kind: number for number, kind in enumerate(_KINDS)}
_KIND_MASK: Final = 3
_PARTIAL: Final = 4
_REPEATED: Final = 8


class Encoder:
    """Makes the records of one run.

    Args:
        sync: The run's mark, `SYNC_SIZE` random bytes without a zero.
        lines: Total lines of output in the journal so far.
        size: Total bytes of output in the journal so far.
    """

    def __init__(self, sync: bytes, *, lines: int = 0, size: int = 0) -> None:
        self.lines = lines
        self.size = size
        self._sync = sync

    def event(self, event: Event, *, repeated: bool = False) -> list[Buffer]:
        """The pieces of an event's record.

        Args:
            event: The event.
            repeated: It's a `Started` that stood in an earlier file and is said again.

        Raises:
            ValueError: It is larger than a record may be.
        """
        if type(event) is Output:
            data = event.data
            flags = _KIND_NUMBERS[event.kind] | (_PARTIAL if event.partial else 0)
            record = self._record(
                _OUTPUT, flags, event.cursor, event.time, event.child, data, event.seq, event.lines
            )
            self.lines += event.lines
            self.size += len(data)
            return record
        payload = json.dumps(msgspec.to_builtins(event), separators=(",", ":")).encode("ascii")
        cursor, time = (event.from_cursor, 0.0) if isinstance(event, Gap) else (event.cursor, event.time)
        child = getattr(event, "child", "")
        return self._record(_NUMBERS[type(event)], _REPEATED if repeated else 0, cursor, time, child, payload)

    def begin(self, cursor: int, time: float, run: str, header: object) -> list[Buffer]:
        """What a file begins with: the run, and what its caller wants to find again (JSON)."""
        document = {"format": FORMAT, "run": run, "header": header}
        payload = json.dumps(document, separators=(",", ":")).encode("ascii")
        return self._record(_BEGIN, 0, cursor, time, "", payload)

    def end(self, cursor: int, time: float) -> list[Buffer]:
        """What a run ends with that was not interrupted."""
        return self._record(_END, 0, cursor, time, "", b"")

    def _record(
        self,
        number: int,
        flags: int,
        cursor: int,
        time: float,
        child: str,
        payload: bytes,
        seq: int = 0,
        lines: int = 0,
    ) -> list[Buffer]:
        name = child.encode("utf-8", "surrogatepass")
        length = len(name) + len(payload)
        if length > _MAX_LENGTH:
            raise ValueError(f"an event of {length} bytes is too large for the journal")
        rest = _HEAD_REST.pack(cursor, time, seq, self.lines, self.size, lines, len(name), number, flags)
        rest += name
        head = _HEAD_FIRST.pack(self._sync, length, crc32(payload, crc32(rest))) + rest
        return [head, payload] if payload else [head]


class Record:
    """A whole record, as found."""

    __slots__ = (
        *("bytes_before", "cursor", "end", "lines", "lines_before", "payload", "seq", "start", "time"),
        *("_child", "_flags", "_type"),
    )

    def __init__(self, data: bytes, start: int, length: int) -> None:
        self.cursor: int
        self.time: float
        self.lines: int
        self.lines_before: int
        self.bytes_before: int
        self._type: int
        self._flags: int
        head = HEAD.unpack_from(data, start)[3:]
        self.cursor, self.time, self.seq, self.lines_before, self.bytes_before = head[:5]
        self.lines, id_length, self._type, self._flags = head[5:]
        self.start = start
        """Where it begins in what was scanned, in bytes."""
        self.end = start + HEAD.size + length
        id_end = start + HEAD.size + id_length
        self._child = data[start + HEAD.size : id_end]
        self.payload = data[id_end : self.end]

    @property
    def is_event(self) -> bool:
        """Whether it stands for an event in its place: no beginning or end, and not said again."""
        return self._type < _BEGIN and not self._flags & _REPEATED

    @property
    def is_started(self) -> bool:
        """Whether it is a `Started`, maybe said again."""
        return self._type == _STARTED

    @property
    def is_begin(self) -> bool:
        """Whether a file begins with it."""
        return self._type == _BEGIN

    @property
    def is_end(self) -> bool:
        """Whether a run ended with it."""
        return self._type == _END

    @property
    def lines_after(self) -> int:
        """Total lines of output in the journal, this one's included."""
        return self.lines_before + self.lines

    @property
    def bytes_after(self) -> int:
        """Total bytes of output in the journal, this one's included."""
        return self.bytes_before + (len(self.payload) if self._type == _OUTPUT else 0)

    def event(self) -> Event:
        """The event.

        Raises:
            ValueError: It is of a kind that this version does not know.
        """
        if self._type == _OUTPUT:
            flags = self._flags
            return Output(
                cursor=self.cursor,
                time=self.time,
                child=_id(self._child),
                seq=self.seq,
                kind=_KINDS[flags & _KIND_MASK],
                data=self.payload,
                lines=self.lines,
                partial=flags & _PARTIAL != 0,
            )
        event_type = _TYPES.get(self._type)
        if event_type is None:
            raise ValueError(f"a record of the unknown type {self._type}")
        event: Event = msgspec.convert(json.loads(self.payload), event_type)
        return event

    def document(self) -> dict[str, Any]:
        """What a file begins with: `format`, `run` and `header`; empty if it's no such thing."""
        try:
            document = json.loads(self.payload)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}


class Scan:
    """What `scan` has found."""

    __slots__ = ("damaged", "end", "records", "wanted")

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.damaged: list[tuple[int, int]] = []
        """Where there was no record: starts and ends, in order."""
        self.end = 0
        """Where to go on; what lies behind it may be the beginning of a record."""
        self.wanted = 0
        """How many bytes from `end` on are needed to go on; 0 if all was read."""


def scan(data: bytes, sync: bytes, *, final: bool, trusted: bool = False) -> Scan:
    """Find the records in `data`.

    Args:
        data: Part of a file, from anywhere.
        sync: The mark of its run.
        final: Nothing comes after `data`: a record that it ends in is looked into for whole ones, which
            come after a damaged length. If there are none, `end` is its beginning: a torn tail.
        trusted: It's what this process has just written: the sums are not made again.
    """
    found = Scan()
    view = memoryview(data)
    at = 0
    while at < len(data):
        record = _parse(data, view, at, sync, trusted)
        if type(record) is Record:
            found.records.append(record)
            at = record.end
            continue
        if type(record) is int and not final:
            found.wanted = record
            break
        after, wanted = _next(data, view, at + 1, sync, final=final)
        if after is None and final:
            break
        if after is None:
            after = len(data) - _mark_begun(data, sync)
        found.damaged.append((at, after))
        at = after
        if wanted:
            found.wanted = wanted
            break
    found.end = at
    if at < len(data):
        found.wanted = found.wanted or HEAD.size
    return found


def _next(data: bytes, view: memoryview, at: int, sync: bytes, *, final: bool) -> tuple[int | None, int]:
    """Where the next record begins, and how many bytes of it are needed if it's not all there."""
    at = data.find(sync, at)
    while at >= 0:
        record = _parse(data, view, at, sync)
        if type(record) is Record:
            return at, 0
        if type(record) is int and not final:
            return at, record
        at = data.find(sync, at + 1)
    return None, 0


def _parse(data: bytes, view: memoryview, at: int, sync: bytes, trusted: bool = False) -> Record | int | None:
    """The record at a place; the bytes it needs if that's more than there are; None if there is none."""
    if len(data) - at < HEAD.size:
        mark = data[at : at + SYNC_SIZE]
        return HEAD.size if sync.startswith(mark) else None
    if not data.startswith(sync, at):
        return None
    length = int.from_bytes(view[at + 4 : at + 8], "little")
    if length > _MAX_LENGTH:
        return None
    end = at + HEAD.size + length
    if end > len(data):
        return end - at
    if not trusted and crc32(view[at + _CRC_FROM : end]) != int.from_bytes(view[at + 8 : at + 12], "little"):
        return None
    return Record(data, at, length)


def _mark_begun(data: bytes, sync: bytes) -> int:
    """How many bytes at the end of `data` may be the beginning of a mark."""
    return next((size for size in (3, 2, 1) if data.endswith(sync[:size])), 0)


@lru_cache(10_000)
def _id(data: bytes) -> str:
    """One string for all records of a child."""
    return data.decode("utf-8", "surrogatepass")

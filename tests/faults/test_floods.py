"""T26–T29: children that write more than anybody can read."""

from __future__ import annotations

import bisect
import os
import re
import signal
import time
import zlib

import pytest
import trio

from axiom_trio import Output, ProcessExecutor, open_aggregator
from tests.commands import PATIENCE, Collector, Running
from tests.faults import child
from tests.faults.harness import BOTH, RSS_BOUND, Reader, argv, best_of, bound, idle_rss, line, status_field
from tests.faults.oracle import check

QUIET_LINES = 300


@BOTH
@pytest.mark.parametrize("seconds", [2, pytest.param(6, marks=pytest.mark.slow)])
def test_T26_floods_are_served_fairly(on: str, seconds: int) -> None:
    """Four floods: each gets its share, memory stays, and Ctrl-C is answered."""
    with Running(on, "-n", "a,b,c,d", *(line("flood", task) for task in "abcd")) as run:
        reader = Reader(run, "abcd")
        streams = reader.oracle.found.streams
        deadline = time.monotonic() + PATIENCE
        while len(streams) < 4 and time.monotonic() < deadline:
            assert reader.read(seconds=0.1)
        before = {task: streams[task].good for task in "abcd"}
        assert reader.read(seconds=seconds)
        shares = {task: streams[task].good - before[task] for task in "abcd"}
        assert min(shares.values()) >= sum(shares.values()) / 4 / 2, shares
        run.signal(signal.SIGINT)
        assert not reader.read(), "it goes on for ever"
        found = reader.oracle.end()
        assert run.finish().status == 130
    # Killed in the middle of a write, a child leaves a part of its last line.
    assert found.torn_count + len(found.other) <= 4
    assert all(text[:5] in (b"[a] a", b"[b] b", b"[c] c", b"[d] d") for text in found.other)
    assert not found.strange
    assert all(not stream.skipped and not stream.again for stream in found.streams.values())
    assert reader.peak < idle_rss() + RSS_BOUND


def overtaking(on: str) -> float:
    """Bytes of a flood that are read after a quiet child's line was written and before it's read; p99.

    It does not depend on how busy the machine is: what overtakes it was in buffers before.
    """
    reads: list[tuple[int, int]] = []  # when, and how much there was by then
    passed: list[int] = []
    rest = b""
    with Running(
        on, "-q", "-n", "a,q", line("flood", "a"), line("quiet", "q", n=QUIET_LINES, every=5)
    ) as run:
        assert run.process.stdout is not None
        deadline = time.monotonic() + PATIENCE
        total = 0
        while len(passed) < QUIET_LINES and time.monotonic() < deadline:
            data = os.read(run.process.stdout.fileno(), 1 << 18)
            total += len(data)
            for match in re.finditer(rb"\[q\] q:\d+:[0-9a-f]{8}:(\d+)\n", rest + data):
                place = bisect.bisect(reads, (int(match[1]), 0)) - 1
                passed.append(total - (reads[place][1] if place >= 0 else 0))
            reads.append((time.monotonic_ns(), total))
            rest = data[data.rfind(b"\n") + 1 :]
        run.signal(signal.SIGTERM)
        assert run.finish().status == 143
    assert len(passed) == QUIET_LINES
    return sorted(passed)[QUIET_LINES * 99 // 100]


@BOTH
def test_T27_a_quiet_child_is_seen_beside_a_flood(on: str) -> None:
    assert best_of(3, lambda: overtaking(on), bound(2)) < bound(2)


@pytest.mark.parametrize(
    ("size", "on"),
    [
        (128_000_000, "--pipe"),
        pytest.param(128_000_000, "--pty", marks=pytest.mark.slow),
        pytest.param(1 << 30, "--pipe", marks=pytest.mark.slow),
    ],
)
def test_T28_a_line_without_end(size: int, on: str) -> None:
    """Whole behind one prefix, exact, in bounded memory, and closed at the child's end."""
    count, rest = divmod(size, len(child.BLOCK))
    crc = zlib.crc32(b"[a] ")
    for piece in (*[child.BLOCK] * count, child.BLOCK[:rest], b"\n"):
        crc = zlib.crc32(piece, crc)
    seen = got = peak = 0
    with Running(on, "-q", "-n", "a", line("bigline", "a", size=size)) as run:
        assert run.process.stdout is not None
        while data := os.read(run.process.stdout.fileno(), 1 << 18):
            seen += len(data)
            got = zlib.crc32(data, got)
            peak = max(peak, status_field(run.process.pid, "VmHWM"))
        assert run.finish().status == 0
    assert seen == 4 + size + 1
    assert got == crc
    assert peak < idle_rss() + RSS_BOUND


async def test_T28_the_pieces_of_a_line_are_flagged() -> None:
    """Beside another child: each block says whether its line goes on, and no byte is lost or mixed."""
    size = 5_000_000
    sink = Collector()
    with trio.fail_after(PATIENCE):
        async with open_aggregator([sink]) as aggregator:
            big = argv("bigline", "a", size=size, end=1)
            aggregator.start_soon(ProcessExecutor(big), id="a", name="a")
            aggregator.start_soon(ProcessExecutor(argv("lines", "b", n=500, every=5)), id="b", name="b")
    blocks = [event for event in sink.events if type(event) is Output and event.child == "a"]
    whole = (child.BLOCK * (size // len(child.BLOCK) + 1))[:size] + b"\n"
    assert b"".join(event.data for event in blocks) == whole + child.DONE + b"\n"
    assert b"[a] " + whole in sink.written or aggregator.statistics().broken_lines
    assert len(blocks) > 10
    assert all(event.partial == (not event.data.endswith(b"\n")) for event in blocks)
    assert {event.seq for event in blocks if event.partial} == {0}
    others = b"".join(text for text in sink.written.splitlines(True) if text.startswith(b"[b] "))
    found = check(others, "b")
    assert found.exact and found.lost({"b": 500}) == 0


@pytest.mark.parametrize(
    ("count", "on"),
    [
        (1_000_000, "--pipe"),
        pytest.param(1_000_000, "--pty", marks=pytest.mark.slow),
        pytest.param(10_000_000, "--pipe", marks=pytest.mark.slow),
    ],
)
def test_T29_empty_lines(count: int, on: str) -> None:
    seen = peak = 0
    rest = b""
    with Running(on, "-q", "-n", "a", line("empty", "a", n=count)) as run:
        assert run.process.stdout is not None
        while data := os.read(run.process.stdout.fileno(), 1 << 18):
            data = rest + data
            whole = data[: len(data) // 5 * 5]
            rest = data[len(whole) :]
            assert whole == b"[a] \n" * (len(whole) // 5)
            seen += len(whole) // 5
            peak = max(peak, status_field(run.process.pid, "VmHWM"))
        assert run.finish().status == 0
    assert (seen, rest) == (count, b"")
    assert peak < idle_rss() + RSS_BOUND

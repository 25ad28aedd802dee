"""T26–T29: children that write more than anybody can read."""

from __future__ import annotations

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
from tests.faults.harness import BOTH, RSS_BOUND, Reader, argv, best_of, idle_rss, line, status_field
from tests.faults.oracle import check

QUIET_LINES = 300


@BOTH
@pytest.mark.parametrize("seconds", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_T26_floods_are_served_fairly(on: str, seconds: int) -> None:
    """Four floods: each gets its share, memory stays, and Ctrl-C is answered within a second."""
    answers: list[float] = []

    def answer() -> float:
        with Running(on, "-n", "a,b,c,d", *(line("flood", task) for task in "abcd")) as run:
            reader = Reader(run, "abcd")
            assert reader.read(seconds=seconds)
            streams = reader.oracle.found.streams
            mean = sum(stream.good for stream in streams.values()) / 4
            assert min(streams[task].good for task in "abcd") >= mean / 2, streams
            run.signal(signal.SIGINT)
            began = time.monotonic()
            assert not reader.read()
            answers.append(time.monotonic() - began)
            found = reader.oracle.end()
            assert run.finish().status == 130
        # Killed in the middle of a write, a child leaves a part of its last line.
        assert found.torn_count + len(found.other) <= 4
        assert all(text[:5] in (b"[a] a", b"[b] b", b"[c] c", b"[d] d") for text in found.other)
        assert not found.strange
        assert all(not stream.skipped and not stream.again for stream in found.streams.values())
        assert reader.peak < idle_rss() + RSS_BOUND
        return answers[-1]

    assert best_of(3, answer, 1.0) < 1.0, answers


def quiet_p99(on: str) -> float:
    """Seconds until a line of a quiet child is read beside a flood: the 99th of 100."""
    ages: list[float] = []
    rest = b""
    with Running(
        on, "-q", "-n", "a,q", line("flood", "a"), line("quiet", "q", n=QUIET_LINES, every=5)
    ) as run:
        assert run.process.stdout is not None
        deadline = time.monotonic() + PATIENCE
        while len(ages) < QUIET_LINES and time.monotonic() < deadline:
            data = os.read(run.process.stdout.fileno(), 1 << 18)
            now = time.monotonic_ns()
            for match in re.finditer(rb"\[q\] q:\d+:[0-9a-f]{8}:(\d+)\n", rest + data):
                ages.append((now - int(match[1])) / 1e9)
            rest = data[data.rfind(b"\n") + 1 :]
        run.signal(signal.SIGTERM)
        assert run.finish().status == 143
    assert len(ages) == QUIET_LINES
    return sorted(ages)[len(ages) * 99 // 100]


@BOTH
def test_T27_a_quiet_child_is_seen_beside_a_flood(on: str) -> None:
    assert best_of(3, lambda: quiet_p99(on), 0.1) < 0.1


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

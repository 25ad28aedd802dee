"""The soak: bad children, joining, leaving and stalling readers, again and again; nothing may grow.

`AXIOM_SOAK=180` says for how many seconds: 10 without it, 180 in CI, 1800 by hand.
"""

from __future__ import annotations

import collections
import ctypes
import faulthandler
import gc
import os
import random
import statistics
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import combinations
from math import sqrt

import pytest
import trio

from axiom_trio import (
    Batch,
    CallableExecutor,
    Gap,
    Port,
    ProcessExecutor,
    PtyExecutor,
    Sink,
    StreamExecutor,
    open_aggregator,
)
from tests.faults.harness import MEGABYTE, argv, status_field
from tests.leaks import children as our_children
from tests.leaks import descriptors, threads

SECONDS = float(os.environ.get("AXIOM_SOAK", "10"))
WARM_UP = 0.2
LEAST_SAMPLES = 8  # a machine that is late itself takes longer for them
TICK = 0.25
STALL = 0.25
ZOMBIE_TICKS = round((1.0 + STALL) / TICK)
"""So many looks in a row may find a zombie: 1 s, and as long as a reader has stalled its output.
Counted in looks, so that a machine that is late itself makes nobody old."""
GROWTH = 1.0 * MEGABYTE / 600
"""Bytes of memory in use a second. What the process has (RssAnon) goes up and down by megabytes with
what the allocator keeps free; what is in use does not."""
LEAK = 16.0
"""Blocks of Python's allocator a cycle: less than one for each child, so that one each is seen. CPython
3.11 itself leaks a string whenever an exception group is split, about three times a cycle."""
CHILDREN: list[tuple[str, dict[str, object]]] = [
    ("lines", {"n": 2000}),
    ("lines", {"n": 200, "every": 5, "lines_per_write": 1, "code": 3}),
    ("flood", {}),
    ("quiet", {}),
    ("daemon", {"after": 50, "seconds": 0.3}),
    ("bg", {"after": 50}),
    ("noterm", {}),
    ("graceful", {}),
    ("closeout", {"seconds": 0.3, "code": 7}),
    ("stopself", {}),
    ("selfkill", {"signum": 9}),
    ("selfkill", {"signum": 11}),
    ("bigline", {"size": 1_000_000}),
    ("empty", {"n": 20_000}),
    ("partial", {}),
    ("badutf8", {}),
    ("esc", {"split": 1}),
]


@dataclass
class Sample:
    """What the process holds at one time."""

    time: float
    """In seconds, or in cycles."""
    memory: int
    """In bytes; or blocks of Python's allocator."""


class MallocInfo(ctypes.Structure):
    """See mallinfo2(3)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in [
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        ]
    ]


def in_use() -> int:
    """Bytes that malloc has given out; 0 where the C library can't tell."""
    function = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if function is None:
        return 0
    function.restype = MallocInfo
    info = function()
    return int(info.uordblks + info.hblkhd)


@dataclass
class Soak:
    """What was seen."""

    samples: list[Sample] = field(default_factory=list)
    """RssAnon."""
    in_use: list[Sample] = field(default_factory=list)
    blocks: list[Sample] = field(default_factory=list)
    cycles: int = 0
    events: int = 0
    gaps: int = 0
    old_zombies: list[str] = field(default_factory=list)


class Discard(Sink):
    def __init__(self, soak: Soak) -> None:
        self._soak = soak

    async def write(self, batch: Batch) -> None:
        self._soak.events += len(batch.events)


def held() -> dict[str, int]:
    """What must be as before: descriptors by type (PTYs among them), threads, trio's tasks."""
    kinds = collections.Counter(what.partition(":")[0] for what in descriptors().values())
    return {
        **kinds,
        "threads": len(threads()),
        "tasks": trio.lowlevel.current_statistics().tasks_living,
        "children": len(our_children()),
    }


def ptys() -> int:
    return sum(what.endswith("ptmx") for what in descriptors().values())


async def watch(soak: Soak) -> None:
    """Look at memory once a second, and at zombies more often."""
    began = trio.current_time()
    zombies: collections.Counter[int] = collections.Counter()
    looks = 0
    while True:
        found = {pid for pid, state in our_children().items() if state == "Z"}
        zombies = collections.Counter({pid: zombies[pid] + 1 for pid in found})
        soak.old_zombies += [str(pid) for pid, seen in zombies.items() if seen > ZOMBIE_TICKS]
        if looks % round(1 / TICK) == 0 and trio.current_time() - began > WARM_UP * SECONDS:
            soak.samples.append(Sample(trio.current_time() - began, status_field(os.getpid(), "RssAnon")))
        looks += 1
        await trio.sleep(TICK)


async def failing() -> AsyncIterator[bytes]:
    yield b"before\n"
    await trio.sleep(0.1)
    raise RuntimeError("as it was told to")


async def chatty(port: Port) -> None:
    for n in range(300):
        await port.send_line(b"%d" % n)
        await trio.lowlevel.checkpoint()


async def cycle(soak: Soak, chance: random.Random) -> None:
    """Twenty children, five readers; some are stopped, some killed, the rest when all is left."""

    async def read(start: float, seconds: float, lossless: bool, stall: float) -> None:
        await trio.sleep(start)
        after = chance.choice([None, "now"])
        with trio.move_on_after(seconds):
            async with aggregator.subscribe(after=after, lossless=lossless) as events:
                await trio.sleep(stall)
                async for event in events:
                    soak.gaps += type(event) is Gap

    async with open_aggregator([Discard(soak)], grace=0.3, stats_interval=0.2) as aggregator:
        makes = [chance.choice([ProcessExecutor, PtyExecutor]) for _ in CHILDREN]
        started = [
            aggregator.start_soon(make(argv(mode, f"c{n}", **options)))
            for n, (make, (mode, options)) in enumerate(zip(makes, CHILDREN, strict=True))
        ]
        started += [
            aggregator.start_soon(ProcessExecutor(["no-such-program-x"])),
            aggregator.start_soon(StreamExecutor(failing())),
            aggregator.start_soon(CallableExecutor(chatty)),
        ]
        assert len(started) == 20
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, 0.0, 2.0, True, 0.0)
            nursery.start_soon(read, 0.1, 0.4, True, STALL)
            nursery.start_soon(read, 0.3, 0.4, False, STALL)
            nursery.start_soon(read, 0.5, 0.1, True, 0.0)
            nursery.start_soon(read, 0.5, 1.0, False, 0.0)
            await trio.sleep(1.0)
            for child in chance.sample(started, 4):
                child.stop()
            for child in chance.sample(started, 4):
                child.stop(grace=0)
            await trio.sleep(0.1)
            aggregator.stop()
            await aggregator.wait_all_completed()
            nursery.cancel_scope.cancel()
    soak.cycles += 1


def steepest(samples: list[Sample]) -> float:
    """The upper end of the 95 % interval of Theil and Sen's slope of memory."""
    if len(samples) > 400:  # bins of equal size
        size = len(samples) // 200
        groups = [samples[at : at + size] for at in range(0, len(samples), size)]
        samples = [Sample(g[0].time, int(statistics.median(s.memory for s in g))) for g in groups]
    slopes = sorted((b.memory - a.memory) / (b.time - a.time) for a, b in combinations(samples, 2))
    n = len(samples)
    spread = 1.96 * sqrt(n * (n - 1) * (2 * n + 5) / 18)
    return slopes[min(len(slopes) - 1, round((len(slopes) + spread) / 2))]


def assert_no_growth(soak: Soak) -> None:
    memory = [sample.memory for sample in soak.samples]
    quarter = len(memory) // 4
    second, last = memory[quarter : 2 * quarter], memory[-quarter:]
    assert statistics.median(last) < 1.1 * statistics.median(second), memory
    if SECONDS >= 120:  # before, the slope of so few is that of the noise
        assert steepest(soak.blocks) < LEAK, soak.blocks
        assert steepest(soak.in_use) < GROWTH, soak.in_use


@pytest.mark.slow
async def test_soak() -> None:
    faulthandler.cancel_dump_traceback_later()  # pytest's watch over hanging tests, with a thread of its own
    soak = Soak()
    chance = random.Random(3)
    await cycle(soak, chance)  # what is imported and kept once
    before = held()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch, soak)
        with_watcher = {**before, "tasks": before["tasks"] + 1}
        deadline = trio.current_time() + SECONDS
        while trio.current_time() < deadline or len(soak.samples) < LEAST_SAMPLES:
            await cycle(soak, chance)
            gc.collect()  # an aggregator and its children know each other: what only waits for this is no leak
            if trio.current_time() > deadline - (1 - WARM_UP) * SECONDS:
                soak.blocks.append(Sample(soak.cycles, sys.getallocatedblocks()))
                soak.in_use.append(Sample(trio.current_time(), in_use()))
            assert ptys() == 0
            for _ in range(20):  # a thread may be just ending
                if held() == with_watcher:
                    break
                await trio.sleep(0.1)
            assert held() == with_watcher
            assert not soak.old_zombies
        nursery.cancel_scope.cancel()
    assert held() == before
    assert soak.gaps
    assert soak.events
    assert_no_growth(soak)


@pytest.mark.parametrize("leak", [0, 2])
def test_a_slope_is_told_from_noise(leak: int) -> None:
    """Twice what is allowed is seen, and noise of 50 kB is not taken for it."""
    chance = random.Random(1)
    samples = [
        Sample(n * 1.7, round(8 * MEGABYTE + chance.uniform(-25, 25) * 1000 + n * 1.7 * leak * GROWTH))
        for n in range(80)
    ]
    assert (steepest(samples) < GROWTH) == (not leak)


@pytest.mark.parametrize("leak", [0, 1])
def test_one_block_for_each_child_is_seen(leak: int) -> None:
    chance = random.Random(1)
    blocks = [Sample(n, 187_000 + chance.randrange(40) + n * (3 + 20 * leak)) for n in range(80)]
    assert (steepest(blocks) < LEAK) == (not leak)

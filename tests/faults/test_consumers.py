"""T01–T06: whoever reads the stream is asleep, slow, gone, or takes nothing."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest
import trio

from axiom_trio import ConsoleSink, FileSink, ProcessExecutor, open_aggregator
from tests.commands import Running, shell
from tests.faults.harness import (
    BOTH,
    MEGABYTE,
    RSS_BOUND,
    Reader,
    argv,
    bound,
    idle_rss,
    line,
)
from tests.faults.oracle import check, written

if TYPE_CHECKING:
    from pathlib import Path

    from tests.leaks import LeakCheck


@pytest.mark.parametrize("on", ["--pipe", pytest.param("--pty", marks=pytest.mark.slow)])
def test_T01_consumer_asleep(on: str, tmp_path: Path) -> None:
    tasks = {"a": 600_000, "b": 600_000}
    reports = {task: tmp_path / task for task in tasks}
    children = [line("lines", task, n=n, report=reports[task]) for task, n in tasks.items()]
    with Running(on, "-q", "-n", ",".join(tasks), *children) as run:
        reader = Reader(run, tasks)
        time.sleep(4)  # the fault itself: nobody reads
        held = sum(map(written, reports.values()))
        time.sleep(1)  # in which they would write on if they didn't wait
        assert sum(map(written, reports.values())) == held, "the children write on though nobody reads"
        assert 0 < held < bound(len(tasks))
        found = reader.end()
        reader.look()
        assert run.finish().status == 0
    assert found.exact
    assert found.lost(tasks) == 0
    assert sum(map(written, reports.values())) > 118 * MEGABYTE
    assert reader.peak < idle_rss() + RSS_BOUND


async def test_T02_consumer_slow(tmp_path: Path) -> None:
    """One reader takes 1 MB/s: it gets everything, and another sink is ahead of it by the gate."""
    tasks = {"a": 15_000, "b": 15_000}
    reading, writing = os.pipe()
    slow = bytearray()
    ahead: list[int] = []
    log = tmp_path / "log"

    def read_slowly() -> None:
        began = time.monotonic()
        while data := os.read(reading, 16384):
            slow.extend(data)
            ahead.append(log.stat().st_size - len(slow))
            time.sleep(max(0.0, began + len(slow) / MEGABYTE - time.monotonic()))

    thread = threading.Thread(target=read_slowly)
    thread.start()
    try:
        with trio.fail_after(60):
            async with open_aggregator([ConsoleSink(descriptor=writing), FileSink(log)]) as aggregator:
                for task, n in tasks.items():
                    aggregator.start_soon(ProcessExecutor(argv("lines", task, n=n)), name=task)
    finally:
        os.close(writing)
        await trio.to_thread.run_sync(thread.join)
        os.close(reading)
    for stream in (bytes(slow), log.read_bytes()):
        found = check(stream, [*tasks])
        assert found.exact
        assert found.lost(tasks) == 0
    assert 256 * 1024 <= max(ahead) <= bound(0)


@BOTH
def test_T04_stdout_epipe(on: str, leak_check: LeakCheck) -> None:
    """The reader leaves: the run stops, also those who write nothing, and says nothing."""
    children = " ".join(f"'{line(mode, task)}'" for mode, task in [("flood", "a"), ("obedient", "b")])
    result = shell(f"$AXIOM {on} -n a,b {children} | head -1; exit ${{PIPESTATUS[0]}}")
    assert result.status == 141
    assert result.stderr == ""
    assert result.stdout.count(b"\n") == 1
    leak_check.wait_until_gone()


@BOTH
def test_T05_stdout_closed_at_start(on: str, tmp_path: Path) -> None:
    """It works headless, says so, and nothing else is opened as descriptor 1."""
    report, place = tmp_path / "report", tmp_path / "fd1"
    look = f"readlink /proc/$PPID/fd/1 > {place}; sleep 0.2; readlink /proc/$PPID/fd/1 >> {place}"
    children = f"'{line('lines', 'a', report=report)}' '{look}'"
    result = shell(f"$AXIOM {on} --summary {tmp_path}/summary {children} >&-")
    assert result.status == 3
    assert "stdout is closed" in result.stderr
    assert written(report) > 90_000
    assert place.read_text() == "/dev/null\n" * 2


@BOTH
@pytest.mark.parametrize("output", ["lines", "grouped", "raw", "jsonl"])
def test_T06_stdout_enospc(on: str, output: str, leak_check: LeakCheck) -> None:
    children = " ".join(f"'{line('lines', task)}'" for task in "ab")
    result = shell(f"$AXIOM {on} --output {output} {children} > /dev/full")
    assert result.status == 3
    assert result.stderr.count("output was lost") == 1
    assert "No space left" in result.stderr
    leak_check.wait_until_gone()

"""Sinks on real descriptors, in the program of somebody else."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest
import trio

from axiom_trio import (
    CallableExecutor,
    ConsoleSink,
    FileSink,
    JsonlSink,
    ProcessExecutor,
    SinkError,
    SpecificationError,
    open_aggregator,
)
from axiom_trio.sinks.writer import write_within
from tests.commands import Collector

if TYPE_CHECKING:
    from pathlib import Path

    from axiom_trio import Port, Sink


async def seq(*sinks: Sink, count: int = 20_000) -> None:
    with trio.fail_after(60):
        async with open_aggregator(sinks) as aggregator:
            aggregator.start_soon(ProcessExecutor(f"seq 1 {count}"), id="seq", name="seq")


def lines(count: int = 20_000) -> bytes:
    return b"".join(b"[seq] %d\n" % n for n in range(1, count + 1))


async def test_a_named_pipe_that_nobody_reads_yet_is_waited_for_by_its_sink_alone(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    turned, rescued, readers = threading.Event(), [], []

    def rescue() -> None:  # else a loop that stands still would do so for ever
        if not turned.wait(30):
            rescued.append(True)
            readers.append(os.open(path, os.O_RDONLY | os.O_NONBLOCK))

    async def read_at_last(writer: Port) -> None:
        await writer.send_line(b"hello")
        await trio.sleep(0.1)
        turned.set()
        readers.append(os.open(path, os.O_RDONLY | os.O_NONBLOCK))

    thread = threading.Thread(target=rescue)
    thread.start()
    with trio.fail_after(60):
        async with open_aggregator([FileSink(path)]) as aggregator:
            aggregator.start_soon(CallableExecutor(read_at_last), id="a", name="a")
    thread.join()
    assert not rescued
    assert os.read(readers[0], 100) == b"[a] hello\n"
    for reader in readers:
        os.close(reader)


async def test_a_named_pipe_that_nobody_reads_is_given_up_when_the_run_is_stopped(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SinkError, match="it took nothing any more"), trio.fail_after(60):
        async with open_aggregator([FileSink(tmp_path / "pipe")], grace=0.1) as aggregator:
            await aggregator.start_soon(ProcessExecutor("echo hello"), name="a").wait()
            aggregator.stop()


async def test_a_file_is_appended_to_and_private_if_new(tmp_path: Path) -> None:
    await seq(FileSink(tmp_path / "file"))
    await seq(FileSink(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == lines() * 2
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


async def test_a_sink_that_cannot_be_opened_harms_no_other(tmp_path: Path) -> None:
    other = Collector()
    with pytest.raises(SinkError, match="FileSink"):
        await seq(FileSink(tmp_path / "no" / "file"), other)
    assert other.written == lines()


async def test_a_full_disk_harms_no_other() -> None:
    other = Collector()
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(SinkError, match="No space"):
            await seq(ConsoleSink(descriptor=full), other)
    finally:
        os.close(full)
    assert other.written == lines()


async def test_a_reader_that_leaves_stops_the_run_and_the_other_sinks_get_what_came() -> None:
    reader, writer = os.pipe()
    other = Collector()
    os.close(reader)
    try:
        with pytest.raises(SinkError) as caught:
            await seq(ConsoleSink(descriptor=writer), other, count=10_000_000)
    finally:
        os.close(writer)
    assert isinstance(caught.value.__cause__, BrokenPipeError)
    assert lines(200).startswith(other.written[:1000])
    assert other.events[-2].reason == "stopped"  # type: ignore[union-attr]  # (it has ended)


@pytest.mark.parametrize("make", [ConsoleSink, JsonlSink])
async def test_a_slow_pipe_gets_all_and_stays_open_and_blocking(
    make: type[ConsoleSink | JsonlSink],
) -> None:
    reader, writer = os.pipe()
    seen = []

    def read() -> None:
        while piece := os.read(reader, 65536):
            seen.append(piece)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        await seq(make(descriptor=writer))
        assert os.get_blocking(writer)
        os.write(writer, b"still open\n")
    finally:
        os.close(writer)
        thread.join(30)
        os.close(reader)
    text = b"".join(seen)
    assert text.endswith(b"\nstill open\n")
    if make is ConsoleSink:
        assert text == lines() + b"still open\n"


def test_a_closed_descriptor_is_refused() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    with pytest.raises(SpecificationError):
        ConsoleSink(descriptor=writer)


async def test_a_stalled_sink_is_given_up_when_the_program_is_cancelled() -> None:
    reader, writer = os.pipe()
    try:
        with trio.fail_after(60), pytest.raises(SinkError, match="took nothing"):
            async with open_aggregator([ConsoleSink(descriptor=writer)], grace=0.3) as aggregator:
                child = await aggregator.start(ProcessExecutor("exec yes"))
                await trio.sleep(0.3)
                aggregator.stop()
                await child.wait()
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("read", [True, False])
def test_a_terminal_that_is_full_is_waited_for_but_not_for_ever(read: bool) -> None:
    master, slave = os.openpty()
    os.set_blocking(slave, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(slave, b"x" * 4096)
    drained = bytearray()

    def drain() -> None:
        while b"restored" not in drained:
            drained.extend(os.read(master, 65536))

    reader = threading.Thread(target=drain if read else int)
    try:
        asked = threading.Timer(0.1, reader.start)
        asked.start()
        write_within(slave, b"restored", 60.0 if read else 0.01)
        asked.join()
        reader.join()
        assert drained.endswith(b"restored") == read
    finally:
        os.close(master)
        os.close(slave)

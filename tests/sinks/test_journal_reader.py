"""Reading a journal, whole, damaged, incomplete or while it's written: never an exception, gaps to the byte."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from axiom_trio import JournalError, JournalReader, JournalSink, open_aggregator
from axiom_trio.sansio.cursor import Batch
from axiom_trio.sansio.events import Gap, Output, Started
from axiom_trio.sinks import journal_archive
from axiom_trio.testing import MemorySink, Puppet, Send


def output(cursor: int, data: bytes, child: str = "a") -> Output:
    return Output(
        cursor=cursor,
        time=cursor / 4,
        child=child,
        seq=cursor,
        kind="output",
        data=data,
        lines=data.count(b"\n"),
    )


def events(count: int, size: int = 40) -> list:
    first = Started(cursor=0, time=0.0, child="a", name="a", index=0)
    return [first, *(output(n, b"%0*d\n" % (size, n)) for n in range(1, count))]


def write(directory: Path, given_events: list, **options) -> list[Path]:
    async def main() -> None:
        sink = JournalSink(directory, fsync="never", **options)
        await sink.open()
        for start in range(0, len(given_events), 5):
            await sink.write(Batch(given_events[start : start + 5], [], 0))
        await sink.aclose()

    trio.run(main)
    return sorted(directory.glob("*.journal"))


def check(got: list, exact: list, position: int = 0) -> set[int]:
    """Nothing is invented, nothing comes twice, and gaps count exactly; returns the cursors missed."""
    missed: set[int] = set()
    for event in got:
        if isinstance(event, Gap):
            gone = exact[event.from_cursor : event.to_cursor]
            assert event.from_cursor == position
            assert event.events == len(gone) > 0
            assert event.lines == sum(e.lines for e in gone if type(e) is Output)
            assert event.bytes == sum(len(e.data) for e in gone if type(e) is Output)
            position = event.to_cursor
            missed |= {e.cursor for e in gone}
        else:
            assert event == exact[position]
            position += 1
    return missed


def read(directory: Path, exact: list) -> tuple[set[int], tuple]:
    with JournalReader(directory) as reader:
        got = list(reader.events(0))
        missed = check(got, exact)
        last = got[-1].cursor if got else -1
        return missed | set(range(last + 1, len(exact))), reader.damage


def record_starts(data: bytes, path: Path) -> list[int]:
    mark = bytes.fromhex(path.stem.rpartition("-")[2])
    starts, at = [], data.find(mark)
    while at >= 0:
        starts.append(at)
        at = data.find(mark, at + 1)
    return [*starts, len(data)]


def test_truncated_at_every_offset_of_the_last_records(tmp_path) -> None:
    exact = events(12)
    [path] = write(tmp_path / "j", exact)
    data = path.read_bytes()
    starts = record_starts(data, path)
    assert len(starts) == 1 + 12 + 1 + 1  # a beginning, the events, an end, and the file's end
    for size in range(starts[-5], len(data)):
        path.write_bytes(data[:size])
        whole = sum(start <= size for start in starts[2:])
        missed, damage = read(tmp_path / "j", exact)
        assert missed == set(range(whole, 12))
        assert damage == ()
        with JournalReader(tmp_path / "j") as reader:
            assert reader.torn == size - max(start for start in starts if start <= size)
            assert reader.next == min(12, whole)


def test_each_byte_of_a_record_in_the_middle_flipped(tmp_path) -> None:
    exact = events(12)
    [path] = write(tmp_path / "j", exact)
    data = path.read_bytes()
    starts = record_starts(data, path)
    for at in range(starts[6], starts[7]):
        damaged = bytearray(data)
        damaged[at] ^= 0x41
        path.write_bytes(damaged)
        missed, damage = read(tmp_path / "j", exact)
        assert missed == {5}
        assert [(d.segment, d.offset, d.size, d.torn) for d in damage] == [
            (path.name, starts[6], starts[7] - starts[6], False)
        ]


def test_a_page_of_zeros_the_head_of_the_file_included(tmp_path) -> None:
    exact = events(200)
    paths = write(tmp_path / "j", exact, segment_size=9000)
    assert len(paths) > 2
    for path in paths[:-1]:
        data = path.read_bytes()
        starts = record_starts(data, path)
        first = int(path.stem.split("-")[1])
        for at in range(0, len(data) - 4096, 511):
            path.write_bytes(data[:at] + bytes(4096) + data[at + 4096 :])
            # What the segment begins with is no event; said again are: the beginning and one Started.
            heads = 1 if path is paths[0] else 2
            hit = {
                first + n - heads
                for n in range(heads, len(starts) - 1)
                if starts[n] < at + 4096 and starts[n + 1] > at
            }
            missed, damage = read(tmp_path / "j", exact)
            assert missed == hit
            assert damage
        path.write_bytes(data)


@settings(max_examples=60)
@given(st.data())
def test_a_block_twice_comes_once(tmp_path_factory, data) -> None:
    directory = tmp_path_factory.mktemp("block") / "j"
    exact = events(30)
    [path] = write(directory, exact)
    whole = path.read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    path.write_bytes(whole[:end] + whole[start:])
    missed, _ = read(directory, exact)
    assert len(missed) <= 1
    shutil.rmtree(directory)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=300)), max_size=4), st.data())
def test_any_damage(tmp_path_factory, wounds, data) -> None:
    """Overwritten anywhere, in any of its files, some of them gone."""
    directory = tmp_path_factory.mktemp("damage") / "j"
    exact = events(120)
    paths = write(directory, exact, segment_size=3000)
    for place, garbage in wounds:
        path = data.draw(st.sampled_from(paths))
        if path.exists():
            content = bytearray(path.read_bytes())
            at = int(place * len(content))
            content[at : at + len(garbage)] = garbage
            path.write_bytes(content)
    for path in data.draw(st.lists(st.sampled_from(paths[:-1]), max_size=2)):
        path.unlink(missing_ok=True)
    read(directory, exact)
    shutil.rmtree(directory)


@pytest.mark.parametrize("chunk", [100, 1000, 256 * 1024])
def test_read_from_any_position(tmp_path, monkeypatch, chunk: int) -> None:
    monkeypatch.setattr(journal_archive, "CHUNK", chunk)
    exact = events(300)
    write(tmp_path / "j", exact, segment_size=3000)
    with JournalReader(tmp_path / "j") as reader:
        assert list(reader.events()) == exact
        for position in [*range(0, 300, 7), 299, 3, 150]:
            assert list(reader.events(position)) == exact[position:]
            some = reader.read(position, position + 5)
            assert some == exact[position : position + 5][: len(some)]
            assert some
        assert reader.read(300) == []
        assert reader.read(5, 5) == []
        held = len(reader._held)
        assert held <= journal_archive.HELD
        assert reader.damage == ()


def test_records_larger_than_a_chunk(tmp_path) -> None:
    exact = [events(1)[0], output(1, b"x" * 3_000_000), output(2, b"y\n"), output(3, b"z" * 700_000)]
    write(tmp_path / "j", exact)
    with JournalReader(tmp_path / "j") as reader:
        assert list(reader.events()) == exact


async def test_one_that_is_being_written(tmp_path) -> None:
    """Each byte of it may come alone; what is complete is given, and what is deleted is a gap."""
    write_here = tmp_path / "full"
    exact = events(40)
    paths = await trio.to_thread.run_sync(lambda: write(write_here, exact, segment_size=1500))
    live = tmp_path / "live"
    live.mkdir(mode=0o700)
    (live / paths[0].name).write_bytes(b"")
    got: list = []
    with JournalReader(live) as reader:
        for path in paths:
            data = path.read_bytes()
            for at in range(0, len(data), 37):
                with (live / path.name).open("ab") as file:
                    file.write(data[at : at + 37])
                position = got[-1].cursor + 1 if got else 0
                got += reader.events(position)
                assert got == exact[: len(got)]
        assert got == exact
        assert reader.damage == ()
    with JournalReader(live) as reader:
        assert next(reader.events()) == exact[0]
        for path in paths[:-1]:
            (live / path.name).unlink()
        check([exact[0], *reader.events(1)], exact)


async def test_a_run_is_not_clean_while_it_lasts(tmp_path) -> None:
    async with open_aggregator([sink := JournalSink(tmp_path / "j", header=[1])]) as aggregator:
        puppet = Puppet(signals="none", goodbye=b"", takes_input=False, split=False)
        aggregator.start_soon(puppet, id="a")
        puppet.post(Send(b"x\n"))
        with JournalReader(tmp_path / "j") as reader:
            while reader.next < 2:  # noqa: ASYNC110 (it's to be seen from outside, in the file)
                await trio.sleep(0.01)
            assert [(run.clean, run.header) for run in reader.runs] == [(False, [1])]
        puppet.end()
    assert sink.progress
    with JournalReader(tmp_path / "j") as reader:
        assert [run.clean for run in reader.runs] == [True]


def test_what_is_no_journal(tmp_path) -> None:
    for path in (tmp_path / "none", Path(__file__)):
        with pytest.raises(JournalError, match=str(path)):
            JournalReader(path)
    (tmp_path / "notes.txt").write_text("mine")
    with JournalReader(tmp_path) as reader:
        assert (list(reader.events()), reader.runs, reader.next, reader.torn) == ([], (), 0, 0)


async def test_it_holds_few_descriptors(tmp_path) -> None:
    exact = events(300)
    await trio.to_thread.run_sync(lambda: write(tmp_path / "j", exact, segment_size=500))
    with JournalReader(tmp_path / "j") as reader:
        assert len(reader.segments) > 40
        for _ in reader.events():
            assert len(reader._held) <= journal_archive.HELD
        before = len(os.listdir("/proc/self/fd"))
        assert reader.runs[0].clean
        assert len(os.listdir("/proc/self/fd")) == before


async def test_both_may_be_used_at_once(tmp_path) -> None:
    """Several readers of one archive, each at its own place."""
    reference = MemorySink()
    async with open_aggregator([JournalSink(tmp_path / "j", segment_size=3000), reference]) as aggregator:
        puppet = Puppet(signals="none", goodbye=b"", takes_input=False, split=False)
        child = aggregator.start_soon(puppet, id="a")
        for number in range(200):
            puppet.post(Send(b"%0200d\n" % number))
        puppet.end()
        await child.wait()
    with JournalReader(tmp_path / "j") as reader:
        iterators = [reader.events(position) for position in (0, 0, 3)]
        got = [[], [], []]
        for _ in range(len(reference.events)):
            for place, iterator in enumerate(iterators):
                got[place] += [event for event in [next(iterator, None)] if event is not None]
        assert got == [reference.events, reference.events, reference.events[3:]]

"""The journal as a sink: nothing is lost while there's hope, and what can't be kept is told exactly."""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from axiom_trio import JournalError, SinkError, SpecificationError, open_aggregator
from axiom_trio.sansio.events import Completed, Output, Started
from axiom_trio.sinks import journal as journal_module
from axiom_trio.sinks.journal import JournalSink
from axiom_trio.sinks.journal_reader import JournalReader
from axiom_trio.testing import MemorySink, Pause, Puppet, ScriptedExecutor, Send, check_sink


class Disk:
    """Takes so many bytes more, of what is written to journals, and then fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: float = float("inf")
        self.error = errno.ENOSPC
        self._writev = os.writev
        monkeypatch.setattr(os, "writev", self.writev)

    def writev(self, descriptor: int, pieces: list) -> int:
        data = b"".join(pieces)
        if self.room <= 0:
            raise OSError(self.error, os.strerror(self.error))
        written = self._writev(descriptor, [data[: int(min(self.room, len(data)))]])
        self.room -= written
        return written


def events_of(directory: Path, position: int | None = None) -> list:
    with JournalReader(directory) as reader:
        return list(reader.events(position))


def data_of(events: list, child: str) -> bytes:
    return b"".join(e.data for e in events if type(e) is Output and e.child == child)


def chunks(count: int) -> list:
    return [Send(b"%0999d\n" % number) for number in range(count)]


async def run_once(sink: JournalSink, *others, script: list | None = None, **options) -> None:
    async with open_aggregator([sink, *others], **options) as aggregator:
        aggregator.start_soon(ScriptedExecutor(chunks(50) if script is None else script), id="a")


async def test_it_is_a_sink(tmp_path) -> None:
    numbers = iter(range(100))
    await check_sink(lambda: JournalSink(tmp_path / str(next(numbers))))


async def test_everything_comes_back_and_a_second_run_goes_on(tmp_path) -> None:
    events, firsts = [], []
    for number in range(3):
        reference = MemorySink()
        firsts.append(len(events))
        await run_once(
            JournalSink(tmp_path / "j", header={"n": number}, segment_size=9000),
            reference,
            script=chunks(150),
        )
        events += reference.events
    assert [event.cursor for event in events] == list(range(len(events)))
    assert events_of(tmp_path / "j") == events
    with JournalReader(tmp_path / "j") as reader:
        assert [(run.header["n"], run.clean) for run in reader.runs] == [(0, True), (1, True), (2, True)]
        assert len({run.id for run in reader.runs}) == 3
        assert [run.first for run in reader.runs] == firsts
        assert len(reader.segments) >= 3
        assert reader.next == len(events)
        assert (reader.damage, reader.torn) == ((), 0)


async def test_each_segment_can_be_read_on_its_own(tmp_path) -> None:
    reference = MemorySink()
    await run_once(JournalSink(tmp_path / "j", segment_size=9000, header=1), reference)
    names = sorted(path.name for path in (tmp_path / "j").glob("*.journal"))
    for name in names[:-2]:
        (tmp_path / "j" / name).unlink()
        with JournalReader(tmp_path / "j") as reader:
            first = reader.oldest
            assert list(reader.events()) == reference.events[first:]
            assert reader.started["a"] == reference.events[0]
            assert reader.runs[0].header == 1
            gap, *rest = reader.events(0)
            assert rest == reference.events[first:]
            missed = [e for e in reference.events[:first] if type(e) is Output]
            assert (gap.events, gap.lines, gap.bytes) == (
                first,
                sum(e.lines for e in missed),
                sum(len(e.data) for e in missed),
            )


async def test_only_its_owner_can_read_it(tmp_path) -> None:
    before = os.umask(0)
    try:
        await run_once(JournalSink(tmp_path / "j"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "j").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "j").iterdir()} == {0o600}


# --- the disk is full


def full_disk_run(
    tmp_path: Path, monkeypatch, room: int, after: float
) -> tuple[MemorySink, list[str], float]:
    disk = Disk(monkeypatch)
    reference = MemorySink()
    told: list[str] = []

    async def main() -> float:
        sink = JournalSink(tmp_path / "j", fsync="never", notify=told.append)
        async with open_aggregator([sink, reference]) as aggregator:
            disk.room = room
            puppet = Puppet(signals="none", goodbye=b"", takes_input=False, split=False)
            child = aggregator.start_soon(puppet, id="a")
            for step in chunks(3000):
                puppet.post(step)
            await trio.sleep(after)
            assert puppet.blocked, "the child waits"
            before = len(reference.events)
            await trio.sleep(0.1)
            assert len(reference.events) == before, "nothing is shown that is not written"
            disk.room = float("inf")
            since = trio.current_time()
            puppet.end()
            await child.wait()
            return trio.current_time() - since

    return reference, told, trio.run(main, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize("room", [0, 1, 61, 62, 100, 1200, 70_000, 600_000])
def test_a_full_disk_is_waited_for_and_nothing_is_lost(tmp_path, monkeypatch, room: int) -> None:
    reference, told, waited = full_disk_run(tmp_path, monkeypatch, room, 5.1)
    events = events_of(tmp_path / "j")
    assert events == reference.events
    assert data_of(events, "a") == b"".join(step.data for step in chunks(3000))
    with JournalReader(tmp_path / "j") as reader:
        assert list(reader.events()) == events
        assert (reader.damage, reader.torn) == ((), 0)
    assert waited <= journal_module.RETRY
    full = [line for line in told if "No space left" in line]
    assert len(full) == 3, "at once, and every 2 s"
    assert "for 2.0 s now" in full[1]
    assert "bytes at hand" in full[0]
    assert "goes on after" in told[-1]


def test_a_full_disk_does_not_hold_up_the_end(tmp_path, monkeypatch) -> None:
    disk = Disk(monkeypatch)
    reference = MemorySink()

    async def main() -> None:
        sink = JournalSink(tmp_path / "j", fsync="never")
        with pytest.raises(SinkError):
            async with open_aggregator([sink, reference], grace=2.0) as aggregator:
                disk.room = 100_000
                child = aggregator.start_soon(ScriptedExecutor([*chunks(900), Pause(1e9)]), id="a")
                await trio.sleep(3)
                since = trio.current_time()
                aggregator.stop()
                await child.wait()
        assert trio.current_time() - since <= 4.0
        [failure] = aggregator.sink_failures
        assert failure.sink is sink
        kept = data_of(events_of(tmp_path / "j"), "a")
        assert b"".join(step.data for step in chunks(900)).startswith(kept)
        assert 60_000 < len(kept) <= 100_000
        assert failure.missed == child.completed.bytes - len(kept)
        assert data_of(reference.events, "a").startswith(kept), "the others still get all of it"
        assert len(data_of(reference.events, "a")) == child.completed.bytes

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_a_limit_of_file_sizes_begins_a_new_segment(tmp_path, monkeypatch) -> None:
    sizes: dict[int, int] = {}
    writev = os.writev

    def limited(descriptor: int, pieces: list) -> int:
        room = 100_000 - os.fstat(descriptor).st_size
        if room <= 0:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        return writev(descriptor, [b"".join(pieces)[:room]])

    monkeypatch.setattr(os, "writev", limited)
    reference = MemorySink()
    told: list[str] = []
    await run_once(JournalSink(tmp_path / "j", notify=told.append), reference, script=chunks(500))
    assert events_of(tmp_path / "j") == reference.events
    sizes = [path.stat().st_size for path in (tmp_path / "j").glob("*.journal")]
    assert len(sizes) > 2
    assert max(sizes) <= 100_000
    assert told == []


# --- it fails


@pytest.mark.parametrize("how", ["EIO", "deleted", "replaced", "segment deleted"])
async def test_a_lost_journal_is_told_and_the_others_go_on(tmp_path, monkeypatch, how: str) -> None:
    directory = tmp_path / "j"
    disk = Disk(monkeypatch)
    disk.error = errno.EIO
    reference = MemorySink()
    told: list[str] = []
    sink = JournalSink(directory, notify=told.append)
    with pytest.raises(SinkError):
        async with open_aggregator([sink, reference]) as aggregator:
            first = aggregator.start_soon(ScriptedExecutor(chunks(10)), id="a")
            await first.wait()
            await reference.wait_until(lambda sink: sink.of_type(Completed))
            if how == "EIO":
                disk.room = 0
            elif how == "segment deleted":
                next(directory.glob("*.journal")).unlink()
            else:
                directory.rename(tmp_path / "elsewhere")
                if how == "replaced":
                    directory.mkdir()
            second = aggregator.start_soon(ScriptedExecutor(chunks(10)), id="b")
            await second.wait()
    assert data_of(reference.events, "b") == b"".join(step.data for step in chunks(10))
    [failure] = aggregator.sink_failures
    assert failure.sink is sink
    assert failure.missed == second.completed.bytes
    assert len(told) == 1
    assert "is lost" in told[0]


@pytest.mark.parametrize("fsync", ["interval", "always"])
async def test_a_failed_sync_begins_a_new_segment_and_fails_in_the_end(tmp_path, monkeypatch, fsync) -> None:
    monkeypatch.setattr(journal_module, "SYNC_INTERVAL", 0.01)
    fdatasync, synced = os.fdatasync, []

    def failing(descriptor: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{descriptor}")).name
        synced.append(name)
        if len(synced) == 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fdatasync(descriptor)

    monkeypatch.setattr(os, "fdatasync", failing)
    reference = MemorySink()
    told: list[str] = []
    sink = JournalSink(tmp_path / "j", fsync=fsync, notify=told.append)
    with pytest.raises(SinkError, match="may not have reached the disk"):
        async with open_aggregator([sink, reference]) as aggregator:
            aggregator.start_soon(ScriptedExecutor(chunks(10)), id="a")
            while not told and len(synced) < 1:  # noqa: ASYNC110 (a thread syncs: nobody sets an event)
                await trio.sleep(0.01)
            await trio.sleep(0.05)
            aggregator.start_soon(ScriptedExecutor(chunks(10)), id="b")
    assert events_of(tmp_path / "j") == reference.events
    assert len(told) == 1
    assert synced[0] in told[0]
    assert synced.count(synced[0]) == 1, "never again"
    assert aggregator.sink_failures[0].missed == 0


@pytest.mark.parametrize("fsync", ["never", "interval", "always"])
async def test_what_is_synced_and_when(tmp_path, monkeypatch, fsync) -> None:
    synced: list[str] = []
    for name in ("fdatasync", "fsync"):
        monkeypatch.setattr(os, name, lambda fd: synced.append(Path(os.readlink(f"/proc/self/fd/{fd}")).name))
    monkeypatch.setattr(journal_module, "SYNC_INTERVAL", 0.05)
    sink = JournalSink(tmp_path / "j", fsync=fsync)
    async with open_aggregator([sink]) as aggregator:
        for _ in range(5):
            child = aggregator.start_soon(ScriptedExecutor([Send(b"x\n")]))
            await child.wait()
        if fsync == "interval":
            with trio.fail_after(60):
                while len(synced) < 2:  # noqa: ASYNC110 (a thread syncs: nobody sets an event)
                    await trio.sleep(0.01)
    journals = [name for name in synced if name.endswith(".journal")]
    assert bool(journals) is (fsync != "never")
    assert ("j" in synced) is (fsync != "never")
    assert len(journals) >= {"never": 0, "interval": 2, "always": 3}[fsync]


# --- it has a limit


async def test_the_oldest_go_when_it_is_full(tmp_path) -> None:
    limit = 1024 * 1024
    reference = MemorySink()
    for _ in range(2):
        await run_once(
            JournalSink(tmp_path / "j", max_size=limit),
            reference,
            script=[Send(b"%0999d\n" % n) for n in range(2500)],
        )
        sizes = [path.stat().st_size for path in (tmp_path / "j").glob("*.journal")]
        assert limit // 2 < sum(sizes) <= limit
    gap, *rest = events_of(tmp_path / "j", 0)
    assert rest == reference.events[gap.to_cursor :]
    gone = [e for e in reference.events[: gap.to_cursor] if type(e) is Output]
    assert gap.bytes == sum(len(e.data) for e in gone)
    assert gap.lines == sum(e.lines for e in gone)


def test_or_the_run_waits_until_somebody_makes_room(tmp_path) -> None:
    limit = 1024 * 1024
    reference = MemorySink()
    told: list[str] = []

    async def main() -> None:
        sink = JournalSink(
            tmp_path / "j",
            fsync="never",
            max_size=limit,
            on_full="stop",
            segment_size=9000,
            notify=told.append,
        )
        async with open_aggregator([sink, reference]) as aggregator:
            child = aggregator.start_soon(ScriptedExecutor(chunks(1500)), id="a")
            await trio.sleep(3)
            assert child.completed is None
            assert sum(path.stat().st_size for path in (tmp_path / "j").glob("*.journal")) <= limit
            for path in sorted((tmp_path / "j").glob("*.journal"))[:-2]:
                path.unlink()
        assert data_of(reference.events, "a") == b"".join(step.data for step in chunks(1500))

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert "its limit" in told[0]
    assert "goes on" in told[-1]


# --- it is refused


def refusal(directory: Path) -> str:
    with pytest.raises(JournalError) as caught:
        JournalSink(directory).lead()
    sentence = str(caught.value)
    assert str(directory) in sentence
    return sentence


def test_a_symbolic_link_is_refused(tmp_path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "j").symlink_to("real")
    assert "symbolic link" in refusal(tmp_path / "j")
    assert "symbolic link" in refusal(Path(f"{tmp_path}/j"))
    assert not [*(tmp_path / "real").iterdir()]


@pytest.mark.parametrize("name", ["lock", "00000001-0000000000000000-01020304.journal"])
def test_a_symbolic_link_in_it_is_refused(tmp_path, name: str) -> None:
    (tmp_path / "j").mkdir(mode=0o700)
    (tmp_path / "j" / name).symlink_to(tmp_path / "target")
    assert "symbolic link" in refusal(tmp_path / "j")
    assert not (tmp_path / "target").exists()


def test_what_is_no_file_is_refused(tmp_path) -> None:
    (tmp_path / "j").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "j" / "00000001-0000000000000000-01020304.journal")
    assert "no regular file" in refusal(tmp_path / "j")


def test_a_directory_that_others_can_write_is_refused(tmp_path) -> None:
    (tmp_path / "j").mkdir()
    (tmp_path / "j").chmod(0o777)
    assert "chmod go-w" in refusal(tmp_path / "j")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a directory away")
def test_a_directory_of_someone_else_is_refused(tmp_path) -> None:
    (tmp_path / "j").mkdir(mode=0o700)
    os.chown(tmp_path / "j", 12345, -1)
    assert "someone else" in refusal(tmp_path / "j")


def test_what_is_no_directory_is_refused(tmp_path) -> None:
    (tmp_path / "j").write_text("")
    assert "Not a directory" in refusal(tmp_path / "j")
    assert "No such file" in refusal(tmp_path / "none" / "j")


async def test_a_second_writer_is_refused_and_told_whose_it_is(tmp_path) -> None:
    async with open_aggregator([JournalSink(tmp_path / "j")]):
        assert f"process {os.getpid()};" in refusal(tmp_path / "j")
    await run_once(JournalSink(tmp_path / "j"))


async def test_there_is_one_journal_and_no_pace_without(tmp_path) -> None:
    with pytest.raises(SpecificationError, match="only one"):
        await run_once(JournalSink(tmp_path / "j"), JournalSink(tmp_path / "k"))
    with pytest.raises(SpecificationError, match="pace"):
        async with open_aggregator([MemorySink()], pace="journal"):
            pass
    for options in ({"segment_size": 0}, {"max_size": 1000}):
        with pytest.raises(SpecificationError):
            JournalSink(tmp_path / "j", **options)


# --- recovery


async def test_a_torn_tail_is_set_aside(tmp_path) -> None:
    first = MemorySink()
    await run_once(JournalSink(tmp_path / "j"), first)
    [path] = (tmp_path / "j").glob("*.journal")
    data = path.read_bytes()
    path.write_bytes(data[:-100])  # the end, and a part of the last event
    with JournalReader(tmp_path / "j") as reader:
        whole = list(reader.events())
        assert whole == first.events[: len(whole)]
        torn = reader.torn
        assert 0 < torn < 400
        assert not reader.runs[0].clean
    told: list[str] = []
    second = MemorySink()
    await run_once(JournalSink(tmp_path / "j", notify=told.append), second)
    assert f"{torn} bytes are set aside in {path.name}.torn" in told[0]
    aside = (tmp_path / "j" / f"{path.name}.torn").read_bytes()
    assert path.read_bytes() + aside == data[:-100]
    assert len(aside) == torn
    assert [event.cursor for event in second.events] == [len(whole) + n for n in range(len(second.events))], (
        "cursors go on after the last that is whole"
    )
    assert events_of(tmp_path / "j") == [*whole, *second.events]
    with JournalReader(tmp_path / "j") as reader:
        assert [run.clean for run in reader.runs] == [False, True]


async def test_started_is_said_again_for_those_that_live(tmp_path) -> None:
    sink = JournalSink(tmp_path / "j", segment_size=5000)
    async with open_aggregator([sink]) as aggregator:
        aggregator.start_soon(ScriptedExecutor([Pause(0.2)]), id="quiet")
        done = aggregator.start_soon(ScriptedExecutor([Send(b"x\n")]), id="done")
        await done.wait()
        await aggregator.start_soon(ScriptedExecutor(chunks(30)), id="loud").wait()
    for path in sorted((tmp_path / "j").glob("*.journal"))[:-1]:
        path.unlink()
    with JournalReader(tmp_path / "j") as reader:
        assert not any(isinstance(event, Started) for event in reader.events())
        assert "quiet" in reader.started
        assert "done" not in reader.started


@pytest.mark.parametrize("options", [{"halt": "never again"}, {"mask": ["ab"]}, {"jobs": 0}, {"gate": 0}])
async def test_options_that_cannot_be_leave_it_unlocked(tmp_path, options: dict) -> None:
    with pytest.raises(SpecificationError):
        async with open_aggregator([JournalSink(tmp_path)], **options):
            pass
    await run_once(JournalSink(tmp_path))


async def test_one_that_cannot_be_opened_leaves_another_unlocked(tmp_path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(JournalError):
        async with open_aggregator([JournalSink(tmp_path), JournalSink(tmp_path / "link")]):
            pass
    await run_once(JournalSink(tmp_path))


async def test_a_disk_that_is_slow_in_the_end_is_waited_for(tmp_path, monkeypatch) -> None:
    sync = os.fdatasync

    def slow(descriptor: int) -> None:
        time.sleep(1.2)  # longer than closing a sink may take otherwise
        sync(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)
    await run_once(JournalSink(tmp_path))
    with JournalReader(tmp_path) as reader:
        assert reader.runs[0].clean


def test_a_sink_is_for_one_run(tmp_path: Path) -> None:
    async def main() -> None:
        sink = JournalSink(tmp_path / "j")
        async with open_aggregator([sink]):
            pass
        with pytest.raises(JournalError, match="is for one run: make another one"):
            async with open_aggregator([sink]):
                pass

    trio.run(main)


def test_a_segment_larger_than_what_is_read_of_its_end_is_continued(tmp_path: Path) -> None:
    async def write(text: bytes, times: int) -> None:
        async with open_aggregator([JournalSink(tmp_path / "j", fsync="never")]) as aggregator:
            script = [Send(text) for _ in range(times)]
            aggregator.start_soon(ScriptedExecutor(script), name="a")

    trio.run(write, b"%065535d\n" % 0, 40)
    trio.run(write, b"last\n", 1)
    with JournalReader(tmp_path / "j") as reader:
        events = [*reader.events()]
    assert [event.cursor for event in events] == list(range(len(events)))
    assert sum(len(event.data) for event in events if isinstance(event, Output)) == 40 * 65536 + 5

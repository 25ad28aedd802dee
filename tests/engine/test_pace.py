"""With a journal that sets the pace: nothing is shown before it's written, nobody slow holds a child up,
and who was left behind reads on from disk, without a gap and without anything twice."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from axiom_trio import JournalReader, JournalSink, SinkError, TextFormat, open_aggregator
from axiom_trio.abc import Sink
from axiom_trio.sansio.events import Completed, Event, Gap, Output
from axiom_trio.sansio.journal import scan
from axiom_trio.sansio.text import TextFormatter
from axiom_trio.testing import MemorySink, Puppet, ScriptedExecutor, Send
from tests.engine import test_model as model

small_bounds = model.small_bounds  # the fixture: all bounds are reached within milliseconds
BOUNDS = {"gate": 4096, "history": 6000}


def chunks(count: int, start: int = 0) -> list[Send]:
    return [Send(b"%0399d\n" % number) for number in range(start, start + count)]


def journal(directory: Path, **options) -> JournalSink:
    return JournalSink(directory, **{"fsync": "never", "segment_size": 20_000, **options})


def data_of(events: list[Event]) -> bytes:
    return b"".join(event.data for event in events if type(event) is Output)


def gaps(events: list[Event]) -> list[Gap]:
    return [event for event in events if type(event) is Gap]


def run(main) -> None:
    async def bounded() -> None:
        with trio.fail_after(1000):
            await main()

    trio.run(bounded, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize("pace", [None, "journal"])
def test_a_slow_console_holds_nobody_up_and_gets_everything(tmp_path, pace) -> None:
    console, raw = MemorySink(TextFormat(), paused=True), MemorySink()

    async def main() -> None:
        async with open_aggregator(
            [console, raw, journal(tmp_path / "j")], pace=pace, **BOUNDS
        ) as aggregator:
            child = aggregator.start_soon(ScriptedExecutor(chunks(500)), id="a", name="a")
            await child.wait()
            assert aggregator.statistics().log_lag <= BOUNDS["gate"]
            held = sum(aggregator._log.costs)
            assert held < 3 * BOUNDS["history"], "memory does not wait for it either"
            assert console.events == []
            console.resume()
        assert not aggregator.sink_failures

    run(main)
    assert console.events == raw.events
    assert [event.cursor for event in raw.events] == list(range(len(raw.events)))
    assert data_of(raw.events) == b"".join(step.data for step in chunks(500))
    assert console.text_written == b"".join(b"[a] " + step.data for step in chunks(500))


def test_who_was_left_behind_and_has_caught_up_is_given_its_text_again(tmp_path, monkeypatch) -> None:
    """Two formats; lines are open when the way of their text changes."""
    plain, colored = MemorySink(TextFormat()), MemorySink(TextFormat(color=True))
    made: list[bytes] = []  # by the merger, for all
    formatted: list[bytes] = []  # by a sink's own
    block, output = TextFormatter.block, TextFormatter.output

    def noted_block(self, child, data, *arguments, **options):
        made.append(data)
        return block(self, child, data, *arguments, **options)

    def noted_output(self, child, data, *arguments, **options):
        formatted.append(data)
        return output(self, child, data, *arguments, **options)

    monkeypatch.setattr(TextFormatter, "block", noted_block)
    monkeypatch.setattr(TextFormatter, "output", noted_output)
    said: list[bytes] = []

    async def main() -> None:
        puppet = Puppet()

        async def say(count: int) -> None:
            """An open line that is published, more of it, and whole lines, one by one."""
            made.clear()
            formatted.clear()
            lines = [b"open ", *[step.data for step in chunks(count, len(said))]]
            for line in lines:
                await puppet.send(line)
                await trio.sleep(1)
            said.extend(lines)

        async with open_aggregator([plain, colored, journal(tmp_path / "j")], **BOUNDS) as aggregator:
            aggregator.start_soon(puppet, id="a", name="a")
            for _ in range(3):
                await say(10)
                assert len(made) <= len(formatted) < 1.5 * len(made), "once for both, and once by the other"
                plain.pause()
                colored.pause()
                await say(40)
                await say(5)
                assert not made, "nobody is there to read it"
                plain.resume()
                colored.resume()
                await trio.sleep(1)
            puppet.end()

    run(main)
    lines = b"".join(said).splitlines(keepends=True)
    assert plain.text_written == b"".join(b"[a] " + line for line in lines)
    assert colored.text_written == b"".join(b"\x1b[36m[a]\x1b[0m " + line for line in lines)


def test_what_the_journal_does_not_write_at_once_its_task_writes(tmp_path, monkeypatch) -> None:
    console = MemorySink(TextFormat())
    write_now = JournalSink.write_now
    answers: list[bool] = []

    def fickle(self, batch) -> bool:
        answers.append(False)
        if len(answers) % 3 == 0:
            raise RuntimeError
        if len(answers) % 3 == 1:
            answers[-1] = write_now(self, batch)
        return answers[-1]

    monkeypatch.setattr(JournalSink, "write_now", fickle)

    async def main() -> None:
        async with open_aggregator([console, journal(tmp_path / "j")], **BOUNDS) as aggregator:
            aggregator.start_soon(ScriptedExecutor(chunks(100)), id="a", name="a")

    run(main)
    assert {True, False} == set(answers)
    assert console.text_written == b"".join(b"[a] " + step.data for step in chunks(100))
    with JournalReader(tmp_path / "j") as reader:
        assert list(reader.events(0)) == console.events


@pytest.mark.parametrize("taken", [0, 100, 700, 1000])
def test_a_disk_that_is_full_for_a_moment_while_it_is_written_at_once(tmp_path, monkeypatch, taken) -> None:
    console = MemorySink()
    told: list[str] = []
    writev, calls = os.writev, 0

    def short(descriptor: int, pieces: list[bytes]) -> int:
        nonlocal calls
        calls += 1
        if calls != 5:
            return writev(descriptor, pieces)
        written = os.write(descriptor, b"".join(pieces)[:taken])
        monkeypatch.setattr(os, "writev", full)
        return written or full(descriptor, pieces)

    def full(descriptor: int, pieces: list[bytes]) -> int:
        monkeypatch.setattr(os, "writev", writev)
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "writev", short)

    async def main() -> None:
        sink = journal(tmp_path / "j", notify=told.append)
        async with open_aggregator([console, sink], **BOUNDS) as aggregator:
            for name in "abcd":
                aggregator.start_soon(ScriptedExecutor(chunks(30)), id=name, name=name)

    run(main)
    assert calls == 5
    assert not told, "it was tried again at once"
    size = 0
    for path in sorted((tmp_path / "j").glob("*.journal")):
        found = scan(path.read_bytes(), bytes.fromhex(path.stem[-8:]), final=True)
        assert not found.damaged
        for record in found.records:
            assert record.bytes_before == size
            size = record.bytes_after
    with JournalReader(tmp_path / "j") as reader:
        assert list(reader.events(0)) == console.events


def test_the_consoles_pace_is_kept_if_asked_for(tmp_path) -> None:
    console = MemorySink(TextFormat(), paused=True)

    async def main() -> None:
        async with open_aggregator(
            [console, journal(tmp_path / "j")], pace="console", **BOUNDS
        ) as aggregator:
            child = aggregator.start_soon(ScriptedExecutor(chunks(500)), id="a", name="a")
            await trio.sleep(10)
            assert child.completed is None
            assert aggregator.statistics().bytes < 5 * BOUNDS["gate"]
            console.resume()
        assert console.text_written == b"".join(b"[a] " + step.data for step in chunks(500))

    run(main)


@pytest.mark.parametrize("pace", ["console", "journal"])
def test_nothing_is_shown_that_is_not_written(tmp_path, pace) -> None:
    directory = tmp_path / "j"
    shown = 0

    class Checking(Sink):
        async def write(self, batch) -> None:
            nonlocal shown
            with JournalReader(directory) as reader:
                assert reader.read(batch.events[0].cursor)[: len(batch.events)] == list(batch.events)
                assert reader.next >= batch.end
            shown += len(batch.events)

    async def main() -> None:
        async with open_aggregator([Checking(), journal(directory)], pace=pace, **BOUNDS) as aggregator:
            aggregator.start_soon(ScriptedExecutor(chunks(100)), id="a")

    run(main)
    assert shown > 50


def test_viewers_read_on_from_disk(tmp_path) -> None:
    """One that was overtaken, one that comes late, one that comes back, and a search in what is long gone."""
    slow, seen = MemorySink(lossless=False, paused=True), MemorySink()

    async def main() -> None:
        async with (
            open_aggregator([slow, seen, journal(tmp_path / "j")], **BOUNDS) as aggregator,
            trio.open_nursery() as nursery,
        ):
            collected: dict[str, list[Event]] = {}

            async def collect(name: str, task_status, **options) -> None:
                events = collected[name] = []
                async with aggregator.subscribe(**options) as subscription:
                    task_status.started()
                    async for event in subscription:
                        events.append(event)
                        if type(event) is Completed:
                            return

            child = aggregator.start_soon(
                puppet := Puppet(signals="none", goodbye=b"", takes_input=False, split=False)
            )
            for step in chunks(400):
                puppet.post(step)
            await wait_all_tasks_blocked()
            assert aggregator._log.base > 100
            assert aggregator.statistics().oldest_cursor == 0
            for lossless in (True, False):
                await nursery.start(
                    lambda task_status, how=lossless: collect(f"all {how}", task_status, lossless=how)
                )
                await nursery.start(
                    lambda task_status, how=lossless: collect(f"7 {how}", task_status, after=7, lossless=how)
                )
            await nursery.start(lambda task_status: collect("now", task_status, after="now"))
            assert await child.wait_for(rb"0000017\n")
            assert await child.wait_for(rb"0000399\n", after=3)
            for step in chunks(400, 400):
                puppet.post(step)
            puppet.end()
            await child.wait()
            assert await child.wait_for(rb"0000017\n"), "also when it has ended"
            slow.resume()
        exact = seen.events
        assert data_of(exact) == b"".join(step.data for step in chunks(800))
        assert slow.events == exact
        assert not gaps(exact)
        for lossless in (True, False):
            assert collected[f"all {lossless}"] == exact[:-1]
            assert collected[f"7 {lossless}"] == exact[8:-1]
        now = collected["now"]
        assert now == exact[now[0].cursor : -1]

    run(main)


def test_a_second_run_can_be_read_from_the_first(tmp_path) -> None:
    """A viewer that comes back after a restart, with a cursor of before."""

    async def main() -> None:
        first, second = MemorySink(), MemorySink()
        for sink in (first, second):
            async with open_aggregator([sink, journal(tmp_path / "j")], **BOUNDS) as aggregator:
                oldest = aggregator.statistics().oldest_cursor
                await aggregator.start_soon(ScriptedExecutor(chunks(60)), id="a").wait()
                async with aggregator.subscribe() as events:
                    assert (await anext(events)).cursor == oldest
                if sink is first:
                    continue
                async with aggregator.subscribe(after=4, lossless=False) as events:
                    got = [await anext(events) for _ in range(len(first.events) - 5 + 10)]
        assert got == [*first.events[5:], *second.events[:10]]

    run(main)


def failing(monkeypatch) -> dict[str, bool]:
    state = {"fail": False}
    writev = os.writev

    def checked(descriptor: int, pieces: list) -> int:
        if state["fail"]:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return writev(descriptor, pieces)

    monkeypatch.setattr(os, "writev", checked)
    return state


def test_without_the_journal_the_others_gate_from_where_they_are(tmp_path, monkeypatch) -> None:
    state = failing(monkeypatch)
    console = MemorySink(TextFormat(), paused=True)
    other = MemorySink()

    async def main() -> None:
        with pytest.raises(SinkError):
            async with open_aggregator([console, other, journal(tmp_path / "j")], **BOUNDS) as aggregator:
                puppet = Puppet(signals="none", goodbye=b"", takes_input=False, split=False)
                child = aggregator.start_soon(puppet, id="a", name="a")
                for step in chunks(200):
                    puppet.post(step)
                await wait_all_tasks_blocked()
                assert console.events == []
                assert not puppet.blocked
                shutil.rmtree(tmp_path / "j")  # what it has can still be read
                state["fail"] = True
                for step in chunks(200, 200):
                    puppet.post(step)
                await trio.sleep(5)
                assert len(aggregator.sink_failures) == 1
                assert puppet.blocked, "the children wait for the console again"
                console.resume()
                puppet.end()
                await child.wait()
            [failure] = aggregator.sink_failures
            assert isinstance(failure.sink, JournalSink)

    run(main)
    assert data_of(other.events) == b"".join(step.data for step in chunks(400))
    assert console.events == other.events
    assert console.text_written == b"".join(b"[a] " + step.data for step in chunks(400))


def test_what_the_journal_has_lost_before_it_was_shown_is_told(tmp_path) -> None:
    """It may keep but so much, and drops what the console has yet to read."""
    console, seen = MemorySink(TextFormat(), paused=True), MemorySink()

    async def main() -> None:
        with pytest.raises(SinkError, match="before they could be read"):
            async with open_aggregator(
                [console, seen, journal(tmp_path / "j", max_size=1024 * 1024)], **BOUNDS
            ) as aggregator:
                child = aggregator.start_soon(ScriptedExecutor(chunks(9000)), id="a", name="a")
                await child.wait()
                console.resume()
        [failure] = aggregator.sink_failures
        assert failure.sink is console
        [gap] = gaps(console.events)
        missed = [event for event in seen.events if gap.from_cursor <= event.cursor < gap.to_cursor]
        assert (gap.events, gap.bytes) == (len(missed), len(data_of(missed)))
        assert gap.lines == sum(event.lines for event in missed if type(event) is Output)
        assert failure.missed == gap.bytes
        assert [event for event in console.events if event is not gap] == [
            event for event in seen.events if event not in missed
        ]

    run(main)


def test_a_stuck_console_does_not_hold_up_the_end(tmp_path) -> None:
    console = MemorySink(TextFormat(), paused=True)

    async def main() -> None:
        with pytest.raises(SinkError):
            async with open_aggregator([console, journal(tmp_path / "j")], grace=2.0, **BOUNDS) as aggregator:
                child = aggregator.start_soon(ScriptedExecutor(chunks(200)), id="a")
                await child.wait()
                aggregator.stop()
        assert trio.current_time() < 10
        [failure] = aggregator.sink_failures
        assert failure.sink is console
        assert failure.missed == child.completed.bytes

    run(main)
    with JournalReader(tmp_path / "j") as reader:
        assert data_of(list(reader.events())) == b"".join(step.data for step in chunks(200))
        assert reader.runs[0].clean


# --- the stateful model, with a journal that leads, followers, and crashes


class JournalWorld(model.World):
    def __init__(self, directory: Path, history: int, pace: str) -> None:
        super().__init__(history)
        self.directory = directory
        self.pace = pace
        self.gated = pace == "console"

    def open(self):
        return open_aggregator(
            [*self.sinks, journal(self.directory, segment_size=4000)],
            gate=model.GATE,
            history=self.history,
            grace=model.GRACE,
            pace=self.pace,
        )

    def check_bounds(self) -> None:
        if self.pace == "console":
            super().check_bounds()
        log = self.aggregator._log
        assert sum(log.costs) == log.total - log._evicted_cost
        with JournalReader(self.directory) as reader:
            written = reader.next
        for sink in (self.sink, self.other, self.viewer):
            last = sink.events[-1].cursor if sink.events else -1
            assert last < written, "nothing is shown that is not written"

    async def do_crash(self, cut: float) -> None:
        """Nothing is left but what is on disk; what of it that a power loss took is at its end."""
        shown = list(self.sink.events)
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "j")
            shutil.copytree(self.directory, copy)
            if cut < 1:
                last = max(name for name in os.listdir(copy) if name.endswith(".journal"))
                os.truncate(copy / last, int(cut * os.stat(copy / last).st_size))
            told: list[str] = []
            after = JournalSink(copy, fsync="never", notify=told.append)
            archive = after.lead()
            await after.open()
            await after.aclose()
            with JournalReader(copy) as reader:
                events = list(reader.events(0))
                assert reader.torn == 0
                assert reader.next == archive.next == len(events)
            archive.close()
        assert [event.cursor for event in events] == list(range(len(events)))
        assert events[: len(shown)] == shown[: len(events)]
        if cut == 1:
            assert len(events) >= len(shown)
            assert not told
        for actor in self.actors:
            mine = [e for e in events if type(e) is Output and e.child == actor.handle.id]
            for kind in ("output", "error"):
                data = b"".join(e.data for e in mine if (e.kind == "error") is (kind == "error"))
                accepted = actor.puppet.accepted(kind)
                plain = re.sub(rb"\n?\[ERROR\] ValueError: as told\n", b"", data) if kind == "error" else data
                assert accepted.startswith(plain)


OPERATIONS = st.one_of(model.OPERATIONS, st.tuples(st.just("crash"), st.one_of(st.just(1), st.floats(0, 1))))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(OPERATIONS, max_size=20),
    model.ENDS,
    st.sampled_from(model.HISTORY),
    st.sampled_from(["journal", "journal", "console"]),
)
def test_whatever_happens_it_is_journalled_first(operations, end, history, pace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = JournalWorld(Path(folder, "j"), history, pace)
        run(lambda: world.play([("spawn", "none", True), *operations], end))
        with JournalReader(world.directory) as reader:
            kept = list(reader.events(0))
            assert reader.damage == ()
            complete = world.sink if not world.stuck else world.other
            assert kept == complete.events
            assert reader.runs[0].clean


async def test_at_the_end_of_a_run_its_journal_can_still_be_read(tmp_path: Path) -> None:
    """Viewers that are behind get what is left before it is closed."""
    seen: list[Event] = []
    async with open_aggregator([JournalSink(tmp_path, fsync="never")], history=10_000) as aggregator:

        async def read() -> None:
            async with aggregator.subscribe(lossless=False) as events:
                seen.extend([event async for event in events])

        aggregator._services.farewells.append(read)
        aggregator.start_soon(ScriptedExecutor([Send(b"%09d\n" % n) for n in range(20_000)]))
    assert [event.cursor for event in seen if not isinstance(event, Gap)] == [*range(len(seen))]
    assert sum(event.lines for event in seen if isinstance(event, Output)) == 20_000

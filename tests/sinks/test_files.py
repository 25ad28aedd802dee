"""Each child's output in a file of its own: exact, private, and with few descriptors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from axiom_trio import FilesSink, SinkError, open_aggregator
from axiom_trio.sansio.cursor import Batch
from axiom_trio.sansio.events import Completed, Exit, Output, Started
from axiom_trio.sinks import files as files_module
from axiom_trio.testing import Pause, Puppet, ScriptedExecutor, Send, check_sink


def run(main) -> None:
    trio.run(main, clock=MockClock(autojump_threshold=0))


async def play(directory: Path, **scripts: list) -> None:
    async with open_aggregator([FilesSink(directory)]) as aggregator:
        for name, script in scripts.items():
            aggregator.start_soon(ScriptedExecutor(script), name=name)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_each_child_has_a_file_with_its_bytes(tmp_path: Path) -> None:
    where = tmp_path / "new" / "logs"
    umask = os.umask(0)
    try:
        run(
            lambda: play(
                where,
                a=[Send(b"one\r\n\xff\0tw"), Pause(1), Send(b"o"), Pause(1)],
                b=[Send(b"out\n"), Send(b"err", "error"), Send(b"put"), Pause(1), Send(b"or", "error")],
                c=[],
            )
        )
    finally:
        os.umask(umask)
    found = {path.name: path.read_bytes() for path in where.iterdir()}
    assert found == {
        "a.log": b"one\r\n\xff\0two",
        "b.log": b"out\nput",
        "b.err": b"error",
        "c.log": b"",
    }
    assert {mode(path) for path in where.iterdir()} == {0o600}
    assert mode(where) == mode(where.parent) == 0o700


def test_it_is_there_as_it_comes(tmp_path: Path) -> None:
    async def main() -> None:
        puppet = Puppet()
        async with open_aggregator([FilesSink(tmp_path)]) as aggregator:
            aggregator.start_soon(puppet, name="a")
            await puppet.send(b"a line\n")
            await wait_all_tasks_blocked()
            assert (tmp_path / "a.log").read_bytes() == b"a line\n"
            puppet.end()

    run(main)


def test_few_descriptors_for_many_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "OPEN_FILES", 4)
    count = 30

    async def main() -> None:
        puppets = [Puppet() for _ in range(count)]
        async with open_aggregator([FilesSink(tmp_path)]) as aggregator:
            await wait_all_tasks_blocked()  # its directory is open
            before = len(os.listdir("/proc/self/fd"))
            for number, puppet in enumerate(puppets):
                aggregator.start_soon(puppet, name=f"c{number}")
            for turn in range(3):
                for puppet in puppets:
                    await puppet.send(b"turn %d\n" % turn)
                    await wait_all_tasks_blocked()
                    assert len(os.listdir("/proc/self/fd")) <= before + 4
            for puppet in puppets:
                puppet.end()

    run(main)
    for number in range(count):
        assert (tmp_path / f"c{number}.log").read_bytes() == b"turn 0\nturn 1\nturn 2\n"


def test_a_terminals_line_ends_are_folded_and_others_not(tmp_path: Path) -> None:
    async def main() -> None:
        sink = FilesSink(tmp_path)
        await sink.open()
        for tty in (True, False):
            started = Started(cursor=0, time=0, child=f"{tty}", name=f"{tty}", index=0, tty=tty)
            events = [started]
            for data, partial in ((b"a\r\nb\rc", True), (b"\r\nd\n", False)):
                events.append(
                    Output(
                        cursor=0,
                        time=0,
                        child=f"{tty}",
                        seq=0,
                        kind="output",
                        data=data,
                        lines=0,
                        partial=partial,
                    )
                )
            await sink.write(Batch(events, [], 3))
        await sink.aclose()

    run(main)
    assert (tmp_path / "True.log").read_bytes() == b"a\nb\rc\nd\n"
    assert (tmp_path / "False.log").read_bytes() == b"a\r\nb\rc\r\nd\n"


def test_a_file_of_an_earlier_run_is_overwritten_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("old, and longer than the new one")
    (tmp_path / "a.log").chmod(0o644)
    (tmp_path / "z.log").write_text("another's")
    run(lambda: play(tmp_path, a=[Send(b"new\n")]))
    assert (tmp_path / "a.log").read_bytes() == b"new\n"
    assert mode(tmp_path / "a.log") == 0o600
    assert (tmp_path / "z.log").read_text() == "another's"


def test_a_child_that_is_started_again_goes_on_in_its_file(tmp_path: Path) -> None:
    def output(data: bytes) -> Output:
        return Output(cursor=0, time=0, child="1", seq=0, kind="output", data=data, lines=1)

    async def main() -> None:
        sink = FilesSink(tmp_path)
        await sink.open()
        started = Started(cursor=0, time=0, child="1", name="a", index=0)
        await sink.write(Batch([started, output(b"one\n")], [], 2))
        await sink.write(Batch([started, output(b"two\n")], [], 2))
        completed = Completed(
            cursor=0,
            time=0,
            child="1",
            exit=Exit(0),
            reason="exit",
            duration=0,
            bytes=0,
            lines=0,
            interventions=0,
        )
        await sink.write(Batch([completed], [], 1))
        await sink.aclose()

    run(main)
    assert (tmp_path / "a.log").read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("planted", ["symlink", "dangling", "hard link", "pipe", "directory"])
def test_nothing_that_was_planted_is_written_to(tmp_path: Path, planted: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    where = tmp_path / "logs"
    where.mkdir()
    target = where / "a.log"
    if planted == "symlink":
        target.symlink_to(victim)
    elif planted == "dangling":
        target.symlink_to(tmp_path / "nothing")
    elif planted == "hard link":
        target.hardlink_to(victim)
    elif planted == "pipe":
        os.mkfifo(target)
    else:
        target.mkdir()
    with pytest.raises(SinkError, match=r"a\.log"):
        run(lambda: play(where, a=[Send(b"new\n")]))
    assert victim.read_text() == "precious"
    assert not (tmp_path / "nothing").exists()


def test_a_directory_that_is_not_ours_alone_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    file = tmp_path / "file"
    file.touch()
    for path in (link, Path(f"{link}/"), open_to_all, file, file / "below"):
        with pytest.raises(SinkError):
            trio.run(play, path)


def test_it_keeps_what_sinks_promise(tmp_path: Path) -> None:
    async def main() -> None:
        numbers = iter(range(100))
        await check_sink(lambda: FilesSink(tmp_path / str(next(numbers))))

    trio.run(main)

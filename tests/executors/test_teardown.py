"""The ends of real children, on pipes and on PTYs: what was written is read, and nothing survives."""

from __future__ import annotations

import os
import resource
import shlex
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from axiom_trio import (
    Completed,
    NotRunningError,
    NotWritableError,
    ProcessExecutor,
    PtyExecutor,
    SpawnError,
    SpecificationError,
    open_aggregator,
)
from tests.commands import Collector, scripted, scripted_argv
from tests.leaks import marked

if TYPE_CHECKING:
    from pathlib import Path

    from tests.leaks import LeakCheck

Make = type[ProcessExecutor] | type[PtyExecutor]
both = pytest.mark.parametrize("make", [ProcessExecutor, PtyExecutor], ids=["pipe", "pty"])


async def run_one(executor: Any, sink: Collector, **options: Any) -> Completed:
    with trio.fail_after(60):
        async with open_aggregator([sink], **options) as aggregator:
            child = aggregator.start_soon(executor, id="a", name="a")
    assert child.completed is not None
    return child.completed


async def stop_when_ready(
    executor: Any, sink: Collector, *, signum: int = signal.SIGTERM, ready: bytes = b"ready", **options: Any
) -> Completed:
    with trio.fail_after(60):
        async with open_aggregator([sink], **options) as aggregator:
            child = await aggregator.start(executor, id="a", name="a")
            await child.wait_for(ready)
            aggregator.stop(signum=signum)
            return await child.wait()


@both
@pytest.mark.parametrize(
    ("command", "code", "signum"),
    [("exit 0", 0, None), ("exit 7", 7, None), ("kill -9 $$", None, 9), ("kill -SEGV $$", None, 11)],
)
async def test_the_exit_is_recorded(make: Make, command: str, code: int | None, signum: int | None) -> None:
    completed = await run_one(make(f"echo hi; {command}"), sink := Collector())
    assert (completed.exit.code, completed.exit.signal) == (code, signum)
    assert completed.reason == ("exit" if signum is None else "signal")
    assert sink.written == b"[a] hi\n"


@both
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_stop_signal_ends_a_child(make: Make, signum: int) -> None:
    completed = await stop_when_ready(make(scripted_argv("obedient")), Collector(), signum=signum)
    assert completed.reason == "stopped"
    assert completed.exit.signal == signum


@both
async def test_one_that_ignores_signals_is_killed_at_the_end_of_the_grace(make: Make) -> None:
    executor = make(scripted_argv("stubborn", "SIGTERM", "SIGINT", "SIGHUP"))
    completed = await stop_when_ready(executor, Collector(), grace=0.3)
    assert completed.exit.signal == signal.SIGKILL
    assert completed.reason == "stopped"


@both
async def test_a_second_stop_without_grace_kills_at_once(make: Make) -> None:
    with trio.fail_after(60):
        async with open_aggregator([Collector()], grace=1000) as aggregator:
            child = await aggregator.start(make(scripted_argv("stubborn", "SIGTERM", "SIGHUP")))
            await child.wait_for(b"ready")
            child.stop()
            with trio.move_on_after(0.2):
                await child.wait()
            assert child.state == "stopping"
            child.stop(grace=0)
            assert (await child.wait()).exit.signal == signal.SIGKILL


@both
async def test_last_words_are_read(make: Make) -> None:
    executor = make(scripted_argv("graceful", "SIGTERM"))
    completed = await stop_when_ready(executor, sink := Collector())
    assert sink.written == b"[a] ready\n[a] caught 15\n[a] goodbye\n"
    assert completed.exit.code == 0


GOODBYE = scripted("graceful", "SIGTERM", "SIGINT")


@both
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("line", [GOODBYE, f"cd / && {GOODBYE}", f"cd /; {GOODBYE}; echo never"])
async def test_last_words_are_read_behind_a_shell(make: Make, line: str, signum: int) -> None:
    """A shell that died at once would take the terminal, or the time, from the program it runs."""
    completed = await stop_when_ready(make(line), sink := Collector(), signum=signum)
    assert sink.written == b"[a] ready\n[a] caught %d\n[a] goodbye\n" % signum
    assert completed.reason == "stopped"


@pytest.mark.parametrize("line", [f"sh -c {shlex.quote(GOODBYE)}; true", f"{GOODBYE} & wait"])
async def test_last_words_of_those_who_outlive_the_leader_are_read(line: str) -> None:
    completed = await stop_when_ready(ProcessExecutor(line), sink := Collector())
    assert sink.written == b"[a] ready\n[a] caught 15\n[a] goodbye\n"
    assert completed.reason == "stopped"


async def test_those_who_outlive_the_leader_and_ignore_signals_are_killed(leak_check: LeakCheck) -> None:
    line = scripted("stubborn", "SIGTERM") + " & wait"
    await stop_when_ready(ProcessExecutor(line), sink := Collector(), grace=0.4)
    assert sink.written == b"[a] ready\n"
    leak_check.wait_until_gone()


async def test_an_escaped_one_does_not_hold_up_a_stop(tmp_path: Path, leak_check: LeakCheck) -> None:
    line = scripted("escaped", tmp_path / "pid") + "; echo ready; sleep 1000"
    with trio.fail_after(60):
        await stop_when_ready(ProcessExecutor(line), Collector(), grace=1000)
    assert not marked(leak_check.marker)


@both
@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("exit 3", 3),
        ("  sh -c 'exit 4'", 4),
        ("X=5 sh -c 'exit $X'", 5),
        ("no-such-program-anywhere", 127),
        ("false || exit 6", 6),
        ("if true\nthen exit 7\nfi", 7),
        ("# nothing\n", 0),
        ("[ 1 = 2 ]", 1),
        ("sh -c 'exit 8' 2>&1", 8),
        ("echo (", 2),
        ("trap 'echo bye; exit 5' TERM; kill $$", 5),
        ("kill $$", 128 + 15),
        ("false", 1),
    ],
)
async def test_a_shell_line_means_what_it_says(make: Make, line: str, status: int) -> None:
    completed = await run_one(make(line), Collector())
    assert completed.exit.status == status


@both
async def test_last_words_are_read_when_the_program_is_cancelled(make: Make) -> None:
    sink = Collector()
    with trio.fail_after(60), trio.CancelScope() as scope:
        async with open_aggregator([sink]) as aggregator:
            child = await aggregator.start(make(scripted_argv("graceful", "SIGTERM")), id="a", name="a")
            await child.wait_for(b"ready")
            scope.cancel()
    assert sink.written == b"[a] ready\n[a] caught 15\n[a] goodbye\n"
    assert child.completed is not None
    assert child.completed.reason == "cancelled"


@both
async def test_a_stopped_child_can_be_stopped(make: Make) -> None:
    executor = make("echo ready; kill -STOP $$; echo never")
    completed = await stop_when_ready(executor, Collector(), grace=1000)
    assert completed.exit.signal == signal.SIGTERM


@both
@pytest.mark.parametrize("holding", ["sleep 1000 & echo hi", "sleep 1000 >/dev/null 2>&1 & echo hi"])
async def test_a_grandchild_in_the_background_does_not_survive(
    make: Make, holding: str, leak_check: LeakCheck
) -> None:
    completed = await run_one(make(holding), sink := Collector())
    assert sink.written == b"[a] hi\n"
    assert completed.exit.code == 0
    leak_check.wait_until_gone()


@both
async def test_a_grandchild_that_floods_on_does_not_survive(make: Make, leak_check: LeakCheck) -> None:
    completed = await run_one(make(scripted_argv("flooding_heir")), sink := Collector())
    assert completed.exit.code == 0
    lines = sink.written.splitlines()
    assert b"[a] leader" in lines
    assert {len(line) for line in lines[:-1]} <= {len(b"[a] leader"), 4 + 99}
    leak_check.wait_until_gone()


@both
async def test_late_words_of_a_grandchild_are_read(make: Make) -> None:
    line = "trap '' HUP; (sleep 0.05; echo late) & echo hi"
    await run_one(make(line), sink := Collector())
    assert sink.written == b"[a] hi\n[a] late\n"


@both
async def test_a_closed_output_is_not_the_end(make: Make) -> None:
    completed = await run_one(make(scripted_argv("closeout", 7)), sink := Collector())
    assert completed.exit.code == 7
    assert completed.duration >= 0.35
    assert sink.written == b"[a] before\n"


@both
async def test_all_that_was_written_before_the_exit_is_read(make: Make) -> None:
    class Slow(Collector):
        async def write(self, batch: Any) -> None:
            await trio.sleep(0.03)
            await super().write(batch)

    await run_one(make("seq 1 100000"), sink := Slow())
    assert sink.written == b"".join(b"[a] %d\n" % n for n in range(1, 100001))


@both
async def test_a_child_killed_in_the_middle_loses_nothing_it_wrote(make: Make) -> None:
    completed = await run_one(make("seq 1 1500; kill -9 $$"), sink := Collector())
    assert completed.exit.signal == 9
    assert sink.written == b"".join(b"[a] %d\n" % n for n in range(1, 1501))


@both
async def test_a_child_stopped_before_it_began(make: Make) -> None:
    with trio.fail_after(60):
        async with open_aggregator([sink := Collector()]) as aggregator:
            child = aggregator.start_soon(make("echo hi"), id="a", name="a")
            child.stop()
    assert child.completed is not None
    assert child.completed.reason == "stopped"
    assert child.completed.exit.error is None
    assert sink.written == b""


@both
async def test_a_queued_child_is_stopped(make: Make) -> None:
    with trio.fail_after(60):
        async with open_aggregator([sink := Collector()], jobs=1) as aggregator:
            first = await aggregator.start(make("sh -c 'echo ready; exec sleep 1000'"), name="a")
            second = aggregator.start_soon(make("echo hi"), name="b")
            await first.wait_for(b"ready")
            aggregator.stop()
    assert [child.completed and child.completed.reason for child in (first, second)] == ["stopped"] * 2
    assert sink.written == b"[a] ready\n"


@both
async def test_many_at_once_leave_nothing(make: Make, leak_check: LeakCheck) -> None:
    with trio.fail_after(60):
        async with open_aggregator([sink := Collector()]) as aggregator:
            children = [
                aggregator.start_soon(make(f"echo {n}; sleep 1000 & exec sleep 1000"), id=f"{n:08}", name="n")
                for n in range(100)
            ]
            for child in children:
                await child.wait_for(b"\n")
            aggregator.stop()
    assert sorted(sink.written.split(b"\n")) == sorted([b"", *(b"[n] %d" % n for n in range(100))])
    leak_check.wait_until_gone()


# --- input


async def test_a_pipe_child_reads_what_is_written_and_its_end() -> None:
    with trio.fail_after(60):
        async with open_aggregator([sink := Collector()]) as aggregator:
            executor = ProcessExecutor("cat; echo done", stdin="pipe")
            child = await aggregator.start(executor, id="a", name="a")
            await child.write(b"x" * 300_000 + b"\n")
            await child.intervene("hello")
            executor.close_stdin()
            with pytest.raises(NotRunningError):
                await child.write(b"too late")
    assert sink.data("a") == b"x" * 300_000 + b"\nhello\ndone\n"


@pytest.mark.parametrize("steps", range(6))
async def test_what_is_written_never_lands_in_a_file_that_got_the_descriptors_number(
    steps: int, tmp_path: Path
) -> None:
    async def write() -> None:
        with suppress(NotRunningError):
            await child.write(b"secret\n")

    async with open_aggregator([]) as aggregator:
        executor = ProcessExecutor("sleep 0.1", stdin="pipe")
        child = await aggregator.start(executor)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            executor.close_stdin()
            other = os.open(tmp_path / "another's", os.O_RDWR | os.O_CREAT)
            await trio.testing.wait_all_tasks_blocked()
            assert os.fstat(other).st_size == 0
            os.close(other)


async def test_a_terminal_child_reads_what_is_typed() -> None:
    with trio.fail_after(60):
        async with open_aggregator([sink := Collector()]) as aggregator:
            child = await aggregator.start(PtyExecutor("read x; echo got $x"), id="a", name="a")
            await child.intervene("hello")
    assert sink.data("a") == b"got hello\r\n"


async def test_ctrl_c_typed_into_a_terminal_interrupts() -> None:
    with trio.fail_after(60):
        async with open_aggregator([Collector()]) as aggregator:
            child = await aggregator.start(PtyExecutor(scripted_argv("obedient")))
            await child.wait_for(b"ready")
            await child.write(b"\x03")
            assert (await child.wait()).exit.signal == signal.SIGINT


async def test_writing_to_one_without_input_is_refused() -> None:
    with trio.fail_after(60):
        async with open_aggregator([Collector()]) as aggregator:
            child = await aggregator.start(ProcessExecutor("cat; sleep 0.1"))
            with pytest.raises(NotWritableError):
                await child.write(b"x")


@both
async def test_a_writer_whose_child_reads_nothing_is_released_by_its_end(make: Make) -> None:
    executor = make("echo ready; sleep 1000", **({"stdin": "pipe"} if make is ProcessExecutor else {}))
    with trio.fail_after(60):
        async with open_aggregator([Collector()]) as aggregator, trio.open_nursery() as nursery:
            child = await aggregator.start(executor)
            await child.wait_for(b"ready")

            async def write() -> None:
                with pytest.raises(NotRunningError):
                    await child.write(b"x\n" * 1_000_000)

            nursery.start_soon(write)
            await trio.testing.wait_all_tasks_blocked(0.05)
            child.stop()


async def test_the_window_size_is_told() -> None:
    with trio.fail_after(60):
        async with open_aggregator([sink := Collector()]) as aggregator:
            executor = PtyExecutor(
                "trap 'stty size; exit' WINCH; stty size; echo ready; sleep 1000 & wait", size=(31, 97)
            )
            child = await aggregator.start(executor, id="a", name="a")
            await child.wait_for(b"ready")
            executor.resize(40, 120)
    assert sink.written == b"[a] 31 97\n[a] ready\n[a] 40 120\n"


# --- what can't be started


@both
@pytest.mark.parametrize(
    "case", ["missing", "missing path", "not executable", "folder", "no interpreter", "big"]
)
async def test_what_cannot_be_started_says_why(make: Make, case: str, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"\x7fnot a program\n")
    if case == "no interpreter":
        plain.chmod(0o755)
    argv = {
        "missing": ["no-such-program-anywhere"],
        "missing path": ["./no/such/program"],
        "not executable": [str(plain)],
        "folder": [str(tmp_path)],
        "no interpreter": [str(plain)],
        "big": ["true", *["x" * 100_000] * 100],
    }[case]
    with trio.fail_after(60):
        async with open_aggregator([sink := Collector()]) as aggregator:
            other = aggregator.start_soon(make("echo hi"), id="b", name="b")
            with pytest.raises(SpawnError) as caught:
                await aggregator.start(make(argv), id="a", name="a")
    assert argv[0] in str(caught.value)
    assert caught.value.exit_code == (127 if case.startswith("missing") else 126)
    assert f"[a] [ERROR] {caught.value}\n".encode() in sink.written
    assert b"[b] hi\n" in sink.written
    assert other.completed is not None
    assert other.completed.exit.ok


@both
@pytest.mark.parametrize("folder", [None, "there"])
async def test_a_shell_line_runs_a_script_without_interpreter_as_a_shell_does(
    make: Make, folder: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / (folder or ".")
    home.mkdir(exist_ok=True)
    (home / "script").write_text("echo ran $1\n")
    (home / "script").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    await run_one(make("./script 1", cwd=folder), sink := Collector())
    assert sink.written == b"[a] ran 1\n"


@both
async def test_a_bad_folder_says_so(make: Make, tmp_path: Path) -> None:
    for folder in (tmp_path / "none", __file__):
        with trio.fail_after(60):
            async with open_aggregator([Collector()]) as aggregator:
                with pytest.raises(SpawnError, match=str(folder)):
                    await aggregator.start(make("true", cwd=folder))


@both
@pytest.mark.parametrize("folder", ["-", "sub", "a b$(c)"])
async def test_a_folder_is_a_folder_whatever_its_name(
    make: Make, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / "elsewhere" / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    env = {**os.environ, "CDPATH": str(tmp_path / "elsewhere"), "OLDPWD": "/"}
    await run_one(make("pwd; exit 3", cwd=folder, env=env), sink := Collector())
    assert sink.written == f"[a] {tmp_path / folder}\n".encode()


@both
@pytest.mark.parametrize("command", ["", "  ", [], [""], "a\0b", ["a", "b\0"]])
def test_an_empty_command_is_refused(make: Make, command: Any) -> None:
    with pytest.raises(SpecificationError):
        make(command)


@both
async def test_without_descriptors_a_child_fails_and_the_others_do_not(make: Make) -> None:
    with trio.fail_after(60):
        async with open_aggregator([sink := Collector()]) as aggregator:
            first = await aggregator.start(make("read x; echo hi", **_with_input(make)), id="a", name="a")
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            fillers = [os.dup(0)]  # the limit is about numbers: leave none free below it
            while len(fillers) < 3 or fillers[-1] < max(map(int, os.listdir("/proc/self/fd"))) - 1:
                fillers.append(os.dup(0))
            highest = max(map(int, os.listdir("/proc/self/fd")))
            failed = []
            # One after the other, each with one more descriptor to take, until one can be started.
            for room in range(12):
                resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + room, hard))
                try:
                    await aggregator.start(make("echo started", **_with_input(make)))
                except SpawnError as error:
                    failed.append(error)
                else:
                    break
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for filler in fillers:
                os.close(filler)
            await first.write(b"\n")
    assert failed
    assert {error.exit_code for error in failed} == {126}
    assert [error for error in map(str, failed) if "open files" not in error] == []
    assert b"[a] hi\n" in sink.written


def _with_input(make: Make) -> dict[str, Any]:
    return {"stdin": "pipe"} if make is ProcessExecutor else {}


@both
async def test_exit_statuses_unknowable_are_not_success(make: Make) -> None:
    """Our parent may have left SIGCHLD ignored: then the kernel keeps no statuses."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        completed = await run_one(make("echo hi"), sink := Collector())
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert b"[a] hi\n" in sink.written
    assert completed.exit.code is None
    assert completed.exit.error is not None
    assert "SIGCHLD" in completed.exit.error

"""Teardown: real children that escape, ignore, linger and are killed; by the ids of the fault catalogue.

Through the library (which finds escaped processes by a mark in their environments, or as a subreaper)
and through the command, on pipes and on PTYs.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import resource
import shlex
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from axiom_trio import (
    Completed,
    Escaped,
    ProcessExecutor,
    PtyExecutor,
    SpecificationError,
    StreamAggregator,
    open_aggregator,
)
from axiom_trio.executors import groups, processes
from tests.commands import Collector, Running, Terminal, axiom, scripted, scripted_argv, shell, wait_until
from tests.faults.harness import KILLS
from tests.leaks import MARKER, children, descriptors, marked

if TYPE_CHECKING:
    from tests.leaks import LeakCheck

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

Make = type[ProcessExecutor] | type[PtyExecutor]
both = pytest.mark.parametrize("make", [ProcessExecutor, PtyExecutor], ids=["pipe", "pty"])
both_on = pytest.mark.parametrize("on", ["--pipe", "--pty"])
either_way = pytest.mark.parametrize("adopts", [False, True], ids=["marks", "subreaper"])
kept_or_not = pytest.mark.parametrize("allowed", [False, True], ids=["killed", "kept"])


async def run_one(executor: Any, **options: Any) -> tuple[Completed, Collector, StreamAggregator]:
    with trio.fail_after(60):
        async with open_aggregator([sink := Collector()], **options) as aggregator:
            child = aggregator.start_soon(executor, id="a", name="a")
    assert child.completed is not None
    return child.completed, sink, aggregator


async def stop_when_ready(executor: Any, **options: Any) -> tuple[Completed, Collector, float]:
    """Also how long the stop took, in seconds."""
    with trio.fail_after(60):
        async with open_aggregator([sink := Collector()], **options) as aggregator:
            child = await aggregator.start(executor, id="a", name="a")
            await child.wait_for(b"ready")
            began = trio.current_time()
            child.stop()
            completed = await child.wait()
            took = trio.current_time() - began
    return completed, sink, took


def lives(pid: int) -> bool:
    process = processes.find(pid)
    return process is not None and process.lives


def end_kept(report: Path) -> None:
    """End a process that was kept, which must live."""
    pid = int(report.read_text())
    assert lives(pid)
    os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):  # it's ours, if it was adopted
        os.waitpid(pid, 0)


def guardian_of(pid: int) -> int | None:
    """The guardian of a running command."""
    for process in processes.everyone():
        if process.parent == pid and "# the guardian" in processes.command(process.pid):
            return process.pid
    return None


# --- T17: a daemon in a session of its own holds the output


@both
@either_way
@kept_or_not
async def test_t17_an_escaped_process_that_holds_the_output_is_named(
    make: Make, adopts: bool, allowed: bool, tmp_path: Path
) -> None:
    report = tmp_path / "pid"
    completed, sink, aggregator = await run_one(
        make(scripted_argv("escaped", report)), subreaper=adopts, allow_daemons=allowed
    )
    assert sink.written == b"[a] hi\n"
    assert completed.exit.ok
    (escaped,) = completed.escaped
    assert escaped.pid == int(report.read_text())
    assert "scripted.py escaped" in escaped.command
    assert escaped.killed is not allowed
    assert aggregator.escaped == ()
    if allowed:
        end_kept(report)
    else:
        assert not lives(escaped.pid)


@both_on
@kept_or_not
def test_t17_the_command_names_it_too(on: str, allowed: bool, tmp_path: Path, leak_check: LeakCheck) -> None:
    report = tmp_path / "pid"
    options = [on, "-n", "a", *(["--allow-daemons"] if allowed else [])]
    result = axiom(*options, scripted("escaped", report))
    assert (result.status, result.stdout) == (0, b"[a] hi\n")
    assert f"[a] left behind {report.read_text()} (" in result.stderr
    assert f"; {'kept' if allowed else 'killed'})" in result.stderr
    if allowed:
        end_kept(report)
    else:
        assert not marked(leak_check.marker)


async def test_t17_an_escaped_process_gets_sigterm_first(tmp_path: Path) -> None:
    report = tmp_path / "said"
    _, _, aggregator = await run_one(ProcessExecutor(scripted_argv("polite_daemon", report)))
    assert report.read_text() == "got 15\n"
    assert [escaped.killed for escaped in aggregator.escaped] == [True]


@either_way
async def test_t17_one_that_ignores_sigterm_is_killed(adopts: bool, leak_check: LeakCheck) -> None:
    line = f"trap '' TERM HUP; setsid {scripted('stubborn')} & sleep 0.3"
    completed, sink, _ = await run_one(ProcessExecutor(line), subreaper=adopts)
    assert sink.written == b"[a] ready\n"
    assert len(completed.escaped) == 1
    assert not marked(leak_check.marker)


@either_way
async def test_t17_what_an_escaped_process_has_started_goes_with_it(
    adopts: bool, leak_check: LeakCheck
) -> None:
    line = "for n in 1 2 3; do setsid sh -c 'setsid sleep 1000 & sleep 1000' & done; echo hi; sleep 0.3"
    completed, _, aggregator = await run_one(ProcessExecutor(line), subreaper=adopts)
    named = [*completed.escaped, *aggregator.escaped]
    assert len({escaped.pid for escaped in named}) == len(named) == 9
    assert not marked(leak_check.marker)


async def test_t17_a_quiet_one_is_found_when_the_block_is_left(
    leak_check: LeakCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the library a child that ends by itself is no reason to look at all processes."""
    looks = []
    numbers = processes.numbers
    monkeypatch.setattr(processes, "numbers", lambda: looks.append(1) or numbers())
    with trio.fail_after(60):
        async with open_aggregator([Collector()], jobs=4) as aggregator:
            quick = [aggregator.start_soon(ProcessExecutor("true")) for _ in range(50)]
            child = aggregator.start_soon(ProcessExecutor("setsid sleep 1000 >/dev/null 2>&1 & sleep 0.2"))
            for each in [*quick, child]:
                assert (await each.wait()).escaped == ()
            assert not looks
    assert [(escaped.command, escaped.killed) for escaped in aggregator.escaped] == [("sleep 1000", True)]
    assert not marked(leak_check.marker)


async def test_t17_a_daemon_of_a_running_child_is_left_alone(tmp_path: Path) -> None:
    """It's adopted as soon as its parent has gone, but it's the child's until that ends."""
    line = f"{scripted('polite_daemon', tmp_path / 'said')}; echo ready; sleep 1000"
    with trio.fail_after(60):
        async with open_aggregator([Collector()], subreaper=True) as aggregator:
            aggregator.start_soon(ProcessExecutor("true"))
            child = await aggregator.start(ProcessExecutor(line))
            await child.wait_for(b"ready")
            await trio.sleep(1.2)  # two rounds of the reaper
            assert (tmp_path / "said").read_text() == ""
            child.stop()
            completed = await child.wait()
    assert len(completed.escaped) == 1
    assert (tmp_path / "said").read_text() == "got 15\n"


def test_t17_one_without_our_environment_is_found_by_the_command(leak_check: LeakCheck) -> None:
    """Nothing tells which child it came from; so it's ended when all have ended."""
    marker = f"{MARKER}={leak_check.marker}"
    result = axiom("-n", "a", f"env -i {marker} setsid sleep 1000 & echo hi; sleep 0.3")
    assert result.stdout == b"[a] hi\n"
    assert "left behind" in result.stderr
    assert "(sleep 1000; killed)" in result.stderr
    assert not marked(leak_check.marker)


def test_t17_what_was_there_before_is_left_alone(tmp_path: Path) -> None:
    """The shell that started it becomes the command, with its children."""
    report = tmp_path / "pid"
    result = shell(
        f"sleep 1000 >/dev/null 2>&1 & echo $! >{report}; exec $AXIOM 'setsid sleep 1000 & sleep 0.3'"
    )
    assert result.status == 0
    assert result.stderr.count("left behind") == 1
    end_kept(report)


async def test_t17_two_runs_and_the_program_itself_leave_each_other_alone(leak_check: LeakCheck) -> None:
    marker = f"{MARKER}={leak_check.marker}"
    own = subprocess.Popen(["sleep", "1000"])  # noqa: ASYNC220 (a program's own, reaped by itself)
    with trio.fail_after(60):
        async with open_aggregator([Collector()], subreaper=True, guardian=True) as first:
            line = f"setsid sleep 1000 & (env -i {marker} sleep 1000 &); echo ready; sleep 1000"
            child = await first.start(ProcessExecutor(line))
            await child.wait_for(b"ready")
            async with open_aggregator([Collector()], subreaper=True, guardian=True) as second:
                second.start_soon(ProcessExecutor("setsid sleep 2000 & sleep 0.2"))
            ((escaped,),) = [c.completed.escaped for c in second.children if c.completed]
            assert escaped.command == "sleep 2000"
            assert second.escaped == ()
            assert list(marked(leak_check.marker).values()).count("sleep 1000 ") == 4
            child.stop()
    assert child.completed is not None
    assert [escaped.command for escaped in child.completed.escaped] == ["sleep 1000"]
    assert own.poll() is None
    own.kill()
    own.wait()
    assert not marked(leak_check.marker)


async def test_t17_it_is_found_though_a_process_that_was_there_before_has_gone() -> None:
    before = subprocess.Popen(["sleep", "1000"], start_new_session=True)  # noqa: ASYNC220 (the program's own)
    with trio.fail_after(60):
        async with open_aggregator([Collector()], subreaper=True) as aggregator:
            before.kill()
            before.wait()
            child = aggregator.start_soon(ProcessExecutor("setsid sleep 1000 & sleep 0.2"))
            completed = await child.wait()
    assert [escaped.command for escaped in completed.escaped] == ["sleep 1000"]


async def test_t17_it_is_found_from_another_thread_than_the_first() -> None:
    """Children are listed by the thread that has started them; what is adopted is the first one's."""
    escaped: list[str] = []

    async def main() -> None:
        async with open_aggregator([Collector()], subreaper=True) as aggregator:
            other = aggregator.start_soon(ProcessExecutor("sleep 1000"))
            child = aggregator.start_soon(ProcessExecutor("setsid sleep 1000 & sleep 0.2"))
            escaped.extend(left.command for left in (await child.wait()).escaped)
            other.stop()

    with trio.fail_after(60):
        await trio.to_thread.run_sync(trio.run, main)
    assert escaped == ["sleep 1000"]


def test_t17_what_it_calls_itself_cannot_drive_the_terminal() -> None:
    result = axiom("-n", "a", "setsid sh -c 'sleep 1000; : \033]0;title\007' & sleep 0.3")
    assert "left behind" in result.stderr
    assert "\033]0" not in result.stderr


@pytest.mark.parametrize("signum", ["TERM", "KILL"])
def test_t17_a_run_within_a_run_hides_nothing(signum: str, leak_check: LeakCheck) -> None:
    inner = shlex.join(
        [sys.executable, "-m", "axiom_trio", "run", "setsid sleep 1000 & echo ready; sleep 1000"]
    )
    line = f"{inner} & sleep 1; kill -{signum} $!; wait; echo done"
    result = axiom("-p", "", line)
    assert b"done\n" in result.stdout
    leak_check.wait_until_gone()


async def test_t17_a_run_within_a_run_that_is_killed_leaves_nothing_in_the_library(
    leak_check: LeakCheck,
) -> None:
    program = (
        "import trio, axiom_trio as a\n"
        "async def main():\n"
        "    async with a.open_aggregator([a.ConsoleSink()]) as g:\n"
        "        g.start_soon(a.ProcessExecutor('setsid sleep 1000 & echo ready; sleep 1000'))\n"
        "trio.run(main)"
    )
    completed, _, _ = await stop_when_ready(ProcessExecutor([sys.executable, "-c", program]), grace=0)
    assert completed.exit.signal == signal.SIGKILL
    assert not marked(leak_check.marker)
    assert len(completed.escaped) >= 2


# --- T18: one in the background of the child's own group holds the output


@both
@either_way
async def test_t18_a_grandchild_in_the_background_is_killed(
    make: Make, adopts: bool, leak_check: LeakCheck
) -> None:
    completed, sink, aggregator = await run_one(make("sleep 1000 & echo hi"), subreaper=adopts)
    assert sink.written == b"[a] hi\n"
    assert completed.escaped == aggregator.escaped == ()
    leak_check.wait_until_gone()


@both
async def test_t18_one_without_our_environment_is_killed(make: Make, leak_check: LeakCheck) -> None:
    """Its group tells whose it is."""
    line = f"trap '' HUP; env -i {MARKER}={leak_check.marker} sleep 1000 >/dev/null 2>&1 & echo hi; sleep 0.2"
    completed, _, aggregator = await run_one(make(line))
    assert completed.escaped == aggregator.escaped == ()
    leak_check.wait_until_gone()


@both_on
def test_t18_through_the_command(on: str, leak_check: LeakCheck) -> None:
    result = axiom(on, "-n", "a", "sleep 1000 & echo hi")
    assert (result.status, result.stdout) == (0, b"[a] hi\n")
    assert "left behind" not in result.stderr
    assert not marked(leak_check.marker)


# --- T19: one that ignores signals


@both
async def test_t19_one_that_ignores_signals_is_killed_at_the_grace(make: Make) -> None:
    executor = make(scripted_argv("stubborn", "SIGTERM", "SIGINT", "SIGHUP"))
    completed, _, took = await stop_when_ready(executor, grace=0.4)
    assert (completed.exit.signal, completed.reason) == (signal.SIGKILL, "stopped")
    assert took >= 0.4


@both_on
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_t19_through_the_command(on: str, signum: int) -> None:
    with Running(on, "--grace", "400ms", scripted("stubborn", "SIGINT", "SIGTERM", "SIGHUP")) as run:
        run.read_until(b"ready")
        began = time.monotonic()
        run.signal(signum)
        result = run.finish()
    assert time.monotonic() - began >= 0.4
    assert result.status == 128 + signum
    assert "SIGKILL" in result.stderr


@pytest.mark.slow
def test_t19_the_grace_is_five_seconds_unless_asked_otherwise() -> None:
    with Running(scripted("stubborn", "SIGTERM")) as run:
        run.read_until(b"ready")
        began = time.monotonic()
        run.signal(signal.SIGTERM)
        run.finish()
    assert time.monotonic() - began >= 5


async def test_t19_an_interrupt_unanswered_is_followed_by_sigterm_at_half_the_grace() -> None:
    with trio.fail_after(60):
        async with open_aggregator([sink := Collector()], grace=1000) as aggregator:
            child = await aggregator.start(
                ProcessExecutor(
                    ["sh", "-c", "trap '' INT; trap 'echo term; exit 0' TERM; echo ready; sleep 1000 & wait"]
                ),
                id="a",
                name="a",
            )
            await child.wait_for(b"ready")
            aggregator.stop(signum=signal.SIGINT, grace=1)
            completed = await child.wait()
    assert completed.exit.code == 0
    assert sink.written == b"[a] ready\n[a] term\n"


# --- T20: one that needs a moment to say goodbye


@both
async def test_t20_goodbyes_are_captured(make: Make) -> None:
    completed, sink, _ = await stop_when_ready(make(scripted_argv("graceful", "SIGTERM")))
    assert sink.written == b"[a] ready\n[a] caught 15\n[a] goodbye\n"
    assert completed.exit.code == 0


@both_on
def test_t20_both_of_two_through_the_command(on: str) -> None:
    with Running(on, "-n", "a,b", *[scripted("graceful", "SIGTERM")] * 2) as run:
        run.read_until(b"ready", 2)
        run.signal(signal.SIGTERM)
        result = run.finish()
    assert result.stdout.count(b"goodbye\n") == 2


async def test_t20_those_who_outlive_their_leader_have_the_grace_that_was_asked() -> None:
    line = f"{scripted('graceful', 'SIGTERM')} & wait"
    _, sink, _ = await stop_when_ready(ProcessExecutor(line), grace=0.1)
    assert b"caught" in sink.written
    assert b"goodbye" not in sink.written


# --- T21: end of output is not the end


@both
async def test_t21_a_closed_output_is_not_the_end(make: Make) -> None:
    completed, sink, _ = await run_one(make(scripted_argv("closeout", 7)))
    assert (completed.exit.code, completed.reason) == (7, "exit")
    assert completed.duration >= 0.35
    assert sink.written == b"[a] before\n"


@both_on
def test_t21_through_the_command(on: str) -> None:
    result = axiom(on, "-n", "a", scripted("closeout", 7))
    assert (result.status, result.stdout) == (1, b"[a] before\n")
    assert "exit 7" in result.stderr


# --- T22: the leader of a terminal has gone, and another holds it


@either_way
@pytest.mark.parametrize(
    "line", ["trap '' HUP; sleep 1000 & echo hi", "setsid sleep 1000 & echo hi; sleep 0.3"]
)
async def test_t22_a_held_terminal_is_not_waited_for(line: str, adopts: bool, leak_check: LeakCheck) -> None:
    completed, sink, aggregator = await run_one(PtyExecutor(line), subreaper=adopts)
    assert sink.written == b"[a] hi\n"
    assert completed.exit.ok
    assert len(completed.escaped) == ("setsid" in line)
    assert aggregator.escaped == ()
    leak_check.wait_until_gone()


def test_t22_through_the_command(leak_check: LeakCheck) -> None:
    result = axiom("--pty", "-n", "a", "trap '' HUP; sleep 1000 & setsid sleep 1000 & echo hi; sleep 0.3")
    assert (result.status, result.stdout) == (0, b"[a] hi\n")
    assert result.stderr.count("(sleep 1000; killed)") == 1
    assert not marked(leak_check.marker)


# --- T23: one that is stopped


@both
async def test_t23_a_stopped_child_can_be_stopped(make: Make) -> None:
    completed, _, _ = await stop_when_ready(make("echo ready; kill -STOP $$; echo never"), grace=1000)
    assert (completed.exit.signal, completed.reason) == (signal.SIGTERM, "stopped")


@both_on
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_t23_through_the_command(on: str, signum: int) -> None:
    with Running(on, "--grace", "1000", "echo ready; exec " + scripted("obedient")) as run:
        run.read_until(b"ready", 2)
        for pid in list(marked_below(run.process.pid)):
            os.kill(pid, signal.SIGSTOP)
        run.signal(signum)
        assert run.finish().status == 128 + signum


def marked_below(parent: int) -> list[int]:
    """The children of a command, without its guardian."""
    guardian = guardian_of(parent)
    return [p.pid for p in processes.everyone() if p.parent == parent and p.pid != guardian]


@either_way
async def test_t23_an_escaped_one_that_is_stopped_is_ended(adopts: bool, tmp_path: Path) -> None:
    report = tmp_path / "said"
    line = f"{scripted('polite_daemon', report)}; echo ready; sleep 1000"
    with trio.fail_after(60):
        async with open_aggregator([Collector()], subreaper=adopts) as aggregator:
            child = await aggregator.start(ProcessExecutor(line))
            await child.wait_for(b"ready")
            mark = aggregator.run_id.encode()
            (daemon,) = [
                pid
                for pid in processes.numbers()
                if mark in processes.environment(pid)
                and "polite" in processes.command(pid)
                and os.getsid(pid) != child.pid
            ]
            os.kill(daemon, signal.SIGSTOP)
            child.stop()
            completed = await child.wait()
    assert [escaped.pid for escaped in completed.escaped] == [daemon]
    assert report.read_text() == "got 15\n"


# --- T24: one that is killed


@both
@pytest.mark.parametrize(("name", "signum"), [("KILL", 9), ("SEGV", 11)])
async def test_t24_a_signal_is_recorded(make: Make, name: str, signum: int) -> None:
    completed, sink, _ = await run_one(make(f"echo hi; kill -{name} $$"))
    assert (completed.exit.signal, completed.exit.code, completed.reason) == (signum, None, "signal")
    assert sink.written == b"[a] hi\n"


@both_on
def test_t24_through_the_command(on: str) -> None:
    result = axiom(on, "-n", "a,b,c", "kill -9 $$", "kill -SEGV $$", "echo fine")
    assert result.status == 1
    assert result.stdout == b"[c] fine\n"
    for part in ("[a] Failed: SIGKILL", "[b] Failed: SIGSEGV"):
        assert part in result.stderr


# --- T39: signals to the command


@both_on
@pytest.mark.parametrize(
    ("signals", "status"),
    [
        ([signal.SIGTERM], 143),
        ([signal.SIGINT], 130),
        ([signal.SIGHUP], 129),
        ([signal.SIGINT, signal.SIGINT], 130),
        ([signal.SIGTERM, signal.SIGINT], 143),
        ([signal.SIGHUP, signal.SIGTERM], 129),
    ],
    ids=["term", "int", "hup", "int-int", "term-int", "hup-term"],
)
def test_t39_the_first_signal_asks_and_the_second_kills(
    on: str, signals: list[signal.Signals], status: int, leak_check: LeakCheck, tmp_path: Path
) -> None:
    stubborn = ["SIGINT", "SIGTERM", "SIGHUP"] if len(signals) > 1 else []
    line = f"{scripted('escaped', tmp_path / 'pid')}; exec {scripted('stubborn', *stubborn)}"
    with Running(on, "--grace", "1000", line) as run:
        run.read_until(b"ready")
        run.signal(signals[0])
        for signum in signals[1:]:
            time.sleep(0.2)  # in which it would end if one signal were enough
            assert run.process.poll() is None
            run.signal(signum)
        result = run.finish()
    assert result.status == status
    assert f"left behind {(tmp_path / 'pid').read_text()} (" in result.stderr
    assert not marked(leak_check.marker)


@both_on
def test_t39_sigquit_ends_the_command_at_once_and_its_children(on: str, leak_check: LeakCheck) -> None:
    with Running(on, "setsid sleep 1000 & echo ready; sleep 1000") as run:
        resource.prlimit(run.process.pid, resource.RLIMIT_CORE, (0, 0))
        run.read_until(b"ready")
        run.signal(signal.SIGQUIT)
        assert run.process.wait(30) == -signal.SIGQUIT
        leak_check.wait_until_gone()


# --- T40: Ctrl-C on the terminal


def test_t40_ctrl_c_reaches_the_children_once_and_through_us(leak_check: LeakCheck) -> None:
    with Terminal("-n", "a", "--grace", "1000", scripted("interrupts")) as terminal:
        terminal.read_until(b"ready")
        terminal.type(b"\x03")
        result = terminal.finish()
        assert termios.tcgetattr(terminal.slave) == terminal.modes
    assert result.status == 130
    assert result.stdout.count(b"caught 2") == 1
    assert not marked(leak_check.marker)


# --- T41: the command is stopped and goes on


@pytest.mark.parametrize("signum", [signal.SIGTSTP, signal.SIGSTOP])
def test_t41_while_the_command_is_stopped_its_children_wait(signum: int, tmp_path: Path) -> None:
    report = tmp_path / "bytes"
    count = 200_000
    with Running("-n", "a", scripted("flood", report, count), process_group=0) as run:
        run.read_until(b"[a] ")
        run.signal(signum)
        wait_until(lambda: (found := processes.find(run.process.pid)) and found.state == "T", "to be stopped")
        time.sleep(0.3)  # what fits into the pipe is written
        written = int(report.read_bytes())
        time.sleep(0.3)  # in which it would write on if it didn't wait
        assert int(report.read_bytes()) == written < count * 100
        run.signal(signal.SIGCONT)
        result = run.finish()
    assert result.status == 0
    assert result.stdout == b"".join(b"[a] %099d\n" % n for n in range(count))


# --- T42: signal dispositions

# The rest of the mask is two signals that are the C library's own.
SIGNALS = "sed -En 's/^Sig(Blk|Ign):.*(.{8})/\\2/p' /proc/self/status"
DEFAULT = re.compile(rb"(\[\w\] [08]0000000\n){2}")


@both_on
def test_t42_a_child_dies_of_a_broken_pipe(on: str) -> None:
    result = axiom(on, "-n", "a", f"yes | head -1; {SIGNALS}")
    assert result.status == 0
    assert b"[a] y\n" in result.stdout
    assert DEFAULT.search(result.stdout)


@both
async def test_t42_in_the_library(make: Make) -> None:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        _, sink, _ = await run_one(make(f"yes | head -1; {SIGNALS}"))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert DEFAULT.search(sink.written)


# --- T43: kill -9 of the command


def test_t43_nothing_survives_a_kill_of_the_command(leak_check: LeakCheck) -> None:
    chosen = random.Random(1)
    for number in range(KILLS):
        lines = [
            "setsid sleep 1000 & echo ready; while :; do echo x; done",
            "trap '' HUP TERM; sleep 1000 & echo ready; sleep 1000",
            "env -i sleep 1000 & echo ready; exec env -i sleep 1000",  # found by its group alone
            f"echo ready; exec {scripted('stubborn', 'SIGHUP', 'SIGTERM')}",
            *["true; setsid sh -c 'setsid sleep 1000 & sleep 1000'"] * 2,
        ]
        on = "--pty" if number % 2 else "--pipe"
        with Running(on, *chosen.sample(lines, 3), stdout=subprocess.DEVNULL) as run:
            time.sleep(chosen.uniform(0, 0.6))
            guardian = guardian_of(run.process.pid)
            run.process.kill()
            run.process.wait()
            leak_check.wait_until_gone(10)
            if guardian is not None:
                wait_until(lambda guardian=guardian: not lives(guardian), "for the guardian to go")


def test_t43_groups_are_killed_whatever_their_environment(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    line = f"env -i sleep 1000 & echo $! >>{pids}; echo $$ >>{pids}; echo ready; exec env -i sleep 1000"
    with Running("--allow-daemons", line) as run:  # so it has no cgroup, which would kill them, too
        run.read_until(b"ready")
        run.process.kill()
        run.process.wait()
        leader, *_ = group = [*map(int, pids.read_text().split())][::-1]
        try:
            wait_until(lambda: not any(map(lives, group)), "for the group to die")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(leader, signal.SIGKILL)


def cgroup_of(pid: int) -> Path:
    """The directory of the cgroup that a command has made for itself."""
    path = Path(f"/proc/{pid}/cgroup").read_text().rpartition("0::")[2].strip()
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    directory = next((Path(mount + path) for _, mount, kind, *_ in mounts if kind == "cgroup2"), None)
    if directory is None or directory.name != f"axiom-trio-{pid}":
        pytest.skip("no cgroup (v2) can be made here")
    return directory


@pytest.mark.parametrize("ends_by", ["SIGKILL", "SIGTERM", "itself"])
def test_t43_nothing_leaves_the_cgroup(ends_by: str, tmp_path: Path) -> None:
    """What has left its group and cleared its environment: only the cgroup still knows it."""
    pid = tmp_path / "pid"
    hidden = f"setsid env -i /bin/sh -c 'echo $$ >{pid}; exec /bin/sleep 1000' >/dev/null 2>&1 &"
    after = "sleep 0.3" if ends_by == "itself" else "sleep 1000"
    with Running(f"{hidden} while [ ! -s {pid} ]; do sleep 0.01; done; echo ready; {after}") as run:
        run.read_until(b"ready")
        directory = cgroup_of(run.process.pid)
        stray = int(pid.read_text())
        guardian = guardian_of(run.process.pid)
        assert guardian is not None
        wait_until(
            lambda: guardian not in map(int, (directory / "cgroup.procs").read_text().split()),
            "for the guardian to be out of it",
        )
        if ends_by != "itself":
            run.signal(signal.Signals[ends_by])
        if ends_by == "SIGKILL":
            run.process.wait()
        else:
            run.finish()
    wait_until(lambda: not lives(stray), "for the stray to go")
    wait_until(lambda: not directory.exists(), "for the cgroup to go")


def test_t43_the_guardian_holds_nothing_and_goes_with_us() -> None:
    with Running(scripted("obedient")) as run:
        run.read_until(b"ready")
        pid = guardian_of(run.process.pid)
        assert pid is not None
        ours = {os.readlink(f"/proc/{run.process.pid}/fd/{n}") for n in (1, 2)}
        # Its shell keeps an output aside for a moment as it leaves our cgroup.
        wait_until(lambda: sorted(os.listdir(f"/proc/{pid}/fd")) == [*"01234"], "for five descriptors")
        open_ones = {n: os.readlink(f"/proc/{pid}/fd/{n}") for n in "01234"}
        assert all(open_ones[n].startswith("/memfd:axiom-trio") for n in "34")
        assert not ours & {*open_ones.values()}
        environment = processes.environment(pid)
        assert b"AXIOM" not in environment
        assert MARKER.encode() not in environment
        assert os.getsid(pid) == pid
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, signum)
        time.sleep(0.1)  # in which it would die if it heeded them
        assert lives(pid)
        run.signal(signal.SIGTERM)
        assert run.finish().status == 143
    assert not lives(pid)


def test_t43_allowed_daemons_outlive_a_kill_too(tmp_path: Path) -> None:
    line = f"{scripted('escaped', tmp_path / 'pid')}; echo ready; sleep 1000"
    with Running("--allow-daemons", line) as run:
        run.read_until(b"ready")
        leader, guardian = marked_below(run.process.pid), guardian_of(run.process.pid)
        assert guardian is not None
        run.process.kill()
        run.process.wait()
        wait_until(lambda: not lives(guardian), "for the guardian to go")
    pid = int((tmp_path / "pid").read_text())
    wait_until(
        lambda: [p for p in leader if lives(p)] == [pid], "for the group to go, and the daemon to stay"
    )
    end_kept(tmp_path / "pid")


async def test_t43_the_library_has_a_guardian_when_asked(leak_check: LeakCheck) -> None:
    async with open_aggregator([Collector()]) as aggregator:
        assert not aggregator.guarded
    program = (
        "import trio, axiom_trio as a\n"
        "async def main():\n"
        "    async with a.open_aggregator([a.ConsoleSink()], guardian=True) as g:\n"
        "        line = 'trap : HUP; setsid sh -c \"echo ready; exec sleep 1000\" & sleep 1000'\n"
        "        g.start_soon(a.PtyExecutor(line))\n"
        "trio.run(main)"
    )
    with trio.fail_after(60):
        process = await trio.lowlevel.open_process([sys.executable, "-c", program], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert b"ready" in await process.stdout.receive_some()
        process.kill()
        await process.wait()
        await process.stdout.aclose()
    leak_check.wait_until_gone()


async def test_t43_a_guardian_in_this_process_is_reaped() -> None:
    before = children()
    for _ in range(3):
        with trio.fail_after(60):
            async with open_aggregator([Collector()], guardian=True, subreaper=True) as aggregator:
                assert aggregator.guarded
                aggregator.start_soon(ProcessExecutor("echo hi"))
    assert children() == before
    assert not groups.guardians


# --- T62: descriptors


@both
@pytest.mark.parametrize("folder", [None, "/"])
async def test_t62_children_inherit_three_descriptors(make: Make, folder: str | None) -> None:
    with trio.fail_after(60):
        async with open_aggregator([sink := Collector()], guardian=True) as aggregator:
            await aggregator.start(make("true"), id="first", name="first")
            late = os.dup(0)
            os.set_inheritable(late, True)
            try:
                await trio.sleep(0.1)
                child = await aggregator.start(
                    make(scripted_argv("descriptors"), cwd=folder), id="a", name="a"
                )
                await child.wait()
            finally:
                os.close(late)
    assert b"[a] fds [0, 1, 2] " in sink.written


@both_on
def test_t62_of_what_the_command_inherits_too(on: str) -> None:
    late = os.dup(0)
    with Running(on, "-n", "a", scripted("descriptors"), pass_fds=[late]) as run:
        os.close(late)
        assert b"[a] fds [0, 1, 2] " in run.finish().stdout


# --- T68: many come and go


@pytest.mark.parametrize("adopts", [False, True], ids=["marks", "subreaper"])
async def test_t68_after_five_hundred_tasks_all_is_as_before(adopts: bool) -> None:
    def state() -> tuple[Any, ...]:
        statistics = trio.lowlevel.current_statistics()
        return descriptors(), children(), statistics.tasks_living, groups.leaders.copy()

    with trio.fail_after(300):
        async with open_aggregator(
            [sink := Collector()], jobs=8, subreaper=adopts, guardian=True
        ) as aggregator:
            await aggregator.start(ProcessExecutor("true"))
            await aggregator.start(PtyExecutor("true"))
            await aggregator.wait_all_completed()
            before = state()
            makes: list[Make] = [ProcessExecutor, PtyExecutor]
            for n in range(500):
                line = ["echo hi", "sleep 1000 & echo hi", "echo hi; exit 3", "kill -9 $$", "sleep 1000"][
                    n % 5
                ]
                child = aggregator.start_soon(makes[n % 2](line), name="a")
                if n % 5 == 4:
                    child.stop()
            await aggregator.wait_all_completed()
            with trio.move_on_after(5):
                while state() != before:  # noqa: ASYNC110 (nobody would tell)
                    await trio.sleep(0.05)
            assert state() == before
    assert sink.written.count(b"[a] hi\n") == 300
    assert aggregator.statistics().completed == 502


# --- what is adopted


def test_no_zombie_gets_old() -> None:
    with Running(scripted("orphans", 60)) as run:
        run.read_until(b"ready")
        oldest: dict[int, float] = {}
        adopted = 0
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            now = time.monotonic()
            dead = {p.pid for p in processes.everyone() if p.parent == run.process.pid and not p.lives}
            adopted += len(dead - oldest.keys())
            oldest = {pid: oldest.get(pid, now) for pid in dead}
            assert all(now - since < 1.5 for since in oldest.values())
            time.sleep(0.02)  # how often is looked for zombies
        assert adopted > 10
        assert not oldest
        run.signal(signal.SIGTERM)
        run.finish()


@pytest.mark.parametrize("option", ["subreaper", "guardian"])
async def test_elsewhere_it_is_clearly_absent(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SpecificationError, match="only Linux"):
        async with open_aggregator(**{option: True}):
            pass


async def test_the_ids_in_the_environment() -> None:
    with trio.fail_after(60):
        async with open_aggregator([sink := Collector()]) as aggregator:
            executor = ProcessExecutor("echo $AXIOM_RUN_ID $AXIOM_TASK_ID", env={"PATH": os.defpath})
            aggregator.start_soon(executor, id="a b", name="a")
            aggregator.start_soon(ProcessExecutor("echo $AXIOM_TASK_ID"), id="ü\0\udc80", name="b")
    assert f"[a] {aggregator.run_id} a b\n".encode() in sink.written
    assert b"[b] \\xfc\\x00\\udc80\n" in sink.written


def test_escaped_is_a_value() -> None:
    assert Escaped(1, "sleep") == Escaped(1, "sleep", killed=True)

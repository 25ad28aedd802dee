"""`axiom-trio run` and signals, its exit status, and what it leaves behind."""

from __future__ import annotations

import array
import fcntl
import os
import signal
import subprocess
import termios
import time
from typing import TYPE_CHECKING

import pytest

from tests.commands import Running, axiom, scripted, shell, signal_name
from tests.leaks import marked

if TYPE_CHECKING:
    from tests.leaks import LeakCheck

both = pytest.mark.parametrize("on", ["--pipe", "--pty"])
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@both
@pytest.mark.parametrize("signum", STATUS, ids=signal_name)
def test_a_signal_stops_the_run(on: str, signum: int, leak_check: LeakCheck) -> None:
    with Running(on, "-n", "a,b", scripted("obedient"), scripted("graceful", "SIGINT", "SIGTERM")) as run:
        run.read_until(b"ready", 2)
        run.signal(signum)
        result = run.finish()
    assert result.status == STATUS[signum]
    assert b"[b] goodbye\n" in result.stdout
    assert "stopping a, b" in result.stderr
    assert not marked(leak_check.marker)


def test_before_anything_is_started_ctrl_c_just_ends_it() -> None:
    with Running("-f", "-", stdin=subprocess.PIPE) as run:
        assert run.process.stdin is not None
        os.write(run.process.stdin.fileno(), b"echo 1\n")
        unread = array.array("i", [1])
        while unread[0]:  # it reads its list now
            fcntl.ioctl(run.process.stdin, termios.FIONREAD, unread)
            time.sleep(0.01)  # nothing tells of it: look again
        run.signal(signal.SIGINT)
        run.process.wait()
        result = run.finish()
    assert result.status == -signal.SIGINT, "which a shell reports as 130"
    assert not result.stdout
    assert not result.stderr


@both
def test_one_that_ignores_the_signal_is_killed_at_the_end_of_the_grace(on: str) -> None:
    with Running(on, "--grace", "300ms", scripted("stubborn", "SIGINT", "SIGTERM", "SIGHUP")) as run:
        run.read_until(b"ready")
        run.signal(signal.SIGTERM)
        result = run.finish()
    assert result.status == 143
    assert "SIGKILL" in result.stderr


@both
@pytest.mark.parametrize(
    ("first", "second"), [("SIGINT", "SIGINT"), ("SIGTERM", "SIGINT"), ("SIGHUP", "SIGTERM")]
)
def test_a_second_signal_kills(on: str, first: str, second: str) -> None:
    with Running(on, "--grace", "1000", scripted("stubborn", "SIGINT", "SIGTERM", "SIGHUP")) as run:
        run.read_until(b"ready")
        run.signal(getattr(signal, first))
        time.sleep(0.2)  # two of a kind that come at once are one, as ever with signals
        assert run.process.poll() is None
        run.signal(getattr(signal, second))
        result = run.finish()
    assert result.status == STATUS[getattr(signal, first)]


@both
def test_what_queues_is_never_started(on: str) -> None:
    with Running(on, "-j", "1", "-n", "a,b", scripted("obedient"), "echo never") as run:
        run.read_until(b"ready")
        run.signal(signal.SIGTERM)
        result = run.finish()
    assert result.status == 143
    assert result.stdout == b"[a] ready\n"


@both
def test_a_stopped_child_and_a_background_grandchild_end_too(on: str) -> None:
    with Running(on, "echo ready; kill -STOP $$", "sleep 1000 & echo ready; exec sleep 1000") as run:
        run.read_until(b"ready", 2)
        run.signal(signal.SIGINT)
        assert run.finish().status == 130


def test_a_signal_during_a_flood_is_obeyed_and_the_stream_ends_with_a_whole_line() -> None:
    with Running("-n", "a,b", "exec yes aaaaaaaaaaaaaaaa", "exec yes bbbbbbbbbbbbbbbb") as run:
        run.read_until(b"[a] aaaa", 1000)
        run.signal(signal.SIGINT)
        result = run.finish()
    assert result.status == 130
    lines = result.stdout.split(b"\n")
    assert lines.pop() == b""
    whole = {b"[a] " + b"a" * 16, b"[b] " + b"b" * 16}
    # Killed in the middle of a write, a child may leave a part of its last line.
    assert sum(line not in whole for line in lines) <= 2
    assert all(line[:4] in (b"[a] ", b"[b] ") for line in lines)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_obeyed_while_nobody_reads(signum: int, leak_check: LeakCheck) -> None:
    with Running("--grace", "300ms", "exec yes", "exec yes") as run:
        run.read_until(b"y\n", 100)
        time.sleep(0.3)
        run.signal(signum)
        run.process.wait(30)  # without anything being read
        leak_check.wait_until_gone()
        assert run.finish().status == STATUS[signum]


@pytest.mark.parametrize("signum", ["INT", "HUP"])
def test_a_signal_that_our_parent_told_us_to_ignore_is_ignored(signum: str) -> None:
    """So does `nohup`, and a shell for SIGINT of what it runs in the background."""
    line = f"trap '' {signum}; $AXIOM -q 'kill -{signum} $PPID; sleep 0.3; echo done'"
    result = shell(line)
    assert result.stdout == b"[kill] done\n"
    assert result.status == 0


@both
def test_exit_status_of_the_children_and_the_run(on: str) -> None:
    assert axiom(on, "true", "true").status == 0
    result = axiom(on, "-n", "a,b,c,d", "exit 7", "kill -9 $$", "no-such-program-x", "echo fine")
    assert result.status == 1
    assert b"[d] fine\n" in result.stdout
    for part in ("[a] Failed: exit 7", "[b] Failed: SIGKILL", "[c] Failed: exit 127", "3 of 4 failed"):
        assert part in result.stderr


@both
def test_survivors_are_none_after_a_normal_end(on: str, leak_check: LeakCheck) -> None:
    assert axiom(on, "sleep 1000 & sleep 1000 >/dev/null 2>&1 </dev/null & echo hi").stdout == b"[sleep] hi\n"
    leak_check.wait_until_gone()


def test_a_signal_ignored_for_children_is_not_inherited() -> None:
    result = shell("trap '' CHLD PIPE TERM; $AXIOM -q 'yes | head -1; exit 3'")
    assert (result.status, result.stdout) == (1, b"[yes] y\n")

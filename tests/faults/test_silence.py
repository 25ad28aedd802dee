"""T25 and T41: a silent child is ended, one that speaks is not, and our own sleep counts against nobody."""

from __future__ import annotations

import signal
import sys
import time

import pytest

from tests.commands import Running, axiom, scripted

_TALK = "import time,sys\nfor n in range(%d): print(n, flush=True); time.sleep(%s)\nprint('end')"


def test_T25_idle_child_is_torn_down_and_says_why():
    result = axiom(
        "-n", "a,b", "--idle-timeout", "1s", "--grace", "1s", scripted("stubborn", "SIGTERM"), "sleep 1.5; :"
    )
    assert result.status == 1
    assert result.stdout == b"[a] ready\n"
    assert "✗ [a] Failed: it was silent for too long" in result.stderr
    assert "✗ [b] Failed: it was silent for too long" in result.stderr


@pytest.mark.parametrize("pty", ["--pty", "--pipe"])
def test_T25_output_just_before_the_limit_counts(pty: str):
    result = axiom(pty, "--idle-timeout", "2s", f'{sys.executable} -c "{_TALK % (5, 1.2)}"')
    assert result.status == 0
    assert result.stdout.replace(b"\r", b"").endswith(b"] end\n")


def test_T41_a_stopped_aggregator_kills_nobody_for_the_clock_jump():
    command = f'{sys.executable} -c "{_TALK % (8, 0.4)}"'
    with Running(
        "-n", "a", "--idle-timeout", "1500ms", "--timeout", "8s", "--idle-warn", "1s", command
    ) as running:
        running.read_until(b"[a] 1\n")
        running.signal(signal.SIGSTOP)
        time.sleep(7)  # far beyond each limit, in which it's stopped
        running.signal(signal.SIGCONT)
        result = running.finish()
    assert result.status == 0, result
    assert result.stdout.endswith(b"[a] end\n")
    assert "idle" not in result.stderr


def test_T41_a_silent_child_is_still_noticed_after_the_jump():
    with Running("-n", "a", "--idle-timeout", "4s", "echo x; sleep 60") as running:
        running.read_until(b"[a] x\n")
        running.signal(signal.SIGSTOP)
        time.sleep(4)  # as long as the limit, in which it's stopped
        running.signal(signal.SIGCONT)
        began = time.monotonic()
        result = running.finish()
    assert result.status == 1
    assert "silent for too long" in result.stderr
    assert time.monotonic() - began > 1

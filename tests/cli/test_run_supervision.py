"""Restarts, limits, order, halt and success of `axiom-trio run`, with real processes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.commands import axiom, scripted

if TYPE_CHECKING:
    from pathlib import Path


def test_a_child_that_fails_is_started_again(tmp_path: Path):
    flaky = f"echo try; printf half; test -e {tmp_path}/f || {{ touch {tmp_path}/f; exit 7; }}"
    result = axiom("-n", "a", "--retries", "2", "--restart-after", "200ms", flaky)
    assert (result.status, result.stdout) == (0, b"[a] try\n[a] half\n" * 2)
    assert "↻ [a] Failed: exit 7; attempt 2 starts in 0.2 s" in result.stderr
    assert "✓ 1 completed" in result.stderr


@pytest.mark.parametrize("pty", ["--pty", "--pipe"])
def test_restarts_end(pty: str):
    result = axiom("-n", "a", "--retries", "3", pty, "echo $$; exit 7")
    assert result.status == 1
    assert len(set(result.stdout.split(b"\n"))) == 5
    assert re.search(r"✗ \[a\] Failed: exit 7 \(\d\.\d s, 4 attempts\)\n", result.stderr)


def test_a_command_that_is_not_found_is_tried_again():
    result = axiom("--retries", "1", "no-such-program-here x")
    assert result.status == 1
    assert result.stdout.count(b"not found") == 2


@pytest.mark.parametrize("pty", ["--pty", "--pipe"])
def test_time_is_up(pty: str):
    result = axiom(
        "-n", "a,b", pty, "--timeout", "300ms", "--grace", "1s", "sleep 60", scripted("stubborn", "SIGTERM")
    )
    assert (result.status, result.stdout.replace(b"\r", b"")) == (1, b"[b] ready\n")
    for name in "ab":
        assert f"✗ [{name}] Failed: its time was up" in result.stderr


def test_one_that_says_goodbye_when_its_time_is_up_has_failed():
    result = axiom("-n", "a", "--timeout", "1s", scripted("graceful", "SIGTERM"))
    assert result.status == 1
    assert result.stdout.endswith(b"[a] goodbye\n")


def test_silence():
    result = axiom("-n", "a", "--idle-warn", "200ms", "--idle-timeout", "800ms", "echo x; sleep 60")
    assert (result.status, result.stdout) == (1, b"[a] x\n")
    assert len(re.findall(r"⏸ \[a\] idle for 0\.[2-7] s", result.stderr)) == 1
    assert "✗ [a] Failed: it was silent for too long" in result.stderr


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (["-k"], 1),
        (["--kill-others-on-fail"], 1),
        (["--halt", "now,success=1"], 0),
        (["--halt", "now,done=2", "-s", "last"], 0),
        (["--halt", "now,fail=20%", "-s", "first"], 1),
    ],
)
def test_halt_now_ends_those_that_would_run_for_ever(options: list[str], status: int):
    result = axiom(*options, "sleep 600", "exit 1", "sleep 0.7")
    assert result.status == status


def test_halt_soon_starts_no_more(tmp_path: Path):
    result = axiom("-j", "2", "--halt", "soon,fail=1", "exit 1", "sleep 0.3; echo b", f"touch {tmp_path}/c")
    assert (result.status, result.stdout) == (1, b"[sleep] b\n")
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("who", "status"), [("all", 1), ("any", 0), ("first", 1), ("last", 0), ("a", 1), ("b", 0)]
)
def test_success(who: str, status: int):
    assert axiom("-n", "a,b", "-s", who, "exit 1", "sleep 0.5").status == status


def test_order(tmp_path: Path):
    (tmp_path / "axiom.toml").write_text("""
[tasks.web]
command = "echo web"
after = ["api"]
[tasks.api]
command = ["sh", "-c", "echo listening on 80; sleep 0.5; echo api"]
ready = 'listening on \\d+'
after = ["build"]
[tasks.build]
command = "sleep 0.2; echo built"
[tasks.bad]
command = "exit 3"
[tasks.never]
command = "echo never"
after = ["bad"]
""")
    result = axiom(cwd=tmp_path)
    assert result.status == 1
    lines = [line for line in result.stdout.splitlines() if b"never" not in line]
    assert lines == [b"[build] built", b"[api] listening on 80", b"[web] web", b"[api] api"]
    assert b"[never] [ERROR] not started: bad comes before it, and has not succeeded\n" in result.stdout
    assert "✗ [never] Skipped: not started: bad comes before it" in result.stderr

"""`axiom-trio run` on a terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import termios
import time

import pytest

from tests.commands import Terminal, scripted, wait_until
from tests.leaks import LeakCheck


def test_children_are_on_terminals_with_colours_and_the_window_they_have() -> None:
    with Terminal(
        "-n", "a,b", "tty -s && stty size", "printf '\\033[31mred\\n'", rows=30, columns=100
    ) as terminal:
        result = terminal.finish()
    assert result.status == 0
    assert b"\x1b[36m[a]\x1b[0m 30 96\r\n" in result.stdout
    assert b"\x1b[33m[b]\x1b[0m \x1b[31mred\x1b[0m\r\n" in result.stdout
    assert b"ALL TASKS COMPLETED\x1b[0m  2 children" in result.stdout


@pytest.mark.parametrize(
    ("options", "room"),
    [
        (("-n", "日本語"), 8 + 1),
        (("-n", "a-long-name", "-l", "5"), 7 + 1),
        (("-p", "{id}>"), 9 + 1),
        (("-T", "-n", "a"), 25 + 3 + 1),
        (("-T", "-p", ""), 25 + 1),
        (("-T", "--output", "raw"), 25 + 1),
    ],
)
def test_a_line_as_wide_as_the_childs_terminal_fits_behind_what_stands_before_it(
    options: tuple[str, ...], room: int
) -> None:
    with Terminal("--color", "never", *options, "stty size", rows=30, columns=100) as terminal:
        result = terminal.finish()
    assert b"30 %d\r\n" % (100 - room) in result.stdout


def test_the_rows_at_the_end_are_aligned_by_what_names_take() -> None:
    with Terminal("--color", "never", "-n", "日本語,b", "true", "true") as terminal:
        lines = terminal.finish().stdout.decode().split("\r\n")
    rows = {line.split()[1]: line.index(".") for line in lines if line.startswith("  ✓")}
    assert rows["[日本語]"] == rows["[b]"] - 3  # each of the three takes two columns


def test_a_resize_is_passed_on() -> None:
    line = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done"
    with Terminal("-q", "-p", "", line) as terminal:
        terminal.read_until(b"ready")
        termios.tcsetwinsize(terminal.master, (44, 120))
        result = terminal.finish()
    assert b"44 119\r\n" in result.stdout or b"44 120\r\n" in result.stdout


@pytest.mark.parametrize("on", ["--pipe", "--pty"])
def test_no_child_drives_the_terminal(on: str) -> None:
    evil = "\\033[2J\\033[H\\033]0;t\\007\\033]52;c;YQ==\\007\\033[6n\\033P$q\\033\\\\\\033c\\r\\007"
    with Terminal(
        on, "--color", "never", "-q", f"printf 'a{evil}b\\nleft \\033[41m'", "sleep 0.1; echo c"
    ) as terminal:
        result = terminal.finish()
    assert result.status == 0
    assert b"\x1b[2J" not in result.stdout
    for sequence in (b"\x1b]", b"\x1bP", b"\x1bc", b"\x1b[6n", b"\x07"):
        assert sequence not in result.stdout
    assert result.stdout.replace(b"\r\n", b"").count(b"\r") == 0
    assert b"\x1b[41m\x1b[0m\r\n" in result.stdout or b"\x1b[41m" not in result.stdout


def test_grouped_the_end_of_a_child_is_told_behind_its_text() -> None:
    """`b` has ended long before it is shown, and `c` says nothing."""
    children = ("echo a1; sleep 0.5; echo a2", "echo b1; exit 3", "exit 4", "sleep 0.7; echo d1")
    with Terminal("--color", "never", "--output", "grouped", "-n", "a,b,c,d", *children) as terminal:
        result = terminal.finish()
    assert result.status == 1
    stream = result.stdout.decode().partition("FAILED  ")[0]
    lines = [re.sub(r" \(.*", "", line) for line in stream.split("\r\n")]
    for block in (
        ["[a] a1", "[a] a2", "✓ [a] Completed"],
        ["[b] b1", "✗ [b] Failed: exit 3"],
        ["✗ [c] Failed: exit 4"],
        ["[d] d1", "✓ [d] Completed"],
    ):
        place = lines.index(block[0])
        assert lines[place : place + len(block)] == block
        assert lines.count(block[-1]) == 1


def test_escapes_raw_and_none() -> None:
    for escapes, shown in (("raw", b"\x1b]0;t\x07\x1b[31mx\r\n"), ("none", b"] x\r\n")):
        with Terminal(
            "-q", "--color", "never", "--escapes", escapes, "printf '\\033]0;t\\007\\033[31mx\\n'"
        ) as terminal:
            assert shown in terminal.finish().stdout


@pytest.mark.parametrize("on", ["--pipe", "--pty"])
def test_ctrl_c_stops_the_children_once_and_the_terminal_is_as_before(on: str, leak_check: LeakCheck) -> None:
    with Terminal(on, scripted("graceful", "SIGINT")) as terminal:
        terminal.read_until(b"ready")
        terminal.type(b"\x03")
        result = terminal.finish()
        assert termios.tcgetattr(terminal.slave) == terminal.modes
    assert result.status == 130
    assert result.stdout.count(b"caught 2") == 1
    assert b"goodbye" in result.stdout
    leak_check.wait_until_gone()


@pytest.mark.parametrize("on", ["--pipe", "--pty"])
def test_ctrl_c_works_on_a_terminal_that_takes_nothing(on: str, leak_check: LeakCheck) -> None:
    with Terminal(on, "--grace", "300ms", "exec yes", "exec yes") as terminal:
        terminal.read_until(b" y\r\n")
        time.sleep(0.5)  # unread, it fills up
        terminal.type(b"\x03")
        wait_until(lambda: terminal.process.poll() is not None, "for the end", 20)
        assert terminal.process.returncode == 130
    leak_check.wait_until_gone()


def test_ctrl_s_holds_the_children_and_ctrl_q_loses_nothing() -> None:
    with Terminal("--color", "never", "--progress", "never", "seq 1 20000") as terminal:
        terminal.read_until(b"] 10\r\n")
        terminal.type(b"\x13")
        wait_until(lambda: not terminal.read())
        time.sleep(0.3)
        assert terminal.process.poll() is None
        terminal.type(b"\x11")
        result = terminal.finish()
    lines = [line for line in result.stdout.split(b"\r\n") if line.startswith(b"[seq] ")]
    assert lines == [b"[seq] %d" % n for n in range(1, 20_001)]


def test_a_held_terminal_holds_no_signal_up(leak_check: LeakCheck) -> None:
    with Terminal("--grace", "300ms", "exec yes") as terminal:
        terminal.read_until(b" y\r\n")
        terminal.type(b"\x13")
        wait_until(lambda: not terminal.read())
        terminal.process.terminate()  # as from elsewhere; Ctrl-C would let go the terminal
        wait_until(lambda: terminal.process.poll() is not None, "for the end", 20)
        assert terminal.process.returncode == 143
    leak_check.wait_until_gone()


def test_a_terminal_that_goes_away_ends_the_run(leak_check: LeakCheck) -> None:
    with Terminal("exec yes") as terminal:
        terminal.read_until(b" y\r\n")
        os.close(terminal.slave)
        os.close(terminal.master)
        wait_until(lambda: terminal.process.poll() is not None, "for the end", 20)
        assert terminal.process.returncode == 129
    leak_check.wait_until_gone()


def test_the_terminal_stays_blocking_for_others() -> None:
    with Terminal("-q", "echo ready; sleep 0.3; echo done") as terminal:
        terminal.read_until(b"ready")
        seen = os.get_blocking(terminal.slave)
        terminal.finish()
        assert seen
        assert os.get_blocking(terminal.slave)


def test_reports_do_not_tear_lines() -> None:
    with Terminal(
        "--color", "never", "--progress", "never", *(f"echo {n}; exit 3" for n in range(20))
    ) as terminal:
        result = terminal.finish()
    assert result.status == 1
    # The keyboard asks for pastes as such when it comes, which may be never.
    shown = re.sub(r"\x1b\[\?2004[hl]", "", result.stdout.decode()).split("\r\n")
    for line in shown[: shown.index(next(line for line in shown if line.startswith("ALL TASKS")))]:
        assert re.fullmatch(
            r"|▶ 20 children|\[echo(-\d+)?\] \d+|  │ \d+"
            r"|✗ \[.*\] Failed: exit 3 \(\d.*s\)|✗ \[.*\] Failed: exit 3; all it wrote:",
            line,
        )
    assert result.stdout.count(b"] Failed: exit 3 (") == 20


@pytest.mark.parametrize("asked", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_no_color_and_dumb(asked: dict[str, str]) -> None:
    with Terminal("echo a", **asked) as terminal:
        assert b"\x1b" not in terminal.finish().stdout


def test_an_open_line_is_not_shown_before_its_end_and_never_glued() -> None:
    with Terminal(
        "-q", "--color", "never", "-n", "a,b", "printf half; sleep 0.4; echo ' whole'", "sleep 0.1; echo b"
    ) as terminal:
        result = terminal.finish()
    assert result.stdout == b"[b] b\r\n[a] half whole\r\n"


def test_stderr_elsewhere(tmp_path: object) -> None:
    with Terminal("echo a; exit 3", stderr=subprocess.PIPE) as terminal:
        result = terminal.finish()
        assert terminal.process.stderr is not None
        shown = terminal.process.stderr.read()
        terminal.process.stderr.close()
    assert b"Failed" not in result.stdout
    assert b"Failed" in shown


def test_the_library_touches_no_terminal() -> None:
    code = (
        "import trio, axiom_trio, signal\n"
        "before = [signal.getsignal(s) for s in signal.valid_signals()]\n"
        "trio.run(axiom_trio.run, ['echo hi'])\n"
        "assert before == [signal.getsignal(s) for s in signal.valid_signals()]"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert shown.stdout == b"[echo] hi\n"

"""The view of `axiom-trio run`, on terminals: what is to be seen, and what is left of it."""

from __future__ import annotations

import fcntl
import re
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import SimpleNamespace

import pyte
import pytest

from tests.commands import Terminal, command, environment, hex_script, shell, wait_until
from tests.tmux import Tmux, needs_tmux

REGION = re.compile(rb"\x1b\[1;\d+r")  # a scroll region is set: there is a footer
WAITS = "sleep 1000"
ALONE = "--no-interactive"  # without the line that is typed


def screen_of(terminal: Terminal | SimpleNamespace, rows: int, columns: int) -> pyte.Screen:
    screen = pyte.Screen(columns, rows)
    pyte.ByteStream(screen).feed(terminal.seen)
    return screen


def rows_of(terminal: Terminal, rows: int = 30, columns: int = 100) -> list[str]:
    return [row.rstrip() for row in screen_of(terminal, rows, columns).display]


def is_back(terminal: Terminal | SimpleNamespace, rows: int = 30, columns: int = 100) -> bool:
    """Whether the terminal is as one that never had a footer."""
    screen = screen_of(terminal, rows, columns)
    below = screen.display[screen.cursor.y + 1 :]
    return (
        screen.margins is None
        and not screen.cursor.hidden
        and screen.cursor.attrs == screen.default_char
        and not any(row.strip() for row in below)
        and pyte.modes.DECAWM in screen.mode
    )


def test_a_footer_comes_and_goes() -> None:
    with Terminal(ALONE, "-n", "a,b", "echo one; sleep 1000", "exit 3") as terminal:
        terminal.read_until(b"running")
        wait_until(lambda: (terminal.read(), "✗ exit 3" in rows_of(terminal)[-1])[1], "for the row")
        rows = rows_of(terminal)
        assert rows[-3].startswith("── 2 children · 1 running · 1 failed · 1 line ·")
        assert re.fullmatch(r"  a  ⠙ +1 line .*  running", rows[-2])
        assert re.fullmatch(r"  b +0 lines .*0 s  ✗ exit 3", rows[-1])
        assert not is_back(terminal)
        terminal.type(b"\x03")
        terminal.finish()
        assert is_back(terminal)
        assert termios.tcgetattr(terminal.slave) == terminal.modes


def test_a_short_run_has_none() -> None:
    with Terminal("echo a") as terminal:
        terminal.finish()
        assert not REGION.search(terminal.seen)


@pytest.mark.parametrize("never", [
    ("--progress", "never"), ("-q",), ("--escapes", "raw"), ("--output", "grouped"), ("--output", "jsonl"),
    ("--output", "none"),
])  # fmt: skip
def test_where_there_is_none(never: tuple[str, ...]) -> None:
    with Terminal(*never, "sleep 0.8; echo a") as terminal:
        terminal.finish()
        assert not REGION.search(terminal.seen)


@pytest.mark.parametrize("term", ["dumb", "", "unknown"])
def test_a_terminal_that_knows_nothing_has_none(term: str) -> None:
    with Terminal("sleep 0.8; echo a", TERM=term, NO_COLOR="1") as terminal:
        assert b"\x1b" not in terminal.finish().stdout


@pytest.mark.parametrize(("rows", "shown"), [(5, False), (7, False), (8, True)])
def test_a_small_terminal_has_none(rows: int, shown: bool) -> None:
    with Terminal("sleep 0.8; echo a", rows=rows) as terminal:
        terminal.finish()
        assert bool(REGION.search(terminal.seen)) is shown
        assert is_back(terminal, rows)


def test_no_color_has_a_footer_without() -> None:
    with Terminal("sleep 0.8; echo a", NO_COLOR="1") as terminal:
        terminal.finish()
        assert REGION.search(terminal.seen)
        assert {*re.findall(rb"\x1b\[[0-9;]*m", terminal.seen)} == {b"\x1b[0m"}


def test_always_is_at_once_and_in_quiet() -> None:
    with Terminal("--progress", "always", "-q", "sleep 0.3") as terminal:
        terminal.read_until(b"running")
        terminal.finish()
        assert is_back(terminal)


def test_through_a_pipe_there_is_none() -> None:
    line = f"{shlex.join(command('sleep 0.8; echo a'))} | head -1"
    result = shell(line)
    assert result.stdout == b"[sleep] a\n"
    with Terminal("-q", "-p", "", "--progress", "never", line, COLUMNS="80") as terminal:
        terminal.finish()
        assert not REGION.search(terminal.seen)


@pytest.mark.parametrize("how", ["end", "interrupt", "terminate", "hangup", "failure"])
def test_the_terminal_is_brought_back(how: str) -> None:
    ending = {"end": "sleep 1", "failure": "sleep 1; exit 4"}.get(how, WAITS)
    with Terminal("-n", "a", "--grace", "1s", ending) as terminal:
        terminal.read_until(b"running")
        if how == "interrupt":
            terminal.type(b"\x03")
        elif how == "terminate":
            terminal.process.terminate()
        elif how == "hangup":
            terminal.process.send_signal(signal.SIGHUP)
        terminal.finish()
        assert is_back(terminal)
        assert termios.tcgetattr(terminal.slave) == terminal.modes


def test_killed_the_guardian_brings_it_back() -> None:
    with Terminal("-n", "a", WAITS) as terminal:
        terminal.read_until(b"running")
        terminal.process.kill()
        terminal.process.wait()
        wait_until(lambda: (terminal.read(), is_back(terminal))[1], "for the guardian")


def test_stopped_it_gives_the_terminal_back_and_comes_again() -> None:
    with Terminal(ALONE, "-n", "a", "echo one; sleep 1000") as terminal:
        terminal.read_until(b"running")
        before = len(terminal.seen)
        terminal.process.send_signal(signal.SIGTSTP)
        # It's back but for a moment: the kernel stops nobody whose parent is in another session.
        last = b"\x1b[?25h\x1b[0m"
        wait_until(lambda: (terminal.read(), last in terminal.seen[before:])[1], "for the terminal")
        end = terminal.seen.index(last, before) + len(last)
        assert is_back(SimpleNamespace(seen=terminal.seen[:end]))
        terminal.process.send_signal(signal.SIGCONT)
        wait_until(lambda: (terminal.read(), "running" in rows_of(terminal)[-1])[1], "for the footer")
        terminal.type(b"\x03")
        terminal.finish()
        assert is_back(terminal)


CRASH = """
import os, sys, trio
from axiom_trio.cli import run
async def crash(*_):
    while not os.path.exists("{go}"):
        await trio.sleep(0.01)
    raise RuntimeError("a bug of ours")
run.Run._watch_signals = crash
from axiom_trio import cli
sys.argv = ["axiom-trio", "run", "-n", "a", "--grace", "1s", "sleep 1000"]
cli.main()
"""

VIEW_CRASH = """
import pathlib, sys
from axiom_trio.terminal import view
rows = view.View._rows
count = 0
def broken(self):
    global count
    count += 1
    if count == 5:
        pathlib.Path("{go}").touch()
    return rows(self) if count < 5 else 1 / 0
view.View._rows = broken
from axiom_trio import cli
sys.argv = ["axiom-trio", "run", "-n", "a", "--color", "never", "until [ -e {go} ]; do sleep 0.05; done; sleep 0.5; echo done"]
cli.main()
"""


class Program(Terminal):
    """A Python program in place of the command."""

    def __init__(self, code: str) -> None:
        super().__init__("--help")
        self.process.wait()
        self.read()
        self.seen = b""
        on_terminal = (
            "import fcntl,os,sys,termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 1);"
            "os.execv(sys.argv[1], sys.argv[1:])"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", on_terminal, sys.executable, "-c", code],
            stdin=self.slave, stdout=self.slave, stderr=self.slave, env=environment(),
        )  # fmt: skip

    def end(self) -> None:
        wait_until(lambda: self.read() is not None and self.process.poll() is not None, "for the end")
        self.read()


def test_an_exception_leaves_the_terminal_in_order(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with Program(CRASH.format(go=go)) as terminal:
        terminal.read_until(b"running")
        go.touch()
        terminal.end()
        assert b"a bug of ours" in terminal.seen
        assert is_back(terminal)


def test_a_bug_of_the_view_harms_no_child(tmp_path: Path) -> None:
    with Program(VIEW_CRASH.format(go=tmp_path / "go")) as terminal:
        terminal.end()
        assert terminal.process.returncode == 0
        assert b"there is no footer any more: ZeroDivisionError" in terminal.seen
        assert b"[a] done" in terminal.seen
        assert is_back(terminal)


def test_a_bar_is_shown_with_the_childs_own_figure_and_without_one_there_is_none() -> None:
    bar = hex_script(b"\rget 10%", 100, b"\rget 42%", 60_000)
    plain = hex_script(b"coverage 85%\n", 60_000)
    with Terminal(ALONE, "-n", "bar,plain", bar, plain) as terminal:
        terminal.read_until(b"42 %")
        rows = rows_of(terminal)
        assert re.fullmatch(r"  bar    \|████░░░░░░\|  42 %  0 lines .* running  get 42%", rows[-2])
        assert re.fullmatch(r"  plain  ⠙ +1 line .* running", rows[-1])
        terminal.type(b"\x03")
        terminal.finish()


def test_a_full_screen_child_has_its_rows_in_the_stream_and_no_figure() -> None:
    screen = hex_script(b"\x1b[?1049h\x1b[2J\x1b[H50% of the CPU\r\n\x1b[5;1Hrow five", 60_000)
    with Terminal(ALONE, "-n", "top", "--color", "never", screen) as terminal:
        terminal.read_until("▣ running".encode())
        terminal.read_until(b"[top] row five")
        assert "%" not in rows_of(terminal)[-1]
        terminal.type(b"\x03")
        result = terminal.finish()
    row, end = result.stdout.find(b"[top] row five"), result.stdout.rfind(b"[top] Stopped")
    assert 0 <= row < end, result.stdout[-3000:]


def test_a_screen_is_known_however_soon_it_begins() -> None:
    slow_threads = (
        "import time, trio\n"
        "at_once = trio.to_thread.run_sync\n"
        "async def later(*arguments, **options):\n"
        "    await trio.sleep(1)\n"
        "    return await at_once(*arguments, **options)\n"
        "trio.to_thread.run_sync = later\n"
        "from axiom_trio.cli import main\n"
        "raise SystemExit(main())\n"
    )
    screen = hex_script(b"\x1b[?1049h\x1b[2J\x1b[Hrow one", 60_000)
    argv = [sys.executable, "-c", slow_threads, "run", ALONE, "-n", "top", "--color", "never", screen]
    with Terminal(argv=argv) as terminal:
        terminal.read_until("▣ running".encode())
        terminal.read_until(b"[top] row one")
        terminal.type(b"\x03")
        terminal.finish()


def test_more_children_than_rows_collapse() -> None:
    with Terminal(ALONE, "-j", "14", *[WAITS] * 14, *["true"] * 6, rows=18) as terminal:
        terminal.read_until(b"more: ")
        rows = rows_of(terminal, 18)
        assert [row[:2] for row in rows[-6:]] == ["──", "  ", "  ", "  ", "  ", "… "]
        assert rows[-1] == "… and 16 more: 10 running, 6 queued"
        terminal.type(b"\x03")
        terminal.finish()


def test_the_size_changes() -> None:
    with Terminal(ALONE, "-n", "a", "while :; do echo tick; sleep 0.01; done") as terminal:
        terminal.read_until(b"running")
        for rows, columns in ((12, 40), (40, 120), (6, 40), (24, 80)):
            fcntl.ioctl(terminal.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            time.sleep(0.05)
        wanted = b"\x1b[1;22r"
        terminal.read_until(wanted)
        terminal.type(b"\x03")
        terminal.finish()
        assert is_back(terminal, 24, 80)


# --- in tmux, which keeps what scrolls off


def numbered(name: str, count: int, pause: float = 0.01) -> str:
    code = f"import time\nfor n in range({count}): print('{name}', n, 'x' * (n % 150) + '.', flush=True); time.sleep({pause} * (n % 5 == 0))"
    return shlex.join([sys.executable, "-I", "-S", "-c", code])


def lines_are_whole(text: str, names: str, count: int, *, beside: bool = False) -> None:
    """Each line is there once, in order, and, unless others may be beside it in its row, alone."""
    for name in names.split(","):
        wanted = [f"[{name}] {name} {n} {'x' * (n % 150)}." for n in range(count)]
        if beside:
            got = re.findall(rf"\[{name}\] {name} \d+ x*\.", text)
        else:
            got = [line for line in text.split("\n") if line.startswith(f"[{name}]")]
        assert got == wanted


@needs_tmux
def test_no_line_is_torn() -> None:
    argv = command("-n", "a,b,c", "--color", "never", *(numbered(name, 1500) for name in "abc"))
    with Tmux(*argv, columns=100, rows=20) as tmux:
        tmux.wait_for("running")
        assert tmux.exit_status() == 0
        text = tmux.wait_for("ALL TASKS COMPLETED", history=True)
        lines_are_whole(text, "a,b,c", 1500)
        assert "──" not in text
        assert "running" not in text
        modes = tmux.call(
            "display-message", "-p", "#{scroll_region_upper} #{scroll_region_lower} #{cursor_flag}"
        )
        assert modes.split() == ["0", "19", "1"]


@needs_tmux
def test_no_line_is_lost_or_torn_in_a_storm_of_sizes() -> None:
    """Every tenth size crosses with what is written below a footer: the terminal has it first."""
    argv = command("-n", "a,b,c", "--color", "never", *(numbered(name, 1500, 0.02) for name in "abc"))
    with Tmux(*argv, columns=100, rows=20) as tmux:
        tmux.wait_for("running")
        for n in range(40):
            size = 60 + 17 * n % 60, 9 + 7 * n % 20
            if n % 10:
                tmux.resize(*size)
                time.sleep(0.03)
            else:
                tmux.wait_for(lambda text: "── 3 children" in text or "ALL TASKS COMPLETED" in text)
                tmux.resize(*size, crossing=0.2)
        assert tmux.exit_status() == 0
        text = tmux.wait_for("ALL TASKS COMPLETED", history=True)
        # A line that comes to stand on the old footer has the rest of a row of it behind it.
        lines_are_whole(text, "a,b,c", 1500, beside=True)


CHILDREN = {
    "build": hex_script(b"[ 45%] CC a.c\n", 700, b"[ 46%] CC b.c\n", 600_000),
    "bars": hex_script(b"\r|##   | 50%", 100, b"\r|###  | 75%", 600_000),
    "marked": hex_script(b"[PROGRESS] 40%\n", 600_000),
    "prompt": hex_script(b"go on? [y/N] ", 600_000),
    "hangs": hex_script(b"waiting for the database, 3/10 tries are left\n", 600_000),
    "tests": hex_script(b"coverage 85%\n", 600_000),
    "repl": "cat",
    "fails": hex_script(b"AssertionError: 41 != 42\n") + "; exit 3",
    "works": hex_script(*[b"fine\n" * 700] * 2),
    "dies": "kill -9 $$",
}
GOLDEN = """\
── 10 children · 7 running · 2 failed · 1 done · #
  build   |████░░░░░░|  46 %      2 lines # running
  bars    |███████░░░|  75 %      0 lines # running |###  | 75%
  marked  |████░░░░░░|  40 %       1 line # running
  prompt  ⠋                       0 lines # running go on? [y/N]
  hangs   ⠙                        1 line # running
  tests   ⠙                        1 line # running
  repl    ⠋                       0 lines # running
  fails                            1 line # ✗ exit 3
  works                       1,400 lines # ✓ done
  dies                            0 lines # ✗ signal 9"""


@needs_tmux
def test_ten_mixed_children() -> None:
    argv = command(ALONE, "-n", ",".join(CHILDREN), "--color", "never", *CHILDREN.values())
    with Tmux(*argv, columns=100, rows=36) as tmux:
        screen = tmux.wait_for(lambda text: "46 %" in text and "75 %" in text and "1 done" in text)
        lines = screen[screen.index("── ") :].rstrip().split("\n")
        head = re.sub("(1 done · ).*", r"\1#", lines[0])
        rows = [
            re.sub(r"(lines?)  .*  (running|[✗✓] \S+( \d)?)\s*(.*)$", r"\1 # \2 \4", row).rstrip()
            for row in lines[1:]
        ]
        assert "\n".join([head, *rows]) == GOLDEN
        tmux.keys("C-c")
        assert tmux.exit_status() == 130
        end = tmux.wait_for("STOPPED")
        block = end[end.index("STOPPED") :].rstrip().split("\n")
        assert block[0].startswith("STOPPED  10 children · 2 failed · 7 stopped · 1,4")
        assert [row.split()[:2] for row in block[1:]] == [
            [{"fails": "✗", "works": "✓", "dies": "✗"}.get(name, "■"), f"[{name}]"] for name in CHILDREN
        ]

"""Typing at a real terminal: messages, choosing, pausing, stopping, and the terminal as it was."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.commands import Terminal, shell_line, wait_until
from tests.leaks import LeakCheck
from tests.terminal.screens import DOWN, UP, Screen, numbered

ECHO = 'while read -r line; do echo "got <$line>"; done'


def ready(terminal: Screen) -> None:
    wait_until(lambda: terminal.read() is not None and terminal.reads_keys, "for the keyboard")


def test_a_message_goes_to_the_one_it_names() -> None:
    with Screen("-n", "a,b", ECHO, ECHO) as terminal:
        ready(terminal)
        terminal.type(b"b: hello there\r")
        terminal.wait_seen(b"got <hello there>")
        terminal.type(b"a:x\ra:y\ra:z\r")
        terminal.wait_seen(b"got <z>")
        terminal.type(b"*:all\r")
        terminal.wait_seen(b"got <all>", 2)
        terminal.type(b"\x03")
        result = terminal.finish()
        assert termios.tcgetattr(terminal.slave) == terminal.modes
    assert result.status == 130
    answers = re.findall(rb"\[(\w)\][^\r]*?got <(\w+)[^\r]*>", result.stdout)
    assert answers[:4] == [(b"b", b"hello"), (b"a", b"x"), (b"a", b"y"), (b"a", b"z")]
    assert sorted(answers[4:]) == [(b"a", b"all"), (b"b", b"all")]


def test_nothing_is_sent_to_an_unknown_name_and_the_line_stays() -> None:
    with Screen("-n", "worker,b", ECHO, ECHO) as terminal:
        ready(terminal)
        terminal.type(b"werker:hello\r")
        terminal.wait_seen(b"did you mean worker?")
        terminal.type(b"no colon\r")  # behind what is there: still no child
        terminal.wait_seen(b"nothing was sent", 2)
        terminal.type(b"\x15hello\r")
        terminal.wait_seen(b"a message begins with a name: worker:hello")
        terminal.type(b"\x01worker:\r")  # put right: it's still there
        terminal.wait_seen(b"got <hello>")
        terminal.type(b"\x03")
        result = terminal.finish()
    assert result.stdout.count(b"got <") == 1


def test_a_message_by_the_beginning_of_an_id_that_nobody_has() -> None:
    with Screen("-n", "a", ECHO) as terminal:
        ready(terminal)
        terminal.type(b"zzzzzz:x\r")
        terminal.wait_seen(b"there is no child 'zzzzzz', so nothing was sent; there is a")
        terminal.type(b"\x03")
        assert b"got <" not in terminal.finish().stdout


def test_a_refused_message_says_why() -> None:
    with Screen("-n", "a,b", "--pipe", "--stdin", "null", "echo ready; sleep 100", "sleep 100") as terminal:
        ready(terminal)
        terminal.wait_seen(b"ready")
        terminal.type(b"a:hello\r")
        terminal.wait_for("[a] not sent: it takes no input")
        terminal.type(b"*:hello\r")
        terminal.wait_seen(b"no child takes input now; nothing was sent")
        terminal.type(b"\x03")
        terminal.finish()


def test_a_paste_is_one_message_and_no_keys() -> None:
    program = "import sys\nfor line in sys.stdin: print('got', ascii(line), flush=True)"
    with Screen("-n", "a", "--pipe", "--stdin", "pipe", f'{sys.executable} -c "{program}"') as terminal:
        ready(terminal)
        terminal.type(b"a:\x1b[200~one\rtwo\x1b[A\x15\x12\x1b[201~")
        time.sleep(0.3)
        terminal.read()
        assert b"got" not in terminal.seen  # no Enter in it
        terminal.type(b"\r")
        terminal.wait_seen(b"got 'two^[[A^U^R\\n'")
        terminal.type(b"\x03")
        result = terminal.finish()
    assert b"got 'one\\n'" in result.stdout
    assert result.stdout.count(b"got '") == 2


def test_history_and_completion() -> None:
    with Screen("-n", "worker,web", ECHO, ECHO) as terminal:
        ready(terminal)
        terminal.type(b"wo\tone\r")
        terminal.wait_seen(b"got <one>")
        terminal.type(b"x" + UP + b" again\r")
        terminal.wait_seen(b"got <one again>")
        terminal.type(b"\x03")
        terminal.finish()


def test_pausing_holds_the_stream_and_loses_nothing() -> None:
    with Screen("-n", "flood", "--color", "never", numbered(400)) as terminal:
        ready(terminal)
        terminal.wait_seen(b"=20=")
        terminal.type(b" ")
        time.sleep(0.3)
        held = (terminal.read(), terminal.numbers())[1]
        time.sleep(0.5)
        terminal.read()
        assert terminal.numbers() == held
        assert len(held) < 400
        terminal.type(b" ")
        result = terminal.finish()
        assert terminal.numbers() == [*range(1, 401)]
    assert result.status == 0


def test_paused_for_long_the_children_wait_or_go_on_with_a_journal(tmp_path: Path) -> None:
    """Without one the log fills up and holds them; the journal takes all."""
    flood = 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo "=$i= xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"; done; : >{done}'
    for options in ([], ["--journal", str(tmp_path / "log")]):
        done = tmp_path / f"done{len(options)}"
        with Screen("-n", "flood", *options, f"sleep 0.5; {flood.replace('{done}', str(done))}") as terminal:
            ready(terminal)
            terminal.type(b" ")
            if options:
                terminal.wait_for("paused, the children go on")
                wait_until(done.exists, "for the child")
            else:
                terminal.wait_for("paused, the log is full: the children wait")
                assert not done.exists()
            terminal.read()
            assert b"=1=" not in terminal.seen
            terminal.type(b" ")
            result = terminal.finish()
        assert result.status == 0
        found = [int(number) for number in re.findall(rb" =(\d+)= x", result.stdout)]  # not the footer's
        assert found == [*range(1, 20_001)]


def test_ctrl_s_and_ctrl_q_hold_the_stream_too() -> None:
    with Screen("-n", "flood", numbered(200)) as terminal:
        ready(terminal)
        terminal.wait_seen(b"=20=")
        terminal.type(b"a:\x13")  # also while a line is typed
        time.sleep(0.3)
        held = (terminal.read(), terminal.numbers())[1]
        time.sleep(0.3)
        terminal.read()
        assert terminal.numbers() == held
        terminal.type(b"\x11")
        terminal.finish()
        assert terminal.numbers() == [*range(1, 201)]


def test_the_mark_goes_from_row_to_row() -> None:
    with Screen("-n", "a,b,c", "sleep 0.1", "sleep 100", "sleep 100") as terminal:
        ready(terminal)
        terminal.wait_for("✓ done")  # one that has ended keeps its place
        for key, name in [*((DOWN, name) for name in "abca"), (UP, "c"), (b"\t", "a")]:
            terminal.type(key)
            terminal.wait_for(f"▶ {name} ")
        terminal.type(b"\x03")
        terminal.finish()


def test_a_footer_with_one_row_shows_the_chosen_child() -> None:
    with Screen("-n", "a,b,c", *["sleep 100"] * 3, rows=10) as terminal:
        ready(terminal)
        for name in "abc":
            terminal.type(DOWN)
            terminal.wait_for(f"▶ {name} ")
        terminal.type(b"\x03")
        terminal.finish()


def test_the_chosen_child_is_restarted_and_stopped(leak_check: LeakCheck) -> None:
    with Screen("-n", "a,b", "echo here $$; exec sleep 1000", "sleep 1000") as terminal:
        ready(terminal)
        terminal.wait_seen(b"here")
        terminal.type(b"\x12")
        terminal.wait_seen(b"choose a child first")
        terminal.type(DOWN + b"\x12")
        terminal.wait_seen(b" here ", 2)
        terminal.type(b"\x18")
        terminal.wait_seen(b"[a] is asked to end")
        terminal.type(DOWN + b"\x18")
        result = terminal.finish()
    first, second = re.findall(rb" here (\d+)", result.stdout)
    assert first != second
    assert result.status in (0, 1)
    leak_check.wait_until_gone()


def test_a_rule_that_asks_a_person_acts_if_the_answer_is_yes(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(
        '[[rules]]\nname = "sure"\nmatch = \'\\? $\'\nsend = "yes"\nmode = "confirm"\ncooldown = 0\n'
    )
    asks = 'for i in 1 2 3; do printf "go $i? "; read -r x; echo "got <$i $x>"; done'
    with Screen("--rules", str(tmp_path / "r.toml"), "-n", "a", asks) as terminal:
        ready(terminal)
        asked = b"[a] sure: send yes? y or n, Enter\r\n"
        terminal.wait_seen(asked)
        terminal.wait_for("› ▏   ⚡ [a] sure: send yes? y or n, Enter")
        terminal.type(b"a:mine\r")  # a message is one all the same
        terminal.wait_seen(b"got <1 mine>")
        terminal.type(b"y\r")  # too late: it's another prompt by now
        terminal.wait_seen(b" sure: somebody is typing")
        assert b"<2" not in terminal.seen
        terminal.wait_seen(asked, 2)
        terminal.type(b"y\r")
        terminal.wait_seen(b"got <2 yes>")
        terminal.wait_seen(asked, 3)
        terminal.type(b"n\r")
        terminal.wait_seen(b" sure: not confirmed")
        terminal.type(b"a:last\r")
        result = terminal.finish()
    assert result.status == 0
    assert b"got <3 last>" in result.stdout


def test_who_is_asked_for_a_password_is_told_where_to_type_it() -> None:
    asks = f"{sys.executable} -c 'import getpass; print(len(getpass.getpass()))'"
    with Screen("-n", "a", asks) as terminal:
        ready(terminal)
        terminal.wait_for("Password:")
        terminal.type(b"a:secret\r")
        terminal.wait_seen(
            b"it asks for a password: only what is sent as a secret answers that, or choose it, and type"
        )
        terminal.type(DOWN + b"\r")
        wait_until(lambda: not terminal.now[3] & termios.ISIG, "for the view")
        terminal.type(b"12345678\r")
        result = terminal.finish()
    assert result.status == 0
    assert b"8\r\n" in result.stdout


def test_help() -> None:
    with Screen("-n", "a", ECHO) as terminal:
        ready(terminal)
        terminal.type(b"?")
        terminal.wait_seen(b"name:text Enter")
        terminal.type(b"a:what")
        terminal.wait_for("a:what▏")
        terminal.type(b" ?\r")  # within a line they're text
        terminal.wait_seen(b"got <what ?>")
        terminal.type(b"\x03")
        terminal.finish()


# --- signals, and the terminal as it was


def test_ctrl_c_says_who_still_runs_and_twice_kills(leak_check: LeakCheck) -> None:
    with Screen(
        "-n", "mule", "--grace", "60s", "trap '' INT TERM; echo on; while :; do sleep 0.1; done"
    ) as terminal:
        ready(terminal)
        terminal.wait_seen(b"on")
        terminal.type(b"half a message\x03")
        terminal.wait_seen(b"stopping mule; once more kills")
        assert terminal.process.poll() is None
        terminal.type(b"\x03")
        result = terminal.finish()
        assert terminal.now == terminal.modes
    assert result.status == 130
    leak_check.wait_until_gone()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_restores_the_modes(signum: int) -> None:
    with Screen("-n", "a", ECHO) as terminal:
        ready(terminal)
        terminal.process.send_signal(signum)
        result = terminal.finish()
        assert terminal.now == terminal.modes
    assert result.status == 128 + signum
    assert result.stdout.rindex(b"\x1b[?2004l") > result.stdout.rindex(b"\x1b[?2004h")


def test_a_crash_restores_the_modes() -> None:
    """Something of ours raises in the middle."""
    code = (
        "import sys, axiom_trio.terminal.commands as c\n"
        "async def crash(self): raise RuntimeError('on purpose')\n"
        "c._TEXT_KEYS['?'] = crash\n"
        "sys.argv = ['axiom-trio', 'run', 'sleep 1000']\n"
        "from axiom_trio.cli import main\nmain()"
    )
    with Screen(argv=[sys.executable, "-c", code]) as terminal:
        ready(terminal)
        terminal.type(b"?")
        wait_until(lambda: terminal.read() is not None and terminal.process.poll() is not None, "for the end")
        assert b"on purpose" in terminal.seen
        assert terminal.now == terminal.modes


def test_no_interactive_leaves_the_terminal_alone() -> None:
    with Screen("--no-interactive", "echo ready; sleep 1") as terminal:
        terminal.wait_seen(b"ready")
        assert terminal.now == terminal.modes
        terminal.finish()


def shell(**extra: str) -> Screen:
    terminal = Screen(argv=[shutil.which("bash") or "bash", "--norc", "--noprofile", "-i"], PS1="$ ", **extra)
    terminal.type(b"stty -echo; bind 'set enable-bracketed-paste off'; echo all $((1+1)) set\r")
    terminal.wait_seen(b"all 2 set")
    wait_until(lambda: terminal.reads_keys, "for the shell's own modes, which come after that")
    return terminal


def is_shells(terminal: Screen) -> bool:
    return os.tcgetpgrp(terminal.master) == terminal.process.pid


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(leak_check: LeakCheck) -> None:
    with shell() as terminal:
        before = terminal.now
        terminal.type(f"{shell_line('-n', 'a', ECHO)}\r".encode())
        wait_until(lambda: not is_shells(terminal), "for the foreground")
        terminal.type(b"a:one\r")
        terminal.wait_seen(b"got <one>")
        terminal.type(b"\x1a")
        terminal.wait_seen(b"Stopped")
        terminal.type(b"stty -a\r")  # what programs get from the shell, whose own editor has others
        terminal.wait_seen(b" icanon")
        terminal.wait_seen(b" icrnl")
        terminal.type(b"echo back $((6*7))\r")
        terminal.wait_seen(b"back 42")
        terminal.type(b"fg\r")
        wait_until(lambda: not is_shells(terminal), "for the foreground")
        terminal.type(b"a:two\r")
        terminal.wait_seen(b"got <two>")
        terminal.type(b"\x03")
        wait_until(lambda: terminal.read() is not None and is_shells(terminal), "for the shell")
        terminal.type(b"echo still $((6*8))\r")
        terminal.wait_seen(b"still 48")
        wait_until(lambda: terminal.now == before, "for the shell's own modes, which come after that")
        terminal.type(b"exit\r")
        terminal.finish()


def test_in_the_background_it_neither_stops_nor_reads() -> None:
    with shell() as terminal:
        before = terminal.seen.count(b"\x1b[?2004h")  # bash has a keyboard of its own
        terminal.type(
            f"{shell_line('-n', 'a', 'sleep 0.5; echo one; sleep 1; echo two; ' + ECHO)} &\r".encode()
        )
        terminal.wait_seen(b"two")
        assert terminal.seen.count(b"\x1b[?2004h") == before
        terminal.type(b"jobs\r")
        terminal.wait_seen(b"Running")
        terminal.type(b"echo mine $((6*7))\r")  # the shell's, and not ours
        terminal.wait_seen(b"mine 42")
        terminal.type(b"fg\r")
        terminal.wait_seen(b"\x1b[?2004h", before + 1)
        terminal.type(b"a:now\r")
        terminal.wait_seen(b"got <now>")
        terminal.type(b"\x1a")
        terminal.wait_seen(b"Stopped")
        terminal.type(b"bg\r")
        terminal.type(b"echo mine $((7*7))\r")
        terminal.wait_seen(b"mine 49")
        terminal.type(b"jobs\r")
        terminal.wait_seen(b"Running", 2)
        terminal.type(b"kill %1; wait; echo over\r")
        terminal.wait_seen(b"over")
        terminal.type(b"exit\r")
        terminal.finish()


# --- lines from another program


def test_lines_on_stdin_are_messages() -> None:
    import subprocess

    from tests.commands import command, environment

    done = subprocess.run(
        command("-i", "-q", "-n", "a,b", ECHO, ECHO),
        input=b"a:one\nb: two\r\nc:three\n*:all\na:last",
        capture_output=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done
    lines = done.stdout.splitlines()
    assert [line for line in lines if b"got" in line and line.startswith(b"[a]")] == [
        b"[a] got <one>",
        b"[a] got <all>",
        b"[a] got <last>",
    ]
    assert [line for line in lines if b"got" in line and line.startswith(b"[b]")] == [
        b"[b] got <two>",
        b"[b] got <all>",
    ]
    assert b"there is no child 'c'" in done.stderr


def test_lines_on_stdin_wait_for_who_is_to_come() -> None:
    import subprocess

    from tests.commands import command, environment

    done = subprocess.run(
        command("-i", "-q", "-j", "1", "-n", "a,b", "sleep 1", ECHO),
        input=b"b:here",
        capture_output=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done
    assert b"[b] got <here>" in done.stdout.splitlines()


def test_stdin_is_left_alone_unless_asked_for() -> None:
    import subprocess

    from tests.commands import command, environment

    reader, writer = os.pipe()
    os.write(writer, b"a:one\n")
    subprocess.run(
        command("-q", "-n", "a", "echo hi"), stdin=reader, env=environment(), timeout=60, check=True
    )
    os.set_blocking(reader, False)
    assert os.read(reader, 100) == b"a:one\n"
    os.close(reader)
    os.close(writer)


def test_the_terminal_stays_blocking_for_others_with_the_keyboard_on() -> None:
    with Terminal("-n", "a", "echo ready; sleep 0.5") as terminal:
        terminal.read_until(b"ready")
        assert os.get_blocking(terminal.slave)
        terminal.finish()


@pytest.mark.parametrize("full", [False, True])
def test_killed_it_leaves_the_modes_as_they_were(full: bool, leak_check: LeakCheck) -> None:
    """By the guardian, as nobody can do anything else."""
    with Screen("-n", "a", ECHO) as terminal:
        ready(terminal)
        terminal.wait_for("›")
        if full:
            terminal.type(DOWN + b"\r")
            wait_until(
                lambda: terminal.read() is not None and not terminal.now[3] & termios.ISIG, "for the view"
            )
        terminal.process.kill()
        wait_until(lambda: terminal.read() is not None and terminal.now == terminal.modes, "for the modes")
    leak_check.wait_until_gone()

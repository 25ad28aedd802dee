"""A child in full, and looking back: with real programs, and nothing lost meanwhile."""

from __future__ import annotations

import functools
import shutil
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest

from tests.commands import wait_until
from tests.terminal.screens import DOWN, END, HOME, PAGE_UP, UP, Screen, numbered

LEAVE = b"\x1d"
COUNT = 500


def is_in(file: Path, text: str) -> bool:
    return file.exists() and text in file.read_text()


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}")


def begin(*others: str, **options: Any) -> Screen:
    """A flood, numbered, and another child, which is chosen."""
    terminal = Screen(
        *("-n", "flood,other", "--color", "never", "--grace", "500ms"),
        *(numbered(COUNT, 0.005), *others),
        **options,
    )
    wait_until(lambda: terminal.read() is not None and terminal.reads_keys, "for the keyboard")
    wait_until(lambda: terminal.read() is not None and len(terminal.numbers()) > 20, "for the flood")
    terminal.type(DOWN + DOWN)
    return terminal


def in_full(terminal: Screen) -> bool:
    """Whether keys go through as they are."""
    return not terminal.now[3] & termios.ISIG


def open_in_full(terminal: Screen) -> None:
    """Open the child that is chosen, whose rows may be in the stream, too."""
    terminal.type(b"\r")
    wait_until(lambda: in_full(terminal), "for the view")


def drawn_since_opened(terminal: Screen, text: bytes) -> int:
    return terminal.seen[terminal.seen.rindex(b"\x1b[?1049h") :].count(text)


def leave(terminal: Screen) -> None:
    terminal.type(LEAVE)
    wait_until(lambda: not in_full(terminal), "for the end of the view")


def check_end(terminal: Screen) -> None:
    """All lines of the flood have come once, in order, and the terminal is as before."""
    terminal.type(b"\x15")
    wait_until(lambda: terminal.read() is not None and len(terminal.numbers()) >= COUNT, "for the flood")
    terminal.type(b"\x03")
    terminal.finish()
    assert terminal.numbers() == [*range(1, COUNT + 1)]
    assert terminal.now == terminal.modes
    assert terminal.seen.count(b"\x1b[?1049l") == terminal.seen.count(b"\x1b[?1049h")
    assert terminal.seen.rindex(b"\x1b[?2004l") > terminal.seen.rindex(b"\x1b[?2004h")


def test_a_repl_in_full_and_back() -> None:
    with begin(f"{sys.executable} -q") as terminal:
        open_in_full(terminal)
        terminal.wait_for(lambda text: text.startswith(">>>"))
        terminal.type(b"6 * 7\r")
        terminal.wait_for(lambda text: "\n42\n" in text)
        assert "=1=" not in "\n".join(terminal.rows())
        terminal.type(b"import time; time.sleep(100)\r")
        time.sleep(0.3)
        terminal.type(b"\x03")  # is the child's
        terminal.wait_for("KeyboardInterrupt")
        leave(terminal)
        terminal.wait_for("other")
        terminal.type(b"other:print('by' + 'e')\r")
        terminal.wait_seen(b"bye")
        check_end(terminal)


@needs("vim")
def test_vim_in_full_and_back(tmp_path) -> None:
    file = tmp_path / "file"
    with begin(f"cd {tmp_path} && exec vim -u NONE -i NONE -n file") as terminal:
        for visit in (1, 2):
            open_in_full(terminal)
            # The whole terminal, not the room that a line in the stream has.
            terminal.wait_for(lambda text: text.split("\n")[5] == "~")
            terminal.type(b"ovisit %d\x1b:w\r" % visit)
            wait_until(functools.partial(is_in, file, f"visit {visit}"), "for vim")
            leave(terminal)
            terminal.wait_for("flood")
        open_in_full(terminal)
        terminal.wait_for("visit 2")
        terminal.type(b":q!\r")  # its end leaves, too
        wait_until(lambda: not in_full(terminal), "for the end of the view")
        check_end(terminal)
    assert "\x1b" not in file.read_text()


@needs("top")
def test_top_has_the_whole_terminal_and_follows_its_size() -> None:
    with begin("top -d 0.5") as terminal:
        open_in_full(terminal)
        terminal.wait_for("load average")
        termios.tcsetwinsize(terminal.master, (24, 132))
        terminal.screen.resize(24, 132)
        terminal.wait_for(lambda text: any(len(row) > 100 for row in text.split("\n")) or "%CPU" in text)
        leave(terminal)
        terminal.wait_for("flood")
        check_end(terminal)


@pytest.mark.parametrize(("view", "back"), [(b"\r", LEAVE), (PAGE_UP, b"q")])
def test_a_paste_is_one_message_after_a_view_too(view: bytes, back: bytes) -> None:
    with begin(f"{sys.executable} -q") as terminal:
        views = terminal.seen.count(b"\x1b[?1049h")
        terminal.type(view)
        terminal.wait_seen(b"\x1b[?1049h", views + 1)
        terminal.type(back)
        terminal.wait_seen(b"\x1b[?1049l", views + 1)
        wait_until(lambda: not in_full(terminal), "for the end of the view")
        assert terminal.seen.rindex(b"\x1b[?2004h") > terminal.seen.rfind(b"\x1b[?2004l")
        check_end(terminal)


@needs("less")
def test_less_in_full_and_back(tmp_path) -> None:
    file = tmp_path / "file"
    file.write_text("".join(f"row {n}\n" for n in range(200)))
    with begin(f"less {file}") as terminal:
        open_in_full(terminal)
        terminal.wait_for(lambda text: text.startswith("row 0\n"))
        terminal.type(b"G")
        terminal.wait_for("row 199")
        leave(terminal)
        terminal.wait_for("flood")
        open_in_full(terminal)
        terminal.wait_for(lambda text: "row 199" in text and "(END)" in text)
        # As it stood, and then drawn by less for the size it has now: a key that comes meanwhile, less loses.
        wait_until(lambda: terminal.read() is not None and drawn_since_opened(terminal, b"(END)") > 1)
        terminal.type(b"q")
        wait_until(lambda: not in_full(terminal), "for the end of the view")
        check_end(terminal)


def test_a_child_on_pipes_shows_its_lines_and_takes_whole_ones() -> None:
    echo = 'echo begun; while read -r line; do echo "got <$line>"; done'
    with begin("--pipe", "--stdin", "pipe", echo) as terminal:
        terminal.type(b"\r")
        terminal.wait_for(lambda text: "begun" in text and "Ctrl-] leaves" in text)
        assert "=1=" not in "\n".join(terminal.rows())
        terminal.type(b"helo" + b"\x1b[D" + b"l\r")
        terminal.wait_for("got <hello>")
        terminal.type(LEAVE)
        terminal.wait_for("flood")
        check_end(terminal)


def test_the_view_asks_the_terminal_nothing() -> None:
    """The child's question is answered by us, and what would outlast the view doesn't pass."""
    asks = "printf 'ready\\033[6n'; read -r x; printf '\\033]0;title\\007\\033[c\\033[6n\\033[?1049hdone\\n'; sleep 100"
    with begin(asks) as terminal:
        open_in_full(terminal)
        terminal.wait_for("ready")
        terminal.type(b"\r")
        terminal.wait_for("done")
        leave(terminal)
        check_end(terminal)
        for sequence in (b"\x1b[6n", b"\x1b[c", b"\x1b]0;"):
            assert sequence not in terminal.seen


def test_ctrl_z_is_the_childs_and_a_signal_still_ends_the_run() -> None:
    with begin("sleep 1000") as terminal:
        open_in_full(terminal)
        terminal.type(b"\x1a\x1c")
        time.sleep(0.2)
        assert terminal.process.poll() is None
        terminal.process.terminate()
        result = terminal.finish()
        assert terminal.now == terminal.modes
    assert result.status == 143
    numbers = terminal.numbers()
    assert numbers == [*range(1, len(numbers) + 1)]


# --- looking back


@pytest.mark.parametrize("journal", [False, True])
def test_looking_back_stays_where_it_is(journal: bool, tmp_path) -> None:
    options = ["--journal", str(tmp_path / "log")] if journal else []
    with begin(*options, "sleep 1000") as terminal:
        terminal.wait_seen(b"=100=")
        terminal.type(PAGE_UP)
        terminal.wait_for("q leaves")
        before = terminal.rows()
        time.sleep(0.3)
        assert terminal.rows() == before
        terminal.type(HOME)
        first = terminal.wait_for("=1=")
        assert first.split("\n")[0].startswith(("▶", "[flood] =1="))
        terminal.type(b"/=50=\r")  # upwards, and there is nothing above
        terminal.wait_for("nothing above")
        terminal.type(END)
        terminal.wait_for(lambda text: "=1=" not in text)
        terminal.type(b"/=50=\r")
        terminal.wait_for(lambda text: text.startswith("[flood] =50="))
        terminal.type(UP)
        terminal.wait_for(lambda text: text.startswith("[flood] =49="))
        terminal.type(b"q")
        terminal.wait_for("flood ")
        check_end(terminal)


def test_what_an_ended_child_has_said() -> None:
    with begin("echo first; echo last") as terminal:
        terminal.wait_seen(b"Completed")
        terminal.type(b"\r")
        text = terminal.wait_for("q leaves")
        assert text.startswith("first\nlast\n")
        terminal.type(b"q")
        terminal.wait_for("flood ")
        check_end(terminal)

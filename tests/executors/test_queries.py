"""Real programs ask their terminal, and go on; full-screen ones say what they show, and nothing drives ours."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

import pytest
import trio

from axiom_trio import Executor, PtyExecutor, open_aggregator
from axiom_trio.engine.child import Child
from axiom_trio.sansio.text import SCREEN_MARK
from tests.commands import Collector

ASK = """
import os, select, sys, termios, tty
tty.setraw(0)
for query in sys.argv[1:]:
    os.write(1, query.encode().decode("unicode_escape").encode("latin-1"))
    answer = b""
    while select.select([0], [], [], 30 if not answer else 0.2)[0]:
        answer += os.read(0, 1000)
    os.write(1, repr(answer).encode() + b"\\n")
"""
XTERM = {**os.environ, "TERM": "xterm-256color"}


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"there is no {program}")


class Session:
    """One child on a terminal: its rows, and the text of the stream."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.sink = Collector(escapes="color")
        self.child: Child

    def show(self, _: Child, rows: list[bytes]) -> None:
        self.rows += [row.decode() for row in rows]

    async def wait_for_row(self, wanted: str) -> None:
        while not any(wanted in row for row in self.rows):  # noqa: ASYNC110 (a test's patience)
            await trio.sleep(0.01)


async def play(executor: Executor, *steps: tuple[str, bytes]) -> Session:
    """Run a program; type each text when a row with the given words has come; wait for its end."""
    session = Session()
    with trio.fail_after(60):
        async with open_aggregator([session.sink], grace=0.2) as aggregator:
            aggregator.screens.show(session.show)
            session.child = await aggregator.start(executor, id="a", name="a")
            for row, keys in steps:
                await session.wait_for_row(row)
                await session.child.write(keys)
            await session.child.wait()
    return session


async def answers(*queries: str, **options: Any) -> list[bytes]:
    session = await play(PtyExecutor([sys.executable, "-I", "-S", "-c", ASK, *queries], **options))
    lines = session.sink.data("a").decode("latin-1").splitlines()
    return [eval(line[line.index("b'") :]) for line in lines if "b'" in line]


async def test_a_program_gets_its_answers_in_turn() -> None:
    assert await answers(r"\x1b[5n", r"\x1b[999;999H\x1b[6n", r"\x1b[c", r"\x1b]11;?\x07", size=(30, 99)) == [
        b"\x1b[0n",
        b"\x1b[30;99R",
        b"\x1b[?62;22c",
        b"\x1b]11;rgb:0000/0000/0000\x07",
    ]


async def test_unasked_for_there_is_no_answer() -> None:
    executor = PtyExecutor(
        ["bash", "-c", r"printf '\033[5n\033[?2004h'; read -t 0.3 -n 4 x; echo got:$x"], answer=False
    )
    session = await play(executor)
    assert session.sink.data("a").endswith(b"got:\r\n")
    assert executor.modes is not None
    assert executor.modes.bracketed_paste


async def test_one_that_asks_and_never_reads_holds_nobody() -> None:
    program = (
        "import os, time, tty\n"
        "tty.setraw(0)\n"
        "for _ in range(300):\n"  # answers of 150 KB, twice what the kernel takes
        "    os.write(1, b'\\x1b]11;?\\x07' * 32)\n"
        "    time.sleep(0.001)\n"
        "print('done')\n"
    )
    session = await play(PtyExecutor([sys.executable, "-I", "-S", "-c", program]))
    assert session.sink.data("a").endswith(b"done\n")
    assert session.child.completed is not None
    assert session.child.completed.ok


async def test_an_answer_does_not_tear_a_message() -> None:
    program = (
        "import os, sys, time, tty\n"
        "tty.setraw(0)\n"
        "os.write(1, b'ready\\n')\n"
        "time.sleep(0.2)\n"  # the message fills the kernel's buffer
        "got = b''\n"
        "while len(got) < 100_000:\n"  # now there's room now and then, while it's being written
        "    os.write(1, b'\\x1b[5n')\n"
        "    got += os.read(0, 700)\n"
        "print(got[:100_000] == b'x' * 100_000)\n"
    )
    with trio.fail_after(60):
        async with open_aggregator([sink := Collector()]) as aggregator:
            child = await aggregator.start(PtyExecutor([sys.executable, "-I", "-S", "-c", program]), id="a")
            await child.wait_for(rb"ready")
            await child.write(b"x" * 100_000)
            await child.wait()
    assert b"True" in sink.data("a")


@needs("vim")
async def test_vim() -> None:
    vim = PtyExecutor(["vim", "-u", "NONE", "-i", "NONE", "-n"], env=XTERM, size=(12, 60))
    session = await play(vim, ("~", b"ihello from vim\x1b"), ("hello from vim", b":q!\r"))
    assert session.child.completed is not None
    assert session.child.completed.ok
    text = session.sink.written.decode()
    assert f"[a] {SCREEN_MARK}\n" in text
    assert "hello" not in text
    assert "\x1b[" not in text
    assert [row for row in session.rows if "hello" in row] == ["hello from vim"]


@needs("less")
async def test_less(tmp_path) -> None:
    (tmp_path / "file").write_text("".join(f"row {chr(65 + n)}\n" for n in range(26)))
    less = PtyExecutor(["less", str(tmp_path / "file")], env={**XTERM, "LESS": ""}, size=(10, 60))
    session = await play(less, ("row I", b" "), ("row R", b" "), ("row Z", b"q"))
    assert [row for row in session.rows if row.startswith("row ")] == [
        f"row {chr(65 + n)}" for n in range(26)
    ]


@needs("top")
async def test_top() -> None:
    session = await play(PtyExecutor(["top", "-n", "2", "-d", "0.3"], env=XTERM))
    assert session.child.completed is not None
    assert session.child.completed.ok
    everything = session.sink.written.decode() + "\n".join(session.rows)
    assert "PID" in everything
    assert "load average" in everything
    assert session.sink.written.decode().count(SCREEN_MARK) <= 1


@pytest.mark.parametrize("program", ["dialog", "whiptail"])
async def test_boxes(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program}")
    session = await play(
        PtyExecutor([program, "--msgbox", "a message", "8", "40"], env=XTERM), ("a message", b"\r")
    )
    assert session.child.completed is not None
    assert session.child.completed.ok


async def test_the_size_reaches_a_screen_that_runs() -> None:
    program = (
        "import os, signal, time\n"
        "def draw(*_):\n"
        "    size = os.get_terminal_size()\n"
        "    os.write(1, b'\\x1b[2J\\x1b[%d;%dHX\\x1b[1;1H%dx%d\\x1b[6;1H' % (size.lines, size.columns, size.lines, size.columns))\n"
        "signal.signal(signal.SIGWINCH, draw)\n"
        "os.write(1, b'\\x1b[?1049h'); draw()\n"
        "input()\n"
    )
    executor = PtyExecutor([sys.executable, "-I", "-S", "-c", program], size=(8, 40))
    session = Session()
    with trio.fail_after(60):
        async with open_aggregator([session.sink]) as aggregator:
            aggregator.screens.show(session.show)
            child = await aggregator.start(executor, id="a", name="a")
            await session.wait_for_row("8x40")
            executor.resize(20, 99)
            terminal = aggregator.screens.of(child)
            assert terminal is not None
            assert terminal.size == (20, 99)
            while terminal.text()[0] != "20x99":  # noqa: ASYNC110 (a test's patience)
                await trio.sleep(0.01)
            assert terminal.text()[19] == " " * 98 + "X"
            await child.write(b"\r")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (r"for i in 1 2 3; do printf '\r%s0%%' $i; done; printf '\r100%%\n'; echo ok", "[a] 100%\n[a] ok\n"),
        (r"for i in a b; do printf '\033[H\033[2J'; echo $i; done", "[a] a\n[a] b\n"),
        (r"clear; echo ok", "[a] ok\n"),
    ],
)
async def test_bars_and_clears_are_lines(line: str, text: str) -> None:
    session = await play(PtyExecutor(["sh", "-c", line], env=XTERM))
    assert session.sink.written.decode() == text
    assert session.rows == []


async def test_progress_over_several_rows_as_npm_has_it() -> None:
    bars = r"printf 'a 0\nb 0\n'; for i in 1 2 3; do printf '\033[2A\033[Ka %s\n\033[Kb %s\n' $i $i; done; sleep 0.3; echo all done"
    session = await play(PtyExecutor(["sh", "-c", bars]))
    assert session.sink.written.decode() == f"[a] a 0\n[a] b 0\n[a] {SCREEN_MARK}\n"
    assert session.rows == ["a 3", "b 3", "all done"]

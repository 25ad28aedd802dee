"""Messages into children on real terminals and pipes: how they're written, what becomes of them, their echo.

Numbers in names are those of the list of what went wrong elsewhere, by which each of them is known here.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock

from axiom_trio import (
    CallableExecutor,
    Delivery,
    Executor,
    Exit,
    Intervention,
    NotRunningError,
    ProcessExecutor,
    PtyExecutor,
    Rule,
    TextFormat,
    open_aggregator,
)
from axiom_trio.engine import evidence, interventions
from axiom_trio.engine.interventions import REMEMBERED
from axiom_trio.engine.looking import screen_of
from axiom_trio.executors import descriptor
from axiom_trio.testing import MemorySink, Puppet, Send

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from axiom_trio import Child, Port, Writer

pytestmark = pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs pseudo-terminals")

EDITOR = r"""
import os, select, sys, time, tty
tty.setraw(0)
os.write(1, sys.argv[1].encode().decode("unicode_escape").encode() + b"> ")
text = b""
while True:
    select.select([0], [], [])
    time.sleep(0.02)  # what is written at once is read at once
    data = os.read(0, 65536)
    if data == b"\r":  # Enter, and nothing else
        os.write(1, b"\r\nSENT " + repr(text).encode() + b"\r\n> ")
        text = b""
    elif data == b"\x03":
        break
    else:  # typed or pasted; a newline is part of it
        text += data
        if "echo" in sys.argv:
            os.write(1, data)
"""
"""Reads keys as a full-screen program does: Enter together with other text is a newline of it."""


def python(code: str, *arguments: str, echo: bool = False) -> PtyExecutor:
    return PtyExecutor([sys.executable, "-I", "-S", "-c", code, *arguments], echo=echo)


class Scene:
    """One child, and what is seen of it."""

    def __init__(self, child: Child, sink: MemorySink) -> None:
        self.child = child
        self.sink = sink

    @property
    def output(self) -> bytes:
        return self.sink.data(self.child.id)

    async def shows(self, wanted: bytes) -> None:
        with trio.fail_after(60):
            await self.child.wait_for(re.escape(wanted))

        await self.seen()

    async def seen(self) -> None:
        """Wait until the sink has what the log has."""
        while len(self.sink.events) < self.child._aggregator._log.next:  # noqa: ASYNC110 (no event tells of it)
            await trio.sleep(0.005)

    async def ends(self) -> None:
        await self.child.wait()
        await self.seen()

    async def rests(self, seconds: float = 1.1) -> None:
        """Wait until it has said nothing for a while, so that what comes then is an answer."""
        await trio.sleep(seconds)


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable]:
    """Runs one child at a time; stops it in the end."""
    # On a busy machine a child that sleeps through the pause reads Enter with the text.
    for module in (evidence, interventions):
        monkeypatch.setattr(module, "ENTER_PAUSE", 0.5)
    sink = MemorySink(TextFormat())
    async with open_aggregator([sink], grace=0.3) as aggregator:

        async def start(executor: object) -> Scene:
            return Scene(await aggregator.start(executor, name="c"), sink)

        start.sink = sink
        start.aggregator = aggregator
        with trio.fail_after(60):
            yield start
        aggregator.stop(grace=0)


# --- 1, 2: how it's written


async def test_1_enter_is_a_write_of_its_own(scene) -> None:
    editor = await scene(python(EDITOR, ""))
    await editor.shows(b"> ")
    await editor.child.intervene("write the file")
    await editor.shows(b"SENT b'write the file'")


async def test_1_several_lines_are_one_paste_where_the_child_wants_pastes(scene) -> None:
    editor = await scene(python(EDITOR, r"\x1b[?2004h"))
    await editor.shows(b"> ")
    await editor.child.intervene("one\ntwo\n")
    await editor.shows(rb"SENT b'\x1b[200~one\rtwo\x1b[201~'")
    await editor.child.intervene("one line")
    await editor.shows(b"SENT b'one line'")


async def test_1_several_lines_are_typed_where_it_does_not(scene) -> None:
    editor = await scene(python(EDITOR, r"\x1b[?2004h\x1b[?2004l"))
    await editor.shows(b"> ")
    await editor.child.intervene("one\ntwo")
    await editor.shows(rb"SENT b'one\ntwo'")


async def test_1_a_text_is_no_keys_and_keys_are_no_text(scene) -> None:
    editor = await scene(python(EDITOR, ""))
    await editor.shows(b"> ")
    await editor.child.intervene("press <Enter> or <C-c>\tnow")
    await editor.shows(b"SENT b'press <Enter> or <C-c>    now'")  # a tab is a key, too
    await editor.child.press("12<Enter>")
    await editor.shows(b"SENT b'12'")
    await editor.child.press("<C-c>")
    await editor.ends()


REDRAWER = """
import os, select, sys, tty
tty.setraw(0)
os.write(1, b"up")
for n in range(1000):
    if select.select([0], [], [], 0.05 if "chatty" in sys.argv else None)[0]:
        os.read(0, 65536)
    os.write(1, b"\\x1b[H%d" % n)
"""


@pytest.mark.parametrize(("how", "state"), [("", "confirmed"), ("chatty", "unconfirmed")])
async def test_1_what_is_drawn_between_two_keys_is_due_to_them(scene, how: str, state: str) -> None:
    drawing = await scene(python(REDRAWER, how))
    await drawing.shows(b"up")
    await drawing.rests()
    receipt = await drawing.child.press("ihello<Esc>:w<Enter>")
    assert receipt.state == state, receipt


async def test_2_no_escape_comes_before_enter(scene) -> None:
    editor = await scene(python(EDITOR, ""))
    await editor.shows(b"> ")
    await editor.child.intervene("a\x1b[201~b\x1b\x03\x04\x9b\r\n")
    await editor.shows(b"SENT b'")
    sent = re.search(rb"SENT b'(.*)'", editor.output)[1]
    assert rb"\x1b" not in sent
    assert rb"\x03" not in sent
    assert rb"\x04" not in sent
    assert b"[201~" in sent


async def test_a_message_is_atomic(scene) -> None:
    editor = await scene(python(EDITOR, ""))
    await editor.shows(b"> ")
    async with trio.open_nursery() as nursery:
        for n in range(5):
            nursery.start_soon(editor.child.intervene, f"message {n}")
            nursery.start_soon(editor.child.write, b"")
    for n in range(5):
        await editor.shows(b"SENT b'message %d'" % n)
    assert sorted(re.findall(rb"SENT b'(.*?)'", editor.output)) == [b"message %d" % n for n in range(5)]


async def test_enter_follows_though_it_was_cancelled(scene) -> None:
    editor = await scene(python(EDITOR, ""))
    await editor.shows(b"> ")
    with trio.move_on_after(0.05) as scope:
        await editor.child.intervene("half")
    assert scope.cancelled_caught
    await editor.shows(b"SENT b'half'")
    (delivery,) = scene.sink.of_type(Delivery)
    assert (delivery.state, delivery.reason) == ("unconfirmed", "cancelled while it was written")


SLEEPER = """
import os, time, tty
tty.setraw(0)
os.write(1, b"up")
time.sleep(0.7)
text = b""
while not text.endswith(b"\\r"):
    text += os.read(0, 65536)
os.write(1, b"GOT %d %d" % (text.count(b"x"), len(text)))
"""


async def test_what_is_begun_is_finished_though_it_was_cancelled(scene, monkeypatch) -> None:
    monkeypatch.setattr(descriptor, "FINISH", 30.0)
    sleeper = await scene(python(SLEEPER))
    await sleeper.shows(b"up")
    with trio.move_on_after(0.2) as scope:  # it's written but for the part for which there was no room
        await sleeper.child.intervene("x" * 100_000, id="one")
    assert scope.cancelled_caught
    receipt = await sleeper.child.intervene("x" * 100_000, id="one")
    assert (receipt.state, receipt.reason) == ("unconfirmed", "cancelled while it was written")
    await sleeper.shows(b"GOT 100000 100001")
    assert len(scene.sink.of_type(Delivery)) == 1


async def test_on_a_pipe_text_and_enter_are_one_write(scene) -> None:
    code = "import os\nwhile data := os.read(0, 999): print(data, flush=True)"
    executor = ProcessExecutor([sys.executable, "-I", "-S", "-c", code], stdin="pipe")
    reader = await scene(executor)
    await reader.child.intervene("one\ntwo")
    await reader.shows(rb"b'one\ntwo\n'")


# --- what agents show


AGENT = r"""
import os, sys, tty
tty.setraw(0)
before, after = (open(path).read().rstrip("\n").replace("\n", "\r\n").encode() for path in sys.argv[1:3])
os.write(1, b"\x1b[?1049h\x1b[2J\x1b[H" + before)
got = b""
while True:
    data = os.read(0, 999)
    got += data
    if data.endswith(b"\r"):
        os.write(1, b"\x1b[2J\x1b[H" + after + b"\r\nGOT " + repr(got).encode())
        got = b""
"""
SCREENS = Path(__file__).parents[1] / "agents" / "screens"


def agent(before: str, after: str) -> PtyExecutor:
    """Shows one screen, and after Enter another."""
    paths = [str(SCREENS / f"{name}.txt") for name in (before, after)]
    return PtyExecutor([sys.executable, "-I", "-S", "-c", AGENT, *paths], size=(70, 120))


async def is_followed(scene: Scene, shown: str) -> None:
    """Wait until its screen, which is followed at its own pace, shows a text."""
    while shown not in (screen_of(scene.child) or ""):  # noqa: ASYNC110 (no event tells of it)
        await trio.sleep(0.02)


@pytest.mark.parametrize("followed", [True, False])
@pytest.mark.parametrize("dialog", ["claude-trust", "codex-trust", "gemini-trust", "codex-run"])
async def test_no_text_answers_a_dialog_of_an_agent(scene, dialog, followed) -> None:
    if followed:
        _ = scene.aggregator.screens
    shown = (SCREENS / f"{dialog}.txt").read_text().rstrip().rsplit("\n", 1)[-1].strip()[:8]
    asks = await scene(agent(dialog, "aider-ready"))
    await asks.shows(shown.encode())
    if followed:
        await is_followed(asks, shown)
    receipt = await asks.child.intervene("go on, please")
    assert receipt.state == "refused"
    assert receipt.reason.startswith("it asks '")
    assert receipt.reason.endswith("?': press keys to answer")
    await asks.child.press("2<Enter>")
    await asks.shows(rb"GOT b'2\r'")


async def test_a_text_is_sent_all_the_same_when_that_is_asked_for(scene) -> None:
    asks = await scene(agent("gemini-trust", "aider-ready"))
    await asks.shows("╰──".encode())
    await asks.child.intervene("3", force=True)
    await asks.shows(rb"GOT b'3\r'")


@pytest.mark.parametrize("name", ["claude", "codex", "gemini"])
async def test_what_an_agent_keeps_for_later_is_queued(scene, name, monkeypatch) -> None:
    _ = scene.aggregator.screens
    busy = await scene(agent(f"{name}-queued", f"{name}-queued"))
    await is_followed(busy, "esc to ")  # it works, and comes below the message
    with monkeypatch.context() as patched:
        patched.setattr(evidence, "QUEUED_WITHIN", 30.0)
        patched.setattr(evidence, "EVIDENCE_WITHIN", 30.0)
        receipt = await busy.child.intervene("and more")
    assert (receipt.state, receipt.reason) == ("queued", "it keeps it for later")
    receipt = await busy.child.intervene("something else")
    assert receipt.state != "queued"


# --- the order of events


def run(main) -> None:
    async def bounded() -> None:
        with trio.fail_after(10_000):
            await main()

    trio.run(bounded, clock=MockClock(autojump_threshold=0))


class Slow(Puppet):
    """Takes its time to read."""

    async def write(self, data: bytes) -> None:
        await trio.sleep(1)
        await super().write(data)


def test_it_is_seen_before_it_is_written():
    async def main() -> None:
        sink = MemorySink(TextFormat())
        puppet = Slow(takes_input=True)
        async with open_aggregator([sink]) as aggregator:
            child = await aggregator.start(puppet, name="a")
            notices = aggregator.notices()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child.intervene, "go on")
                await trio.sleep(0.5)
                assert not puppet.input
                assert [event.text for event in sink.of_type(Intervention)] == ["go on"]
                assert not sink.of_type(Delivery)
            seen = [await anext(notices), await anext(notices)]
            assert [type(notice) for notice in seen] == [Intervention, Delivery]
            assert seen[0].receipt == seen[1].receipt
            puppet.end()
        assert sink.text_written == b"[a] [INTERVENTION] go on\n"

    run(main)


def test_7_the_same_receipt_is_never_sent_twice():
    async def main() -> None:
        sink = MemorySink()
        puppet = Slow(takes_input=True)
        receipts = []

        async def send() -> None:
            receipts.append(await child.intervene("once", id="r"))

        async with open_aggregator([sink]) as aggregator:
            child = await aggregator.start(puppet)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                nursery.start_soon(send)  # while it's under way
            await send()  # and after
            other = await child.intervene("more", id="s")
            puppet.end()
        assert puppet.input == b"once\nmore\n"
        assert len({*receipts}) == 1
        assert len(sink.of_type(Intervention)) == len(sink.of_type(Delivery)) == 2
        assert other.id == "s"

    run(main)


def test_receipts_are_remembered_within_bounds():
    async def main() -> None:
        puppet = Puppet(takes_input=True)
        async with open_aggregator([]) as aggregator:
            child = await aggregator.start(puppet)
            for n in range(REMEMBERED + 10):
                await child.intervene("", id=str(n))
            assert len(child._inbox._fates) == REMEMBERED
            puppet.input.clear()
            await child.intervene("again", id=str(REMEMBERED))
            assert not puppet.input
            puppet.end()

    run(main)


# --- what is refused


def test_13_what_has_no_input_or_has_ended_is_refused_and_everyone_sees_it():
    async def main() -> None:
        sink = MemorySink(TextFormat())
        async with open_aggregator([sink], jobs=1) as aggregator:
            deaf, waiting = Puppet(), Puppet()
            first = await aggregator.start(deaf, name="first")
            second = aggregator.start_soon(waiting, name="second")
            receipts = [await first.intervene("x"), await second.intervene("x")]
            deaf.end()
            await first.wait()
            receipts.append(await first.intervene("x"))
            waiting.end()
        assert [receipt.reason for receipt in receipts] == [
            "it takes no input",
            "it has not started yet",
            "it has ended",
        ]
        assert {receipt.state for receipt in receipts} == {"refused"}
        assert [event.receipt for event in sink.of_type(Delivery)] == [receipt.id for receipt in receipts]
        assert not sink.of_type(Intervention)
        assert sink.text_written == b""

    run(main)


async def test_13_a_closed_input_is_refused(scene) -> None:
    executor = ProcessExecutor("exec 0<&-; echo closed; sleep 30", stdin="pipe")
    child = await scene(executor)
    await child.shows(b"closed")
    receipt = await child.child.intervene("x")
    assert (receipt.state, receipt.reason) == ("refused", "it takes no more input")
    executor.close_stdin()
    receipt = await child.child.intervene("x")
    assert (receipt.state, receipt.reason) == ("refused", "it takes no input")


GETPASS = 'import getpass; print("got", len(getpass.getpass("Secret? ")))'


async def test_a_password_prompt_is_answered_only_by_what_is_secret(scene) -> None:
    asks = await scene(python(GETPASS, echo=True))  # the echo that it switches off says so
    await asks.shows(b"Secret? ")
    receipt = await asks.child.intervene("continue")
    assert (receipt.state, receipt.reason) == (
        "refused",
        "it asks for a password: only what is sent as a secret answers that",
    )
    assert (await asks.child.press("1<Enter>")).state == "refused"
    receipt = await asks.child.intervene("hunter2", secret=True)
    assert receipt.state in ("confirmed", "unconfirmed")
    await asks.ends()
    assert b"got 7" in asks.output
    assert [event.text for event in scene.sink.of_type(Intervention)] == ["***"]
    assert b"hunter2" not in scene.sink.text_written


@pytest.mark.parametrize(
    ("prompt", "refused"),
    [
        (b"Password: ", True),
        (b"[sudo] password for bob: ", True),
        (b"\x1b[1mEnter passphrase for key '/home/bob/.ssh/id':\x1b[0m ", True),
        (b"PIN: ", True),
        (b"login as x\r\nAPI key> ", True),
        (b"password", True),
        (b"Password accepted.\n", False),
        (b"Reset the password? [y/N] ", False),
        (b"the pin is out: all well. Next? ", False),
        (b"spinning: ", False),
        (b"Password: \nName: ", False),
    ],
)
@pytest.mark.parametrize("terminal", [False, True])
def test_a_password_prompt_is_known_by_its_look_where_nothing_is_echoed(
    prompt: bytes, refused: bool, terminal: bool, monkeypatch
):
    async def main() -> None:
        puppet = Puppet(takes_input=True)
        if terminal:
            mode = interventions_mode(canonical=True, echo=False)
            monkeypatch.setattr(Puppet, "input_mode", lambda self: mode, raising=False)
        async with open_aggregator([]) as aggregator:
            child = await aggregator.start(puppet)
            puppet.post(Send(prompt))
            await trio.sleep(0.01)  # the prompt isn't published yet
            receipt = await child.intervene("yes")
            assert (receipt.state == "refused") is refused
            assert bool(puppet.input) is not refused
            puppet.end()

    run(main)


def interventions_mode(**modes: bool):
    from axiom_trio.sansio.modes import InputMode

    return InputMode(**{"canonical": False, "echo": False, **modes})


# --- 7: what becomes of it


async def test_7_a_busy_child_is_not_said_to_have_taken_it(scene) -> None:
    busy = await scene(PtyExecutor("sleep 30; echo late", echo=True))
    await busy.rests()
    receipt = await busy.child.intervene("hello")
    assert (receipt.state, receipt.reason) == ("queued", "it has not read its input yet")
    await busy.shows(b"hello")  # the terminal's echo alone says nothing of the child


async def test_7_what_shows_nothing_is_unconfirmed(scene) -> None:
    mute = await scene(PtyExecutor("cat >/dev/null"))
    receipt = await mute.child.intervene("hello")
    assert (receipt.state, receipt.reason) == ("unconfirmed", "it showed nothing within 1 s")


async def test_7_one_that_writes_anyway_confirms_nothing(scene) -> None:
    chatty = await scene(PtyExecutor("while :; do echo tick; sleep 0.3; done"))
    await chatty.shows(b"tick")
    await trio.sleep(0.6)
    receipt = await chatty.child.intervene("hello")
    assert receipt.state == "queued"
    deaf = await scene(
        python("import time, tty\ntty.setraw(0)\nwhile 1: print(9, end='', flush=1); time.sleep(.1)")
    )
    await deaf.shows(b"9")
    assert (await deaf.child.intervene("hello")).state == "queued"


async def test_7_a_text_that_is_shown_and_not_sent_is_not_confirmed(scene) -> None:
    ignores = EDITOR.replace(r'data == b"\r"', 'data == b"never"').replace(
        "text += data", "data = data.strip()"
    )
    editor = await scene(python(ignores, "", "echo"))
    await editor.rests()
    receipt = await editor.child.intervene("hello")
    assert b"> hello" in editor.output
    assert receipt.state == "unconfirmed"


@pytest.mark.parametrize("echo", [True, False])
async def test_7_evidence_of_lines(scene, echo: bool) -> None:
    cat = await scene(PtyExecutor("cat", echo=echo))
    await cat.rests()
    receipt = await cat.child.intervene("hello")
    assert (receipt.state, receipt.reason) == ("confirmed", "echoed" if echo else "it answered")
    asks = await scene(PtyExecutor("printf 'Name: '; read x; echo hello $x; sleep 30", echo=echo))
    await asks.shows(b"Name: ")
    receipt = await asks.child.intervene("bob")
    assert (receipt.state, receipt.reason) == ("confirmed", "echoed" if echo else "the prompt is gone")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("echo", [True, False])
async def test_7_evidence_of_a_shell(scene, echo: bool) -> None:
    bash = await scene(PtyExecutor(["bash", "--norc", "--noprofile", "-i"], echo=echo))
    await bash.shows(b"$ " if os.geteuid() else b"# ")
    receipt = await bash.child.intervene("echo $((6 * 7))")
    assert (receipt.state, receipt.reason) == ("confirmed", "echoed" if echo else "the prompt is gone")
    await bash.shows(b"42")
    await bash.child.intervene("sleep 30")
    await trio.sleep(0.3)
    assert (await bash.child.intervene("echo later")).state == "queued"


@pytest.mark.parametrize("echo", [True, False])
async def test_7_evidence_of_a_repl(scene, echo: bool) -> None:
    repl = await scene(PtyExecutor([sys.executable, "-I", "-q"], echo=echo))
    await repl.shows(b">>> ")
    receipt = await repl.child.intervene("6 * 7")
    assert receipt.state == "confirmed"
    await repl.shows(b"42")


async def test_7_a_pipe_can_say_no_more_than_that_it_was_read(scene) -> None:
    reads = await scene(ProcessExecutor("cat", stdin="pipe"))
    receipt = await reads.child.intervene("hello")
    assert (receipt.state, receipt.reason) == ("unconfirmed", "a pipe can't say more")
    busy = await scene(ProcessExecutor("sleep 30", stdin="pipe"))
    assert (await busy.child.intervene("hello")).state == "queued"


async def test_asking_for_its_input_changes_nothing(scene) -> None:
    code = (
        "import os, signal, sys, termios\n"
        "for s in range(1, 32):\n"
        "    if s not in (9, 19): signal.signal(s, lambda *a: print('signal', a[0], flush=True))\n"
        "print('ready', os.tcgetpgrp(0) == os.getpgrp(), os.isatty(0), flush=True)\n"
        "while line := sys.stdin.readline(): print(line, os.tcgetpgrp(0) == os.getpgrp(), flush=True)\n"
    )
    child = await scene(python(code))
    await child.shows(b"ready True True")
    executor = child.child._executor
    before = executor.input_mode()
    for _ in range(200):
        assert executor.pending_input() == 0
    assert executor.input_mode() == before
    await child.child.intervene("still there")
    await child.shows(b"still there\r\n True")
    assert b"signal" not in child.output


# --- 6: its echo is no output


async def idle_after(scene, executor: PtyExecutor, text: str | None, *, keys: bytes = b"") -> Scene:
    child = await scene(executor)
    await child.rests(0.6)
    if text is None:
        await child.child.write(keys)
    else:
        await child.child.intervene(text)
    await trio.sleep(0.3)
    return child


@pytest.mark.parametrize("text", ["hello", "two\nlines", "tabs\tand ümläuts ^C", "x" * 4095])
async def test_6_the_terminals_echo_is_no_activity(scene, text: str) -> None:
    child = await idle_after(scene, PtyExecutor("cat >/dev/null", echo=True), text)
    assert text.encode().replace(b"\n", b"\r\n") in child.output, (
        "the journal has the bytes as they were read"
    )
    assert child.child.statistics().idle > 0.8


@pytest.mark.parametrize("keys", [b"l", b"ls -l", b"ls\r", b"a\x01b\x02"])
async def test_6_nor_is_that_of_single_keys(scene, keys: bytes) -> None:
    child = await idle_after(scene, PtyExecutor("cat >/dev/null", echo=True), None, keys=keys)
    assert child.output
    assert child.child.statistics().idle > 0.8


async def test_6_an_editors_echo_is_no_activity(scene) -> None:
    child = await idle_after(scene, python(EDITOR.replace("SENT", ""), "", "echo"), None, keys=b"hello")
    assert child.output.endswith(b"> hello")
    assert child.child.statistics().idle > 0.8


@pytest.mark.parametrize("echo", [True, False])
async def test_6_what_a_child_says_is_activity_even_if_it_is_the_same_text(scene, echo: bool) -> None:
    child = await idle_after(scene, PtyExecutor("cat", echo=echo), "hello")
    assert child.output == b"hello\r\n" * (1 + echo)
    assert child.child.statistics().idle < 0.6


async def test_6_the_first_answer_ends_the_silence(scene) -> None:
    child = await scene(PtyExecutor("read x; sleep 0.5; printf .; sleep 30", echo=True))
    await child.rests(0.6)
    await child.child.intervene("hello")
    assert child.child.statistics().idle > 0.6
    await child.shows(b".")
    assert child.child.statistics().idle < 0.4


def test_while_nothing_was_typed_nothing_is_looked_for():
    async def main() -> None:
        puppet = Puppet(takes_input=True)
        async with open_aggregator([]) as aggregator:
            child = await aggregator.start(puppet)
            puppet.post(Send(b"text\n"))
            await child.intervene("text")
            assert child._port.echo is None, "and on a pipe nothing echoes"
            puppet.end()

    run(main)


# --- its open row


def test_the_open_row():
    async def main() -> None:
        puppet = Puppet()
        async with open_aggregator([], grace=0.1) as aggregator:
            child = await aggregator.start(puppet)
            assert child.open_row() == b""
            for data, row in [
                (b"one\ntw", b"tw"),
                (b"o", b"two"),
                (None, b"two"),  # published
                (b" and", b"two and"),
                (b"\n", b""),
                (b"x" * 9000, b"x" * 4096),
                (b"y", b"x" * 4095 + b"y"),
                (b"\nend", b"end"),
            ]:
                if data is not None:
                    puppet.post(Send(data))
                await trio.sleep(0.2 if data is None else 0.01)
                assert child.open_row() == row
            child.restart()
            await trio.sleep(1)
            assert child.open_row() == b"", "the last attempt's line has ended"
            puppet.end()

    run(main)


# --- starting again


def test_a_restart_counts_neither_as_a_failure_nor_as_a_retry():
    async def main() -> None:
        sink = MemorySink()
        puppet = Puppet(signals="obey")
        async with open_aggregator([sink], halt="now,fail=1") as aggregator:
            child = await aggregator.start(puppet)
            for runs in (2, 3):
                child.restart()
                await trio.sleep(1)
                assert (puppet.runs, child.state) == (runs, "running")
            puppet.end()
        assert child.completed.exit == Exit(0)
        assert child.completed.attempts == 3
        restarts = [(e.attempt, e.reason, e.delay) for e in sink.events if type(e).__name__ == "Restarting"]
        assert restarts == [(2, "stopped", 0.0), (3, "stopped", 0.0)]

    run(main)


def test_a_stop_overtakes_a_restart_and_what_has_ended_is_not_restarted():
    async def main() -> None:
        puppet = Puppet(signals="ignore")
        async with open_aggregator([], grace=1) as aggregator:
            child = await aggregator.start(puppet)
            child.restart()
            child.stop()
            with pytest.raises(NotRunningError, match="is being stopped"):
                child.restart()
            await child.wait()
            assert puppet.runs == 1
            with pytest.raises(NotRunningError, match="has ended"):
                child.restart()

    run(main)


def test_a_restart_ends_the_pause_before_the_next_attempt():
    async def main() -> None:
        from axiom_trio import Supervision

        puppet = Puppet()
        async with open_aggregator(supervision=Supervision(retries=1, restart_after=100)) as aggregator:
            child = await aggregator.start(puppet)
            puppet.end(3)
            await trio.sleep(1)
            assert child.state == "restarting"
            child.restart()
            await trio.sleep(1)
            assert child.state == "running"
            puppet.end()
        assert child.completed.attempts == 2

    run(main)


def test_a_restart_while_the_log_is_full_is_no_stop():
    async def main() -> None:
        from axiom_trio import Supervision

        puppet = Puppet()
        async with open_aggregator(
            gate=1000, supervision=Supervision(retries=1, restart_after=100)
        ) as aggregator:
            async with aggregator.subscribe() as events:  # nobody reads: the end of the attempt waits
                child = await aggregator.start(puppet)
                for _ in range(3):
                    puppet.post(Send(b"x" * 999 + b"\n"))
                    await trio.sleep(0.1)
                puppet.end(3)
                await trio.sleep(1)
                assert child.state == "restarting"
                child.restart()
                async for event in events:
                    if type(event).__name__ == "Restarting":
                        break
            await trio.sleep(1)
            assert child.state == "running"
            puppet.end()
        assert child.completed.attempts == 2

    run(main)


async def test_what_is_written_into_one_attempt_never_reaches_the_next(scene) -> None:
    child = await scene(PtyExecutor("echo up; cat", echo=True))
    await child.shows(b"up")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(child.child.intervene, "half a message")
        await trio.sleep(evidence.ENTER_PAUSE / 2)
        child.child.restart()
    await trio.sleep(0.5)
    second = child.output.partition(b"up")[2].rpartition(b"up")[2]
    assert second == b"\r\n"


class Own(Executor):
    """An executor of somebody's own."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.got: list[bytes] = []

    async def run(self, port: Port) -> Exit:
        await port.send(b"ready?\n")
        await trio.sleep(5)
        return Exit(0)

    async def write(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if self.error is not None:
            raise self.error
        self.got.append(data)


def test_an_executor_of_ones_own_may_take_input():
    async def main() -> None:
        async def nothing(_: Writer) -> None:
            await trio.sleep(1)

        async with open_aggregator([]) as aggregator:
            child = await aggregator.start(CallableExecutor(nothing))
            assert (await child.intervene("x")).reason == "it takes no input"
            own = Own()
            receipt = await (await aggregator.start(own)).intervene("x")
            assert (own.got, receipt.state) == ([b"x\n"], "unconfirmed")

    run(main)


def test_an_executor_that_raises_when_it_is_written_to_harms_nobody():
    async def main() -> None:
        rule = Rule(name="r", match="ready", send="yes")
        sink = MemorySink()
        async with open_aggregator([sink], rules=[rule]) as aggregator:
            child = await aggregator.start(Own(KeyError("no")))
            receipt = await child.intervene("x")
            assert (receipt.state, receipt.reason) == ("unconfirmed", "its executor raised KeyError: 'no'")
        told = [(event.rule, event.state) for event in sink.events if isinstance(event, Delivery)]
        assert told == [(None, "unconfirmed"), ("r", "suppressed"), ("r", "unconfirmed")]

    run(main)


async def test_one_that_is_cancelled_half_written_does_not_silence_the_child(scene) -> None:
    code = "import os, time, tty\ntty.setraw(0)\nos.write(1, b'up')\ntime.sleep(3)\nos.write(1, b'own')\ntime.sleep(9)"
    deaf = await scene(python(code))
    await deaf.shows(b"up")
    await deaf.rests(0.5)
    with trio.move_on_after(0.5) as scope:
        await deaf.child.intervene("x" * 100_000)
    assert scope.cancelled_caught
    await deaf.seen()
    (delivery,) = scene.sink.of_type(Delivery)
    assert (delivery.state, delivery.reason) == ("unconfirmed", "cut: cancelled while it was written")
    before = deaf.child._port.meter.last_output
    await deaf.shows(b"own")
    assert deaf.child._port.meter.last_output > before

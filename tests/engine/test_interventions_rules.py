"""Rules at work: what they see, when they act, and what becomes of what they do.

Numbers in names are those of the list of what went wrong elsewhere, by which each of them is known here.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
import trio
from trio.testing import MockClock

from axiom_trio import (
    Completed,
    Delivery,
    Intervention,
    JournalReader,
    JournalSink,
    PtyExecutor,
    open_aggregator,
)
from axiom_trio.sansio.presets import RULE_SETS
from axiom_trio.sansio.rules import Rule
from axiom_trio.testing import MemorySink, Puppet, Send


def run(main) -> None:
    async def bounded() -> None:
        with trio.fail_after(100_000):
            await main()

    trio.run(bounded, clock=MockClock(autojump_threshold=0))


class Told:
    """A run of rules, and all that was decided in it."""

    def __init__(self, *rules: Rule, **options: object) -> None:
        self.sink = MemorySink()
        self.opening = open_aggregator([self.sink], rules=rules, grace=0.5, **options)

    async def __aenter__(self):
        self.aggregator = await self.opening.__aenter__()
        return self

    async def __aexit__(self, *error):
        return await self.opening.__aexit__(*error)

    async def child(self, **options: object):
        puppet = Puppet(takes_input=True, signals="obey", **options)
        return puppet, await self.aggregator.start(puppet, name="agent")

    @property
    def sent(self) -> list[tuple[str, str]]:
        return [(e.rule, e.text) for e in self.sink.of_type(Intervention) if e.origin == "rule"]

    @property
    def fates(self) -> list[tuple[str, str, str]]:
        return [(e.rule, e.state, e.reason) for e in self.sink.of_type(Delivery)]

    def suppressed(self) -> list[tuple[str, str]]:
        return [(rule, reason) for rule, state, reason in self.fates if state == "suppressed"]


async def say(puppet: Puppet, data: bytes, wait: float = 1.0) -> None:
    puppet.post(Send(data))
    await trio.sleep(wait)


def test_a_prompt_is_answered_and_everyone_sees_it():
    async def main() -> None:
        rule = Rule(name="proceed", match=r"Proceed with (\w+)\? $", on="tail", send=r"yes \1")
        async with Told(rule) as told:
            puppet, child = await told.child()
            await say(puppet, b"Proceed with \x1b[1mcare\x1b[0m? ")
            assert puppet.input == b"yes care\n"
            await say(puppet, b"\nok\n")
            puppet.end()
        assert told.sent == [("proceed", "yes care")]
        assert told.fates == [("proceed", "unconfirmed", "a pipe can't say more")]
        (event,) = told.sink.of_type(Intervention)
        assert event.receipt == told.sink.of_type(Delivery)[0].receipt
        assert child.completed.interventions == 1

    run(main)


@pytest.mark.parametrize(
    ("rule", "output", "wanted"),
    [
        ({"match": "boom", "action": "interrupt"}, b"boom\n", "(interrupt)"),
        ({"match": "boom", "action": "stop"}, b"boom\n", "(stop)"),
        ({"match": "boom", "keys": "1<Enter>"}, b"boom\n", "1<Enter>"),
        ({"idle": 30, "send": "well?"}, b"thinking\n", "well?"),
        ({"no_progress": 30, "send": "well?"}, b"thinking", "well?"),
    ],
)
def test_conditions_and_actions(rule, output, wanted):
    async def main() -> None:
        async with Told(Rule(name="r", **rule)) as told:
            puppet, child = await told.child()
            await say(puppet, output, 40)
            if rule.get("action"):
                await child.wait()
                assert puppet.signals_got
            puppet.end()
        assert told.sent == [("r", wanted)]
        assert puppet.input == {"1<Enter>": b"1\n", "well?": b"well?\n"}.get(wanted, b"")

    run(main)


def test_a_restart_by_a_rule_and_one_for_each_attempt():
    async def main() -> None:
        rule = Rule(name="again", match="stuck", action="restart", cooldown=0)
        async with Told(rule) as told:
            puppet, _ = await told.child()
            for runs in (2, 3):
                await say(puppet, b"stuck\n", 5)
                assert puppet.runs == runs
            puppet.end()
        assert told.sent == [("again", "(restart)")] * 2

    run(main)


def test_rules_are_for_the_children_they_name():
    async def main() -> None:
        async with Told(Rule(name="r", tasks="other*", match="x", send="y")) as told:
            puppet, _ = await told.child()
            other = Puppet(takes_input=True)
            await told.aggregator.start(other, name="other-1")
            await say(puppet, b"x\n")
            await say(other, b"x\n")
            assert (puppet.input, other.input) == (b"", b"y\n")
            puppet.end()
            other.end()

    run(main)


def test_rules_come_and_go():
    async def main() -> None:
        rule = Rule(name="late", match="x", send="y", cooldown=0)
        async with Told() as told:
            puppet, _ = await told.child()
            await say(puppet, b"x\n")
            told.aggregator.add_rule(rule)
            await trio.sleep(1)
            assert puppet.input == b"", "it looks at what comes from now on"
            await say(puppet, b"x\n")
            assert puppet.input == b"y\n"
            told.aggregator.remove_rule(rule)
            await say(puppet, b"x\n")
            assert puppet.input == b"y\n"
            with pytest.raises(ValueError, match="there is no rule 'late'"):
                told.aggregator.remove_rule(rule)
            puppet.end()

    run(main)


def test_what_a_child_says_as_it_starts_is_seen():
    async def main() -> None:
        puppet = Puppet(takes_input=True)
        async with Told(Rule(name="r", match="ready", send="go")) as told:
            puppet.post(Send(b"ready?\n"))
            told.aggregator.start_soon(puppet)
            await trio.sleep(1)
            assert puppet.input == b"go\n"
            puppet.end()

    run(main)


def test_each_rule_reads_for_itself():
    async def main() -> None:
        rules = [Rule(name=name, match="x", action="notify") for name in ("a", "b")]
        async with Told(*rules) as told:
            puppet, _ = await told.child()
            await say(puppet, b"x\n")
            puppet.end()
        assert sorted(rule for rule, _ in told.suppressed()) == ["a", "b"]
        assert {reason for _, reason in told.suppressed()} == {"it only tells: matched 'x'"}
        assert told.sent == []

    run(main)


# --- what went wrong elsewhere


def test_3_one_that_waits_for_a_choice_is_not_idle():
    async def main() -> None:
        rule = Rule(name="nudge", idle=10, unless=r"❯ 1\.|\[y/N\]", send="go on")
        async with Told(rule) as told:
            puppet, _ = await told.child()
            await say(puppet, "Delete all?\n❯ 1. Yes\n  2. No\n".encode(), 100)
            assert puppet.input == b""
            puppet.end()
        assert told.suppressed() == [("nudge", "its veto matched")]

    run(main)


class Held(Puppet):
    """Takes long to read what is written into it."""

    async def write(self, data: bytes) -> None:
        await trio.sleep(3)
        await super().write(data)


@pytest.mark.parametrize("goes_on", [True, False])
def test_4_it_is_looked_at_once_more_at_the_moment_of_sending(goes_on: bool):
    async def main() -> None:
        rule = Rule(name="nudge", idle=10, send="go on")
        async with Told(rule) as told:
            puppet = Held(takes_input=True)
            child = await told.aggregator.start(puppet)
            await say(puppet, b"tool call\n", 9.8)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child._executor.write, b"")
                async with child._input:  # somebody's message is being written when it's due
                    await trio.sleep(1)
                    if goes_on:
                        await say(puppet, b"result\n", 0.001)
                await trio.sleep(5)
            assert (b"go on" in puppet.input) is not goes_on
            puppet.end()
        assert (("nudge", "it went on meanwhile") in told.suppressed()) is goes_on

    run(main)


def test_5_one_that_is_never_silent_is_written_to_and_its_lack_of_progress_is_seen():
    """A spinner turns without end: nobody waits for its silence, nor takes it for progress."""

    async def main() -> None:
        rule = Rule(name="nudge", no_progress=60, progress="wrote .*", send="go on")
        async with Told(rule) as told:
            puppet, child = await told.child()

            async def spin() -> None:
                while True:
                    await say(puppet, b"\r*\r+", 0.02)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(spin)
                await trio.sleep(5)
                receipt = await child.intervene("are you there?")
                assert (receipt.state, puppet.input) == ("unconfirmed", b"are you there?\n")
                await trio.sleep(100)
                assert told.sent == [("nudge", "go on")]
                nursery.cancel_scope.cancel()
            puppet.end()

    run(main)


def test_12_a_prompt_that_a_new_version_asks_otherwise_is_not_answered():
    async def main() -> None:
        async with Told(*RULE_SETS["claude"](tasks="*")) as told:
            puppet, _ = await told.child()
            menu = "Do you want to proceed?\n  1. Yes\n❯ 2. No, exit\n"
            await say(puppet, menu.encode(), 100)
            assert puppet.input == b""
            puppet.end()
        assert told.sent == []
        assert len(told.suppressed()) == 1
        assert told.suppressed()[0][1].startswith("it only tells: ")

    run(main)


def test_a_veto_that_comes_up_before_it_is_sent_holds():
    async def main() -> None:
        rule = Rule(name="fix", match="error", on="line", unless="rm -rf", send="fix it")
        async with Told(rule) as told:
            puppet, child = await told.child()
            async with child._input:
                await say(puppet, b"error\n")
                await say(puppet, b"rm -rf /? \n")
            await trio.sleep(1)
            assert puppet.input == b""
            puppet.end()
        assert told.suppressed() == [("fix", "its veto matched")]

    run(main)


async def test_6_its_own_message_does_not_end_the_silence() -> None:
    """Nor does the echo of it: one nudge, not one after each silence that began with a nudge."""
    with trio.fail_after(60):
        async with Told(Rule(name="nudge", idle=0.4, send="go on", cooldown=0, limit=None)) as told:
            child = await told.aggregator.start(PtyExecutor("cat >/dev/null", echo=True))
            await trio.sleep(3)
            assert told.sent == [("nudge", "go on")]
            assert child.statistics().idle > 2
            told.aggregator.stop(grace=0)


def test_8_two_rules_and_one_stall():
    async def main() -> None:
        rules = [Rule(name=name, idle=10, send=name) for name in ("a", "b")]
        async with Told(*rules) as told:
            puppet, _ = await told.child()
            await say(puppet, b"hm\n", 11)
            assert len(told.sent) == 1
            await say(puppet, b"on it\n", 5)
            assert len(told.sent) == 1, "there is no stall any more"
            puppet.end()

    run(main)


def test_8_the_second_has_its_turn_where_the_first_did_not_help():
    async def main() -> None:
        rules = [Rule(name="nudge", idle=10, send="go on"), Rule(name="end", idle=60, action="stop")]
        async with Told(*rules) as told:
            _, child = await told.child()
            await child.wait()
        assert told.sent == [("nudge", "go on"), ("end", "(stop)")]

    run(main)


def test_9_a_burst_makes_no_burst_of_messages():
    async def main() -> None:
        async with Told(Rule(name="r", match="x", send="y", cooldown=60, limit=2)) as told:
            puppet, _ = await told.child()
            for _ in range(300):
                await say(puppet, b"x\n" * 100, 1)
            puppet.end()
        assert puppet.input == b"y\n" * 2
        assert ("r", "limit of 2 reached") in told.suppressed()
        assert len(told.suppressed()) < 20

    run(main)


def test_10_once_for_each_silence():
    async def main() -> None:
        async with Told(Rule(name="nudge", idle=60, send="go on", cooldown=0, limit=None)) as told:
            puppet, _ = await told.child()
            await say(puppet, b"hm\n", 5 * 3600)
            assert len(told.sent) == 1
            await say(puppet, b"back\n", 5 * 3600)
            assert len(told.sent) == 2
            puppet.end()

    run(main)


async def test_11_the_echo_of_an_answer_is_no_question() -> None:
    with trio.fail_after(60):
        rule = Rule(name="r", match="again", send="again", cooldown=0, limit=None, settle=0)
        async with Told(rule) as told:
            code = "import sys, time; print('again'); sys.stdin.readline(); time.sleep(99)"
            await told.aggregator.start(PtyExecutor([sys.executable, "-I", "-c", code], echo=True))
            await trio.sleep(3)
            assert told.sent == [("r", "again")]
            told.aggregator.stop(grace=0)


def test_11_a_loop_ends():
    async def main() -> None:
        class Parrot(Puppet):
            async def write(self, data: bytes) -> None:
                await super().write(data)
                self.post(Send(b"> " + data))

        async with Told(Rule(name="r", match="go", send="go", cooldown=1, limit=10)) as told:
            puppet = Parrot(takes_input=True)
            await told.aggregator.start(puppet)
            await say(puppet, b"go\n", 1000)
            puppet.end()
        assert len(told.sent) <= 10
        assert told.suppressed()

    run(main)


def test_13_a_rule_for_a_child_without_input_is_refused():
    async def main() -> None:
        async with Told(Rule(name="r", match="x", send="y")) as told:
            puppet = Puppet()
            await told.aggregator.start(puppet)
            await say(puppet, b"x\n")
            puppet.end()
        assert told.fates == [("r", "refused", "it takes no input")]

    run(main)


def test_14_a_prompt_that_is_only_quoted_is_not_answered():
    async def main() -> None:
        rule = Rule(name="yes", match=r"Do you want to proceed\? \[y/N\] $", on="tail", send="y")
        async with Told(rule) as told:
            puppet, _ = await told.child()
            await say(puppet, b'the README says: "Do you want to proceed? [y/N] ", then\n')
            await say(puppet, b"Do you want to proceed? [y/N] \n")
            await say(puppet, b"Do you want to proceed? [y/N] is what it ", 3)
            assert puppet.input == b""
            await say(puppet, b"asks\nDo you want to proceed? [y/N] ")
            assert puppet.input == b"y\n"
            puppet.end()

    run(main)


async def test_a_rule_does_not_answer_for_a_password() -> None:
    with trio.fail_after(60):
        rules = [
            Rule(name="r", match=r": $", on="tail", send="y"),
            Rule(name="s", match=r"Secret\? $", on="tail", send="hunter2", secret=True),
        ]
        async with Told(*rules) as told:
            code = 'import getpass; getpass.getpass("Login: "); print(getpass.getpass("Secret? "))'
            child = await told.aggregator.start(PtyExecutor([sys.executable, "-c", code], echo=True))
            await trio.sleep(2)
            assert [fate[1] for fate in told.fates] == ["refused"]
            await child.intervene("x", secret=True)
            await child.wait()
        assert told.sent == [("s", "***")]
        assert b"hunter2" in told.sink.data(child.id)


MENU = r"""
import os, sys, tty
tty.setraw(0)
os.write(1, b"\x1b[?1049h\x1b[2J\x1b[5;3HDo you want\x1b[6;3Hto proceed?\x1b[7;3H> 1. Yes\x1b[8;3H  2. No")
got = b""
while not got.endswith(b"\r"):
    got += os.read(0, 99)
os.write(1, b"\x1b[2J\x1b[?1049lgot " + repr(got).encode() + b"\r\n")
"""


async def test_a_menu_on_a_screen_is_answered_once() -> None:
    with trio.fail_after(60):
        menu = r"Do you want\s+to proceed\?\s+> 1\. Yes\s+2\. No\Z"
        async with Told(Rule(name="r", match=menu, on="screen", keys="1<Enter>", cooldown=0)) as told:
            child = await told.aggregator.start(PtyExecutor([sys.executable, "-I", "-c", MENU], echo=True))
            await child.wait()
        assert told.sent == [("r", "1<Enter>")]
        assert rb"got b'1\r'" in told.sink.data(child.id)


@pytest.mark.parametrize(
    ("before", "sent"), [(r"\x1b[3;1Hrm -r\x1b[3;6Hf /", 0), (r"\x1b[3;1Hrm -rf /\x1b[2J", 1)]
)
async def test_a_veto_is_looked_for_on_the_screen(before: str, sent: int) -> None:
    """Not in the bytes: there it may be gone from the screen for long, or be in pieces."""
    menu = MENU.replace(r"\x1b[2J", r"\x1b[2J" + before, 1)
    with trio.fail_after(60):
        prompt = r"Do you want\s+to proceed\?\s+> 1\. Yes\s+2\. No\Z"
        rule = Rule(name="r", match=prompt, unless="rm -rf /", on="screen", keys="1<Enter>", cooldown=0)
        async with Told(rule) as told:
            child = await told.aggregator.start(PtyExecutor([sys.executable, "-I", "-c", menu], echo=True))
            while not told.fates:  # noqa: ASYNC110 (no event tells of it)
                await trio.sleep(0.02)
            child.stop(grace=0)
        assert len(told.sent) == sent
        assert ("r", "its veto matched") in told.suppressed() or sent


STEADY = """
import os, sys, termios, time, tty
tty.setraw(0, termios.TCSANOW)
os.write(1, b"\\x1b[?1049h\\x1b[2J\\x1b[HProceed?\\x1b[3;1H> 1. Yes")
os.read(0, 99)
for n in range(30):
    if sys.argv[1] == "goes":
        os.write(1, b"\\x1b[1;1H\\x1b[2KWorking\\x1b[3;1H\\x1b[2K%d" % n)
    else:
        os.write(1, b"\\x1b[20;1H%d\\x1b[20;1H\\x1b[2K" % n)
    time.sleep(0.05)
"""


@pytest.mark.parametrize(
    ("what", "fate"),
    [
        ("goes", ("confirmed", "the prompt is gone")),
        ("stays", ("unconfirmed", "it wrote all the time: what it wrote then shows nothing")),
    ],
)
async def test_a_key_is_confirmed_when_the_prompt_has_left_the_screen(what, fate) -> None:
    """An agent asks right after it has said something, so that what it says then is no evidence."""
    with trio.fail_after(60):
        for _ in range(5):
            rule = Rule(name="r", match=r"Proceed\?\s+> 1\. Yes\s*\Z", on="screen", keys="1", limit=1)
            async with Told(rule) as told:
                argv = [sys.executable, "-I", "-c", STEADY, what]
                await (await told.aggregator.start(PtyExecutor(argv, echo=True))).wait()
            assert told.sent == [("r", "1")]
            if told.fates[0][2] != "its output waits for the run":  # else the machine was behind: once more
                break
        assert told.fates[0] == ("r", *fate)


# --- people come first


def test_somebody_who_types_holds_the_rules_back():
    async def main() -> None:
        rule = Rule(name="r", match=r"\? $", on="tail", send="y")
        async with Told(rule) as told:
            puppet, child = await told.child()
            await child.intervene("hello")
            await say(puppet, b"sure? ", 1)
            assert puppet.input == b"hello\n"
            await child.write(b"n\n")
            await say(puppet, b"\nbye\n", 10)
            assert puppet.input == b"hello\nn\n"
            puppet.end()
        assert ("r", "somebody is typing") in told.suppressed()

    run(main)


def test_what_still_stands_when_they_have_stopped_is_answered():
    async def main() -> None:
        async with Told(Rule(name="r", match=r"\? $", on="tail", send="y")) as told:
            puppet, child = await told.child()
            await child.intervene("hello")
            await say(puppet, b"sure? ", 5)
            assert puppet.input == b"hello\ny\n"
            puppet.end()

    run(main)


@pytest.mark.parametrize("answer", [True, False, None, ValueError("no window")])
def test_what_is_to_be_confirmed(answer):
    async def main() -> None:
        async def confirm(child, fired) -> bool:
            await trio.sleep(5)
            if isinstance(answer, Exception):
                raise answer
            return answer

        async with Told(Rule(name="r", match=r"\? $", on="tail", send="y", mode="confirm")) as told:
            told.aggregator.confirm = None if answer is None else confirm
            puppet, _ = await told.child()
            await say(puppet, b"sure? ", 10)
            puppet.end()
        wanted = {"True": [], "False": ["not confirmed"], "None": ["nobody to confirm it"]}.get(
            str(answer), ["nobody could confirm it: ValueError: no window"]
        )
        assert [reason for _, reason in told.suppressed()] == wanted
        assert puppet.input == (b"y\n" if answer is True else b"")

    run(main)


def test_what_was_confirmed_too_late_is_not_sent():
    async def main() -> None:
        async def confirm(child, fired) -> bool:
            await trio.sleep(5)
            return True

        async with Told(Rule(name="r", match=r"\? $", on="tail", send="y", mode="confirm")) as told:
            told.aggregator.confirm = confirm
            puppet, _ = await told.child()
            await say(puppet, b"sure? ", 2)
            await say(puppet, b"\ntimed out: no\n", 10)
            puppet.end()
        assert told.suppressed() == [("r", "it went on meanwhile")]
        assert puppet.input == b""

    run(main)


@pytest.mark.parametrize("mode", ["notify", "off"])
def test_modes_that_do_nothing(mode):
    async def main() -> None:
        async with Told(Rule(name="r", match="x", send="y", mode=mode)) as told:
            puppet, _ = await told.child()
            await say(puppet, b"x\n")
            puppet.end()
        assert puppet.input == b""
        assert told.suppressed() == ([("r", "it only tells: matched 'x'")] if mode == "notify" else [])

    run(main)


def test_the_kill_switch():
    async def main() -> None:
        async with Told(Rule(name="r", match="x", send="y", cooldown=0)) as told:
            puppet, _ = await told.child()
            told.aggregator.rules_paused = True
            await say(puppet, b"x\n")
            told.aggregator.rules_paused = False
            await trio.sleep(5)
            assert puppet.input == b"", "what was passed over stays so"
            await say(puppet, b"x\n")
            assert puppet.input == b"y\n"
            puppet.end()
        assert told.suppressed() == [("r", "the rules are paused")]

    run(main)


def test_no_rule_acts_on_a_child_that_is_being_stopped():
    async def main() -> None:
        async with Told(Rule(name="r", match="x", send="y")) as told:
            puppet = Puppet(takes_input=True, signals="ignore")
            child = await told.aggregator.start(puppet)
            child.stop(grace=5)
            await say(puppet, b"x\n", 3)
            assert puppet.input == b""
            await child.wait()
        assert told.sent == []

    run(main)


# --- functions


def test_a_function_is_called_and_one_that_raises_harms_nobody():
    async def main() -> None:
        calls = []

        async def ask(child, fired) -> None:
            calls.append((child.name, fired.match))
            await child.intervene("from a function")

        def fail(child, fired) -> None:
            raise ValueError("as told")

        rules = [Rule(name="ask", match="x", call=ask), Rule(name="fail", match="x", call=fail)]
        async with Told(*rules) as told:
            puppet, _ = await told.child()
            await say(puppet, b"x\n")
            assert puppet.input == b"from a function\n"
            puppet.end()
        assert calls == [("agent", "x")]
        assert ("ask", "confirmed", "its function was called") in told.fates
        assert ("fail", "refused", "its function raised ValueError: as told") in told.fates

    run(main)


def test_a_slow_function_freezes_nobody():
    async def main() -> None:
        async def slow(child, fired) -> None:
            await trio.sleep(1000)

        rules = [Rule(name="slow", match="x", call=slow), Rule(name="quick", match="y", send="z")]
        async with Told(*rules, gate=4096) as told:
            puppet, _ = await told.child()
            await say(puppet, b"x\n")
            for _ in range(100):
                await say(puppet, b"%01000d\n" % 7, 0.01)
            await say(puppet, b"y\n")
            assert puppet.input == b"z\n"
            assert not puppet.blocked
            puppet.end()

    run(main)


def test_what_a_rule_does_at_the_end_is_done_before_the_run_ends():
    async def main() -> None:
        calls = []

        async def call(child, fired) -> None:
            await trio.sleep(0.2)
            calls.append(child.completed.exit.code)

        rules = [
            Rule(name="failed", exit="failure", call=call),
            Rule(name="fine", exit="success", action="notify"),
        ]
        async with Told(*rules) as told:
            puppet, _ = await told.child()
            puppet.end(3)
        assert calls == [3]
        assert told.fates == [("failed", "confirmed", "its function was called")]
        assert [type(event) for event in told.sink.events][-1] is Delivery
        assert told.sink.of_type(Completed)

    run(main)


def test_the_time_in_which_the_program_was_stopped_is_no_silence():
    async def main() -> None:
        clock = trio.lowlevel.current_clock()
        async with Told(Rule(name="nudge", idle=60, send="go on")) as told:
            puppet, _ = await told.child()
            await say(puppet, b"hm\n", 59)
            clock.jump(3600)  # the machine slept
            await trio.sleep(0.2)
            puppet.post(Send(b"awake\n"))
            await trio.sleep(30)
            assert told.sent == []
            await trio.sleep(40)
            assert told.sent == [("nudge", "go on")]
            puppet.end()

    run(main)


def test_with_a_journal_rules_work_and_all_decisions_are_in_it(tmp_path):
    async def main() -> None:
        puppet = Puppet(takes_input=True)
        rules = [Rule(name="r", match="x", send="y"), Rule(name="n", match="x", action="notify")]
        async with open_aggregator([JournalSink(tmp_path / "j")], rules=rules) as aggregator:
            await aggregator.start(puppet, name="a")
            await say(puppet, b"x\n")
            puppet.end()
        assert puppet.input == b"y\n"

    trio.run(main)
    with JournalReader(tmp_path / "j") as journal:
        events = [*journal.events()]
    assert [event.rule for event in events if isinstance(event, Intervention)] == ["r"]
    assert sorted(event.rule for event in events if isinstance(event, Delivery)) == ["n", "r"]


def test_without_a_rule_there_is_no_rulebook():
    program = """
import sys, trio
from axiom_trio import open_aggregator
async def main():
    async with open_aggregator([]) as aggregator:
        assert aggregator._rulebook is None
trio.run(main)
print([name for name in sys.modules if "rulebook" in name])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

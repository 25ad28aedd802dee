"""The command line of spawn: what is understood, and what is refused in one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from axiom_trio.cli.options import parse
from axiom_trio.cli.spawn_options import SPAWN_HELP, SpawnOptions
from axiom_trio.cli.tasks import UsageError


def parsed(*words: str) -> SpawnOptions:
    options = parse(["spawn", *words], {})
    assert isinstance(options, SpawnOptions)
    return options


def test_a_prompt_is_enough() -> None:
    options = parsed("do it")
    assert options.plan.document() == {
        "prompt": "do it",
        "spawnPattern": "parallel",
        "spawnCount": 3,
        "maxDepth": 3,
        "subtasks": [{"prompt": "do it"}] * 3,
    }
    assert (options.agent, options.terminals, options.execute, options.detach) == (
        "claude",
        None,
        True,
        False,
    )
    assert (options.prefix, options.output, options.verb) == ("[{name} {id}]", "lines", "spawn")


def test_its_options() -> None:
    options = parsed(
        *("--pattern", "recursive", "--count", "2", "--max-depth=1", "-a", "codex -m x", "--worktree"),
        *("--keep-going", "--no-interactive", "-j2", "--grace", "1s", "--on", "a => b", "--", "-do it"),
    )
    assert (options.plan.prompt, options.plan.count, options.plan.max_depth) == ("-do it", 2, 1)
    assert (options.agent, options.terminals, options.worktree) == ("codex -m x", False, True)
    assert (options.keep_going, options.jobs, options.grace, len(options.rules)) == (True, 2, 1.0, 1)
    assert [t.prompt for t in parsed("--subtask", "a", "--subtask", "b", "x").plan.subtasks] == ["a", "b"]
    assert parsed("--json", "x").output == "jsonl"
    assert parsed("--detach", "x").output == "none"
    assert parsed("--interactive", "x").terminals is True


def test_a_plan_and_a_prompt_may_be_in_files(tmp_path: Path) -> None:
    (tmp_path / "prompt").write_text("do\nthis\n")
    assert parsed("-f", str(tmp_path / "prompt")).plan.prompt == "do\nthis\n"
    plan = parsed("--pattern", "sequential", "--subtask", "a", "--subtask", "b", "all").plan
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan.document()))
    assert parsed("--plan", str(file)).plan == plan
    assert parsed("--plan", str(file), "--pattern", "parallel", "other").plan.prompt == "other"
    file.write_text(json.dumps(parsed("--pattern", "decompose", "x").plan.document()))
    assert parsed("--plan", str(file)).plan.subtasks == ()
    file.write_text('["a", {"name": "n", "prompt": "b"}]')
    assert [t.name for t in parsed("--plan", str(file), "x").plan.subtasks] == [None, "n"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "say what is to be done: axiom-trio spawn 'Find the bug in parse.py'"),
        (["a", "b"], "there are 2 words where one PROMPT should be; put it in quotes"),
        ([""], "the prompt is empty: say what is to be done"),
        (["--count", "0", "x"], "--count is 0: it must be from 1 to 10"),
        (["--count", "11", "x"], "--count is 11: it must be from 1 to 10"),
        (["--count", "two", "x"], "--count: 'two' is not a whole number"),
        (["--max-depth", "6", "x"], "--max-depth is 6: it must be from 1 to 5"),
        (["--pattern", "decompos", "x"], "there is no pattern 'decompos'; it must be parallel, sequential, decompose, recursive; did you mean decompose?"),
        (["--subtask", "a", "--count", "2", "x"], "--count is 2, but there are 1 subtasks: leave it out"),
        (["--subtask", " ", "x"], "--subtask: it must not be empty"),
        (["--interactive", "--no-interactive", "x"], "--interactive and --no-interactive exclude each other; give one of them"),
        (["--detach", "--no-execute", "x"], "--detach and --no-execute exclude each other; give one of them"),
        (["--detach", "--output", "raw", "x"], "--detach shows nothing: leave out --output; axiom-trio logs prints it"),
        (["--detach", "--listen", "0", "x"], "--detach has no page, as nobody is told its address: leave out --listen"),
        (["--allow-host", "a.example", "x"], "allow-host says who may ask for the page; give --listen PORT too"),
        (["--json", "--output", "raw", "x"], "--json and --output raw exclude each other; give one of them"),
        (["--plan", "-", "-f", "-"], "--plan and --file can't both be read from standard input"),
        (["-f", "nowhere", "x"], "the prompt is given twice: leave out PROMPT or --file"),
        (["-f", "nowhere"], "cannot read nowhere: No such file or directory"),
        (["--fsync", "never", "x"], "fsync says how a journal is written; give --journal DIR too"),
        (["--patern", "x"], "there is no option --patern; did you mean --pattern?"),
        (["--pty", "x"], "there is no option --pty; axiom-trio spawn --help lists all"),
        (["--agent"], "--agent needs a value after it; axiom-trio spawn --help shows which"),
        (["--plan", "PLAN", "--subtask", "a", "x"], "the subtasks are given twice: leave out --plan or --subtask"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_said_in_a_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        parsed(*words)
    assert str(raised.value).startswith(f"axiom-trio spawn: {sentence}")


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("{", "it is not valid JSON"),
        ("[" * 100_000, "it is not valid JSON"),
        ("7", "there is no plan in it"),
        ('{"subtasks": [7]}', "subtask 1 has no prompt"),
        (json.dumps({"subtasks": ["a"], "prompt": 7}), "prompt is no string"),
        (json.dumps({"subtasks": ["a"], "spawnCount": True}), "spawnCount is no whole number"),
    ],
)
def test_bad_plans(document: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(document)
    with pytest.raises(UsageError, match="--plan .*plan.json: ") as raised:
        parsed("--plan", str(file), "x")
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_plans_own_numbers_are_named_as_it_names_them(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"prompt": "x", "subtasks": ["a"], "spawnCount": 11}))
    with pytest.raises(UsageError, match="spawnCount is 11"):
        parsed("--plan", str(file))


def test_the_help_names_every_option() -> None:
    from axiom_trio.cli.config import SETTINGS
    from axiom_trio.cli.spawn_options import _FILES, _NOT_OURS, _OWN

    assert parse(["spawn", "--help"], {}) == SPAWN_HELP
    for name in {*SETTINGS, *_OWN, *_FILES} - {*_NOT_OURS} | {*_OWN}:
        assert f"--{name}" in SPAWN_HELP, name
    assert all(len(line) <= 79 for line in SPAWN_HELP.split("\n"))
    hint: Any = parse(["--help"], {})
    assert "axiom-trio spawn" in hint


def test_it_is_read_before_trio_is_imported() -> None:
    code = (
        "import sys; from axiom_trio.cli.options import parse; "
        "parse(['spawn', '--help'], {}); parse(['spawn', 'x'], {}); print('trio' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"

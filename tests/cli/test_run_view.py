"""What `axiom-trio run` shows of lines, and what it says of its own."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from axiom_trio import TaskMetadata
from axiom_trio.cli.banner import banner
from axiom_trio.cli.options import parse
from tests.commands import ROOT, Terminal, axiom, command, hex_script

LINES = "printf 'one\\nERROR two\\nthree\\n'"


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (("--include", "o"), ["one", "ERROR two"]),
        (("--include", "^o|two$"), ["one", "ERROR two"]),
        (("--exclude", "ERROR"), ["one", "three"]),
        (("--include", "e", "--exclude", "^one"), ["three"]),
        (("--include", "[name]"), ["one", "three"]),  # the prefix is no part of the line
        (("--highlight", "t"), ["one", "ERROR two", "three"]),  # there's no colour
    ],
)
def test_only_lines_that_are_asked_for(options: tuple[str, ...], shown: list[str]) -> None:
    result = axiom("-q", "-n", "a", *options, LINES)
    assert result.stdout.decode().splitlines() == [f"[a] {line}" for line in shown]


def test_lines_that_come_in_pieces_pass_whole() -> None:
    child = hex_script(b"ERR", 200, b"OR one\nfi", 200, b"ne\nERRO", 200, b"R last")
    result = axiom("-q", "-n", "a", "--include", "ERROR", child)
    assert result.stdout == b"[a] ERROR one\n[a] ERROR last\n"
    assert axiom("-q", "-n", "a", "--exclude", "ERROR", child).stdout == b"[a] fine\n"


def test_marked_where_there_is_colour() -> None:
    result = axiom("-q", "-p", "", "--color", "always", "--highlight", "tw", LINES)
    assert b"ERROR \x1b[7mtw\x1b[27mo\n" in result.stdout
    with Terminal("-q", "-p", "", "--highlight", "tw", LINES) as terminal:
        assert b"ERROR \x1b[7mtw\x1b[27mo" in terminal.finish().stdout


def test_they_change_the_view_only(tmp_path: Path) -> None:
    files, journal = tmp_path / "files", tmp_path / "journal"
    filtered = ("--include", "nothing", "--files", str(files), "--journal", str(journal))
    assert axiom("-q", "-n", "a", *filtered, LINES).stdout == b""
    assert (files / "a.log").read_bytes() == b"one\nERROR two\nthree\n"
    assert b"ERROR two" in b"".join(path.read_bytes() for path in journal.rglob("*") if path.is_file())
    events = axiom("-q", "--include", "nothing", "--output", "jsonl", LINES).stdout.splitlines()
    assert any("ERROR two" in json.loads(event)["data"].get("text", "") for event in events)
    assert axiom("-q", "-n", "a", "--include", "one", "--output", "grouped", LINES).stdout == b"[a] one\n"


@pytest.mark.parametrize(
    ("metadata", "environ", "said"),
    [
        ([None, None], {}, "▶ 2 children · 1 at once"),
        ([None, None], {"AXIOM_TASK_ID": "0123456789"}, "▶ 2 children of 01234567 · 1 at once"),
        (
            [
                TaskMetadata(parent="plan", pattern="decompose"),
                TaskMetadata(parent="plan", pattern="decompose"),
            ],
            {"AXIOM_TASK_ID": "0123456789"},
            "▶ 2 children of plan · decompose · 1 at once",
        ),
        (
            [TaskMetadata(parent="a", pattern="x\x1b[2J"), TaskMetadata(parent="b", pattern="parallel")],
            {},
            "▶ 2 children of 2 parents · x^[[2J · parallel · 1 at once",
        ),
        ([TaskMetadata(pattern="parallel"), None], {}, "▶ 2 children · parallel · 1 at once"),
    ],
)
def test_the_banner_names_parent_and_pattern(
    metadata: list[TaskMetadata | None], environ: dict[str, str], said: str
) -> None:
    options = parse(["run", "-j", "1", "true", "false"], {})
    for task, known in zip(options.tasks, metadata, strict=True):
        task.metadata = known
    assert banner(options, environ) == said


def test_a_run_within_a_run_names_the_child_that_it_is_in() -> None:
    with Terminal(
        "--color", "never", "-n", "outer", f"{shlex.join(command('true'))}; echo id=$AXIOM_TASK_ID"
    ) as terminal:
        text = terminal.finish().stdout.decode()
    name = re.search("id=(.{8})", text)
    assert name is not None
    assert f"▶ 1 child of {name[1]}" in text
    assert text.startswith("▶ 1 child\r\n")


@pytest.mark.parametrize("option", ["--include", "--exclude", "--highlight"])
def test_what_is_no_regular_expression(option: str) -> None:
    result = axiom(option, "(", "true")
    assert result.status == 2
    assert result.stderr.startswith(f"axiom-trio run: {option}: '(' is no regular expression: ")


def test_a_block_at_the_end_where_asked_for() -> None:
    result = axiom("--timings", "-n", "a,long", "echo x", "exit 3")
    assert result.status == 1
    block = result.stderr[result.stderr.index("ALL TASKS") :].splitlines()
    assert re.fullmatch(
        r"ALL TASKS COMPLETED  2 children · 1 failed · 1 line · 2 B · 0 interventions · \d\.\d s", block[0]
    )
    assert re.fullmatch(r"  ✓ \[a\] +\d\.\d s   1 line  exit 0", block[1])
    assert re.fullmatch(r"  ✗ \[long\] +\d\.\d s  0 lines  exit 3", block[2])


def test_elsewhere_failures_and_a_line() -> None:
    result = axiom("-n", "a,b", "echo x", "exit 3")
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r"✗ \[b\] Failed: exit 3 \(\d\.\d s\)", lines[0])
    assert re.fullmatch(r"✗ 1 of 2 failed in \d\.\d s: b \(exit 3\)", lines[1])
    assert axiom("-q", "exit 3").stderr == ""


def test_on_a_terminal_all_is_told_after_the_last_words_and_what_failed_is_shown_again() -> None:
    last = "; ".join(f"echo line {n}" for n in range(30))
    with Terminal("--color", "never", "-n", "good,bad", "echo fine", f"{last}; exit 3") as terminal:
        text = terminal.finish().stdout.decode().replace("\r\n", "\n")
    assert text.startswith("▶ 2 children\n")
    assert text.index("[good] fine") < text.index("✓ [good] Completed (")
    assert text.index("[bad] line 29") < text.index("✗ [bad] Failed: exit 3 (")
    tail = text[
        text.index("✗ [bad] Failed: exit 3; its last 20 lines:\n") : text.index("ALL TASKS COMPLETED")
    ]
    assert tail.splitlines()[1:] == [f"  │ line {n}" for n in range(10, 30)]
    assert text.index("ALL TASKS COMPLETED") > text.index("its last 20 lines")


def test_a_tail_cannot_drive_the_terminal() -> None:
    with Terminal("--color", "never", "printf 'a\\033]0;t\\007\\033[2Jb\\rc\\n'; exit 3") as terminal:
        text = terminal.finish().stdout
    assert b"\x1b" not in text
    assert b"\x07" not in text


def test_a_name_is_coloured_as_its_prefix() -> None:
    with Terminal("-n", "a,longer-name", "-l", "6", "true", "exit 3") as terminal:
        text = terminal.finish().stdout.decode()
    assert "✓\x1b[0m \x1b[36m[a]\x1b[0m Completed" in text
    assert "✗\x1b[0m \x1b[33m[lon…me]\x1b[0m Failed: exit 3" in text


def test_through_pipes_nothing_of_the_view_is_imported() -> None:
    code = (
        "import os, sys; real = os._exit\n"
        "def leave(status):\n"
        "    names = ' '.join(sorted(sys.modules))\n"
        "    os.write(2, names.encode()); real(status)\n"
        "os._exit = leave\n"
        "from axiom_trio.cli import main; sys.argv = ['axiom-trio', 'run', '-q', 'true']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    loaded = done.stderr.split()
    assert "axiom_trio.sinks.console" in loaded
    heavy = (
        "rich",
        "pyte",
        "axiom_trio.terminal",
        "axiom_trio.sansio.progress",
        "axiom_trio.sansio.linefilter",
    )
    assert [name for name in loaded if name.startswith((*heavy, "axiom_trio.sansio.screen"))] == []

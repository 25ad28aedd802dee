"""The command line of `run`: what each option becomes, what is refused, and what is not imported."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import axiom_trio
from axiom_trio.cli.options import RunOptions, parse
from axiom_trio.cli.run_help import RUN_HELP
from axiom_trio.cli.settings import SETTINGS
from axiom_trio.cli.tasks import UsageError
from axiom_trio.cli.verb_options import HELP

DEFAULTS = {slot: getattr(RunOptions([]), slot) for slot in RunOptions.__slots__ if slot != "tasks"}


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str, **environ: str) -> RunOptions:
    options = parse(["run", *words], environ)
    assert isinstance(options, RunOptions)
    return options


def changed(options: RunOptions) -> dict[str, Any]:
    """The settings that differ from the defaults."""
    return {slot: value for slot in DEFAULTS if (value := getattr(options, slot)) != DEFAULTS[slot]}


def refused(*words: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse(words, {})
    assert str(caught.value).isprintable()
    return str(caught.value)


def names(options: RunOptions) -> list[str]:
    return [task.name for task in options.tasks]


def test_defaults() -> None:
    options = run("make a", "sleep 1", "sleep 2")
    assert changed(options) == {}
    assert names(options) == ["make", "sleep", "sleep-2"]
    assert DEFAULTS["prefix"] == "[{name}]"
    assert (DEFAULTS["grace"], DEFAULTS["stats_interval"], DEFAULTS["flush_interval"]) == (5, 5, 0)


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        ("-p {index}:{pid}", {"prefix": "{index}:{pid}"}),
        ("--prefix={{{name}}}{time}{id}", {"prefix": "{{{name}}}{time}{id}"}),
        ("-p ", {"prefix": ""}),
        ("-l 3", {"prefix_length": 3}),
        ("-l3", {"prefix_length": 3}),
        ("-l=3", {"prefix_length": 3}),
        ("--prefix-length 3", {"prefix_length": 3}),
        ("--pad", {"pad": True}),
        ("-T", {"timestamps": True}),
        ("--timestamps", {"timestamps": True}),
        ("--color always", {"color": "always"}),
        ("--color=never", {"color": "never"}),
        ("--pty", {"pty": True}),
        ("--pipe", {"pty": False}),
        ("--stderr split", {"stderr": "split"}),
        ("--stdin pipe", {"stdin": "pipe"}),
        ("--output grouped", {"output": "grouped"}),
        ("--output jsonl --output raw", {"output": "raw"}),
        ("--escapes none", {"escapes": "none"}),
        ("-j 4", {"jobs": 4}),
        ("--grace 0", {"grace": 0.0}),
        ("--grace 500ms", {"grace": 0.5}),
        ("--halt now,fail=20%", {"halt": "now,fail=20%"}),
        ("--halt soon,success=2", {"halt": "soon,success=2", "success": "any"}),
        ("--halt soon,success=2 -s all", {"halt": "soon,success=2"}),
        ("-k", {"halt": "now,done=1"}),
        ("--kill-others", {"halt": "now,done=1"}),
        ("--kill-others-on-fail", {"halt": "now,fail=1"}),
        ("-s first", {"success": "first"}),
        ("--retries 3", {"retries": 3}),
        ("--restart-after 2s", {"restart_after": 2.0}),
        ("--restart-after exponential", {"restart_after": "exponential"}),
        ("--restart-window 1m", {"restart_window": 60.0}),
        ("--timeout 1h --timeout 0", {}),
        ("--timeout 1h", {"timeout": 3600.0}),
        ("--idle-warn 0", {"idle_warn": None}),
        ("--idle-timeout 500ms", {"idle_timeout": 0.5}),
        ("--stats-interval 0", {"stats_interval": 0.0}),
        ("--summary s.json", {"summary": "s.json"}),
        ("--joblog j", {"joblog": "j"}),
        ("--files d", {"files": "d"}),
        ("--journal j", {"journal": "j"}),
        ("--journal j --pace console --fsync=never", {"journal": "j", "pace": "console", "fsync": "never"}),
        ("--journal-size 2M --journal j", {"journal": "j", "journal_size": 2 << 20}),
        ("--buffer-size 1000", {"buffer_size": 1000}),
        ("--buffer-size 64k", {"buffer_size": 65536}),
        ("--buffer-size 64K", {"buffer_size": 65536}),
        ("--buffer-size 64KiB", {"buffer_size": 65536}),
        ("--buffer-size 1M", {"buffer_size": 1 << 20}),
        ("--buffer-size 2MiB", {"buffer_size": 2 << 20}),
        ("--buffer-size 1g", {"buffer_size": 1 << 30}),
        ("--buffer-size 10b", {"buffer_size": 10}),
        ("--flush-interval 5ms", {"flush_interval": 0.005}),
        ("-q", {"quiet": True}),
        ("-Tqj4", {"timestamps": True, "quiet": True, "jobs": 4}),
        ("-Tqj 4", {"timestamps": True, "quiet": True, "jobs": 4}),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_options_stand_anywhere_among_commands(words: str, settings: dict[str, Any], place: int) -> None:
    commands = ["make a", "ls"]
    options = run(*commands[:place], *words.split(" "), *commands[place:])
    assert changed(options) == settings
    assert [task.command for task in options.tasks] == commands


def test_double_dash_ends_options() -> None:
    assert [task.command for task in run("-T", "--", "-x", "--", "--pad").tasks] == ["-x", "--", "--pad"]
    assert [task.command for task in run("--", "-x {}", ":::", "1").tasks] == ["-x 1"]


def test_arguments() -> None:
    options = run("-j2", "echo {}", "-n", "first", ":::", "a b", "-T", "--help", "--", "-T")
    assert [task.command for task in options.tasks] == [
        "echo 'a b'",
        "echo -T",
        "echo --help",
        "echo --",
        "echo -T",
    ]
    assert names(options) == ["first", "-T", "--help", "--", "-T-2"]
    assert changed(options) == {"jobs": 2}
    assert run("-p", ":::", "echo").prefix == ":::"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("a,b,c", ["a", "b", "c"]),
        ("a", ["a", "sleep", "sleep-2"]),
        ("a, b", ["a", "b", "sleep"]),
        (",sleep,", ["sleep-2", "sleep", "sleep-3"]),
        ("a,a", ["a", "a-2", "sleep"]),
        ("\x1b[2J", ["^[[2J", "sleep", "sleep-2"]),
    ],
)
def test_names(text: str, result: list[str]) -> None:
    assert names(run("-n", text, "sleep 1", "sleep 2", "sleep 3")) == result


@pytest.mark.parametrize(
    ("words", "environ", "color"),
    [
        ([], {}, "auto"),
        ([], {"NO_COLOR": "1"}, "never"),
        ([], {"NO_COLOR": ""}, "auto"),
        ([], {"FORCE_COLOR": "1"}, "always"),
        ([], {"FORCE_COLOR": "0"}, "never"),
        ([], {"FORCE_COLOR": ""}, "auto"),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, "never"),
        ([], {"TERM": "dumb"}, "never"),
        ([], {"TERM": "dumb", "FORCE_COLOR": "1"}, "always"),
        (["--color", "always"], {"TERM": "dumb"}, "always"),
        (["--color", "always"], {"NO_COLOR": "1"}, "always"),
        (["--color", "auto"], {"NO_COLOR": "1"}, "auto"),
        (["--color", "never"], {"FORCE_COLOR": "1"}, "never"),
    ],
)
def test_color(words: list[str], environ: dict[str, str], color: str) -> None:
    assert run("x", *words, **environ).color == color


def test_debug_means_timestamps() -> None:
    assert run("x", DEBUG="1").timestamps
    assert not run("x", DEBUG="").timestamps


def test_file_and_commands_are_joined(empty_directory: Path) -> None:
    (empty_directory / "cmds").write_text("make a\nmake b\n")
    options = run("make c", "-f", "cmds", "-n", "x")
    assert [task.command for task in options.tasks] == ["make a", "make b", "make c"]
    assert names(options) == ["x", "make", "make-2"]
    assert [task.command for task in run("echo", "--file=cmds", ":::", "1").tasks][2:] == ["echo 1"]


def test_axiom_toml_is_used_when_nothing_else_is_asked(empty_directory: Path) -> None:
    (empty_directory / "axiom.toml").write_text(
        "[run]\njobs = 4\npty = true\ncolor = 'always'\ntimestamps = false\nnames = 'x'\n"
        "[tasks.a]\ncommand = 'make'\n[tasks.b]\ncommand = ['ls']\n"
    )
    options = run()
    assert changed(options) == {"jobs": 4, "pty": True, "color": "always"}
    assert names(options) == ["x", "b"]
    options = run("-j", "2", "--pipe", "-n", "y,z", DEBUG="1", NO_COLOR="1")
    assert changed(options) == {"jobs": 2, "pty": False, "color": "never", "timestamps": True}
    assert names(options) == ["y", "z"]
    assert changed(run("make")) == {}


def test_a_file_of_settings_only(empty_directory: Path) -> None:
    (empty_directory / "axiom.toml").write_text("[run]\njobs = 4\n")
    assert refused("run") == "axiom-trio run: nothing to run: axiom.toml has no commands"
    assert run("-f", "axiom.toml", "make").jobs == 4


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "nothing to run: give a COMMAND, or -f FILE, or have an axiom.toml here"),
        (["-T"], "nothing to run: give a COMMAND"),
        (["x", ""], "a COMMAND is empty"),
        (["-"], "- is no COMMAND; to read commands from standard input, write -f -"),
        (["--namse", "a"], "there is no option --namse; did you mean --names?"),
        (["--prefix-len", "3"], "there is no option --prefix-len; did you mean --prefix-length?"),
        (["--colour=auto"], "there is no option --colour; did you mean --color?"),
        (["--zzz"], "there is no option --zzz; axiom-trio run --help lists all"),
        (["--="], "there is no option --; axiom-trio run --help lists all"),
        (["ls", "--zzz"], "there is no option --zzz; if it is part of a command, quote that command"),
        (["-x"], "there is no option -x; axiom-trio run --help lists all"),
        (["ls", "-x"], "there is no option -x; if it is part of a command, quote that command"),
        (["-Tx"], "there is no option -x; "),
        (["-pty", "x"], "there is no option -pty; did you mean --pty?"),
        (["--\x1b[2J\n"], "there is no option --^[[2J^J; "),
        (["--halt", "now"], "--halt: 'now' is no halt policy; write never, or such as soon,fail=1"),
        (["-k", "--halt", "never"], "--halt and --kill-others exclude each other; give one of them"),
        (["-s", "", "x"], "--success: '' is not all, any, first or last, nor the name of a child"),
        (["-s", "b", "x"], "--success: 'b' is not all, any, first or last, nor the name of a child"),
        (["--retries", "-1"], "--retries: '-1' is not a whole number"),
        (["--restart-after", "fast"], "--restart-after: 'fast' is not a duration; "),
        (["--timeout", "soon"], "--timeout: 'soon' is not a duration; "),
        (["--listen=http"], "--listen: 'http' is no PORT or HOST:PORT, such as 8080"),
        (["--listen", "::1:80"], "--listen: '::1:80': an address with colons stands in brackets"),
        (["--listen", "65536"], "--listen: '65536' is no PORT or HOST:PORT"),
        (["--allow-host", "a/b", "--listen", "0"], "--allow-host: 'a/b' is no HOST or HOST:PORT"),
        (["--allow-host", "a", "x"], "allow-host says who may ask for the page; give --listen PORT too"),
        (["--listen-anywhere", "x"], "listen-anywhere says who may ask for the page; give --listen PORT too"),
        (["-T=3"], "-T takes no value, so leave out '3'"),
        (["--pad=yes"], "--pad takes no value, so leave out 'yes'"),
        (["x", "-j"], "-j needs a value after it; axiom-trio run --help shows which"),
        (["x", "--names"], "--names needs a value after it"),
        (["-j", "-T"], "-j: '-T' is not a whole number of at least 1"),
        (["-j", "0"], "-j: '0' is not a whole number of at least 1"),
        (["-j", "²"], "-j: '²' is not a whole number of at least 1"),
        (["-j", "9" * 5000], "-j: '999"),
        (["--prefix-length=x"], "--prefix-length: 'x' is not a whole number of at least 1"),
        (["--color", "alway"], "--color: 'alway' is not one of auto, always, never; did you mean always?"),
        (["--output", "x"], "--output: 'x' is not one of lines, grouped, raw, jsonl, none"),
        (["--stderr", "null"], "--stderr: 'null' is not one of join, split"),
        (["--stdin", "tty"], "--stdin: 'tty' is not one of null, pipe"),
        (["--escapes", "all"], "--escapes: 'all' is not one of color, none, raw"),
        (
            ["-p", "{nam}"],
            "-p: {nam} is no field of a prefix; the fields are {name} {id} {index} {pid} {time}",
        ),
        (["-p", "{}"], "-p: {} is no field of a prefix; "),
        (["-p", "{name.x}"], "-p: {name.x} is no field of a prefix; "),
        (["-p", "{name:>9}"], "-p: the field {name} takes no format; "),
        (["-p", "{name!r}"], "-p: the field {name} takes no format; "),
        (["-p", "[{name]"], "-p: '[{name]' has a lone brace; write {{ or }} for one, "),
        (["-p", "}"], "-p: '}' has a lone brace; "),
        (["-p", "a\nb"], "-p: a prefix can't contain a line break"),
        (["--grace", "5 parsecs"], "--grace: '5 parsecs' is not a duration; write 500ms, 10s, 1.5m, 2h or "),
        (["--flush-interval=-1"], "--flush-interval: '-1' is not a duration; "),
        (
            ["--buffer-size", "64KB"],
            "--buffer-size: '64KB' is not a size; write bytes, or 64k, 64KiB, 1M, 1MiB",
        ),
        (["--buffer-size", "0"], "--buffer-size: '0' is not a size; "),
        (["--buffer-size", "k"], "--buffer-size: 'k' is not a size; "),
        (["--buffer-size", "1.5M"], "--buffer-size: '1.5M' is not a size; "),
        (["--buffer-size", "1kk"], "--buffer-size: '1kk' is not a size; "),
        (["--summary", ""], "--summary: '' is no file name"),
        (["--journal", "", "x"], "--journal: '' is no file name"),
        (["--pace", "journal", "x"], "pace says how a journal is written; give --journal DIR too"),
        (["--fsync", "interval", "x"], "fsync says how a journal is written; give --journal DIR too"),
        (["--fsync", "sometimes"], "--fsync: 'sometimes' is not one of never, interval, always"),
        (["--journal-size", "0"], "--journal-size: '0' is not a size; "),
        (["--pty", "--pipe", "x"], "--pty and --pipe exclude each other; give one of them"),
        (["-i", "--no-interactive", "x"], "--interactive and --no-interactive exclude each other; give one"),
        (["-f", "a", "-f", "b"], "-f takes the name of one file, and may stand only once"),
        (["-f", ""], "-f: '' is no file name"),
        (
            ["--mask-file", "a", "--mask-file", "b", "x"],
            "--mask-file takes the name of one file, and may stand only",
        ),
        (["-f", "nix"], "cannot read nix: No such file or directory"),
        (["-n", "a,b,c", "x", "y"], "there are 3 names for 2 tasks; leave out 1"),
        (["x", "y", ":::", "a"], "::: needs exactly one COMMAND before it, not 2"),
        ([":::", "a"], "::: needs exactly one COMMAND before it, not 0"),
        (["x", ":::"], "::: has no arguments after it"),
    ],
)
def test_refuse(words: list[str], sentence: str) -> None:
    assert refused("run", *words).startswith(f"axiom-trio run: {sentence}")


def test_the_top() -> None:
    assert parse(["-h"], {}) == parse(["--help"], {}) == HELP
    version = parse(["--version"], {})
    assert isinstance(version, str)
    assert version.startswith("axiom-trio")
    assert refused().startswith("axiom-trio: say what to do")
    assert refused("make").startswith("axiom-trio: there is no 'make'; to run commands: axiom-trio run")


def test_help_is_whole_and_narrow() -> None:
    for words in (["-h"], ["--help"], ["x", "-Th"], ["--help", "--zzz"], ["-f", "nix", "--help"]):
        assert parse(["run", *words], {}) == RUN_HELP
    for name, (short, _) in SETTINGS.items():
        assert f"--{name}" in RUN_HELP
        assert not short or f"-{short}, --{name}" in RUN_HELP
    assert max(map(len, f"{RUN_HELP}\n{HELP}".splitlines())) <= 79
    assert RUN_HELP.isascii()


def test_help_examples_work(empty_directory: Path) -> None:
    import shlex

    (empty_directory / "Procfile").write_text("web: x\n")
    examples = [line for line in RUN_HELP.splitlines() if line.startswith("  axiom-trio run ")]
    assert len(examples) == 4
    for example in examples:
        words = shlex.split(example.partition(" | ")[0])
        assert isinstance(parse(words[1:], {}), RunOptions)


@given(st.lists(st.text(max_size=6) | st.sampled_from(["-n", "-p", "--", ":::", "-T", "{}"]), max_size=6))
def test_any_words_are_understood_or_refused(words: list[str]) -> None:
    if any("f" in word for word in words):  # reads a file, or standard input
        return
    with suppress(UsageError):
        assert parse(["run", *words], {})


def test_a_plain_command_line_imports_next_to_nothing() -> None:
    code = (
        "import os, sys; before = {*sys.modules}\n"
        "from axiom_trio.cli.options import parse\n"
        "parse(['run', '-n', 'a', '--grace', '5s', 'make'], {}); parse(['run', '--help'], {})\n"
        "print(*sorted(name for name in {*sys.modules} - before if not name.startswith('axiom_trio')))"
    )
    root = Path(axiom_trio.__file__).parents[1]
    command = [sys.executable, "-S", "-c", code]
    shown = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert {*shown.stdout.split()} <= {"__future__", *sys.builtin_module_names}


def test_who_is_to_be_written_to_has_an_input(empty_directory: Path) -> None:
    assert changed(run("-i", "x")) == {"interactive": True, "stdin": "pipe"}
    assert changed(run("--stdin", "null", "-i", "x")) == {"interactive": True}
    assert changed(run("--no-interactive", "x")) == {"interactive": False}
    file = empty_directory / "axiom.toml"
    file.write_text('[run]\ninteractive = true\nstdin = "null"\n[tasks.a]\ncommand = "x"\n')
    assert changed(run()) == {"interactive": True}
    assert changed(run("--no-interactive")) == {"interactive": False}
    file.write_text('[run]\ninteractive = true\nno-interactive = true\n[tasks.a]\ncommand = "x"\n')
    assert "exclude each other" in refused("run")


def test_stdin_is_read_by_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x\n")))
    assert "-i reads standard input" in refused("run", "-i", "-f", "-")

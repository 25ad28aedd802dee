"""Task lists: commands, `:::`, and each form of file, with the sentence for each mistake."""

from __future__ import annotations

import io
import os
import shlex
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.cli.tasks import TaskSpec, UsageError, from_arguments, from_commands, from_file, name_tasks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WriteFile = Callable[[str, str | bytes], str]


@pytest.fixture
def write_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteFile:
    monkeypatch.chdir(tmp_path)

    def write(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    return write


def brief(tasks: list[TaskSpec]) -> list[tuple[str, str | list[str]]]:
    return [(task.name, task.command) for task in tasks]


def refused(path: str) -> str:
    with pytest.raises(UsageError) as caught:
        from_file(path)
    sentence = str(caught.value)
    assert sentence.startswith("axiom-trio run: ")
    assert sentence.isprintable()
    return sentence.removeprefix("axiom-trio run: ")


def test_commands() -> None:
    assert brief(from_commands(["sleep 1", "A=1 ./x"])) == [("sleep", "sleep 1"), ("x", "A=1 ./x")]
    for empty in ("", "  \n"):
        with pytest.raises(UsageError, match="COMMAND is empty"):
            from_commands(["true", empty])


@pytest.mark.parametrize(
    ("template", "argument", "command"),
    [
        ("echo {}", "a", "echo a"),
        ("echo", "a", "echo a"),
        ("cp {} {}.bak", "my file", "cp 'my file' 'my file'.bak"),
        ("echo", "$(rm x); 'q'", "echo '$(rm x); '\"'\"'q'\"'\"''"),
        ("echo {}", "{}", "echo '{}'"),
        ("echo {}", "", "echo ''"),
        ("echo {name}", "x", "echo {name} x"),
    ],
)
def test_arguments(template: str, argument: str, command: str) -> None:
    assert brief(from_arguments([template], [argument])) == [(argument or "echo", command)]


@given(st.lists(st.text().filter(lambda text: text != ":::"), min_size=1))
def test_arguments_come_back_from_the_shell_line(arguments: list[str]) -> None:
    tasks = from_arguments(["run x{} -- {}"], arguments)
    words = [shlex.split(str(task.command)) for task in tasks]
    assert words == [["run", f"x{argument}", "--", argument] for argument in arguments]


@pytest.mark.parametrize(
    ("templates", "arguments", "sentence"),
    [
        ([], ["a"], "exactly one COMMAND before it, not 0"),
        (["a", "b"], ["c"], "exactly one COMMAND before it, not 2"),
        (["a"], [], "no arguments after it"),
        (["a"], ["b", ":::", "c"], "only once"),
        ([" "], ["b"], "COMMAND is empty"),
    ],
)
def test_arguments_refused(templates: list[str], arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        from_arguments(templates, arguments)


LINES = b"\xef\xbb\xbf# head\r\nsleep 1\r\n\r\n   # more\n  make a\x0b b # kept\n\xe2\x80\xa8echo \xc3\xa4"


def test_file_of_lines(write_file: WriteFile) -> None:
    tasks, settings = from_file(write_file("cmds", LINES))
    assert brief(tasks) == [("sleep", "sleep 1"), ("make", "make a\x0b b # kept"), ("echo", "echo ä")]
    assert settings == {}
    assert from_file(write_file("empty", "\n# nothing\n")) == ([], {})


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a\nb c\n")))
    assert brief(from_file("-")[0]) == [("a", "a"), ("b", "b c")]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a\n\xff\n")))
    assert refused("-") == "cannot read standard input: line 2 is not UTF-8; save the file as UTF-8"
    monkeypatch.setattr(sys, "stdin", None)
    assert refused("-") == "cannot read standard input: it is closed"


def test_procfile(write_file: WriteFile) -> None:
    path = write_file("sub/Procfile.dev", "web: ./serve --url http://x:80\n\n# c\n db :pg\n")
    assert brief(from_file(path)[0]) == [("web", "./serve --url http://x:80"), ("db", "pg")]


@pytest.mark.parametrize("line", ["web ./serve", "web:", ": x", "my web: x", "web:  "])
def test_bad_procfile(write_file: WriteFile, line: str) -> None:
    sentence = refused(write_file("Procfile", f"# c\nok: x\n{line}\n"))
    assert sentence.startswith(f"Procfile line 3: {line.strip()!r} is not of the form name: command")


def test_unreadable(write_file: WriteFile) -> None:
    assert refused("nix") == "cannot read nix: No such file or directory"
    assert refused(".") == "cannot read .: Is a directory"
    write_file("latin", b"a\nb\nc \xe4\n")
    assert refused("latin") == "cannot read latin: line 3 is not UTF-8; save the file as UTF-8"
    write_file("nul", "a\nb\0\n")
    assert refused("nul") == "nul line 2: a command can't contain a NUL character"
    assert refused("\x1b]0;x\n") == "cannot read ^[]0;x^J: No such file or directory"


TOML = """
[run]
jobs = 4
buffer-size = "64k"
grace = 0.5
stats-interval = "1m"
names = ["a", "b,c"]
pad = true
pipe = true
prefix = "{id} {{x}}"
[tasks.api]
command = "./api"
cwd = "services/api"
env = { PORT = "8080" }
pty = true
[tasks."my db"]
command = ["pg", ""]
"""


def test_toml(write_file: WriteFile) -> None:
    tasks, settings = from_file(write_file("sub/axiom.toml", TOML))
    assert brief(tasks) == [("api", "./api"), ("my db", ["pg", ""])]
    assert (tasks[0].cwd, tasks[0].env, tasks[0].pty) == (
        os.path.join("sub", "services/api"),
        {"PORT": "8080"},
        True,
    )
    assert (tasks[1].cwd, tasks[1].env, tasks[1].pty) == (None, None, None)
    assert settings == {
        "jobs": 4,
        "buffer-size": 65536,
        "grace": 0.5,
        "stats-interval": 60.0,
        "names": ["a", "b,c"],
        "pad": True,
        "pty": False,
        "prefix": "{id} {{x}}",
    }


def test_toml_of_supervision(write_file: WriteFile) -> None:
    text = """
[run]
kill-others-on-fail = true
retries = 1
[tasks.web]
command = "web"
after = ["api", "db"]
[tasks.db]
command = "db"
ready = "listening"
retries = 3
restart-after = "exponential"
restart-window = "1m"
timeout = "1h"
idle-warn = 0
idle-timeout = 2.5
[tasks.api]
command = "api"
after = "db"
"""
    tasks, settings = from_file(write_file("axiom.toml", text))
    assert [task.name for task in tasks] == ["db", "api", "web"]
    db, api, web = tasks
    assert (db.after, api.after, web.after) == ([], [db], [api, db])
    assert settings == {"halt": "now,fail=1", "retries": 1}
    assert db.supervision == {
        "ready": "listening",
        "retries": 3,
        "restart_after": "exponential",
        "restart_window": 60.0,
        "timeout": 3600.0,
        "idle_warn": None,
        "idle_timeout": 2.5,
    }
    assert api.supervision == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[run",
            "x.toml is not valid TOML: Expected ']' at the end of a table declaration (at end of document)",
        ),
        ("a = 1\nb = \n", "x.toml is not valid TOML: Invalid value (at line 2, column 5)"),
        ("a = " + "[" * 9000, "x.toml is not valid TOML: "),
        ("[task.a]", "x.toml: there is no key 'task'; did you mean tasks?"),
        ("run = 1", "x.toml: run must be a table"),
        ("tasks = []", "x.toml: tasks must be a table"),
        (
            "[run]\nprefix_length = 3",
            "x.toml: [run]: there is no key 'prefix_length'; did you mean prefix-length?",
        ),
        ("[run]\nzzz = 3", "x.toml: [run]: there is no key 'zzz'"),
        ("[run]\nfile = 'x'", "x.toml: [run]: there is no key 'file'"),
        ("[run]\nhalt = 'later'", "x.toml: [run] halt: 'later' is no halt policy; write never, or such as"),
        (
            "[run]\nkill-others = true\nhalt = 'never'",
            "x.toml: [run] halt and kill-others exclude each other",
        ),
        ("[run]\nlisten = 'd'", "x.toml: [run] listen: 'd' is no PORT or HOST:PORT, such as 8080"),
        ("[run]\nlisten = true", "x.toml: [run] listen: True is not a number or a string"),
        ("[run]\njobs = 0", "x.toml: [run] jobs: '0' is not a whole number of at least 1"),
        ("[run]\njobs = 2.5", "x.toml: [run] jobs: '2.5' is not a whole number of at least 1"),
        ("[run]\njobs = true", "x.toml: [run] jobs: True is not a number or a string"),
        ("[run]\ngrace = -1", "x.toml: [run] grace: '-1' is not a duration; write "),
        ("[run]\ngrace = nan", "x.toml: [run] grace: 'nan' is not a duration; write "),
        ("[run]\ncolor = 1", "x.toml: [run] color: 1 is not a string"),
        ("[run]\nnames = [1]", "x.toml: [run] names: [1] is not a string"),
        ("[run]\npad = 'yes'", "x.toml: [run] pad: 'yes' is not true or false"),
        (
            "[run]\npty = true\npipe = false",
            "x.toml: [run] pty and pipe exclude each other; give one of them",
        ),
        ("tasks.a = 'x'", "x.toml: [tasks.a] must be a table"),
        ("[tasks.a]", 'x.toml: [tasks.a] needs a command, such as command = "make test"'),
        ("[tasks.a]\ncommand = ' '", "x.toml: [tasks.a] needs a command, "),
        ("[tasks.a]\ncommand = 1", "x.toml: [tasks.a] needs a command, "),
        ("[tasks.a]\ncommand = []", "x.toml: [tasks.a] command: an array needs strings, the program first"),
        ("[tasks.a]\ncommand = ['']", "x.toml: [tasks.a] command: an array needs strings"),
        ("[tasks.a]\ncommand = ['x', 1]", "x.toml: [tasks.a] command: an array needs strings"),
        ("[tasks.a]\ncomand = 'x'", "x.toml: [tasks.a]: there is no key 'comand'; did you mean command?"),
        ("[tasks.a]\ncommand = 'x'\nready = '('", "x.toml: [tasks.a] ready: '(' is no regular expression: "),
        ("[tasks.a]\ncommand = 'x'\nready = '\\u00e9'", "x.toml: [tasks.a] ready: '\\\\u00e9' is no regular"),
        (
            "[tasks.a]\ncommand = 'x'\nready = 'a{9999999999}'",
            "x.toml: [tasks.a] ready: 'a{9999999999}' is no ",
        ),
        ("[tasks.a]\ncommand = 'x'\nready = 1", "x.toml: [tasks.a] ready: 1 is not a string"),
        ("[tasks.a]\ncommand = 'x'\nretries = 'x'", "x.toml: [tasks.a] retries: 'x' is not a whole number"),
        ("[tasks.a]\ncommand = 'x'\ntimeout = 'x'", "x.toml: [tasks.a] timeout: 'x' is not a duration"),
        ("[tasks.a]\ncommand = 'x'\nafter = 1", "x.toml: [tasks.a] after: 1 is not a list of names of tasks"),
        (
            "[tasks.a]\ncommand = 'x'\nafter = 'dbb'\n[tasks.db]\ncommand = 'x'",
            "x.toml: [tasks.a] after: there is no task 'dbb'; did you mean db?",
        ),
        (
            "[tasks.a]\ncommand='x'\nafter='b'\n[tasks.b]\ncommand='x'\nafter='a'\n[tasks.c]\ncommand='x'",
            "x.toml: a, b can never start, as they wait for each other (after)",
        ),
        ("[tasks.a]\ncommand = 'x'\ncwd = 3", "x.toml: [tasks.a] cwd: 3 is not the name of a directory"),
        ("[tasks.a]\ncommand = 'x'\nenv = 'A=1'", "x.toml: [tasks.a] env must be a table"),
        (
            "[tasks.a]\ncommand = 'x'\nenv = {A = 1}",
            'x.toml: [tasks.a] env: A must be a string, such as A = "1"',
        ),
        (
            "[tasks.a]\ncommand = 'x'\nenv = {'A=B' = '1'}",
            "x.toml: [tasks.a] env: 'A=B' is no name of a variable",
        ),
        ("[tasks.a]\ncommand = 'x'\npty = 1", "x.toml: [tasks.a] pty: 1 is not true or false"),
        ('[tasks.a]\ncommand = "x\\u0000"', "x.toml: [tasks.a]: a NUL character can't be part of a command"),
        ('[tasks.a]\ncommand = "x"\nenv = {A = "\\u0000"}', "x.toml: [tasks.a]: a NUL character"),
        ('[tasks."\\u001b[2J"]', "x.toml: [tasks.^[[2J] needs a command, "),
    ],
)
def test_bad_toml(write_file: WriteFile, text: str, sentence: str) -> None:
    assert refused(write_file("x.toml", text)).startswith(sentence)


@pytest.mark.parametrize(
    ("defaults", "names", "result"),
    [
        (["a", "b"], [], ["a", "b"]),
        (["a", "a", "b"], [], ["a", "a-2", "b"]),
        (["a", "a", "a"], ["x"], ["x", "a", "a-2"]),
        (["a", "b"], ["", " b "], ["a", "b"]),
        (["a", "b"], ["", "a"], ["a-2", "a"]),
        (["a", "b"], ["x", "x"], ["x", "x-2"]),
        (["a\n", "a^J"], [], ["a^J", "a^J-2"]),
        (["a", "b"], ["\x1b[H"], ["^[[H", "b"]),
    ],
)
def test_names(defaults: list[str], names: list[str], result: list[str]) -> None:
    tasks = [TaskSpec("x", name) for name in defaults]
    name_tasks(tasks, names)
    assert [task.name for task in tasks] == result


def test_too_many_names() -> None:
    with pytest.raises(UsageError, match="there are 3 names for 1 task; leave out 2"):
        name_tasks([TaskSpec("x", "x")], ["a", "b", "c"])

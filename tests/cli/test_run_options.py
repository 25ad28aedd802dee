"""Each option of `axiom-trio run` does what it says, end to end."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.commands import axiom, scripted, shell

if TYPE_CHECKING:
    from pathlib import Path

STAMP = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def test_the_default() -> None:
    result = axiom("echo a", "sleep 0.2; echo b")
    assert (result.status, result.stdout) == (0, b"[echo] a\n[sleep] b\n")
    assert "2 completed" in result.stderr


def test_quiet_says_nothing_of_its_own() -> None:
    assert axiom("-q", "echo a").stderr == ""
    assert axiom("-q", "exit 3").stderr == ""


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["-n", "x"], b"[x] a\n"),
        (["--names=x"], b"[x] a\n"),
        (["-p", "{index}:{name}>"], b"0:echo> a\n"),
        (["-p", ""], b"a\n"),
        (["-n", "abcdefgh", "-l", "5"], "[ab…gh] a\n".encode()),
        (["--color", "always"], b"\x1b[36m[echo]\x1b[0m a\n"),
        (["--color", "never"], b"[echo] a\n"),
        (["--output", "raw"], b"a\n"),
        (["--output", "none"], b""),
    ],
)
def test_how_a_line_looks(options: list[str], line: bytes) -> None:
    assert axiom(*options, "echo a").stdout == line


def test_prefix_fields_of_a_process() -> None:
    result = axiom("-p", "{id} {pid} {time}", "echo $$")
    match = re.fullmatch(rb"([0-9a-f]{8}) (\d+) (%s) (\d+)\n" % STAMP, result.stdout)
    assert match is not None
    assert match[2] == match[4]


def test_timestamps_and_padding() -> None:
    result = axiom("-T", "--pad", "-n", "a,long", "echo a", "echo b")
    assert re.fullmatch(rb"%s \[a\]    a" % STAMP, min(result.stdout.splitlines(), key=lambda s: s[-1:]))
    assert axiom("echo a", env={"DEBUG": "1"}).stdout.endswith(b"Z [echo] a\n")


def test_colour_by_the_environment() -> None:
    assert b"\x1b" in axiom("echo a", env={"FORCE_COLOR": "1"}).stdout
    assert b"\x1b" not in axiom("echo a", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).stdout


def test_pty_and_pipe() -> None:
    assert axiom("--pty", "test -t 1 && test -t 0 && echo tty").stdout == b"[test] tty\n"
    assert axiom("--pipe", "test -t 1 || echo pipe").stdout == b"[test] pipe\n"
    assert axiom("test -t 1 || echo pipe").stdout == b"[test] pipe\n"


def test_stderr_split_is_an_error_in_the_events_and_red() -> None:
    command = "echo out; echo err >&2"
    events = [
        json.loads(line)
        for line in axiom("--stderr", "split", "--output", "jsonl", command).stdout.splitlines()
    ]
    kinds = {e["data"]["text"]: e["data"]["kind"] for e in events if e["type"] == "stream"}
    assert kinds == {"out\n": "output", "err\n": "error"}
    result = axiom("--stderr", "split", "--color", "always", command)
    assert b"\x1b[31m[echo]\x1b[0m err\n" in result.stdout
    assert sorted(axiom("--stderr", "join", command).stdout.splitlines()) == [b"[echo] err", b"[echo] out"]


def test_stdin() -> None:
    assert axiom("cat; echo end", stdin=b"not for the child\n").stdout == b"[cat] end\n"
    assert axiom("--stdin", "pipe", "timeout 0.3 cat; echo end").stdout == b"[timeout] end\n"


def test_grouped_is_whole_by_child_in_order_of_ending() -> None:
    def slow(word: str, pause: str) -> str:
        return f"for i in 1 2 3; do echo {word}$i; sleep {pause}; done; seq 1 20000; printf {word}"

    result = axiom(
        "--output", "grouped", "-n", "a,b,c", slow("a", "0.2"), slow("b", "0.1"), slow("c", "0.01")
    )
    names = [line[1:2] for line in result.stdout.splitlines()]
    assert b"".join(names) == b"a" * 20_004 + b"c" * 20_004 + b"b" * 20_004
    numbers = [b"%d" % n for n in range(1, 20_001)]
    for name in (b"a", b"b", b"c"):
        own = [line[4:] for line in result.stdout.splitlines() if line[1:2] == name]
        assert own == [name + b"1", name + b"2", name + b"3", *numbers, name]


def test_jsonl_is_the_wire_form() -> None:
    result = axiom("--output", "jsonl", "-n", "a", "printf 'x\\n\\377'; exit 3")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert next(e["type"] for e in events) == "started"
    assert [e["type"] for e in events][-2:] == ["complete", "allComplete"]
    assert [e["cursor"] for e in events] == list(range(len(events)))
    assert "".join(e["data"]["text"] for e in events if e["type"] == "stream") == "x\n\ufffd"
    assert events[-2]["data"]["exitCode"] == 3
    assert events[-2]["data"]["bytes"] == 3


def test_jsonl_of_a_terminal_child_folds_crlf() -> None:
    events = [
        json.loads(line) for line in axiom("--output", "jsonl", "--pty", "echo a; echo b").stdout.splitlines()
    ]
    assert "".join(e["data"]["text"] for e in events if e["type"] == "stream") == "a\nb\n"


def test_stats_interval() -> None:
    def stats(*options: str) -> int:
        result = axiom("--output", "jsonl", *options, "sleep 0.5")
        return sum(json.loads(line)["type"] == "stats" for line in result.stdout.splitlines())

    assert stats("--stats-interval", "50ms") >= 2
    assert stats("--stats-interval", "0") == stats() == 0


@pytest.mark.parametrize(
    ("escapes", "line"),
    [("raw", b"\x1b[31mr\x1b[0m\x1b[2J\n"), ("color", b"\x1b[31mr\x1b[0m\n"), ("none", b"r\n")],
)
def test_escapes(escapes: str, line: bytes) -> None:
    command = "printf '\\033[31mr\\033[0m\\033[2J\\n'"
    assert axiom("--escapes", escapes, command).stdout == b"[printf] " + line
    assert axiom(command).stdout == b"[printf] \x1b[31mr\x1b[0m\x1b[2J\n"


def test_jobs(tmp_path: Path) -> None:
    line = f"mkdir {tmp_path}/held && sleep 0.02 && rmdir {tmp_path}/held && echo"
    result = axiom("-j", "1", line, ":::", *"abcdef")
    assert result.status == 0
    assert result.stdout == b"".join(
        b"[%s] %s\n" % (name, name) for name in (b"a", b"b", b"c", b"d", b"e", b"f")
    )


def test_arguments_are_quoted_and_take_their_place() -> None:
    odd = ["a b", "$HOME", "it's", "*", "-n", ""]
    result = axiom("printf '<%s>\\n' {} x", ":::", *odd)
    assert {line.split(b"] ", 1)[1] for line in result.stdout.splitlines()} == {
        f"<{word}>".encode() for word in [*odd, "x"]
    }
    assert axiom("echo", ":::", "1").stdout == b"[1] 1\n"


def test_summary(tmp_path: Path) -> None:
    result = axiom("--summary", str(tmp_path / "s.json"), "-n", "a,b", "echo a", "kill -9 $$")
    summary = json.loads((tmp_path / "s.json").read_text())
    assert summary["exitStatus"] == result.status == 1
    assert (summary["completed"], summary["failed"], summary["totalLines"], summary["totalBytes"]) == (
        2,
        1,
        1,
        2,
    )
    a, b = summary["children"]
    assert (a["name"], a["exitCode"], a["signal"], a["bytes"], a["lines"]) == ("a", 0, None, 2, 1)
    assert (b["name"], b["exitCode"], b["signal"], b["reason"]) == ("b", None, 9, "signal")
    assert axiom("--summary", str(tmp_path / "no" / "folder"), "echo a").status == 2


def test_buffer_size_and_flush_interval_lose_nothing() -> None:
    for options in (["--buffer-size", "1k"], ["--flush-interval", "100ms"], ["--buffer-size", "16M"]):
        result = axiom(*options, "-n", "a,b", "seq 1 20000", "seq 1 20000")
        for name in (b"a", b"b"):
            lines = [line for line in result.stdout.splitlines() if line.startswith(b"[%s]" % name)]
            assert lines == [b"[%s] %d" % (name, n) for n in range(1, 20_001)]


# --- where tasks come from


def test_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "axiom.toml").write_text(
        "[run]\nnames = ['one']\n[tasks.a]\ncommand = 'pwd; echo $X'\ncwd = 'sub'\nenv = {X = 'y z'}\n"
        "[tasks.b]\ncommand = ['printf', '%s', '$X;']\n"
        "[tasks.c]\ncommand = 'test -t 1 && echo tty'\npty = true\n"
    )
    (tmp_path / "Procfile.dev").write_text("# no\nweb: echo web\n\nworker: echo worker\n")
    (tmp_path / "list").write_text("# no\necho 1\n\n  echo 2\n")
    result = axiom("-f", str(tmp_path / "axiom.toml"))
    assert sorted(result.stdout.splitlines()) == sorted(
        [f"[one] {tmp_path}/sub".encode(), b"[one] y z", b"[b] $X;", b"[c] tty"]
    )
    assert axiom(cwd=tmp_path).stdout.count(b"\n") == 4
    assert sorted(axiom("-f", str(tmp_path / "Procfile.dev")).stdout.splitlines()) == [
        b"[web] web",
        b"[worker] worker",
    ]
    assert sorted(axiom("-f", str(tmp_path / "list")).stdout.splitlines()) == [b"[echo-2] 2", b"[echo] 1"]
    assert axiom("-f", "-", stdin=b"echo 1\n").stdout == b"[echo] 1\n"


# --- what cannot be


def test_unknown_and_not_executable_commands_do_not_harm_others(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    (tmp_path / "odd").write_bytes(b"\x7fno\n")
    (tmp_path / "odd").chmod(0o755)
    (tmp_path / "axiom.toml").write_text(
        "[tasks.missing]\ncommand = ['no-such-program-x']\n"
        "[tasks.plain]\ncommand = ['./plain']\n"
        "[tasks.odd]\ncommand = ['./odd']\n"
        "[tasks.where]\ncommand = 'true'\ncwd = 'nowhere'\n"
        "[tasks.big]\ncommand = ['true', '" + "x" * 200_000 + "']\n"
        "[tasks.fine]\ncommand = 'echo fine'\n"
    )
    result = axiom("--summary", str(tmp_path / "s"), cwd=tmp_path)
    assert result.status == 1
    assert b"[fine] fine\n" in result.stdout
    codes = {c["name"]: c["exitCode"] for c in json.loads((tmp_path / "s").read_text())["children"]}
    assert codes == {"missing": 127, "plain": 126, "odd": 126, "where": 126, "big": 126, "fine": 0}
    assert b"[missing] [ERROR] can't start no-such-program-x: command not found\n" in result.stdout
    for word in (b"Permission denied", b"interpreter", b"nowhere: No such file", b"Argument list too long"):
        assert word in result.stdout


@pytest.mark.parametrize(
    ("line", "code"), [("no-such-program-x 1", 127), ("./plain", 126), ("no-such-x; true", 0)]
)
def test_shell_lines_fail_as_in_a_shell(line: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    result = axiom("--summary", str(tmp_path / "s"), line, "echo fine", cwd=tmp_path)
    assert json.loads((tmp_path / "s").read_text())["children"][0]["exitCode"] == code
    assert b"] fine\n" in result.stdout


@pytest.mark.parametrize("on", ["--pipe", "--pty"])
def test_without_descriptors_some_fail_and_the_others_do_not(on: str) -> None:
    result = shell(f"prlimit --nofile=17 $AXIOM {on} 'sleep 0.5; echo' ::: 1 2 3 4 5 6 7 8 9 10 11 12")
    assert result.status == 1
    lines = result.stdout.splitlines()
    assert len(lines) == 12
    fine = [line for line in lines if re.fullmatch(rb"\[(\d+)\] \1", line)]
    assert 2 <= len(fine) < 12
    for line in {*lines} - {*fine}:
        assert b"[ERROR] can't start" in line
        assert b"Too many open files" in line


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        [""],
        ["--nonsense", "echo"],
        ["-j", "0", "echo"],
        ["-j"],
        ["--grace", "soon", "echo"],
        ["--output", "xml", "echo"],
        ["-p", "{nope}", "echo"],
        ["-f", "/no/such/file"],
        ["-f", "/"],
        ["echo", ":::"],
        ["-f", "/dev/null"],
    ],
)
def test_usage_errors_are_one_sentence(arguments: list[str], tmp_path: Path) -> None:
    result = axiom(*arguments, cwd=tmp_path)
    assert (result.status, result.stdout) == (2, b"")
    assert result.stderr.startswith("axiom-trio run: ")
    assert result.stderr.count("\n") == 1


def test_help_and_version() -> None:
    assert b"usage: axiom-trio run" in axiom("--help").stdout
    result = shell("${AXIOM% run} --version")
    assert re.fullmatch(rb"axiom-trio [\w.]+\n", result.stdout)
    assert shell("${AXIOM% run} --help").stdout.startswith(b"usage: axiom-trio run")
    assert shell("${AXIOM% run}").status == 2


def test_five_hundred_children(tmp_path: Path) -> None:
    result = axiom("-q", "echo", ":::", *map(str, range(500)))
    assert result.status == 0
    assert sorted(result.stdout.splitlines()) == sorted(b"[%d] %d" % (n, n) for n in range(500))


def test_children_start_clean() -> None:
    result = axiom("-q", scripted("descriptors"))
    assert b"fds [0, 1, 2] ignored ['SIGPIPE', 'SIGXFSZ']\n" in result.stdout

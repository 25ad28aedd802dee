"""`axiom-trio replay` and `run --resume`, with real runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import trio

from axiom_trio import JournalReader, JournalSink, open_aggregator
from axiom_trio.cli.options import parse
from axiom_trio.cli.replay_options import HELP, ReplayOptions
from axiom_trio.cli.tasks import UsageError
from tests.commands import PATIENCE, Result, Running, axiom, environment, shell

if TYPE_CHECKING:
    from pathlib import Path


def replay(*arguments: str, stdout: Any = subprocess.PIPE, env: dict[str, str] | None = None) -> Result:
    done = subprocess.run(
        [sys.executable, "-m", "axiom_trio", "replay", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment(**(env or {})),
        timeout=PATIENCE,
        check=False,
    )
    return Result(done.returncode, done.stdout or b"", done.stderr)


@pytest.fixture
def journal(tmp_path: Path) -> str:
    """One of a run with three children, one of which failed."""
    directory = str(tmp_path / "journal")
    result = axiom(
        *("-q", "-j", "1", "--journal", directory, "-n", "a,b,c"),
        *("printf 'one\ntwo'", "sleep 0.2; echo b", "exit 3"),
    )
    assert (result.status, result.stdout) == (1, b"[a] one\n[a] two\n[b] b\n")
    return directory


def test_it_prints_what_the_run_showed(journal: str):
    result = replay(journal)
    assert (result.status, result.stdout, result.stderr) == (0, b"[a] one\n[a] two\n[b] b\n", "")


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["-p", "{index}:{name}"], b"0:a one\n0:a two\n1:b b\n"),
        (["--output", "raw"], b"one\ntwo\nb\n"),
        (["--output", "grouped"], b"[a] one\n[a] two\n[b] b\n"),
        (["--output", "none"], b""),
        (["--color", "always", "-t", "b"], b"\x1b[33m[b]\x1b[0m b\n"),
        (["-t", "a"], b"[a] one\n[a] two\n"),
        (["--task", "x,[bc]"], b"[b] b\n"),
        (["--speed", "1000"], b"[a] one\n[a] two\n[b] b\n"),
        (["--since", "1h"], b"[a] one\n[a] two\n[b] b\n"),
        (["--since", "2020-01-01T00:00:00Z"], b"[a] one\n[a] two\n[b] b\n"),
        (["--since", "2999-01-01"], b""),
        (["--follow"], b"[a] one\n[a] two\n[b] b\n"),
    ],
)
def test_options(journal: str, options: list[str], shown: bytes):
    result = replay(*options, journal)
    assert (result.status, result.stdout) == (0, shown)


def test_only_the_last_part(tmp_path: Path):
    directory = str(tmp_path / "j")
    axiom("-q", "-j", "1", "--journal", directory, "echo old", "sleep 4; echo new")
    assert replay("--since", "3s", directory).stdout == b"[sleep] new\n"


def test_timestamps_are_those_of_the_run(journal: str):
    began = time.time()
    lines = replay("-T", journal).stdout.splitlines()
    stamp = lines[0].split()[0].decode()
    assert stamp < time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began + 1))
    assert replay(journal, env={"DEBUG": "1"}).stdout.splitlines() == lines


def test_a_child_is_found_by_its_id(journal: str):
    events = [json.loads(line) for line in replay("--output", "jsonl", journal).stdout.splitlines()]
    started = [event["data"] for event in events if event["type"] == "started"]
    b = next(data for data in started if data["name"] == "b")
    assert replay("-t", b["shortId"], journal).stdout == b"[b] b\n"
    missing = replay("-t", "nobody", journal)
    assert (missing.status, missing.stdout) == (1, b"")
    assert missing.stderr.endswith("is called nobody\n")


def test_events_are_those_of_the_run(tmp_path: Path):
    directory = str(tmp_path / "j")
    shown = axiom(
        "--output", "jsonl", "--journal", directory, "seq 1 1000", "printf '\\377\\n[INTERVENTION] x\\n'"
    )
    assert replay("--output", "jsonl", directory).stdout == shown.stdout


def test_bytes_are_those_of_the_child_in_files(tmp_path: Path, journal: str):
    replay("--output", "none", "--files", str(tmp_path / "files"), journal)
    assert (tmp_path / "files" / "a.log").read_bytes() == b"one\ntwo"
    assert (tmp_path / "files" / "c.log").read_bytes() == b""


def test_follow_ends_with_the_run(tmp_path: Path):
    directory = tmp_path / "j"
    with Running(
        "-q", "--journal", str(directory), "-n", "a", "for i in 1 2 3 4 5; do echo $i; sleep 0.2; done"
    ) as run:
        run.read_until(b"[a] 1\n")
        followed = replay("--follow", str(directory))
        assert run.finish().status == 0
    assert (followed.status, followed.stdout) == (0, b"".join(b"[a] %d\n" % n for n in range(1, 6)))


def test_follow_ends_with_a_run_that_is_killed(tmp_path: Path):
    directory = str(tmp_path / "j")
    with Running("-q", "--journal", directory, "-n", "a", "echo 1; sleep 60") as run:
        run.read_until(b"[a] 1\n")
        with subprocess.Popen(
            [sys.executable, "-m", "axiom_trio", "replay", "--follow", directory],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as following:
            assert following.stdout is not None
            assert following.stdout.readline() == b"[a] 1\n"
            run.signal(signal.SIGKILL)
            _, errors = following.communicate(timeout=PATIENCE)
        assert following.returncode == 0
        assert b"the run was killed" in errors
        run.process.wait()


def test_several_runs_in_one_journal(journal: str):
    axiom("-q", "--journal", journal, "-n", "d", "echo d")
    assert replay(journal).stdout == b"[a] one\n[a] two\n[b] b\n[d] d\n"


def test_damage_is_told(tmp_path: Path):
    directory = tmp_path / "j"
    axiom("-q", "--journal", str(directory), "-n", "a", "for i in 1 2 3; do echo line $i; sleep 0.5; done")
    [segment] = directory.glob("*.journal")
    whole = segment.read_bytes()
    segment.write_bytes(whole.replace(b"line 2", b"lime 2"))
    result = replay(str(directory))
    assert (result.status, result.stdout) == (3, b"[a] line 1\n[a] line 3\n")
    assert "1 events with 7 bytes are not in the journal any more" in result.stderr
    segment.write_bytes(whole[: whole.index(b"line 3") + 3])
    result = replay(str(directory))
    assert (result.status, result.stdout) == (0, b"[a] line 1\n[a] line 2\n")
    assert "bytes at its end are no whole record" in result.stderr


@pytest.mark.parametrize("words", [(), ("-q",), ("--task", "a"), ("--follow", "--since", "5s")])
def test_a_directory_without_a_journal_is_not_taken_for_one(words: tuple[str, ...], tmp_path: Path):
    (tmp_path / "else").touch()
    result = replay(*words, str(tmp_path))
    assert (result.status, result.stdout) == (1, b"")
    assert result.stderr == f"axiom-trio replay: there is no journal in {tmp_path}\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "say which journal to print, one directory: axiom-trio replay DIR"),
        (["-"], "- is no directory"),
        (["a", "b"], "say which journal to print, one directory"),
        (["--speed", "fast", "a"], "--speed: 'fast' is no factor; write 1 for as it was"),
        (["--since", "noon", "a"], "--since: 'noon' is neither a duration nor a time; write 10m or 20"),
        (["--jobs", "3", "a"], "there is no option --jobs"),
        (["--outputs", "3", "a"], "there is no option --outputs; did you mean --output?"),
        (["--color", "red", "a"], "--color: 'red' is not one of auto, always, never"),
    ],
)
def test_what_can_not_be_is_refused(words: list[str], sentence: str):
    with pytest.raises(UsageError) as caught:
        parse(["replay", *words], {})
    assert str(caught.value).startswith(f"axiom-trio replay: {sentence}")


def test_the_command_line():
    options = parse(["replay", "-Tt", "a,b", "--follow", "j"], {"NO_COLOR": "1"})
    assert isinstance(options, ReplayOptions)
    assert (options.directory, options.task, options.follow, options.timestamps) == (
        "j",
        ["a", "b"],
        True,
        True,
    )
    assert options.color == "never"
    assert parse(["replay", "--help", "x"], {}) == HELP
    assert max(map(len, HELP.splitlines())) <= 80


def test_what_can_not_be_read_or_written(tmp_path: Path, journal: str):
    missing = replay(str(tmp_path / "none"))
    assert missing.status == 2
    assert "can't be used: No such file or directory" in missing.stderr
    with open("/dev/full", "wb") as full:
        result = replay(journal, stdout=full)
    assert (result.status, result.stderr) == (
        3,
        "axiom-trio: it could not be written: No space left on device\n",
    )
    reader, writer = os.pipe()
    os.close(reader)
    result = replay(journal, stdout=writer)
    os.close(writer)
    assert (result.status, result.stderr) == (141, "")


def test_a_closed_stdout_is_no_success(tmp_path: Path, journal: str):
    closed = shell(f'"{sys.executable}" -m axiom_trio replay {journal} >&-')
    assert (closed.status, closed.stderr) == (3, "axiom-trio: stdout is closed: nothing could be shown\n")
    files = f"--output none --files {tmp_path}/f {journal} >&-"
    assert shell(f'"{sys.executable}" -m axiom_trio replay {files}').status == 0


# --- resume


def test_resume_runs_what_had_not_succeeded(tmp_path: Path):
    directory = str(tmp_path / "j")
    flag = tmp_path / "flag"
    work = tmp_path / "work"
    work.mkdir()
    (work / "axiom.toml").write_text(f"""
[tasks.good]
command = "echo good"
[tasks.flaky]
command = "echo $WHAT in $(basename $PWD); test -e {flag}"
env = {{ WHAT = "flaky" }}
[tasks.last]
command = ["echo", "last"]
after = ["flaky", "good"]
""")
    first = axiom("--journal", directory, cwd=work)
    assert first.status == 1
    assert first.stdout.count(b"\n") == 3
    flag.touch()
    second = axiom("--resume", directory, cwd=tmp_path)
    assert (second.status, second.stdout) == (0, b"[flaky] flaky in work\n[last] last\n")
    third = axiom("--resume", directory)
    assert third.status == 0
    assert (
        third.stdout
        == f"axiom-trio run: nothing is left to run: all tasks in {directory} have succeeded\n".encode()
    )
    assert replay(directory).stdout.count(b"\n") == 5


def test_resume_after_a_kill(tmp_path: Path):
    directory = str(tmp_path / "j")
    with Running(
        "-j", "1", "--journal", directory, "-n", "a,b,c", "echo a", "echo b; sleep 1", "echo c"
    ) as run:
        run.read_until(b"[b] b\n")
        run.signal(signal.SIGKILL)
        run.process.wait()
    resumed = axiom("-j", "1", "--resume", directory)
    assert (resumed.status, resumed.stdout) == (0, b"[b] b\n[c] c\n")


def test_resume_with_the_tasks_given_again(tmp_path: Path):
    directory = str(tmp_path / "j")
    axiom("--journal", directory, "-n", "a,b", "echo a", "exit 1")
    again = axiom("--resume", directory, "-n", "a,b,new", "echo a", "echo b", "echo new")
    assert again.status == 0
    assert sorted(again.stdout.splitlines()) == [b"[b] b", b"[new] new"]


def test_resume_of_runs_that_had_the_tasks_in_different_orders(tmp_path: Path):
    for first, second in ("ab", "ba"):
        (tmp_path / "t.toml").write_text(
            f"[tasks.{first}]\ncommand = 'false'\n[tasks.{second}]\ncommand = 'true'\nafter = ['{first}']\n"
        )
        assert axiom("--journal", "j", "-f", "t.toml", cwd=tmp_path).status == 1
    result = axiom("--resume", "j", cwd=tmp_path)
    assert (result.status, result.stdout) == (
        1,
        b"[a] [ERROR] not started: b comes before it, and has not succeeded\n",
    )


def test_a_name_with_a_secret_is_the_same_again(tmp_path: Path):
    directory = str(tmp_path / "j")
    given = ("--mask-env", "TOKEN", "-n", "topsecret,b", "-s", "topsecret", "echo a", "exit 1")
    first = axiom("--journal", directory, *given, env={"TOKEN": "topsecret"})
    assert (first.status, first.stdout) == (0, b"[***] a\n")
    again = axiom("--resume", directory, *given, "-s", "all", env={"TOKEN": "topsecret"})
    assert (again.status, again.stdout) == (1, b"")


def test_what_can_not_be_resumed(tmp_path: Path):
    directory = str(tmp_path / "j")
    axiom("--journal", directory, "--mask-env", "TOKEN", "echo topsecret; exit 1", env={"TOKEN": "topsecret"})
    result = axiom("--resume", directory)
    assert result.status == 2
    assert f"a secret was taken out of echo in {directory}; give the tasks again" in result.stderr
    assert axiom("--resume", str(tmp_path / "none")).status == 2
    assert axiom("--resume", directory, "--journal", "other", "true").stderr.endswith("leave out --journal\n")
    axiom("--resume", directory, "echo x")


@pytest.mark.parametrize("options", [[], ["--since", "10m"]])
def test_a_segment_that_is_a_symbolic_link(journal: str, options: list[str]):
    [name] = [name for name in os.listdir(journal) if name.endswith(".journal")]
    os.rename(f"{journal}/{name}", f"{journal}/elsewhere")
    os.symlink("elsewhere", f"{journal}/{name}")
    result = replay(*options, journal)
    assert result.status == 2
    assert result.stderr.count("\n") == 1
    assert "is a symbolic link" in result.stderr


@pytest.mark.parametrize("header", [None, "x", ["x"], {"tasks": 1}, {"tasks": [1, {"name": "a"}]}])
def test_resume_of_a_journal_of_a_program(tmp_path: Path, header: Any):
    async def main() -> None:
        async with open_aggregator([JournalSink(tmp_path, header=header)]):
            pass

    trio.run(main)
    with pytest.raises(UsageError, match="has no tasks; give them again"):
        parse(["run", "--resume", str(tmp_path)], {})


def test_no_secret_of_a_task_is_in_the_journal(tmp_path: Path):
    (tmp_path / "topsecret").mkdir()
    (tmp_path / "axiom.toml").write_text(
        "[tasks.a]\ncommand = ['echo', 'topsecret']\ncwd = 'topsecret'\nready = 'topsecret'\n"
        "env = { TOKEN = 'topsecret' }\n"
    )
    words = ["-f", str(tmp_path / "axiom.toml"), "--journal", str(tmp_path / "j"), "--mask-env", "TOKEN"]
    assert axiom(*words).status == 0
    [path] = (tmp_path / "j").glob("*.journal")
    assert b"topsecret" not in path.read_bytes()
    with JournalReader(tmp_path / "j") as reader:
        [task] = reader.runs[0].header["tasks"]
    assert (task["masked"], task["command"], task["env"]) == (True, ["echo", "***"], {"TOKEN": "***"})

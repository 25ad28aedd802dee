"""`axiom-trio spawn`, with agents that follow a script, as real processes."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands import PATIENCE, Result, Terminal, environment, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = str(Path(__file__).parents[1] / "agents" / "scripted.py")
TEXT = f"{shlex.join([sys.executable, '-I', '-S', SCRIPT])} text {{prompt}}"
ID = r"[0-9a-f]{8}"


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where control sockets and journals go; and a `claude` that follows its prompt."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    claude = tmp_path / "bin" / "claude"
    claude.parent.mkdir()
    line = f"exec {shlex.join([sys.executable, '-I', '-S', SCRIPT])}"
    claude.write_text(f'#!/bin/sh\ncase "$1" in -p) {line} steered;; esac\n{line} tty "$@"\n')
    claude.chmod(0o755)
    monkeypatch.setenv("PATH", f"{claude.parent}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)


def argv(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "axiom_trio", *words]


def axiom(*words: str, stdin: bytes = b"", **env: str) -> Result:
    done = subprocess.run(
        argv(*words), input=stdin, capture_output=True, env=environment(**env), timeout=PATIENCE, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)


def spawn(*words: str, **options: Any) -> Result:
    return axiom("spawn", *words, **options)


def lines(result: Result) -> list[str]:
    """What each child said, by its name, without its id."""
    return sorted(re.sub(rf"^\[(\S+) {ID}\] ", r"\1: ", line) for line in result.stdout.decode().splitlines())


def test_a_stream_of_agents() -> None:
    done = spawn("--count", "2", "say: Hello\ntool: ls")
    assert done.status == 0, done
    each = ["Hello", "→ Bash: ls", "▷ scripted · session s1", "■ 1 turn"]
    assert lines(done) == sorted(f"claude-{n}: {line}" for n in (1, 2) for line in each)
    assert "2 completed" in done.stderr


def test_a_failure_in_the_stream_fails_the_run() -> None:
    done = spawn("--subtask", "fail: no quota", "--subtask", "say: fine", "x")
    assert done.status == 1
    assert "claude-1: [ERROR] no quota" in lines(done)
    assert "claude-2: fine" in lines(done)
    assert "1 of 2 failed" in done.stderr
    assert "no quota" in done.stderr


def test_a_sequence() -> None:
    first = ["--pattern", "sequential", "-a", TEXT, "--subtask", "say: one\nexit: 3", "--subtask", "say: two"]
    done = spawn(*first, "all of it")
    assert done.status == 1
    assert [line.partition(": ")[2] for line in lines(done)] == ["one"]
    assert "step 1 of 2 did not succeed: 1 more is not started" in done.stderr
    done = spawn("--keep-going", *first, "all of it")
    assert done.status == 1
    assert [line.partition(": ")[2] for line in lines(done)] == ["one", "two"]


PLAN = 'say: {"subtasks": [{"name": "api", "prompt": "say: built"}, "say: tested"]}'


def test_a_task_is_divided() -> None:
    done = spawn("--pattern", "decompose", PLAN)
    assert done.status == 0, done
    assert {"api: built", "claude-2: tested"} <= {*lines(done)}
    planner = next(line for line in lines(done) if "subtasks" in line)
    assert planner.startswith("plan: ")


def test_a_planner_answers_without_a_terminal_whatever_its_prompt_says() -> None:
    done = spawn("--pattern", "decompose", "--no-interactive", f"Install the server\n{PLAN}")
    assert done.status == 0, done
    done = spawn("--pattern", "decompose", f"Install the server\n{PLAN}")
    assert done.status == 0, done


def test_a_plan_that_can_not_be_is_asked_for_twice() -> None:
    done = spawn("--pattern", "decompose", "say: I would rather not")
    assert done.status == 1
    assert sum(line.endswith("rather not") for line in lines(done)) == 2
    assert "axiom-trio: there is no plan: there is no plan in it" in done.stderr


def test_children_of_children() -> None:
    done = spawn("--pattern", "recursive", 'ask: ["say: leaf", "ask: [\\"say: deep\\"]"]')
    assert done.status == 0, done
    assert {"claude.1: leaf", "claude.2.1: deep"} <= {*lines(done)}
    assert "claude asks for 2: 1, 2" in done.stderr


def test_metadata_is_in_the_events() -> None:
    done = spawn("--json", "--pattern", "recursive", "--max-depth", "2", 'ask: ["say: leaf"]')
    events = [json.loads(line) for line in done.stdout.splitlines()]
    parent, child = (event["data"] for event in events if event["type"] == "started")
    assert parent["metadata"]["pattern"] == "recursive"
    assert child["metadata"] == {
        "prompt": "say: leaf",
        "index": 0,
        "depth": 1,
        "pattern": "recursive",
        "parent": parent["taskId"],
    }


def test_the_plan_alone(tmp_path: Path) -> None:
    shown = spawn("--no-execute", "--subtask", "install it", "--subtask", "touch: made", "all")
    assert shown.status == 0
    assert (
        shown.stdout.decode()
        == "parallel: all\n  claude-1 (on a terminal): install it\n  claude-2: touch: made\n"
    )
    planned = spawn("--no-execute", "--json", "--pattern", "decompose", PLAN)
    assert planned.status == 0, planned
    document = json.loads(planned.stdout)
    assert [task["prompt"] for task in document["subtasks"]] == ["say: built", "say: tested"]
    assert not (tmp_path / "made").exists()
    done = spawn("--plan", "-", stdin=planned.stdout)
    assert {"api: built", "claude-2: tested"} <= {*lines(done)}


@pytest.mark.parametrize("agent", ["clod", "claude 'x", "{prompt}"])
def test_who_is_no_agent_is_refused(agent: str) -> None:
    done = spawn("-a", agent, "x")
    assert (done.status, done.stdout) == (2, b"")
    assert done.stderr.startswith("axiom-trio spawn: ")
    assert done.stderr.count("\n") == 1


def test_an_agent_that_is_not_there_has_failed() -> None:
    done = spawn("-a", "no-such-agent {prompt}", "--count", "1", "x")
    assert done.status == 1
    assert "no-such-agent" in done.stderr


def test_files_that_tell_of_all_children(tmp_path: Path) -> None:
    wanted = ["--summary", "s.json", "--joblog", "j.tsv", "--journal", "journal", "--files", "files"]
    done = spawn(*wanted, "--pattern", "recursive", "-a", TEXT, 'ask: ["say: a", "say: b"]')
    assert done.status == 0, done
    summary = json.loads((tmp_path / "s.json").read_text())
    assert len(summary["children"]) == 3
    assert summary["children"][2]["command"][-1].startswith("say: b")
    assert summary["children"][2]["metadata"]["parent"] == summary["children"][0]["id"]
    assert len((tmp_path / "j.tsv").read_text().splitlines()) == 4
    replayed = axiom("replay", "-p", "[{name} {id}]", "journal")
    assert lines(replayed) == lines(done)
    assert len(os.listdir(tmp_path / "files")) == 3


def test_secrets_are_not_shown_nor_told() -> None:
    done = spawn("--mask-env", "TOKEN", "--count", "1", "say: it is s3cr3t-value", TOKEN="s3cr3t-value")
    assert done.status == 0
    assert b"it is ***" in done.stdout
    assert b"s3cr3t" not in done.stdout + done.stderr.encode()


def test_no_shell_sees_the_prompt(tmp_path: Path) -> None:
    nasty = "--help $(touch made) `touch made`; touch made\nsay: safe"
    for agent in (TEXT, "claude"):
        done = spawn("-a", agent, "--count", "1", "--", nasty)
        assert done.status == 0, done
        assert b"safe" in done.stdout
    assert not (tmp_path / "made").exists()


def test_worktrees_are_left_clean(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    os.chdir(repository)
    refused = spawn("--worktree", "-a", TEXT, "x")
    assert refused.status == 1
    assert "a worktree needs a commit" in refused.stderr
    who = ["-c", "user.name=T", "-c", "user.email=t@example.invalid"]
    subprocess.run(["git", *who, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    tasks = ["--subtask", "touch: made", "--subtask", "say: nothing"]
    done = spawn("--worktree", "-a", TEXT, *tasks, "x")
    assert done.status == 0, done
    [kept] = re.findall(r"the worktree (\S+) \(branch (\S+)\) is kept: 1 changed file", done.stderr)
    assert (Path(kept[0]) / "made").exists()
    assert not (repository / "made").exists()
    assert os.listdir(f"{repository}.worktrees") == [Path(kept[0]).name]


def test_its_page_and_its_verbs_are_those_of_a_run() -> None:
    done = spawn("--listen", "0", "-a", TEXT, "--count", "1", "say: Hello")
    assert done.status == 0, done
    assert "to look on: http://127.0.0.1:" in done.stderr
    assert lines(done) == ["python: Hello"]


# --- steering


def test_a_prompt_that_speaks_of_installing_gets_a_terminal() -> None:
    """And whoever runs it answers what it asks; here a rule."""
    done = spawn("--on", r"Go on\? \[y/N\] $ => y", "--count", "1", "Install it")
    assert done.status == 0, done
    assert b"Go on? [y/N] y" in done.stdout
    assert spawn("--no-interactive", "--count", "1", "Install it").stdout.endswith("■ 1 turn\n".encode())


def test_an_agent_is_steered_while_it_works() -> None:
    with subprocess.Popen(
        argv("spawn", "--count", "2", "say: ready\nhear\nsay: done"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        wait_until(lambda: axiom("wait", "claude-2", "--match", "ready").status == 0, "to be reached")
        for name in ("claude-1", "claude-2"):
            assert axiom("send", name, f"for {name}").status in (0, 1)
        stdout, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    for name in ("claude-1", "claude-2"):
        assert re.search(rf"\[{name} {ID}\] heard for {name}\n", stdout.decode()), stdout


def test_ctrl_c_ends_a_sequence() -> None:
    with subprocess.Popen(
        argv(
            "spawn", "--pattern", "sequential", "--keep-going", "-a", TEXT, "--count", "3", "say: ready\nwait"
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert b"ready" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert b"[python-2 " not in stdout
    assert "1 of 1 stopped" in stderr.decode()


@pytest.fixture
def detached() -> Iterator[dict[str, Any]]:
    done = spawn("--detach", "--json", "--count", "2", "-a", TEXT, "say: ready\nwait")
    assert done.status == 0, done
    told = json.loads(done.stdout)
    yield told
    axiom("stop", "--grace", "0s")
    wait_until(lambda: not os.path.exists(f"/proc/{told['pid']}"), "for the detached run's end")


def test_detached_children_are_reached_by_their_ids(detached: dict[str, Any]) -> None:
    shown = json.loads(axiom("ps", "--json").stdout)
    assert shown["runId"] == detached["runId"]
    assert [child["taskId"] for child in shown["children"]] == [
        child["taskId"] for child in detached["children"]
    ]
    [one, two] = [child["shortId"] for child in detached["children"]]
    assert axiom("wait", one, "--match", "ready", "--timeout", "30s").status == 0
    assert axiom("stop", two, "--grace", "0s").status == 0
    assert axiom("wait", two).status == 1
    assert os.getsid(detached["pid"]) == detached["pid"]


def test_a_detached_run_has_a_journal_and_says_what_became_of_it() -> None:
    done = spawn("--detach", "--count", "1", "say: it worked")
    assert done.status == 0
    text = done.stdout.decode()
    match = re.fullmatch(rf"{ID}  claude\nrun {ID}: axiom-trio ps.*\njournal (.*)\n", text)
    assert match, text
    log = Path(f"{match[1]}.log")
    wait_until(lambda: "1 completed" in log.read_text(), "for its end")
    assert b"it worked" in axiom("replay", match[1]).stdout
    assert str(log).startswith(os.environ["XDG_STATE_HOME"])


def test_within_a_child_of_a_run_a_detached_one_ends_with_it(tmp_path: Path) -> None:
    agent = "sh -c 'echo $$ > pid; exec sleep 600' {prompt}"
    detaching = shlex.join(argv("spawn", "--detach", "--count", "1", "-a", agent, "x"))
    done = axiom("run", "--pipe", f"{detaching}; while [ ! -s pid ]; do sleep 0.05; done")
    assert done.status == 0, done
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "for its end")


@pytest.mark.parametrize(
    ("words", "sentence", "status"),
    [(["-a", "clod"], "there is no agent 'clod'", 2), (["--journal", "file"], "can't be used", 2), (["--worktree"], "needs a git repository", 1)],
)  # fmt: skip
def test_what_keeps_a_detached_run_from_beginning_is_said_here(
    words: list[str], sentence: str, status: int, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = spawn("--detach", *words, "x")
    assert (done.status, done.stdout) == (status, b"")
    assert sentence in done.stderr


def test_master_mode() -> None:
    with Terminal(argv=argv("spawn", "--count", "2", "--progress", "always", "say: ready\nwait")) as terminal:
        terminal.read_until("2 children · parallel · claude · say: ready wait".encode())
        terminal.read_until(b"[claude-1 ")
        terminal.read_until(b"2 running")
        terminal.type(b"\x03")
        done = terminal.finish()
    assert done.status == 130
    assert b"STOPPED" in done.stdout


def test_what_is_spawned_has_room_for_its_prefix_and_a_row_like_the_others_at_the_end() -> None:
    words = ("--interactive", "--color", "never", "-a", "sh -c {prompt}", "--count", "10", "stty size")
    with Terminal(argv=argv("spawn", *words), rows=30, columns=100) as terminal:
        lines = terminal.finish().stdout.decode().split("\r\n")
    said = [line for line in lines if line.startswith("[sh-")]
    assert len(said) == 10
    for line in said:
        prefix, _, size = line.partition("] 30 ")
        assert int(size) == 100 - len(prefix + "] ")
    rows = [line for line in lines if line.startswith("  ✓ [sh-")]
    assert len(rows) == 10
    assert len({row.index(" line") for row in rows}) == 1


def test_a_child_that_was_added_is_in_the_summary_too(tmp_path: Path) -> None:
    words = ["--summary", "s.json", "--joblog", "j.tsv", "-a", TEXT, "--count", "1", "say: ready\nwait"]
    with subprocess.Popen(
        argv("spawn", *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        wait_until(lambda: axiom("add", "-n", "other", "echo added").status == 0, "to be reached")
        axiom("wait", "other")
        axiom("stop", "--grace", "0s")
        stdout, _ = process.communicate(timeout=PATIENCE)
    assert b"added" in stdout
    summary = json.loads((tmp_path / "s.json").read_text())
    assert [child["name"] for child in summary["children"]][1] == "other"
    assert "echo added" in (tmp_path / "j.tsv").read_text()

"""The verbs, each in a process of its own, on runs that are others."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.commands import PATIENCE, Result, Running, environment, wait_until
from tests.tmux import Tmux, needs_tmux

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def runtime_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("AXIOM_RUN_ID", raising=False)
    return tmp_path / "axiom-trio"


def verb(*words: str, stdin: bytes = b"", **env: str) -> Result:
    done = subprocess.run(
        [sys.executable, "-m", "axiom_trio", *words],
        input=stdin,
        capture_output=True,
        env=environment(**env),
        timeout=PATIENCE,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def sockets(directory: Path) -> list[str]:
    return [name for name in os.listdir(directory) if name.endswith(".sock")] if directory.exists() else []


def reachable(directory: Path, count: int = 1) -> None:
    wait_until(lambda: len(sockets(directory)) == count, "for the control socket")


@pytest.fixture
def run(runtime_directory: Path) -> Iterator[Running]:
    """A child that repeats what it is told, one that is silent, and one that has ended."""
    talk = "echo line 1; echo line 2; printf '\\033[32mlistening\\033[0m on 80\\n'; exec cat"
    with Running("--pty", "-n", "talk,quiet,gone", talk, "exec sleep 1000", "echo bye; exit 3") as running:
        running.read_until(b"[talk] \x1b[32mlistening")
        running.read_until(b"[gone] bye")
        reachable(runtime_directory)
        yield running
        if running.process.poll() is None:
            verb("stop", "--grace", "100ms")
            running.finish()


def one_sentence(result: Result, status: int, *parts: str) -> None:
    assert result.status == status, result
    assert result.stdout == b""
    assert result.stderr.count("\n") == 1
    for part in parts:
        assert part in result.stderr


def test_ps(run: Running) -> None:
    shown = verb("ps")
    assert shown.status == 0
    text = shown.stdout.decode()
    assert f"pid {run.process.pid}" in text
    assert [line.split()[:2] for line in text.splitlines()[2:]] == [
        ["talk", "running"],
        ["quiet", "running"],
        ["gone", "exit"],
    ]
    told = json.loads(verb("ps", "--json").stdout)
    assert told["answers"]
    assert [child["name"] for child in told["children"]] == ["talk", "quiet", "gone"]


def test_logs(run: Running) -> None:
    assert (
        verb("logs", "talk", "--tail", "2").stdout
        == b"[talk] line 2\n[talk] \x1b[32mlistening\x1b[0m on 80\n"
    )
    everything = verb("logs")
    assert sorted(everything.stdout.splitlines()) == sorted(run.seen.splitlines())
    assert verb("logs", "--grep", "line [12]").stdout == b"[talk] line 1\n[talk] line 2\n"
    cursor = verb("logs", "--cursor").stderr.strip()
    assert verb("logs", "--after", cursor).stdout == b""
    assert verb("send", "talk", "more").status == 0
    assert b"[talk] more" in verb("logs", "--after", cursor).stdout
    events = [json.loads(line) for line in verb("logs", "talk", "--json").stdout.splitlines()]
    assert "line 1" in "".join(event["data"]["text"] for event in events if event["type"] == "stream")
    again = verb("logs", "--after", str(events[-1]["cursor"]), "--json")
    assert all(json.loads(line)["cursor"] > events[-1]["cursor"] for line in again.stdout.splitlines())
    one_sentence(verb("logs", "--after", "999999"), 1, "no event 999999")


def test_a_tail_has_whole_lines(runtime_directory: Path) -> None:
    drawn = b"1 %\r99 %\rdone\n"
    long = "head -c 200000 /dev/zero | tr '\\0' x"
    line = f"{long}; echo; printf '1 %%\\r99 %%\\rdone\\n'; exec sleep 1000"
    with Running("--pipe", "-n", "a", line) as running:
        running.read_until(b"done")
        reachable(runtime_directory)
        assert verb("logs", "a", "--tail", "1").stdout == b"[a] " + drawn
        assert verb("logs", "a", "--tail", "2").stdout == b"[a] " + b"x" * 200_000 + b"\n[a] " + drawn
        assert verb("stop", "--grace", "100ms").status == 0


def test_ps_shows_a_path_in_the_home_directory_alone_with_a_tilde(run: Running, tmp_path: Path) -> None:
    here = os.getcwd()

    def shown(home: str) -> str:
        return verb("ps", HOME=home).stdout.decode().splitlines()[0]

    assert "  ~  " in shown(here)
    assert "  ~  " in shown(here + "/")
    parent, _, name = here.rpartition("/")
    assert f"  ~/{name}  " in shown(parent)
    for home in (here[:-1], "/", parent[1:], name):
        assert f"  {here}  " in shown(home)


def test_logs_follow_to_the_end(run: Running) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "axiom_trio", "logs", "--follow", "--tail", "1"],
        env=environment(),
        stdout=subprocess.PIPE,
    ) as following:
        try:
            assert following.stdout is not None
            assert following.stdout.readline()  # it looks on
            wait_until(lambda: verb("send", "talk", "now").status == 0, "for the message")
            assert verb("stop", "--grace", "100ms").status == 0
            shown, _ = following.communicate(timeout=PATIENCE)
        finally:
            following.kill()
    assert following.returncode == 0
    assert run.finish().stdout.endswith(shown.splitlines(keepends=True)[-1])


def test_send(run: Running) -> None:
    sent = verb("send", "talk", "hello", "--json")
    assert sent.status == 0
    assert json.loads(sent.stdout)["state"] == "confirmed"
    for _ in range(2):
        assert verb("send", "talk", "once only", "--id", "a7").status == 0
    run.read_until(b"once only\n[talk] once only\n")
    assert verb("send", "talk", "-f", "-", stdin=b"from a pipe\n").status == 0
    run.read_until(b"[INTERVENTION] from a pipe")
    assert run.seen.count(b"[INTERVENTION] once only") == 1
    assert verb("send", "talk", "--keys", "k<Enter>").status == 0
    run.read_until(b"[talk] k\n[talk] k\n")
    one_sentence(verb("send", "gone", "hello"), 1, "refused", "has ended")
    one_sentence(verb("send", "tolk", "hello"), 4, "did you mean talk?")


def test_send_waits_for_silence(run: Running) -> None:
    assert verb("send", "quiet", "x", "--when", "idle", "--wait", "10s").status in (0, 1)
    run.read_until(b"[quiet] [INTERVENTION] x")


def test_wait(run: Running) -> None:
    found = verb("wait", "talk", "--match", r"listening on \d+")
    assert found.status == 0
    assert found.stdout == b"[talk] listening on 80\n"
    told = json.loads(verb("wait", "talk", "--match", "line 2", "--json").stdout)
    one_sentence(
        verb("wait", "talk", "--match", "line 2", "--after", str(told["cursor"] + 5), "--timeout", "300ms"),
        124,
        "time is up",
    )
    one_sentence(verb("wait", "gone", "--match", "nothing"), 1, "'nothing'")
    assert verb("wait", "gone", "--match", "by.").status == 0
    ended = verb("wait", "gone")
    assert (ended.status, ended.stdout) == (1, b"[gone] exit 3\n")
    one_sentence(verb("wait", "quiet", "--timeout", "100ms"), 124, "has not ended")


def test_wait_for_what_comes(run: Running) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "axiom_trio", "wait", "talk", "--match", "lat.r", "--timeout", "50s"],
        env=environment(),
        stdout=subprocess.PIPE,
    ) as waiting:
        verb("send", "talk", "later")
        shown, _ = waiting.communicate(timeout=PATIENCE)
    assert (waiting.returncode, shown) == (0, b"[talk] later\n")


def test_interrupt_restart_add_stop(run: Running, tmp_path: Path) -> None:
    assert verb("restart", "quiet").status == 0
    wait_until(lambda: json.loads(verb("ps", "--json").stdout)["children"][1]["restarts"] == 1)
    assert verb("interrupt", "quiet").status == 0
    assert verb("wait", "quiet").stdout == b"[quiet] signal 2\n"
    one_sentence(verb("interrupt", "quiet"), 1, "has ended")
    added = subprocess.run(
        [sys.executable, "-m", "axiom_trio", "add", "pwd; echo here; exec sleep 1000", "-n", "new", "--pipe"],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert added.stdout == b"[new] is started\n"
    run.read_until(b"[new] %s\n" % os.fsencode(tmp_path))
    assert verb("stop", "new", "--grace", "1s").status == 0
    verb("wait", "new")
    assert verb("restart", "new").status == 0  # as a new child of that name
    wait_until(lambda: b"here" in verb("logs", "new").stdout)
    assert verb("wait", "new", "--timeout", "50ms").status == 124
    assert verb("stop").status == 0
    told = run.finish().stderr
    assert "[quiet] Stopped, as asked; attempt 2 starts now\n" in told
    assert "SIGTERM; attempt" not in told
    one_sentence(verb("stop"), 4, "no run goes on")


def test_the_verbs_end_beside_a_busy_child(runtime_directory: Path) -> None:
    busy = "while sleep 0.01; do echo tick; done"
    with Running("--pipe", "-n", "busy,quiet", busy, "echo hello; exec sleep 1000") as running:
        running.read_until(b"[quiet] hello")
        reachable(runtime_directory)
        assert verb("logs", "quiet").stdout == b"[quiet] hello\n"
        assert verb("logs", "quiet", "--tail", "1").stdout == b"[quiet] hello\n"
        assert verb("stop", "--grace", "100ms").status == 0
        running.finish()


def test_what_is_no_longer_held_is_told(runtime_directory: Path) -> None:
    with Running("--pipe", "--output", "none", "seq 600000; echo over; exec sleep 1000") as running:
        reachable(runtime_directory)
        assert verb("wait", "seq", "--match", "over").status == 0
        shown = verb("logs", "seq", "--tail", "1")
        assert shown.stdout == b"[seq] over\n"
        lost = int(re.search(r"no longer has (\d+) lines", shown.stderr)[1])
        every = verb("logs", "seq").stdout.splitlines()
        assert every[0] == b"[seq] %d" % (lost + 1)
        assert len(every) == 600_001 - lost
        assert verb("stop", "--grace", "100ms").status == 0
        running.finish()


def test_what_no_text_can_say_is_replaced(runtime_directory: Path, tmp_path: Path) -> None:
    directory = tmp_path / "gone"
    directory.mkdir()
    with Running("--pipe", b"sleep 1000; echo \xff", cwd=directory) as running:
        reachable(runtime_directory)
        directory.rmdir()
        shown = verb("ps")
        assert (shown.status, shown.stderr) == (0, "")
        assert "echo \ufffd" in shown.stdout.decode()
        assert verb("stop", "--grace", "100ms").status == 0
        running.finish()


def test_without_runs() -> None:
    for words in (["logs"], ["send", "a", "b"], ["wait", "a"], ["stop"], ["add", "ls"], ["restart", "a"]):
        one_sentence(verb(*words), 4, "no run goes on")
    shown = verb("ps")
    assert (shown.status, shown.stdout) == (0, b"")
    assert verb("ps", "--json").stdout == b""
    one_sentence(verb("logs", "--run", "abc"), 4, "no run 'abc'")


def test_several_runs(run: Running, runtime_directory: Path) -> None:
    with Running("-n", "other", "exec sleep 1000"):
        reachable(runtime_directory, 2)
        one_sentence(verb("logs"), 2, "2 runs go on", "--run")
        runs = [json.loads(line) for line in verb("ps", "--json").stdout.splitlines()]
        other = next(one for one in runs if one["children"][0]["name"] == "other")
        assert verb("wait", "other", "--timeout", "10ms", "--run", other["shortId"]).status == 124
        # Inside a run, that one is meant.
        assert verb("wait", "other", "--timeout", "10ms", AXIOM_RUN_ID=other["runId"]).status == 124
        assert verb("stop", "--run", other["shortId"]).status == 0


def test_wait_has_lines_begin_where_they_do(runtime_directory: Path) -> None:
    long = "printf A; head -c 300000 /dev/zero | tr '\\0' x; echo; echo ready"
    with Running("-n", "long,other", "--output", "none", long, "exec sleep 1000"):
        reachable(runtime_directory)
        assert verb("wait", "long", "--match", "^ready$").stdout == b"[long] ready\n"
        one_sentence(verb("wait", "long", "--match", "^x"), 1, "nothing that it wrote matched")
        verb("stop", "--grace", "100ms")


def test_add_where_the_directory_is_gone(run: Running, tmp_path: Path) -> None:
    line = f"mkdir gone; cd gone; rmdir ../gone; exec {sys.executable} -m axiom_trio add true"
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    one_sentence(Result(done.returncode, done.stdout, done.stderr), 1, "is gone")


def test_a_request_that_is_too_long_is_said_to_be(run: Running, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"x" * 400_000)
    one_sentence(verb("send", "quiet", "--file", str(tmp_path / "text")), 1, "64 KiB")


def test_a_stopped_run_holds_nobody_up(run: Running) -> None:
    run.signal(signal.SIGSTOP)
    try:
        assert b"does not answer within 2 s" in verb("ps").stdout
        assert json.loads(verb("ps", "--json").stdout)["answers"] is False
        one_sentence(verb("logs"), 1, "does not answer")
        one_sentence(verb("wait", "talk", "--timeout", "200ms"), 124, "time is up")
    finally:
        run.signal(signal.SIGCONT)


def test_after_a_kill_only_a_stale_socket_is_left(run: Running, runtime_directory: Path) -> None:
    run.process.kill()
    run.process.wait()
    assert len(os.listdir(runtime_directory)) == 1
    one_sentence(verb("logs"), 4, "no run goes on")
    assert os.listdir(runtime_directory) == []


def test_nothing_is_left_at_the_end(run: Running, runtime_directory: Path) -> None:
    verb("stop")
    run.finish()
    assert os.listdir(runtime_directory) == []


def test_a_directory_that_cannot_be_used_harms_nobody(runtime_directory: Path, tmp_path: Path) -> None:
    runtime_directory.mkdir(0o755)
    runtime_directory.chmod(0o755)
    with Running("-n", "a", "echo hello; sleep 1; echo bye") as running:
        result = running.finish()
    assert result.status == 0
    assert result.stdout == b"[a] hello\n[a] bye\n"
    assert result.stderr.count("open to others") == 1
    one_sentence(verb("logs"), 4, "open to others")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["send", "a"], "give the text"),
        (["send"], "the name of a child and the text"),
        (["send", "a", "b", "--when", "later"], "neither now nor idle"),
        (["wait", "a", "--match", "("], "--match: '(' is no regular expression"),
        (["wait", "a", "--match", "x", "--exit"], "exclude each other"),
        (["wait", "a", "--timeout", "soon"], "is not a duration"),
        (["logs", "a", "b"], "name of one child"),
        (["ps", "x"], "takes no arguments"),
        (["add", "a", "b"], "in quotes"),
        (["stop", "--token-file", "x"], "goes with --url"),
        (["stop", "--url", "http://127.0.0.1:1/", "--token-file", "/nonexistent"], "cannot read"),
        (["restart", "a", "--nope"], "no option --nope"),
        (["send", "a", "b", "--keys", "--when", "idle"], "--keys and --when exclude each other"),
        (["send", "a", "b", "--keys", "--wait", "3s"], "--keys and --wait exclude each other"),
        (["send", "a", "-5"], "no option -5; if it is the text, write -- before it"),
        (["send", "a", "-"], "no option -; to read from standard input, write -f -"),
        (["add", "ls", "-l"], "no option -l; if it is part of a command, quote that command"),
        (["add", " "], "COMMAND is empty; write what to run"),
        (["logs", "-"], "no option -\n"),
        (["stap"], "did you mean stop?"),
        (["attach", "--json"], "for people"),
        (["attach"], "needs a terminal"),
    ],
)
def test_usage(words: list[str], part: str) -> None:
    one_sentence(verb(*words), 2, part)


def test_the_help_of_attach_has_no_option_that_it_refuses() -> None:
    assert b"--json " in verb("ps", "--help").stdout
    assert b"--json" not in verb("attach", "--help").stdout


@pytest.mark.parametrize(
    ("url", "status", "part"),
    [
        ("http://127.0.0.1:1/#token", 4, "nothing answers"),
        ("http://127.0.0.1:1/", 1, "token is missing"),
        ("http://127.0.0.1:1/#tökén", 1, "the token must be"),
        ("http://example.org:80/#token", 1, "ssh -L"),
        ("ftp://x", 1, "no URL of a run's page"),
    ],
)
def test_urls(url: str, status: int, part: str) -> None:
    one_sentence(verb("logs", "--url", url), status, part)


@needs_tmux
def test_attach_to_a_child(runtime_directory: Path) -> None:
    with Running("--pty", "-n", "py", f"{sys.executable} -q") as running:
        reachable(runtime_directory)
        with Tmux(sys.executable, "-m", "axiom_trio", "attach", "py", columns=90, rows=20) as terminal:
            terminal.wait_for(">>>")
            terminal.keys("6*7", "Enter")
            terminal.wait_for("\n42")
            terminal.keys("import os; os.get_terminal_size()", "Enter")
            terminal.wait_for("columns=90, lines=20")
            terminal.keys("C-c")
            terminal.wait_for("KeyboardInterrupt")
            terminal.keys("C-]")
            assert terminal.exit_status() == 0
            terminal.wait_for("[py] goes on")
        assert running.process.poll() is None
        # Its terminal is as large as before.
        verb("send", "py", "os.get_terminal_size().columns * 1000")
        assert verb("wait", "py", "--match", r"(?<!9)0000", "--timeout", "20s").status == 0


RUN = ("exec cat", "while sleep 0.2; do echo tock; done", "exit 3")


def row_of(screen: str, name: str) -> str:
    """A child's row in the footer."""
    return next((line for line in screen.splitlines() if re.match(rf"(▶| ) {name} ", line)), "")


@needs_tmux
def test_what_came_while_attached_stays_when_the_size_changes(runtime_directory: Path) -> None:
    with Running("--pipe", "--stdin", "pipe", "-n", "echo", "echo ready; exec cat") as running:
        running.read_until(b"ready")
        reachable(runtime_directory)
        with Tmux(sys.executable, "-m", "axiom_trio", "attach", "echo", columns=90, rows=20) as terminal:
            terminal.wait_for("Ctrl-] leaves")
            terminal.keys("said later", "Enter")
            terminal.wait_for("\nsaid later")
            terminal.resize(60, 12)
            terminal.wait_for(
                lambda screen: len(screen.rstrip("\n").split("\n")) == 12 and "Ctrl-]" in screen
            )
            terminal.wait_for("\nsaid later")
            terminal.keys("C-]")
            assert terminal.exit_status() == 0


@needs_tmux
@pytest.mark.parametrize("name", ["count", ""])
def test_attached_it_can_be_stopped_and_goes_on(name: str, runtime_directory: Path) -> None:
    counts = "i=0; while sleep 0.1; do i=$((i+1)); echo line $i; done"
    with Running("--pipe", "-n", "count", counts) as running:
        running.read_until(b"line 1")
        reachable(runtime_directory)
        with Tmux("bash", "--norc", "-i", columns=90, rows=20) as terminal:
            terminal.keys(f"{sys.executable} -m axiom_trio attach {name}", "Enter")
            if not name:  # in full out of the whole run's view
                terminal.wait_for("› ")
                terminal.keys("Down", "Enter")
            terminal.wait_for("Ctrl-] leaves")
            terminal.keys("C-z")
            screen = terminal.wait_for("Stopped")
            before = f"attach {name}" if name else "[count] line"  # it's the screen from before
            assert before in screen.split("Stopped")[0]
            assert "Ctrl-] leaves" not in screen
            terminal.keys("fg; echo its status: $?", "Enter")
            terminal.wait_for("Ctrl-] leaves")
            terminal.keys("C-]")  # is read at once again
            if name:
                terminal.wait_for("goes on")
            else:
                terminal.wait_for("running")
                terminal.keys("C-d")
            terminal.wait_for("its status: 0")


@needs_tmux
def test_attach_to_a_run(runtime_directory: Path) -> None:
    with Running("--pty", "-n", "echo,tick,bad", *RUN) as running:
        reachable(runtime_directory)
        for leave in ("C-d", "C-c"):
            with Tmux(sys.executable, "-m", "axiom_trio", "attach") as terminal:
                terminal.wait_for("tock")
                screen = terminal.wait_for(lambda seen: "exit 3" in row_of(seen, "bad"))
                assert re.search("running$", row_of(screen, "tick"))
                assert "3 children · 2 running · 1 failed" in screen
                terminal.keys("echo:abc" + leave, "Enter")
                terminal.wait_for("[echo] abc" + leave)
                terminal.wait_for(lambda seen: "⚡" in row_of(seen, "echo"))
                terminal.keys("nobody:x", "Enter")
                terminal.wait_for("there is no child 'nobody'")
                terminal.keys("C-u", leave)
                assert terminal.exit_status() == 0
                assert "── 3 children" not in terminal.screen()
        assert running.process.poll() is None
        with Tmux(sys.executable, "-m", "axiom_trio", "attach") as terminal:
            terminal.wait_for("tock")
            running.process.kill()
            assert terminal.exit_status() == 4
            terminal.wait_for("has gone")


@needs_tmux
def test_a_run_is_steered_from_another_terminal(runtime_directory: Path) -> None:
    with Running("--pty", "-n", "py,tick,bad", f"{sys.executable} -q", *RUN[1:]):
        reachable(runtime_directory)
        with Tmux(sys.executable, "-m", "axiom_trio", "attach", columns=90, rows=20) as terminal:
            terminal.wait_for(lambda seen: row_of(seen, "py"))
            terminal.keys("?")
            terminal.wait_for("Ctrl-] leaves")
            terminal.keys("C-r")
            terminal.wait_for("choose a child first")
            terminal.keys("Down")
            terminal.wait_for(lambda seen: row_of(seen, "py").startswith("▶"))
            terminal.keys("Enter")
            terminal.wait_for(lambda seen: "tock" not in seen and ">>>" in seen)
            terminal.keys("import os; os.get_terminal_size()", "Enter")
            terminal.wait_for("columns=90, lines=20")
            terminal.keys("C-]")
            terminal.wait_for("[tick] tock")
            # Its terminal is as large as before, though we are still here.
            verb("send", "py", "os.get_terminal_size().columns * 1000")
            assert verb("wait", "py", "--match", r"(?<!9)0000", "--timeout", "20s").status == 0
            terminal.keys("Space")
            terminal.wait_for("⏸ paused")
            terminal.keys("Space", "Down", "C-x")
            terminal.wait_for("[tick] is asked to end")
            terminal.wait_for("■ [tick] Stopped")
            terminal.wait_for(lambda seen: "stopped" in row_of(seen, "tick"))
            terminal.keys("C-r")
            terminal.wait_for("[tick] is started again")
            terminal.wait_for("4 children")
            terminal.keys("q", "Enter")
            assert terminal.exit_status() == 0


@needs_tmux
def test_attach_where_there_can_be_no_footer(runtime_directory: Path) -> None:
    with Running("--pty", "-n", "echo,tick,bad", *RUN) as running:
        reachable(runtime_directory)
        dumb = ("env", "TERM=dumb", "NO_COLOR=1", sys.executable, "-m", "axiom_trio", "attach")
        with Tmux(*dumb) as terminal:
            terminal.wait_for("tock")
            terminal.keys("echo:abc", "Enter")
            terminal.wait_for("[echo] abc")
            assert "\x1b" not in terminal.screen(colors=True)
            assert "children ·" not in terminal.screen()
            terminal.keys("C-d")
            assert terminal.exit_status() == 0
        assert running.process.poll() is None

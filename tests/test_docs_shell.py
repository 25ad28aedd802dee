"""The commands in the guides and the README are run, on a terminal, and show what they're said to."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests import snippets
from tests.commands import PATIENCE, Running, environment, wait_until
from tests.terminal.screens import Screen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BASH = shutil.which("bash") or "/bin/bash"
FIRST = "docs/first-steps.md"
GUIDE = "docs/guide.md"
TROUBLE = "docs/troubleshooting.md"


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader's directory, with all that the examples need."""
    snippets.furnish(tmp_path, monkeypatch)
    monkeypatch.setenv("SERVER_FOR", "0")
    return tmp_path


@pytest.fixture
def run(reader: Path) -> Iterator[Running]:
    """A run in another terminal, with children of the names that the guides use."""
    asks = "stty -echo; printf 'Password: '; read -r answer; echo $answer"
    with Running("--pty", "-n", "api,db,web", "./api", asks, "exec sleep 600", cwd=reader) as running:
        running.read_until(b"listening")
        wait_until(lambda: [*(reader / "run" / "axiom-trio").glob("*.sock")], "for the control socket")
        assert piped("axiom-trio wait db --match Password --timeout 60s")[0] == 0
        yield running
        if running.process.poll() is None:
            running.signal(15)
        running.finish()


def on_terminal(script: str) -> list[str]:
    """Run a script on a terminal of 80 columns, and return what is to be seen at its end."""
    with Screen(argv=[BASH, "-c", f"set -o pipefail; {script}"], columns=80, rows=40) as terminal:
        result = terminal.finish()
        assert result.status == 0, terminal.rows()
        return [row for row in terminal.rows() if row]


def piped(script: str) -> tuple[int, list[str]]:
    """Run a script, and return its exit status and what it says, stdout and stderr together."""
    done = subprocess.run(
        [BASH, "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(),
        timeout=2 * PATIENCE,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout.splitlines()


def succeeds(script: str) -> None:
    """Run a script; on a slow machine it may say no more than that a message was written."""
    status, said = piped(script)
    assert status == 0 or "unconfirmed" in "".join(said), (script, said)


def likeness(line: str) -> str:
    """What is left of a line without what differs from run to run."""
    line = re.sub(r"^run [0-9a-f]{8}  pid (\d+).*", "run ID  pid 0", line)
    line = re.sub(r"\bthe run [0-9a-f]{8}\b", "the run ID", line)
    line = re.sub(r"(axiom-trio send: )?(\[\w+\]) (confirmed|queued|unconfirmed): .*", r"\2 WRITTEN", line)
    line = re.sub(r"\bnow\b|\b[\d.]+ (s|m( \d+ s)?) ago", "AGO", line)
    line = re.sub(r"\d+ m \d+ s\b", "0 s", line)
    line = re.sub(r"[\d.,]+k?/s\b", "", re.sub(r"[\d.,]+ k?B/s", "rate", line))
    line = re.sub("[\u2801-\u28ff]", "*", line)
    line = re.sub(r"\d+(\.\d+)?", "0", line)
    return re.sub(r"\s+", " ", re.sub("─+", "─", line)).strip()


def is_shown(wanted: str, shown: list[str]) -> bool:
    """Whether all lines of a guide's output are to be seen, and those of each child in their order."""
    lines = [likeness(line) for line in wanted.splitlines() if line.strip()]
    seen = [likeness(line) for line in shown]
    if Counter(lines) - Counter(seen):
        return False
    for name in {line.split("]")[0] for line in lines if line.startswith("[")}:
        mine = [line for line in lines if line.startswith(name)]
        theirs = iter([line for line in seen if line.startswith(name)])
        if not all(line in theirs for line in mine):
            return False
    return True


def check(block: snippets.Block, shown: list[str]) -> None:
    assert block.output is None or is_shown(block.output, shown), f"{block}: it shows\n" + "\n".join(shown)


def test_what_is_compared() -> None:
    wanted = "[a] one\n[b] two\n[a] three\n  ada  ⠙  1 line    3/s  now  running\n"
    row = "  ada  ⠼  1 line  0.4/s  2 s ago  running"
    assert is_shown(wanted, ["▶ 3", "[b] two", "[a] one", "[a] three", row])
    assert not is_shown(wanted, ["[b] two", "[a] three", "[a] one", row])
    assert not is_shown(wanted, ["[b] two", "[a] one", "[a] three", row.replace("running", "✗ exit 1")])
    assert not is_shown(wanted, ["[b] two", "[a] one", "[a] four", row])


@pytest.mark.slow
def test_first_steps(reader: Path) -> None:
    """The whole page, from the top: two terminals, as it says."""
    for program in (reader / "bin").iterdir():
        if program.name != "axiom-trio":
            program.unlink()  # a reader has nothing but what the page says
    terminal: Screen | None = None
    try:
        for block in snippets.blocks(FIRST, "sh", "text"):
            typed = re.search(r"Type `(.+)` and press Enter:\Z", block.prose)
            if block.headline == "Install":
                if block.language == "sh":
                    check(block, on_terminal(block.code.splitlines()[-1]))
            elif block.language == "sh" and terminal is not None:
                check(block, piped(block.code)[1])
            elif block.language == "sh" and "worker.sh'" in block.code:
                terminal = Screen(argv=[BASH, "-c", block.code], columns=80, rows=24)
                expected = block.output or ""
                terminal.wait_for(lambda text, wanted=expected: is_shown(wanted, text.splitlines()))
                wait_until(lambda screen=terminal: screen.reads_keys, "for the keyboard")
            elif block.language == "sh":
                check(block, on_terminal(block.code))
            elif typed and terminal is not None:
                terminal.type(typed[1].encode())
                terminal.wait_for(typed[1])
                terminal.type(b"\r")
                terminal.wait_for(lambda text, wanted=block.code: is_shown(wanted, text.splitlines()))
            elif block.prose and terminal is not None:
                assert block.prose.endswith("In the first terminal:")
                terminal.finish()
                assert is_shown(block.code, terminal.rows()), terminal.rows()
    finally:
        if terminal is not None:
            terminal.__exit__()


@pytest.mark.slow
def test_the_readmes_commands(reader: Path) -> None:
    setting_up, testing, *examples = snippets.blocks("README.md", "sh")
    assert testing.code.strip() in (snippets.ROOT / ".ci" / "run").read_text(), "CI runs it word for word"
    on_terminal(setting_up.code[setting_up.code.index("axiom-trio run") :])
    assert len(examples) >= 2
    for block in examples:
        for line in block.code.splitlines():
            on_terminal(line)


@pytest.mark.slow
def test_the_guides_commands(reader: Path, run: Running) -> None:
    piping, spawning, verbs, *others = snippets.blocks(GUIDE, "sh")
    status, said = piped(piping.code)
    assert status == 0, said
    told = [f"[db] {mark}select {n};" for n in (1, 2) for mark in ("", "[INTERVENTION] ")]
    assert sorted(line for line in said if line.startswith("[db]")) == sorted(told)
    for words in (
        "init -q",
        "-c user.name=T -c user.email=t@example.invalid commit -q --allow-empty -m first",
    ):
        succeeds(f"git {words}")
    for line in spawning.code.splitlines():
        succeeds(line)
    lines = [line.partition(" #")[0] for line in verbs.code.splitlines()]
    for line in sorted(lines, key=lambda line: line.rstrip().endswith("axiom-trio stop")):
        if line.startswith("axiom-trio attach"):
            with Screen(argv=[BASH, "-c", line]) as terminal:
                terminal.wait_for("listening")
                terminal.type(b"\x1d" if " api" in line else b"\x03")
                assert terminal.finish().status == 0
        else:
            succeeds(line)
    run.finish()
    for line in [line for block in others for line in block.code.splitlines()]:
        if "--url" in line:
            through_the_port(line, reader)
        else:
            on_terminal(line)


def through_the_port(line: str, reader: Path) -> None:
    """Run a line that goes to port 8080 with the one that a run has."""
    with Running("--pty", "--listen", "0", "-n", "api", "./api", cwd=reader) as running:
        assert running.process.stderr is not None
        told = b""
        while (found := re.search(rb"to steer, too: (\S+)#(\S+)\n", told)) is None:
            told += running.process.stderr.readline()
            assert told.endswith(b"\n"), told
        (reader / "token").write_bytes(found[2])
        (reader / "token").chmod(0o600)
        with Screen(argv=[BASH, "-c", line.replace("http://127.0.0.1:8080/", found[1].decode())]) as terminal:
            terminal.wait_for("listening")
            running.signal(15)
            terminal.finish()
        running.finish()


def test_troubleshootings_commands(reader: Path, run: Running) -> None:
    for block in snippets.blocks(TROUBLE, "sh"):
        succeeds(block.code)
    assert (reader / "out.log").read_text().split() == ["[server]", "listening"]
    run.read_until(b"sesame")


def texts() -> set[str]:
    """All that the package can say: its strings, and the pieces of those with something in between."""
    found: set[str] = set()
    for path in (snippets.ROOT / "axiom_trio").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_troubleshooting_has_the_messages_as_they_are() -> None:
    known = "\n".join(texts())
    lines = [
        (str(block), line) for block in snippets.blocks(TROUBLE, "text") for line in block.code.splitlines()
    ]
    assert len(lines) > 30
    unknown = [
        (where, part)
        for where, line in lines
        for part in re.split("…|axiom-trio: ", line)
        if part.strip() and part.strip(" ,;:") not in known
    ]
    assert unknown == []

"""The patterns with the agents' real CLIs, where these are installed; see test_real_agents.py."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.agents.fakeapi import DONE, FakeApi, fake_api
from tests.agents.test_real_agents import find, nowhere, set_up
from tests.commands import ROOT, Result, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow
AGENTS = ["claude", "codex", "gemini"]
ALL = [*AGENTS, "aider"]
LONG = 300.0
LENGTHY = "a leaf, of which more is to be said than there is room for in eighty columns of any terminal"


@pytest.fixture(autouse=True)
def _is_there(name: str) -> None:
    find(name)


class Stage:
    """Where one agent is spawned."""

    def __init__(self, name: str, folder: Path, api: FakeApi) -> None:
        self.name = name
        self.api = api
        self.home, self.work = folder / "home", folder / "work"
        self.home.mkdir()
        self.work.mkdir()
        self.env = {**nowhere(self.home, api.url), "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(folder)}
        program = find(name)
        if name == "claude":
            self.agent = f"{program} --allowedTools Bash"
        elif name == "codex":
            api.escalates = False
            provider = (
                f'{{name="fake",base_url="{api.url}/v1",env_key="OPENAI_API_KEY",wire_api="responses"}}'
            )
            words = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
            words += ["-c", "model_provider=fake", "-c", f"model_providers.fake={provider}"]
            self.agent = shlex.join([program, *words])
        elif name == "aider":
            self.agent = shlex.join([*set_up(name, self.home, self.work, api.url), "--yes-always"])
        else:
            folder = self.home / ".gemini"
            folder.mkdir()
            settings = {
                "security": {"auth": {"selectedType": "gemini-api-key"}},
                "privacy": {"usageStatisticsEnabled": False},
                "general": {"enableAutoUpdate": False},
            }
            (folder / "settings.json").write_text(json.dumps(settings))
            (folder / "trustedFolders.json").write_text(json.dumps({str(self.work): "TRUST_FOLDER"}))
            self.agent = f"{program} --approval-mode yolo"

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-P", "-m", "axiom_trio", *words]

    def spawn(self, *words: str) -> Result:
        done = subprocess.run(
            self.argv("spawn", "-a", self.agent, "--no-interactive", "-p", "[{name}]", *words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=self.env,
            cwd=self.work,
            timeout=LONG,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def deed(self, file: str) -> str:
        """What makes a file; aider has no tools, and runs commands only if somebody agrees."""
        return f"WRITE {file}" if self.name == "aider" else f"RUN touch {file}"

    def told_of(self, file: str) -> str:
        """What it says when that is done."""
        return f"Applied edit to {file}" if self.name == "aider" else DONE

    def made(self) -> list[str]:
        return sorted(path for path in os.listdir(self.work) if path.endswith(".txt"))


@pytest.fixture
def stage(name: str, tmp_path: Path) -> Iterator[Stage]:
    with fake_api() as api:
        yield Stage(name, tmp_path, api)


def said(done: Result, name: str) -> list[str]:
    prefix = f"[{name}] "
    return [line.removeprefix(prefix) for line in done.stdout.decode().split("\n") if line.startswith(prefix)]


def has(done: Result, name: str, *texts: str) -> None:
    assert done.status == 0, done
    lines = said(done, name)
    for text in texts:
        assert sum(line == text for line in lines) == 1, (text, lines)


@pytest.mark.parametrize("name", ["aider"])
def test_parallel_without_tools(stage: Stage) -> None:
    tasks = ["--subtask", "PLEASE WRITE a.txt", "--subtask", f"--help PLEASE SAY {LENGTHY} 😀"]
    tasks += ["--subtask", "PLEASE RUN touch b.txt"]  # which nobody is there to agree to
    done = stage.spawn(*tasks, "all")
    has(done, "aider-1", "Applied edit to a.txt")
    has(done, "aider-2", f"{LENGTHY} 😀")
    assert stage.made() == ["a.txt"]


@pytest.mark.parametrize("name", AGENTS)
def test_parallel_with_tools(stage: Stage) -> None:
    tasks = [
        "--subtask",
        "PLEASE RUN touch a.txt THEN SAY one is made",
        "--subtask",
        "--help PLEASE SAY só 😀",
    ]
    done = stage.spawn(*tasks, "all")
    has(done, f"{stage.name}-1", "one is made")
    has(done, f"{stage.name}-2", "só 😀")
    assert any(re.match(r"→ \w+: .*touch a.txt", line) for line in said(done, f"{stage.name}-1"))
    assert any("tokens in" in line for line in said(done, f"{stage.name}-2"))
    assert stage.made() == ["a.txt"]


@pytest.mark.parametrize("name", ALL)
def test_sequential(stage: Stage) -> None:
    tasks = ["--subtask", "PLEASE SAY the key is 17", "--subtask", f"PLEASE {stage.deed('b.txt')}"]
    done = stage.spawn("--pattern", "sequential", *tasks, "both")
    has(done, f"{stage.name}-2", stage.told_of("b.txt"))
    told = [json.dumps(body) for _, body in stage.api.requests]
    assert any("step 2 of 2" in body and "the key is 17" in body for body in told)
    assert stage.made() == ["b.txt"]


@pytest.mark.parametrize("name", ALL)
def test_decompose(stage: Stage) -> None:
    done = stage.spawn("--pattern", "decompose", f"PLEASE DIVIDE {stage.deed('a.txt')} AND SAY {LENGTHY}")
    has(done, f"{stage.name}-1", stage.told_of("a.txt"))
    has(done, f"{stage.name}-2", LENGTHY)
    assert stage.made() == ["a.txt"]


@pytest.mark.parametrize("name", ALL)
def test_recursive(stage: Stage) -> None:
    done = stage.spawn("--pattern", "recursive", f"PLEASE ASK SAY {LENGTHY} AND {stage.deed('c.txt')}")
    has(done, f"{stage.name}.1", LENGTHY)
    has(done, f"{stage.name}.2", stage.told_of("c.txt"))
    assert f"{stage.name} asks for 2: 1, 2" in done.stderr
    assert stage.made() == ["c.txt"]


@pytest.mark.parametrize("name", ["claude"])
def test_it_is_steered_between_two_deeds(stage: Stage) -> None:
    prompt = "PLEASE RUN touch begun.txt THEN WAIT 5 THEN RUN touch more.txt"
    with subprocess.Popen(
        stage.argv("spawn", "-a", stage.agent, "--no-interactive", "--count", "1", prompt),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=stage.env,
        cwd=stage.work,
    ) as process:
        wait_until((stage.work / "begun.txt").exists, "for the first deed", LONG)

        def sent() -> bool:
            words = stage.argv("send", "claude", "PLEASE DON'T FORGET")
            return subprocess.run(words, env=stage.env, capture_output=True, check=False).returncode in (0, 1)

        wait_until(sent, "to be reached", LONG)
        stdout, stderr = process.communicate(timeout=LONG)
    assert process.returncode == 0, (stdout, stderr)
    told = [json.dumps(body) for _, body in stage.api.requests]
    assert sum("while you were working" in body and "FORGET" in body for body in told)


@pytest.mark.parametrize("name", ["claude"])  # the others try for minutes
def test_without_a_model_it_fails_and_says_why(stage: Stage) -> None:
    stage.env |= {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9", "CLAUDE_CODE_MAX_RETRIES": "0"}
    done = stage.spawn("--count", "1", "PLEASE SAY it")
    assert done.status == 1, done
    assert "[ERROR]" in done.stdout.decode()


@pytest.mark.parametrize("name", AGENTS)
def test_on_a_terminal_it_is_given_its_prompt_too(name: str, tmp_path: Path) -> None:
    """And asks before it does anything, which a rule agrees to."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    with fake_api() as api:
        agent = shlex.join(set_up(name, home, work, api.url))
        env = {**nowhere(home, api.url), "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(tmp_path)}
        env["COLORTERM"] = "truecolor"  # else Gemini's warning stands below its menus, and no rule knows that
        argv = [sys.executable, "-P", "-m", "axiom_trio"]
        words = [
            "-a",
            agent,
            "--interactive",
            "--rule-set",
            name,
            "--count",
            "1",
            "PLEASE RUN touch made.txt",
        ]
        with subprocess.Popen(
            [*argv, "spawn", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=work
        ) as process:
            try:
                wait_until((work / "made.txt").exists, "for its deed", LONG)
            finally:
                process.terminate()
                stdout, stderr = process.communicate(timeout=LONG)
    assert process.returncode == 143, (stdout, stderr)

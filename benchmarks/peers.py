"""Who is measured: how each is found, started, installed, and how its prefix looks."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from benchmarks.workload import Workload

EXTRA_PATH = [folder for folder in os.environ.get("AXIOM_BENCH_PATH", "").split(os.pathsep) if folder]


def search_path() -> str:
    own = str(Path(sys.executable).parent)
    return os.pathsep.join([*EXTRA_PATH, os.environ.get("PATH", os.defpath), own])


def environment() -> dict[str, str]:
    """The children's: no colours, no telemetry, nothing that says "CI" and changes a tool's manners."""
    quiet = {"NO_COLOR": "1", "DO_NOT_TRACK": "1", "TURBO_TELEMETRY_DISABLED": "1", "TURBO_NO_UPDATE_NOTIFIER": "1"}
    kept = {k: v for k, v in os.environ.items() if k not in ("CI", "FORCE_COLOR", "DEBUG", "AXIOM_BENCH_PATH")}
    return kept | quiet | {"PATH": search_path()}


@dataclass(frozen=True)
class Command:
    argv: list[str]
    cwd: Path
    env: dict[str, str] = field(default_factory=environment)


@dataclass(frozen=True)
class Peer:
    """A tool. In `prefix`, {} stands for the child's name and # for a digit."""

    name: str
    executables: tuple[str, ...]
    prepare: Callable[[str, Workload, tuple[str, ...]], list[str]]
    install: str
    prefix: str = ""
    keeps_lines: bool = True
    floor: bool = False
    most_mb: int = 100_000  # above this it takes minutes: measured on less
    most_children: int = 100_000
    remark: str = ""
    version_pattern: str = r"\d+(\.\d+)*"

    @cache  # noqa: B019 - peers live as long as the program
    def find(self) -> str | None:
        for name in self.executables:
            found = shutil.which(name, path=search_path())
            if found and self.version_of(found) is not None:
                return found
        return None

    @cache  # noqa: B019
    def version_of(self, path: str) -> str | None:
        """None: this is another program of the same name."""
        if self.floor:
            return ""
        flag = "-W" if self.name.startswith("mawk") else "--version"
        argv = [path, flag, "version"] if flag == "-W" else [path, flag]
        try:
            done = subprocess.run(
                argv, capture_output=True, text=True, errors="replace", timeout=20, env=environment(), check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        match = re.search(self.version_pattern, done.stdout + done.stderr)
        return match[0] if match else None

    @property
    def version(self) -> str:
        path = self.find()
        return (self.version_of(path) or "") if path else ""

    def command(self, work: Workload, *options: str) -> Command:
        path = self.find()
        if path is None:
            raise FileNotFoundError(self.name)
        return Command(self.prepare(path, work, options), work.folder)


def axiom(path: str, work: Workload, options: tuple[str, ...]) -> list[str]:
    streams = () if "--pty" in options else ("--pipe",)
    return [path, "run", *streams, *options, work.template(), ":::", *work.names]


def parallel(path: str, work: Workload, _: tuple[str, ...]) -> list[str]:
    return [path, "--line-buffer", "--tag", "-j0", work.template(), ":::", *work.names]


def concurrently(path: str, work: Workload, _: tuple[str, ...]) -> list[str]:
    return [path, "--no-color", "-n", ",".join(work.names), *work.commands()]


def package(work: Workload, **more: str) -> dict[str, str]:
    scripts = dict(zip(work.names, work.commands(), strict=True))
    (work.folder / "package.json").write_text(json.dumps({"name": "b", "private": True, "scripts": scripts, **more}))
    return scripts


def bun(path: str, work: Workload, _: tuple[str, ...]) -> list[str]:
    package(work)
    return [path, "run", "--parallel", "c*"]


def pnpm(path: str, work: Workload, _: tuple[str, ...]) -> list[str]:
    package(work)
    return [path, "run", f"--workspace-concurrency={work.children}", "/^c/"]


def turbo(path: str, work: Workload, _: tuple[str, ...]) -> list[str]:
    bun_path = shutil.which("bun", path=search_path())
    manager = f"bun@{BY_NAME['bun'].version}" if bun_path else "npm@10.0.0"
    scripts = package(work, packageManager=manager)
    tasks = {name: {"cache": False} for name in scripts}
    (work.folder / "turbo.json").write_text(json.dumps({"tasks": tasks}))
    how = ["--ui=stream", "--log-order=stream", f"--concurrency={work.children + 1}"]
    return [path, "run", *work.names, *how]


def poe(path: str, work: Workload, _: tuple[str, ...]) -> list[str]:
    tasks = {name: {"shell": command} for name, command in zip(work.names, work.commands(), strict=True)}
    everything = {"tasks": {"all": {"parallel": work.names}, **tasks}}
    (work.folder / "poe_tasks.json").write_text(json.dumps(everything))
    return [path, "-q", "-C", str(work.folder), "all"]


def honcho(path: str, work: Workload, _: tuple[str, ...]) -> list[str]:
    # It stops all when one ends, so the children wait for each other at their end.
    gate = (f"gate={work.folder / 'gate'}", f"of={work.children}") if work.mode == "block" else ()
    rows = [f"{name}: exec {line}\n" for name, line in zip(work.names, work.commands(*gate), strict=True)]
    (work.folder / "Procfile").write_text("".join(rows))
    return [path, "start", "--no-colour"]


def go_task(path: str, work: Workload, _: tuple[str, ...]) -> list[str]:
    tasks = {name: {"cmds": [line], "silent": True} for name, line in zip(work.names, work.commands(), strict=True)}
    everything = {"version": "3", "output": "prefixed", "tasks": {"all": {"deps": work.names}, **tasks}}
    (work.folder / "Taskfile.yml").write_text(json.dumps(everything))  # JSON is YAML
    return [path, "--taskfile", str(work.folder / "Taskfile.yml"), "all"]


def script(each: str = "", last: str = "") -> Callable[[str, Workload, tuple[str, ...]], list[str]]:
    """All children in the background of one shell, each behind `each`, all behind `last`."""

    def prepare(path: str, work: Workload, _: tuple[str, ...]) -> list[str]:
        rows = []
        for name, line in zip(work.names, work.commands(), strict=True):
            behind = each.replace("PROGRAM", shlex.quote(path)).replace("{}", name)
            rows.append(f"{line} {behind} &\n")
        text = "{\n" + "".join(rows) + "wait\n}" + last + "\n"
        (work.folder / "run.sh").write_text(text)
        return ["/bin/sh", str(work.folder / "run.sh")]

    return prepare


PEERS = [
    Peer("axiom-trio", ("axiom-trio",), axiom, "pip install .", "[{}] "),
    Peer("cat", ("cat",), script(), "coreutils", floor=True, keeps_lines=False,
         remark="all children into one pipe: no merger at all"),
    Peer("cat|cat", ("cat",), script(last=" | cat"), "coreutils", floor=True, keeps_lines=False,
         remark="one process between, as any merger is"),
    Peer("parallel", ("parallel",), parallel, "apt-get install parallel", "{}\t", version_pattern=r"(?<=parallel )\d+"),
    Peer("turbo", ("turbo",), turbo, "npm install -g turbo bun", "{}: ", most_children=200,
         remark="starts a package manager per child: not asked for 1000"),
    Peer("bun", ("bun",), bun, "npm install -g bun", "{} | "),
    Peer("pnpm", ("pnpm",), pnpm, "npm install -g pnpm", ". {}: "),
    Peer("poe", ("poe",), poe, "pip install poethepoet", "{} | ", most_mb=100),
    Peer("concurrently", ("concurrently",), concurrently, "npm install -g concurrently", "[{}] ", most_mb=200),
    Peer("honcho", ("honcho",), honcho, "pip install honcho", "##:##:## {}.1 | ", most_mb=10, most_children=200),
    Peer("go-task", ("go-task", "task"), go_task, "see https://taskfile.dev/installation", "[{}] ",
         version_pattern=r"3\.\d+\.\d+"),
    Peer("mawk × N", ("mawk",), script(each="""| PROGRAM '{print "[{}] " $0}'"""), "apt-get install mawk", "[{}] ",
         keeps_lines=False, most_children=100, remark="a filter per child into one pipe: mixes lines"),
    Peer("sed -u × N", ("sed",), script(each="| PROGRAM -u 's/^/[{}] /'"), "apt-get install sed", "[{}] ",
         most_mb=20, most_children=100),
]  # fmt: skip
BY_NAME = {peer.name: peer for peer in PEERS}


def installed() -> list[Peer]:
    return [peer for peer in PEERS if peer.find()]


def missing() -> list[Peer]:
    return [peer for peer in PEERS if not peer.find()]

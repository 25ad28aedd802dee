"""What a measured tool is: how it is found and started, and how its prefix looks."""

from __future__ import annotations

import os
import re
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
    quiet = {
        "NO_COLOR": "1",
        "DO_NOT_TRACK": "1",
        "TURBO_TELEMETRY_DISABLED": "1",
        "TURBO_NO_UPDATE_NOTIFIER": "1",
    }
    kept = {
        k: v for k, v in os.environ.items() if k not in ("CI", "FORCE_COLOR", "DEBUG", "AXIOM_BENCH_PATH")
    }
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

    @cache  # noqa: B019 (peers live as long as the program)
    def find(self) -> str | None:
        for name in self.executables:
            found = shutil.which(name, path=search_path())
            if found and self.version_of(found) is not None:
                return found
        return None

    @cache  # noqa: B019 (peers live as long as the program)
    def version_of(self, path: str) -> str | None:
        """None: this is another program of the same name."""
        if self.floor:
            return ""
        flag = "-W" if self.name.startswith("mawk") else "--version"
        argv = [path, flag, "version"] if flag == "-W" else [path, flag]
        try:
            done = subprocess.run(
                argv,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=20,
                env=environment(),
                check=False,
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

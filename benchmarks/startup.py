"""What it costs to start at all."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from benchmarks.peers import environment, search_path
from benchmarks.roster import BY_NAME
from benchmarks.runner import workplace
from benchmarks.series import Case, Context, Sample, ToolFailedError, interleave
from benchmarks.workload import Workload

ROUNDS = 25


def python_of_axiom() -> str | None:
    """The interpreter that the measured axiom-trio runs on, else one on the path that has trio."""
    own = BY_NAME["axiom-trio"].find()
    names = [str(Path(own).resolve().parent / "python")] if own else []
    for name in [*names, "python", "python3"]:
        found = shutil.which(name, path=search_path())
        if (
            found
            and not subprocess.run([found, "-c", "import trio"], capture_output=True, check=False).returncode
        ):
            return found
    return None


class Trivial(Workload):
    """Children that do nothing, so that the tool's own start is what is seen."""

    def template(self, *_: str) -> str:
        return "true"

    def commands(self, *_: str) -> list[str]:
        return ["true"] * self.children


def startup(context: Context) -> list[Case]:
    result = Case("startup", "start-up, one child that does nothing")
    python, own = python_of_axiom(), BY_NAME["axiom-trio"].find()
    argvs: dict[str, list[str]] = {}
    if python:
        argvs |= {"python -c pass": [python, "-c", "pass"], "import trio": [python, "-c", "import trio"]}
    if own:
        argvs |= {"axiom-trio --help": [own, "--help"], "axiom-trio run true": [own, "run", "true"]}
    with workplace() as top:
        folders = {}
        for peer in context.peers():
            if peer.name != "axiom-trio" and "×" not in peer.name:
                folder = top / peer.name
                folder.mkdir()
                command = peer.command(Trivial([], "true", 1, folder))
                argvs[f"{peer.name}: true"], folders[f"{peer.name}: true"] = command.argv, folder

        def measure(subject: str) -> Sample:
            start = time.monotonic()
            try:
                done = subprocess.run(
                    argvs[subject],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    cwd=folders.get(subject, top),
                    env=environment(),
                    timeout=30,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise ToolFailedError("not done after 30 s") from error
            if done.returncode:
                raise ToolFailedError(
                    f"exit {done.returncode}: {done.stderr[-200:].decode(errors='replace').strip()}"
                )
            return {"ms": (time.monotonic() - start) * 1000}

        rounds = 5 if context.quick else max(ROUNDS, context.rounds)
        return [interleave(result, list(argvs), rounds, measure)]

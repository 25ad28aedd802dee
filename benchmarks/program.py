"""Measurements within one program: run with axiom-trio's own interpreter, they print what they saw."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from benchmarks.series import Sample, ToolFailedError


def run_program(python: str, module: str, *arguments: object) -> Sample:
    """Run a module of the benchmarks once.

    Raises:
        ToolFailedError: With the last line of its stderr.
    """
    done = subprocess.run(
        [python, "-m", module, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parent.parent,
        check=False,
    )
    if done.returncode:
        raise ToolFailedError((done.stderr.strip().splitlines() or ["failed"])[-1])
    return json.loads(done.stdout)

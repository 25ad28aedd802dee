"""The small programs that stand around a measured tool, compiled at first use."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = {"generator": "axgen", "verifier": "axverify", "latency": "axlatency", "ptyfloor": "axptyfloor"}


@dataclass(frozen=True)
class Helpers:
    """How to start each of them, as the first words of an argv."""

    generator: list[str]
    verifier: list[str]
    latency: list[str]
    ptyfloor: list[str] | None
    remark: str = ""


def compiler() -> str | None:
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        if name and (found := shutil.which(name)):
            return found
    return None


def compiled(cc: str, build: Path) -> Helpers:
    build.mkdir(parents=True, exist_ok=True)
    argvs: dict[str, list[str] | None] = {}
    for source, program in PROGRAMS.items():
        text = (HERE / "native" / f"{source}.c").read_bytes()
        folder = build / hashlib.sha256(text).hexdigest()[:12]
        if not (folder / program).exists():
            folder.mkdir(exist_ok=True)
            fresh = folder / f"{program}.{os.getpid()}"
            command = [cc, "-O2", "-o", str(fresh), str(HERE / "native" / f"{source}.c"), "-lutil"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise OSError(f"{source}.c: {done.stderr.strip()[:300]}")
            fresh.rename(folder / program)
        argvs[source] = [str(folder / program)]
    return Helpers(**argvs)


def interpreted(reason: str) -> Helpers:
    python = [sys.executable, "-S", "-E"]
    argvs = {
        name: [*python, str(HERE / "fallback" / f"{name}.py")] for name in PROGRAMS if name != "ptyfloor"
    }
    return Helpers(
        **argvs, ptyfloor=None, remark=f"children and checker in Python: {reason}; figures are too low"
    )


def build(folder: Path = HERE / ".build") -> Helpers:
    cc = compiler()
    if cc is None:
        return interpreted("no C compiler found (apt-get install gcc libc6-dev)")
    try:
        return compiled(cc, folder)
    except OSError as error:
        return interpreted(f"the C programs did not compile: {error}")

"""Where it was measured: the machine and the versions of what took part."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from benchmarks.roster import PEERS
from benchmarks.startup import python_of_axiom


def processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def memory_gb() -> int:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9)
    except (ValueError, OSError):
        return 0


def python_and_trio() -> tuple[str, str]:
    python = python_of_axiom()
    if python is None:
        return platform.python_version(), ""
    code = "import platform, trio; print(platform.python_version(), trio.__version__)"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    version, _, trio = done.stdout.strip().partition(" ")
    return version, trio


def describe() -> dict[str, object]:
    python, trio = python_and_trio()
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": processor(),
        "memory_gb": memory_gb(),
        "kernel": platform.release(),
        "python": python,
        "trio": trio,
        "load": round(os.getloadavg()[0], 2),
    }


def tools() -> dict[str, dict[str, object]]:
    return {
        peer.name: {
            "installed": peer.find() is not None,
            "version": peer.version,
            "install": peer.install,
            "floor": peer.floor,
            "remark": peer.remark,
        }
        for peer in PEERS
    }


def in_words(machine: dict[str, object]) -> str:
    return (
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gb']} GB, "
        f"Linux {machine['kernel']}, Python {machine['python']}"
        + (f", trio {machine['trio']}" if machine["trio"] else "")
    )

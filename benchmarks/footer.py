"""What the footer costs: a real terminal, read as fast as it can be, with a footer and without."""

from __future__ import annotations

import json
import os
import subprocess
import termios
import time
from pathlib import Path

from benchmarks.peers import environment
from benchmarks.runner import workplace
from benchmarks.series import Case, Context, Sample, ToolFailedError, interleave
from benchmarks.startup import python_of_axiom
from benchmarks.throughput import CHILDREN, workload
from benchmarks.workload import Workload

ROWS, COLUMNS = 40, 120
WITH, WITHOUT = "with footer", "without"
LIMIT = 120.0


def on_terminal(python: str, tool: str, work: Workload, reader: list[str]) -> tuple[float, bytes]:
    """Run the children on a terminal of their own; the seconds it took, and what its reader said."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (ROWS, COLUMNS))
    progress = "always" if tool == WITH else "never"
    began = time.monotonic()
    with subprocess.Popen(reader, stdin=master, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as read:
        os.close(master)
        run = subprocess.Popen(
            [python, "-m", "axiom_trio", "run", "-q", "--progress", progress, *work.commands()],
            stdin=subprocess.DEVNULL,
            stdout=slave,
            stderr=slave,
            env=environment() | {"TERM": "xterm"},
            cwd=Path(__file__).parent.parent,
            start_new_session=True,
        )
        os.close(slave)
        try:
            said, _ = read.communicate(timeout=LIMIT)
            status = run.wait(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            run.terminate()
            read.kill()
            raise ToolFailedError(f"took more than {LIMIT:.0f} s") from None
    if status:
        raise ToolFailedError(f"ended with status {status}")
    return time.monotonic() - began, said


def throughput(context: Context, python: str) -> Case:
    megabytes = context.size or (20 if context.quick else 200)

    def measure(tool: str) -> Sample:
        with workplace() as folder:
            work = workload(context, folder, megabytes, 65536)
            seconds, _ = on_terminal(python, tool, work, ["sh", "-c", "exec cat >/dev/null"])
            return {"seconds": seconds, "mb_s": work.bytes / 1e6 / seconds}

    case = Case("footer-throughput", f"{CHILDREN} children onto a terminal, {megabytes} MB")
    return interleave(case, [WITH, WITHOUT], min(context.rounds, 3), measure)


def latency(context: Context, python: str, *, beside: bool) -> Case:
    warm, window = (700, 1500) if context.quick else (1000, 3000)

    def measure(tool: str) -> Sample:
        with workplace() as folder:
            options = {"every": 50_000, "for": warm + window + 800}
            work = Workload(
                context.helpers.generator, "beside" if beside else "tick", CHILDREN, folder, options
            )
            reader = [*context.helpers.latency, f"warm={warm}", f"window={window}"]
            _, said = on_terminal(python, tool, work, reader)
            found = json.loads(said)
            return {name: found[name] for name in ("p50", "p99", "max", "samples")}

    name = "flood" if beside else "idle"
    title = "beside one that floods" if beside else "one line per 50 ms each"
    case = Case(f"footer-latency-{name}", f"latency onto a terminal, {CHILDREN} children, {title}")
    return interleave(case, [WITH, WITHOUT], min(context.rounds, 3), measure)


def footer(context: Context) -> list[Case]:
    python = python_of_axiom()
    if python is None:
        return [Case("footer-throughput", "footer", problems={WITH: "no interpreter with trio found"})]
    return [
        throughput(context, python),
        latency(context, python, beside=False),
        latency(context, python, beside=True),
    ]

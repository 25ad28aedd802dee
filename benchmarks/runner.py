"""Runs one tool once: tool | sink, with time, CPU, memory watch and limits, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import Command
from benchmarks.processes import Tree, kill_survivors, kill_tree
from benchmarks.workload import Workload

CAT = ["cat"]
MOST_MEMORY = 4000.0  # MB: some peers buffer a flood without bound


@dataclass
class Outcome:
    seconds: float = 0.0
    cpu: float = 0.0  # of the tool, its helpers and the children together
    status: int = 0
    problem: str = ""
    said: str = ""  # what the sink printed
    survivors: int = 0
    tool_ended: float = 0.0  # on the monotonic clock

    @property
    def report(self) -> dict[str, float]:
        try:
            return json.loads(self.said)
        except ValueError:
            return {}


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="axiom-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def wait(pidfd: int, seconds: float) -> bool:
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(max(0, int(seconds * 1000))))


def watch_until(
    pidfd: int, tree: Tree, limit: float, step: float, look: Callable[[Tree], bool] | None
) -> str:
    """Waits for the tool's end. Says what is wrong, if anything."""
    deadline = time.monotonic() + limit
    while not wait(pidfd, min(step, max(0.0, deadline - time.monotonic()))):
        if time.monotonic() >= deadline:
            return f"not done after {limit:g} s"
        if tree.rss() > MOST_MEMORY:
            return f"more than {MOST_MEMORY / 1000:g} GB of memory"
        if look and look(tree):
            return ""
    return ""


def run(
    command: Command,
    work: Workload | None = None,
    *,
    sink: list[str] | None = CAT,
    limit: float = 60.0,
    step: float = 0.5,
    look: Callable[[Tree], bool] | None = None,
) -> Outcome:
    """Runs the tool to its end, its stdout piped into `sink` (None: nobody reads).

    `look` is called every `step` seconds with the tool's process tree; True ends the run.
    """
    outcome = Outcome()
    read_end, write_end = os.pipe()
    answer = None
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as answers:
        try:
            if sink is not None:
                where = answers if sink is not CAT else subprocess.DEVNULL
                answer = subprocess.Popen(sink, stdin=read_end, stdout=where)
            start = time.monotonic()
            tool = subprocess.Popen(
                command.argv,
                stdin=subprocess.DEVNULL,
                stdout=write_end,
                stderr=errors,
                cwd=command.cwd,
                env=command.env,
                start_new_session=True,
            )
            os.close(write_end)
            write_end = -1
            if sink is not None:
                os.close(read_end)
                read_end = -1
            tree = Tree(tool.pid)
            pidfd = os.pidfd_open(tool.pid)
            try:
                outcome.problem = watch_until(pidfd, tree, limit, step, look)
                alive = not wait(pidfd, 0)
                if alive:
                    kill_tree(tree)
            finally:
                os.close(pidfd)
            _, status, usage = os.wait4(tool.pid, 0)
            outcome.tool_ended = time.monotonic()
            tool.returncode = outcome.status = os.waitstatus_to_exitcode(status)
            if work is not None and alive:
                kill_survivors(work.pid_file)
            if answer is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    answer.wait(10)
            outcome.seconds = time.monotonic() - start
            outcome.cpu = usage.ru_utime + usage.ru_stime
        finally:
            for fd in (read_end, write_end):
                if fd >= 0:
                    os.close(fd)
            if answer is not None and answer.poll() is None:
                answer.kill()
                answer.wait()
        if work is not None:
            outcome.survivors = kill_survivors(work.pid_file)
        answers.seek(0)
        outcome.said = answers.read().decode(errors="replace")
        if outcome.status and not alive and not outcome.problem:
            errors.seek(0)
            tail = errors.read().decode(errors="replace").replace(str(command.cwd), "…")
            tail = tail.strip()[-300:].replace("\n", " / ")
            outcome.problem = f"exit {outcome.status}: {tail}"
    return outcome


def terminate(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)

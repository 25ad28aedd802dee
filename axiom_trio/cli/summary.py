"""`--summary`: all that is known of a run, as JSON, in one piece."""

from __future__ import annotations

import json
import os
import stat
import time
from typing import TYPE_CHECKING, Any

import trio

from axiom_trio.cli import say, write_all
from axiom_trio.cli.joblog import never_ran
from axiom_trio.sansio.wire import metadata_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from axiom_trio.cli.options import RunOptions
    from axiom_trio.cli.tasks import TaskSpec
    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.events import Escaped


def check(path: str) -> None:
    """See whether the file can be written.

    Raises:
        OSError: It can't.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        with open(path, "xb"):
            os.unlink(path)
        return
    if stat.S_ISFIFO(mode) and not os.access(path, os.W_OK):
        raise PermissionError(13, "Permission denied")
    if not stat.S_ISFIFO(mode):  # opening that would wait for a reader, and closing it sends one away
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOCTTY))


def write(
    options: RunOptions,
    aggregator: StreamAggregator,
    status: int,
    failures: Mapping[str, str],
    masked: Callable[[str], str],
) -> bool:
    """Write the file. False if it could not be written, after saying so.

    Args:
        options: What was asked for.
        aggregator: What ran.
        status: The exit status.
        failures: What did not get everything, and why.
        masked: Takes the secrets out of a text.
    """
    path = options.summary
    assert path is not None
    figures = aggregator.statistics()
    now = time.time()
    duration = trio.current_time() - aggregator.opened_at
    summary = {
        "runId": aggregator.run_id,
        "exitStatus": status,
        "startTime": _ms(now - duration),
        "endTime": _ms(now),
        "duration": _ms(duration),
        "options": {"jobs": options.jobs, "halt": options.halt, "success": options.success},
        "completed": figures.completed,
        "failed": figures.failed,
        "totalBytes": figures.bytes,
        "totalLines": figures.lines,
        "totalInterventions": figures.interventions,
        "escaped": _escaped(aggregator.escaped),
        "failedSinks": [{"sink": sink, "error": why} for sink, why in failures.items()],
        "children": [
            _child(child, task, masked)
            for child, task in zip(aggregator.children, options.tasks, strict=True)
        ],
    }
    try:
        _write(path, (json.dumps(summary, indent=2) + "\n").encode())
    except OSError as error:
        say(f"axiom-trio: the summary could not be written to {path}: {error.strerror}\n")
        return False
    return True


def _child(child: Child, task: TaskSpec, masked: Callable[[str], str]) -> dict[str, Any]:
    command = task.command
    completed = child.completed
    assert completed is not None
    ran = not never_ran(child)
    return {
        "id": child.id,
        "name": child.name,
        "command": masked(command) if isinstance(command, str) else [masked(word) for word in command],
        "pid": child.pid,
        "state": "completed" if ran else "neverStarted",
        "reason": completed.reason,
        "exitCode": completed.exit.code,
        "signal": completed.exit.signal,
        "error": completed.exit.error,
        "attempts": completed.attempts,
        "startTime": _ms(completed.time - completed.duration) if ran else None,
        "endTime": _ms(completed.time) if ran else None,
        "duration": _ms(completed.duration),
        "bytes": completed.bytes,
        "lines": completed.lines,
        "interventions": completed.interventions,
        "escaped": _escaped(completed.escaped),
        **({} if child.metadata is None else {"metadata": metadata_fields(child.metadata)}),
    }


def _escaped(escaped: Iterable[Escaped]) -> list[dict[str, Any]]:
    return [{"pid": left.pid, "command": left.command, "killed": left.killed} for left in escaped]


def _write(path: str, data: bytes) -> None:
    """Replace a file in one step; write to what is no file, such as a pipe, as it is."""
    target = os.path.realpath(path)
    there = os.stat(path) if os.path.exists(path) else None
    # What /dev/stdout leads to may be a file, and then one that has the stream in it.
    special = os.path.abspath(path).startswith(("/dev/", "/proc/"))
    if special or (there is not None and not stat.S_ISREG(there.st_mode)):
        with open(path, "ab", buffering=0) as file:
            write_all(file.fileno(), data)
        return
    temporary = os.path.join(os.path.dirname(target), f".axiom-trio-{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except PermissionError:  # the file may be ours though its folder isn't
        with open(target, "wb", buffering=0) as file:
            write_all(file.fileno(), data)
        return
    try:
        try:
            if there is not None:
                os.fchmod(descriptor, stat.S_IMODE(there.st_mode))
            write_all(descriptor, data)
        finally:
            os.close(descriptor)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _ms(seconds: float) -> int:
    return round(seconds * 1000)

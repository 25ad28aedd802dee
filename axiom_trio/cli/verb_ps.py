"""`axiom-trio ps`: the runs that go on, and their children."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

import trio

from axiom_trio.cli import say
from axiom_trio.cli.verbs import DONE, FAILED, NOT_THERE, out, out_json
from axiom_trio.sansio.durations import format_duration
from axiom_trio.sansio.names import printable
from axiom_trio.server import runtime
from axiom_trio.server.client import connect
from axiom_trio.server.remote import ConnectError, LostError

if TYPE_CHECKING:
    from axiom_trio.cli.verb_options import VerbOptions
    from axiom_trio.server.remote import ChildInfo, RunInfo

_PATIENCE: Final = 2.0  # seconds for a run to answer
_COMMAND: Final = 60
_HEAD: Final = ("NAME", "STATE", "PID", "LINES", "IDLE", "AGE")


async def ps(options: VerbOptions) -> int:
    """Show them; returns the exit status."""
    if options.get("url") is not None:
        async with connect(url=options.get("url"), token=options.token) as client:
            _show(options, client.hello.run_id, client.hello, "", first=True)
        return DONE
    found, problems = runtime.runs()
    for problem in problems:
        say(f"axiom-trio ps: {problem}\n")
    if (wanted := options.get("run")) is not None:
        found = [one for one in found if one.run_id.startswith(wanted)]
    answers: dict[str, RunInfo | str] = {}
    async with trio.open_nursery() as nursery:
        for one in found:
            nursery.start_soon(_ask, one.run_id, answers)
    shown = False
    order = sorted(answers, key=lambda run: getattr(answers[run], "started_at", 0.0))
    for run in order:
        answer = answers[run]
        if isinstance(answer, str):
            _show(options, run, None, answer, first=not shown)
        else:
            _show(options, run, answer, "", first=not shown)
        shown = True
    if not shown and wanted is not None:
        say(f"axiom-trio ps: there is no run {wanted!r}\n")
        return NOT_THERE
    if not shown and not options.get("json"):
        say("axiom-trio ps: no run goes on\n")
    return FAILED if problems else DONE


async def _ask(run: str, answers: dict[str, RunInfo | str]) -> None:
    answers[run] = f"does not answer within {_PATIENCE:g} s; is it stopped?"
    with trio.move_on_after(_PATIENCE):
        try:
            async with connect(run) as client:
                answers[run] = client.hello
        except LostError:
            del answers[run]  # it has just ended
        except ConnectError as error:
            answers[run] = str(error)


def _show(options: VerbOptions, run: str, info: RunInfo | None, problem: str, *, first: bool) -> None:
    if options.get("json"):
        out_json({"runId": run, "answers": False} if info is None else {**info.wire, "answers": True})
        return
    if not first:
        out("")
    if info is None:
        out(f"run {run[:8]}  {printable(problem)}")
        return
    command = printable(info.command)
    if len(command) > _COMMAND:
        command = command[: _COMMAND - 1] + "…"
    age = format_duration(time.time() - info.started_at, running=True)
    out(f"run {info.short_id}  pid {info.pid}  {age}  {printable(_where(info.cwd))}  {command}")
    rows = [_HEAD, *map(_row, info.children)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEAD))]
    for row in rows:
        cells = [
            text.ljust(width) if place < 2 else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        out(("  " + "  ".join(cells)).rstrip())


def _where(directory: str) -> str:
    home = os.path.expanduser("~")
    if directory == home or directory.startswith(home + "/"):
        return "~" + directory[len(home) :]
    return directory


def _row(child: ChildInfo) -> tuple[str, ...]:
    ended = child.exit is not None
    started = child.state not in ("queued", "starting")
    state = child.state
    if child.exit is not None:
        state = "done" if child.ok else str(child.exit)
        if child.reason in ("stopped", "cancelled", "timeout", "idle", "skipped"):
            state = child.reason
    return (
        printable(child.name),
        printable(state),
        str(child.pid) if child.pid is not None and not ended else "-",
        f"{child.lines:,}",
        format_duration(child.idle, running=True) if started and not ended else "-",
        format_duration(child.uptime, running=True) if started else "-",
    )

"""`--detach`: the run goes on in a process of its own, and ours ends when that has told its ids."""

from __future__ import annotations

import json
import os
import sys
import time

TYPE_CHECKING = False  # type checkers know better; importing typing takes 5 ms
if TYPE_CHECKING:
    from axiom_trio.cli.spawn_options import SpawnOptions

_SHORT = 8


def detach(options: SpawnOptions) -> int | None:
    """Go on in another process: None there, in ours the exit status.

    What it says on stderr is in a file beside its journal; if it ends before it has begun, it's said here.
    """
    from axiom_trio.cli import _print, say
    from axiom_trio.cli.tasks import UsageError

    options.journal = os.path.abspath(options.journal or _directory())
    log = f"{options.journal.rstrip('/')}.log"
    try:
        os.makedirs(os.path.dirname(log), mode=0o700, exist_ok=True)
        file = os.open(log, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"cannot write {log}: {error.strerror}", "axiom-trio spawn") from None
    reader, writer = os.pipe()
    sys.stdout.flush()
    pid = os.fork()  # no thread has been started yet
    if not pid:
        os.close(reader)
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for descriptor, ours in ((0, nothing), (1, nothing), (2, file)):
            os.dup2(ours, descriptor)
        os.close(nothing)
        os.close(file)
        options.report = writer
        return None
    os.close(writer)
    told = b""
    while piece := os.read(reader, 65536):
        told += piece
    if told:
        return _print(_shown(told, log, as_json=options.json))
    _, status = os.waitpid(pid, 0)
    with open(file, "rb") as said:
        said.seek(0)
        say(said.read().decode("utf-8", "replace"))
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _shown(told: bytes, log: str, *, as_json: bool) -> str:
    report = json.loads(told)
    report["log"] = log
    if as_json:
        return json.dumps(report) + "\n"
    lines = [f"{child['shortId']}  {child['name']}" for child in report["children"]]
    run = report["runId"][:_SHORT]
    return (
        "\n".join(lines)
        + f"\nrun {run}: axiom-trio ps, logs, wait, send and stop reach it\njournal {report['journal']}\n"
    )


def _directory() -> str:
    """Where the journal is kept that nobody has named."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(state, "axiom-trio", f"spawn-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}")

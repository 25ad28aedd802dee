"""What a record on disk costs: ours with a journal and without, and what people do today instead."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from pathlib import Path

from benchmarks import verify
from benchmarks.peers import Command
from benchmarks.roster import BY_NAME
from benchmarks.runner import run, workplace
from benchmarks.series import Case, Context, Sample, ToolFailedError, interleave
from benchmarks.throughput import CHILDREN, LIMIT, sample, workload
from benchmarks.workload import Workload

OURS = "axiom-trio"
JOURNAL = "axiom-trio --journal"
TEE = "tee per child"
SCRIPT = "script -c"
_SCRIPT_MB = 100  # its children write to a terminal: more would take minutes
_SHARED_MEMORY = Path("/dev/shm")


def place() -> Path:
    """Where the record is written: memory if there is any to write to, so that no disk is measured."""
    roomy = _SHARED_MEMORY.is_dir() and shutil.disk_usage(_SHARED_MEMORY).free > 4e9
    return _SHARED_MEMORY if roomy else Path(tempfile.gettempdir())


def command(subject: str, work: Workload, record: Path) -> Command:
    ours = BY_NAME[OURS]
    if subject == OURS:
        return ours.command(work)
    if subject == JOURNAL:
        return ours.command(work, "--journal", str(record / "journal"))
    if subject == TEE:
        pairs = zip(work.names, work.commands(), strict=True)
        lines = [f"{line} | tee {shlex.quote(str(record / name))} &" for name, line in pairs]
        return Command(["sh", "-c", "\n".join([*lines, "wait"])], work.folder)
    everything = "\n".join([*(f"{line} &" for line in work.commands()), "wait"])
    return Command(["script", "-qefc", everything, str(record / "typescript")], work.folder)


def journal(context: Context) -> list[Case]:
    megabytes = context.size or (20 if context.quick else 1000)
    where = place()
    case = Case("journal", f"{CHILDREN} children, 100-byte lines, a record in {where}, {megabytes} MB")
    tools = {OURS: OURS, JOURNAL: OURS, TEE: "tee", SCRIPT: "script"}
    found = {OURS: bool(BY_NAME[OURS].find())}
    subjects = [name for name, tool in tools.items() if found.get(tool, shutil.which(tool) is not None)]

    def measure(subject: str) -> Sample:
        size = min(megabytes, _SCRIPT_MB) if subject == SCRIPT else megabytes
        with workplace() as folder, tempfile.TemporaryDirectory(dir=where, prefix="axiom-bench-") as record:
            work = workload(context, folder, size, 65536)
            measured = sample(run(command(subject, work, Path(record)), work, limit=LIMIT), work)
            kept = sum(path.stat().st_size for path in Path(record).rglob("*") if path.is_file())
            if subject != OURS and kept < work.bytes:
                raise ToolFailedError(f"only {kept} of {work.bytes} bytes are on record")
            return measured

    interleave(case, subjects, context.rounds, measure)
    if SCRIPT in case.samples and megabytes > _SCRIPT_MB:
        case.notes[SCRIPT] = f"at {_SCRIPT_MB} MB"
    if JOURNAL in case.samples:
        with workplace() as folder, tempfile.TemporaryDirectory(dir=where, prefix="axiom-bench-") as record:
            work = workload(context, folder, min(megabytes, 200), 65536)
            options = ("--journal", str(Path(record, "journal")))
            case.verdicts[OURS] = verify.verified_pass(
                context.helpers, BY_NAME[OURS], work, *options, limit=LIMIT
            )
    return [case]

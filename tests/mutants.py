"""Prove that the tests have teeth: break the package on purpose, and see them fail.

    python -m tests.mutants [NAME…]      all, or those named
    python -m tests.mutants --list

Each mutant is an exact replacement in one file of a copy of the package; the quick
tests that should notice run against the copy. A mutant that survives, or whose text
is no longer found in the source, is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
LIMIT = 90.0  # seconds for the tests of one mutant; beyond it they hang, and so have noticed

PORT = "engine/port.py"
MERGER = "engine/merger.py"
OPENING = "engine/opening.py"
RUNNING = "executors/running.py"
MODEL = ("test_model.py", "test_port.py")
TEARDOWN = ("test_teardown.py",)


class Mutant(NamedTuple):
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = MODEL


MUTANTS = {
    "drop when full": Mutant(PORT, "            await self._send.send(chunk)\n", "            return\n"),
    "lose the chunk in hand": Mutant(PORT, "            self.left.insert(0, chunk)\n", "            pass\n"),
    "unbounded channel": Mutant(
        PORT, "trio.open_memory_channel[Chunk](1)", 'trio.open_memory_channel[Chunk](float("inf"))'
    ),
    "what a sender laid back is overtaken": Mutant(
        PORT, "if self._sending or not self.left:", "if not self.left:"
    ),
    "two senders take each other's chunk for theirs": Mutant(
        PORT, "if not chunk.taken:  # else", "if True:  # else"
    ),
    "reorder within a child": Mutant(PORT, "last.parts += chunk.parts", "last.parts[:0] = chunk.parts"),
    "a sender's last chunks in the wrong order": Mutant(
        PORT,
        "                raise\n            chunk = self.left.pop(0)",
        "                raise\n            chunk = self.left.pop()",
    ),
    "send can't be cancelled": Mutant(
        PORT,
        "            await trio.lowlevel.checkpoint()\n",
        "            await trio.lowlevel.cancel_shielded_checkpoint()\n",
        ("test_port.py",),
    ),
    "open lines are never shown": Mutant(
        PORT, "            self._tails.watch(self, splitter)\n", "            pass\n", ("test_tails.py",)
    ),
    "no final event": Mutant(
        MERGER,
        "        self._log.append(event, self._formatter.end(port.child)",
        '        if event.reason != "cancelled":\n'
        "            self._log.append(event, self._formatter.end(port.child)",
    ),
    "no floor for over-long lines": Mutant(
        MERGER,
        "self._floor = port if line.size < FLOOR_BYTES else None",
        "self._floor = None",
        ("test_tails.py",),
    ),
    "marked errors change sides": Mutant(
        MERGER, 'yield "error" if is_error else kind, piece', "yield kind, piece", (*MODEL, "test_order.py")
    ),
    "line numbers with gaps": Mutant(MERGER, "seq=meter.lines,", "seq=meter.lines + lines,"),
    "one child served until it has no more": Mutant(
        MERGER,
        "            self._ready.append(port)\n            self._merge",
        "            self._ready.appendleft(port)\n            self._merge",
        ("test_order.py",),
    ),
    "the gate holds nobody": Mutant(
        "sansio/log.py",
        "return any(total - cursor.done >= gate",
        "return False and any(total - cursor.done >= gate",
    ),
    "gap miscounted": Mutant("sansio/cursor.py", "            self._count(batch)\n", "            pass\n"),
    "events evicted before they are read": Mutant(
        "sansio/log.py",
        "zip(islice(self.events, max(0, keep_from - self.base)), self.costs",
        "zip(self.events, self.costs",
    ),
    "advance a cursor before the write": Mutant(
        "engine/outlet.py",
        "            await self.sink.write(batch)\n            self.cursor.advance(batch)\n",
        "            self.cursor.advance(batch)\n            await self.sink.write(batch)\n",
    ),
    "prefix only the first line": Mutant(
        "sansio/text.py", 'text = data.replace(b"\\n", b"\\n" + prefix)', "text = data + prefix"
    ),
    "tail glued": Mutant(
        "sansio/text.py",
        "                continue\n            if self._floor is row or row.held:\n"
        '                self._lines(pieces, row, b"\\n", "output", row.held_time)',
        "                continue\n            pieces += [row.prefix, *row.held]",
    ),
    "children are cancelled, not asked": Mutant(
        "engine/child.py", "trio.CancelScope(shield=True)", "trio.CancelScope()", ("test_children.py",)
    ),
    "a failing sink is not reported": Mutant(
        OPENING, "    if aggregator.sink_failures:\n", "    if False:\n", (*MODEL, "test_failing_sinks.py")
    ),
    "a child's stop ends the patience": Mutant(
        "engine/services.py",
        "        self._helpers.start_soon(ladder.climb, children, grace)\n",
        "        self._helpers.start_soon(ladder.climb, children, grace)\n        self.lose_patience(grace)\n",
        ("test_failing_sinks.py",),
    ),
    "no patience while leaving": Mutant(
        OPENING,
        "            except BaseException:\n                aggregator._services.lose_patience(grace)\n",
        "            except BaseException:\n",
        ("test_failing_sinks.py",),
    ),
    "no drain after exit": Mutant(
        RUNNING,
        "                if self._small_reads:\n",
        "                if self._exited:\n                    return\n                if self._small_reads:\n",
        TEARDOWN,
    ),
    "kill the pid instead of the group": Mutant(
        RUNNING, "os.killpg(self.pid, signum)", "os.kill(self.pid, signum)", TEARDOWN
    ),
    "the group outlives its leader": Mutant(
        RUNNING,
        "            self.signal(signal.SIGKILL)\n        finally:",
        "            pass\n        finally:",
        TEARDOWN,
    ),
}


def run(name: str) -> str:
    """Run one mutant; return `caught`, or what is wrong."""
    mutant = MUTANTS[name]
    source = (ROOT / "axiom_trio" / mutant.file).read_text()
    if source.count(mutant.old) != 1:
        return f"STALE: its text is found {source.count(mutant.old)} times in {mutant.file}"
    with tempfile.TemporaryDirectory(prefix="axiom-mutant-") as folder:
        ignore = shutil.ignore_patterns("__pycache__", ".hypothesis")
        for part in ("axiom_trio", "tests"):
            shutil.copytree(ROOT / part, Path(folder, part), ignore=ignore)
        shutil.copy(ROOT / "pyproject.toml", folder)
        Path(folder, "axiom_trio", mutant.file).write_text(source.replace(mutant.old, mutant.new))
        environment = {
            **os.environ,
            "PYTHONPATH": folder,
            "PYTHONDONTWRITEBYTECODE": "1",
            "AXIOM_MUTANT": name,
        }
        tests = [f"tests/engine/{test}" for test in mutant.tests]
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=line", "-p", "no:cacheprovider", *tests]
        try:
            ended = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, timeout=LIMIT, check=False
            )
        except subprocess.TimeoutExpired:
            return "caught (the tests hang)"
        if ended.returncode == 1:
            return "caught"
        if ended.returncode == 0:
            return "SURVIVED"
        return f"BROKEN: the tests did not run\n{ended.stdout.decode()[-2000:]}"


def main(arguments: list[str]) -> int:
    """Run the mutants named, or all; return the exit status."""
    if arguments == ["--list"]:
        print(*MUTANTS, sep="\n")
        return 0
    unknown = [name for name in arguments if name not in MUTANTS]
    if unknown:
        print(f"no such mutant: {', '.join(unknown)}; --list shows all", file=sys.stderr)
        return 2
    names = arguments or list(MUTANTS)
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, result in zip(names, pool.map(run, names), strict=True):
            print(f"{name}: {result}", flush=True)
            failed += not result.startswith("caught")
    print(f"{len(names) - failed} of {len(names)} mutants caught")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

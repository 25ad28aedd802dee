"""The first line of a run: what is about to start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axiom_trio.sansio.names import SHORT_ID, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from axiom_trio.cli.options import RunOptions


def banner(options: RunOptions, environ: Mapping[str, str], headline: Sequence[str] = ()) -> str:
    """How many children, of which parent and by which pattern, and what else is special about the run.

    The parent is that of the children's metadata, else the child of another run in which this one is. A
    `headline` is said instead of the number of children.
    """
    known = [task.metadata for task in options.tasks if task.metadata is not None]
    parents = list(dict.fromkeys(metadata.parent for metadata in known if metadata.parent))
    patterns = dict.fromkeys(metadata.pattern for metadata in known if metadata.pattern)
    if not parents and (outer := environ.get("AXIOM_TASK_ID")):
        parents = [outer]
    count = len(options.tasks)
    parts = [*headline] or [f"{count} child" + "ren" * (count != 1)]
    if len(parents) == 1:
        parts[0] += f" of {printable(parents[0][:SHORT_ID])}"
    elif parents:
        parts[0] += f" of {len(parents)} parents"
    parts += [printable(pattern) for pattern in patterns]
    if options.jobs is not None and options.jobs < count:
        parts.append(f"{options.jobs} at once")
    if options.journal is not None:
        parts.append(f"journal {printable(options.journal)}")
    return "▶ " + " · ".join(parts)

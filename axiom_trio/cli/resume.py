"""`run --resume DIR`: what had not succeeded in the journal there."""

from __future__ import annotations

from axiom_trio.cli.tasks import TaskSpec, UsageError, in_order

TYPE_CHECKING = False  # type checkers know better; importing typing takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_KEYS = {"command", "env", "masked", "name", "cwd", "pty", "after", "supervision"}


def unfinished(directory: str, tasks: Sequence[TaskSpec]) -> list[TaskSpec]:
    """The tasks that have not succeeded in any run of a journal; none if all have.

    Args:
        directory: The journal.
        tasks: Those given anew; if none, those that the journal has.

    Raises:
        UsageError: The journal can't be read, or lacks what is needed to run a task again.
    """
    documents, succeeded = _read(directory)
    if not tasks:
        if not documents:
            raise UsageError(f"--resume: the journal {directory} has no tasks; give them again")
        tasks = _from_documents(directory, documents, succeeded)
    left = [task for task in tasks if task.name not in succeeded]
    for task in left:
        task.after = [other for other in task.after if other.name not in succeeded]
    return left


def _read(directory: str) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """What the journal knows of each task by name, and the names of those that succeeded."""
    from axiom_trio.sansio.errors import JournalError
    from axiom_trio.sansio.events import Completed, Started
    from axiom_trio.sinks.journal_reader import JournalReader

    documents: dict[str, dict[str, Any]] = {}
    names: dict[str, str] = {}
    succeeded: set[str] = set()
    try:
        with JournalReader(directory) as reader:
            for run in reader.runs:
                documents.update((document["name"], document) for document in _tasks(run.header))
            for event in reader.events():
                if type(event) is Started:
                    names[event.child] = event.name
                elif type(event) is Completed and event.ok and event.child in names:
                    succeeded.add(names[event.child])
    except JournalError as error:
        raise UsageError(f"--resume: {error}") from None
    except OSError as error:
        raise UsageError(f"--resume: cannot read {directory}: {error.strerror}") from None
    return documents, succeeded


def _tasks(header: object) -> list[dict[str, Any]]:
    """The tasks in a header; none if it's not the command's, but a program's own."""
    tasks = header.get("tasks") if isinstance(header, dict) else None
    if not isinstance(tasks, list):
        return []
    return [task for task in tasks if isinstance(task, dict) and task.keys() >= _KEYS]


def _from_documents(
    directory: str, documents: dict[str, dict[str, Any]], succeeded: set[str]
) -> list[TaskSpec]:
    tasks: dict[str, TaskSpec] = {}
    for name, document in documents.items():
        if document["masked"] and name not in succeeded:
            raise UsageError(
                f"--resume: a secret was taken out of {name} in {directory}; give the tasks again"
            )
        tasks[name] = TaskSpec(
            document["command"],
            name,
            cwd=document["cwd"],
            env=document["env"],
            pty=document["pty"],
            supervision=document["supervision"],
        )
    after = {name: [o for o in document["after"] if o in tasks] for name, document in documents.items()}
    return in_order([*tasks.values()], after, directory)  # runs may have had them in different orders

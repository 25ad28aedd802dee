"""What to run: task lists from commands, from `:::` arguments, and from files.

Start-up counts: this and its neighbours import nothing that takes a
millisecond before it is needed.
"""

from __future__ import annotations

import os
import sys

from axiom_trio.sansio.names import default_name, printable, unique

TYPE_CHECKING = False  # type checkers know better; importing typing takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from axiom_trio.sansio.events import TaskMetadata


class UsageError(Exception):
    """The user asked for something that cannot be; `str` is the one line to print, exit status 2."""

    def __init__(self, sentence: str, program: str = "axiom-trio run") -> None:
        super().__init__(f"{program}: {printable(sentence)}")
        self.sentence = sentence


class TaskSpec:
    """One child to start."""

    __slots__ = ("after", "command", "cwd", "env", "metadata", "name", "pty", "supervision")

    def __init__(
        self,
        command: str | list[str],
        name: str,
        *,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        pty: bool | None = None,
        supervision: Mapping[str, Any] | None = None,
    ) -> None:
        """Describe a child.

        Args:
            command: A shell command line, or an argv.
            name: Its name.
            cwd: The directory to run it in; None is ours.
            env: Variables to add to our environment.
            pty: Whether on a PTY; None leaves it to the run.
            supervision: Values of `Supervision` that differ from the run's.
        """
        self.command = command
        self.name = name
        self.cwd = cwd
        self.env = env
        self.pty = pty
        self.after: list[TaskSpec] = []
        self.supervision = supervision or {}
        self.metadata: TaskMetadata | None = None
        """What is known of it beyond its command, if it was spawned."""

    def document(self, masked: Callable[[str], str]) -> dict[str, Any]:
        """What a journal keeps of it, to run it again; `masked` takes the secrets out of a text."""
        document: dict[str, Any] = {
            "command": self.command,
            "env": self.env or {},
            "cwd": os.path.abspath(self.cwd or ""),
            "supervision": dict(self.supervision),
        }
        harmless = _masked(document, masked)
        return {
            **harmless,
            "masked": harmless != document,
            "name": self.name,
            "pty": self.pty,
            "after": [other.name for other in self.after],
        }

    def __repr__(self) -> str:
        return f"TaskSpec({', '.join(f'{slot}={getattr(self, slot)!r}' for slot in self.__slots__)})"


def _masked(value: Any, masked: Callable[[str], str]) -> Any:
    """The same with all its texts masked."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, list):
        return [_masked(item, masked) for item in value]
    if isinstance(value, dict):
        return {key: _masked(item, masked) for key, item in value.items()}
    return value


def in_order(tasks: Sequence[TaskSpec], after: Mapping[str, Sequence[str]], path: str) -> list[TaskSpec]:
    """The tasks so that each comes behind those it waits for, else as they stand; sets their `after`.

    Raises:
        UsageError: There is no such task, or they wait for each other.
    """
    by_name = {task.name: task for task in tasks}
    for name, others in after.items():
        for other in others:
            if other not in by_name:
                raise UsageError(
                    f"{path}: [tasks.{name}] after: there is no task {other!r}{near(other, by_name)}"
                )
        by_name[name].after = [by_name[other] for other in others]
    ordered: list[TaskSpec] = []
    left = list(tasks)
    while left:
        task = next((task for task in left if all(other in ordered for other in task.after)), None)
        if task is None:
            circle = ", ".join(task.name for task in left)
            raise UsageError(f"{path}: {circle} can never start, as they wait for each other (after)")
        left.remove(task)
        ordered.append(task)
    return ordered


def from_commands(commands: Sequence[str]) -> list[TaskSpec]:
    """Make one task of each shell command line, named after its program."""
    for command in commands:
        if not command.strip():
            raise UsageError("a COMMAND is empty; write what to run, such as 'make test'")
    return [TaskSpec(command, default_name(command)) for command in commands]


def from_arguments(templates: Sequence[str], arguments: Sequence[str]) -> list[TaskSpec]:
    """Make one task of each argument after `:::`, named after the argument.

    Args:
        templates: What stands before `:::`, exactly one command. Each `{}` in
            it becomes the argument, quoted for the shell; without `{}` the
            argument is appended.
        arguments: What stands after it.
    """
    import shlex

    if len(templates) != 1:
        raise UsageError(
            f"::: needs exactly one COMMAND before it, not {len(templates)}; quote it: 'echo {{}}' ::: a b"
        )
    if not arguments:
        raise UsageError("::: has no arguments after it; write one or more, such as ::: a b")
    if ":::" in arguments:
        raise UsageError("::: may stand only once; give all arguments after the first one")
    [template] = from_commands(templates)
    line = str(template.command)
    if "{}" not in line:
        line += " {}"
    return [
        TaskSpec(line.replace("{}", shlex.quote(argument)), argument if argument.strip() else template.name)
        for argument in arguments
    ]


def from_file(path: str) -> tuple[list[TaskSpec], dict[str, Any]]:
    """Read tasks from a file, in the form its name says.

    `*.toml` is an axiom.toml, `Procfile*` has `name: command` lines, any other
    one command a line; `-` is standard input. In the latter two, blank lines
    and lines that begin with `#` are skipped.

    Returns:
        The tasks, perhaps none, and the settings of `[run]`, which only a TOML file has.
    """
    label = "standard input" if path == "-" else path
    text = _read(path, label)
    if path.endswith(".toml"):
        from axiom_trio.cli.config import from_toml

        return from_toml(path, text)
    if os.path.basename(path).startswith("Procfile"):
        return list(_procfile(label, text)), {}
    return from_commands([line for _, line in _lines(label, text)]), {}


def name_tasks(tasks: list[TaskSpec], names: Sequence[str], masked: Callable[[str], str] = str) -> None:
    """Make the names of tasks harmless to show and unique.

    Args:
        tasks: All of them, with their default names.
        names: Names the user chose for the first ones, which come before any
            default; an empty one leaves the default.
        masked: Takes the secrets out of a text.
    """
    if len(names) > len(tasks):
        count = f"{len(tasks)} task" + "s" * (len(tasks) != 1)
        raise UsageError(f"there are {len(names)} names for {count}; leave out {len(names) - len(tasks)}")
    chosen = {place: masked(printable(name.strip())) for place, name in enumerate(names) if name.strip()}
    defaults = {
        place: masked(printable(task.name)) for place, task in enumerate(tasks) if place not in chosen
    }
    given = unique(list(chosen.values()))
    rest = unique(list(defaults.values()), given)
    for place, name in zip((*chosen, *defaults), given + rest, strict=True):
        tasks[place].name = name


def near(word: str, known: Iterable[str], mark: str = "") -> str:
    """Say which known word was probably meant: `; did you mean names?`, or nothing."""
    import difflib

    matches = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {mark}{matches[0]}?" if matches else ""


def read_text(path: str) -> str:
    """The text of a file, `-` being standard input. Raises UsageError."""
    return _read(path, "standard input" if path == "-" else path)


def _read(path: str, label: str) -> str:
    try:
        if path == "-":
            if sys.stdin is None:
                raise UsageError("cannot read standard input: it is closed")
            data = sys.stdin.buffer.read()
        else:
            with open(path, "rb") as file:
                data = file.read()
    except OSError as error:
        raise UsageError(f"cannot read {label}: {error.strerror or error}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"cannot read {label}: line {line} is not UTF-8; save the file as UTF-8") from None


def _lines(label: str, text: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, numbered from 1."""
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if "\0" in stripped:
            raise UsageError(f"{label} line {number}: a command can't contain a NUL character")
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def _procfile(label: str, text: str) -> Iterator[TaskSpec]:
    for number, line in _lines(label, text):
        name, _, command = (part.strip() for part in line.partition(":"))
        if not command or not name or any(ch.isspace() for ch in name):
            raise UsageError(
                f"{label} line {number}: {line!r} is not of the form name: command, such as web: ./serve"
            )
        yield TaskSpec(command, name)

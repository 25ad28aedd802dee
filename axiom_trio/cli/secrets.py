"""The secrets of a run: where they come from. Their values are never part of a command line or an error."""

from __future__ import annotations

from axiom_trio.cli.tasks import UsageError

TYPE_CHECKING = False  # type checkers know better; importing typing takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from axiom_trio.cli.tasks import TaskSpec


def read_secrets(
    names: Sequence[str], path: str | None, tasks: Sequence[TaskSpec], environ: Mapping[str, str]
) -> list[str]:
    """Collect the secrets to mask.

    Args:
        names: Variables, looked up in the environment and in the tasks' own.
        path: A file with one secret a line; blank lines are skipped.
        tasks: Whose `env` is looked at too.
        environ: Our environment.

    Raises:
        UsageError: A variable isn't set, a secret is too short, or the file can't be read.
    """
    from axiom_trio.sansio.errors import SpecificationError
    from axiom_trio.sansio.masks import Masks

    sources: list[tuple[str, str]] = []
    for name in filter(None, map(str.strip, names)):
        values = {
            variables[name] for variables in (environ, *(t.env or {} for t in tasks)) if name in variables
        }
        if not values:
            raise UsageError(f"--mask-env: the variable {name} is not set; set it, or leave it out")
        sources += ((f"--mask-env: the value of {name}", value) for value in sorted(values))
    if path is not None:
        sources += (
            (f"--mask-file: line {number} of {path}", line)
            for number, line in enumerate(_read(path).split("\n"), 1)
            if line.strip()
        )
    for source, secret in sources:
        try:
            Masks([secret])
        except SpecificationError as error:
            raise UsageError(f"{source} can't be masked: {error}") from None
    return [secret for _, secret in sources]


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise UsageError(f"--mask-file: cannot read {path}: {error.strerror or error}") from None

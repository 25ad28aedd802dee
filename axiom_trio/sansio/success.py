"""What makes a run a success: which of its children have to succeed."""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know better; the command line reads this before trio
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WORDS = ("all", "any", "first", "last")


def check_success(success: str, names: Iterable[str]) -> None:
    """Check that `success` is one of `WORDS` or of the names.

    Raises:
        ValueError: Its text is one sentence.
    """
    if success not in (*WORDS, *names):
        raise ValueError(f"{success!r} is not all, any, first or last, nor the name of a child")


def default_success(halt: str) -> str:
    """Who has to succeed if nobody says: all, or any if success is what ends the run."""
    return "any" if ",success=" in halt else "all"


def is_success(success: str, ended: Sequence[tuple[str, bool, bool]]) -> bool:
    """Judge a run.

    Args:
        success: `all` or `any`; `first` or `last`: that one to end; or the name of a child.
        ended: Of each child, in order of ending: its name, whether it succeeded, and whether
            it ended by itself. Those that were stopped count only where one is named.
    """
    if success not in WORDS:
        return any(ok for name, ok, _ in ended if name == success)
    own = [ok for _, ok, by_itself in ended if by_itself]
    if success == "any":
        return any(own)
    if success != "all":
        own = own[:1] if success == "first" else own[-1:]
    return all(own)

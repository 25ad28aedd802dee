"""The exceptions of the package: few, and about what the caller can do."""

from __future__ import annotations


class AxiomError(Exception):
    """Base of every exception this package raises on its own account."""


class SpecificationError(AxiomError, ValueError):
    """Something the caller described cannot be: a bad option, a duplicate id, an empty command."""


class SpawnError(AxiomError, OSError):
    """A child could not be started. `errno` says why, the text says what to whom."""

    def __str__(self) -> str:
        return str(self.strerror)

    @property
    def exit_code(self) -> int:
        """What a shell would report: 127 if the command was not found, else 126."""
        return 127 if isinstance(self.__cause__, FileNotFoundError) else 126


class NotRunningError(AxiomError):
    """The child has ended, or was never started, and can't take what it was given."""


class NotWritableError(AxiomError):
    """The child has no input: run it on a PTY, or with a pipe as its stdin."""


class SinkError(AxiomError):
    """A sink failed and did not get everything. `__cause__` is what it failed with."""


class JournalError(AxiomError):
    """A journal can't be used: it's another's, in use, or no journal. The text says which."""


def sentence(error: BaseException) -> str:
    """What was raised, in a line: its class and text; of a group of one, that one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

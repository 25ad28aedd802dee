"""What a client knows of a run and its children: values made from the wire form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar, final

import attrs

from axiom_trio.sansio.errors import AxiomError
from axiom_trio.sansio.events import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence


class ConnectError(AxiomError):
    """A run can't be reached; the text says why, in a sentence."""


class NoRunError(ConnectError):
    """There is no such run, or several."""


class LostError(ConnectError):
    """The run was there, and is gone."""


class RequestError(AxiomError):
    """The run has refused a request; the text says why, in a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        """A word for programs, such as `no-such-child`, `ended`, `forbidden`."""


@final
@attrs.frozen(kw_only=True)
class ChildInfo:
    """How a child stood when it was told; times in seconds."""

    id: str
    """Unique within the run."""
    name: str
    """For display; need not be unique."""
    index: int
    """Its place in the order of being given to the run, from 0."""
    state: str
    """As `Child.state`."""
    pid: int | None
    """The process id, once it runs."""
    tty: bool
    """Whether it runs on a terminal."""
    exit: Exit | None
    """How it ended, if it has."""
    reason: str | None
    """Why it did, as `Completed.reason`."""
    lines: int
    """Lines of output."""
    bytes: int
    """Bytes of output."""
    interventions: int
    """Interventions, detected ones included."""
    restarts: int
    """How often it was started again."""
    uptime: float
    """Seconds from its start to then, or to its end."""
    idle: float
    """Seconds since its last output."""
    wire: dict[str, Any] = attrs.field(repr=False)
    """All that was told, in the wire form."""

    @property
    def short_id(self) -> str:
        """The first 8 characters of the id."""
        return self.id[:8]

    @property
    def ok(self) -> bool:
        """Whether it has ended with success."""
        return self.exit is not None and self.exit.ok and self.reason not in ("timeout", "idle")


@final
@attrs.frozen(kw_only=True)
class RunInfo:
    """What a run says of itself when one connects (`hello`); times in seconds since the epoch."""

    run_id: str
    """Its id."""
    pid: int
    """The process id of the command."""
    cwd: str
    """The directory it was started in."""
    command: str
    """Its command line."""
    started_at: float
    """When it began."""
    rights: tuple[str, ...]
    """What we may do: `view`, `control`."""
    cursor: int
    """Of the newest event."""
    oldest_cursor: int
    """Of the oldest event held."""
    children: tuple[ChildInfo, ...]
    """In the order of being given to the run."""
    wire: dict[str, Any] = attrs.field(repr=False)
    """All that was told, in the wire form."""

    @property
    def short_id(self) -> str:
        """The first 8 characters of the id."""
        return self.run_id[:8]


def child_info(wire: dict[str, Any]) -> ChildInfo:
    """A CHILD of the wire form."""
    ended = wire["state"] == "completed"
    return ChildInfo(
        id=wire["taskId"],
        name=wire["name"],
        index=wire["index"],
        state=wire["state"],
        pid=wire.get("pid"),
        tty=bool(wire.get("tty")),
        exit=Exit(wire.get("exitCode"), wire.get("signal"), wire.get("error")) if ended else None,
        reason=wire.get("reason"),
        lines=wire.get("lines") or 0,
        bytes=wire.get("bytes") or 0,
        interventions=wire.get("interventions") or 0,
        restarts=wire.get("restarts") or 0,
        uptime=(wire.get("uptime") or 0) / 1000,
        idle=(wire.get("idle") or 0) / 1000,
        wire=wire,
    )


def run_info(wire: dict[str, Any]) -> RunInfo:
    """The `data` of a `hello`."""
    command = wire.get("command") or ""
    return RunInfo(
        run_id=wire["runId"],
        pid=wire["pid"],
        cwd=wire.get("cwd") or "",
        command=command if isinstance(command, str) else " ".join(map(str, command)),
        started_at=(wire.get("startedAt") or 0) / 1000,
        rights=tuple(wire.get("rights") or ()),
        cursor=wire["cursor"],
        oldest_cursor=wire["oldestCursor"],
        children=tuple(map(child_info, wire["children"])),
        wire=wire,
    )


class Named(Protocol):
    """What a child is found by."""

    @property
    def id(self) -> str:
        """Unique."""

    @property
    def name(self) -> str:
        """Not always so."""

    @property
    def short_id(self) -> str:
        """The first 8 characters of the id."""

    @property
    def state(self) -> str:
        """Where it is in its life."""


_Child = TypeVar("_Child", bound=Named)


def find_child(children: Sequence[_Child], named: str) -> _Child:
    """The child with this name, id or beginning of an id (4 characters at least).

    Of several with one name, as when it was started again after its end, the one that has not ended.

    Raises:
        RequestError: There is none, or there are several.
    """
    found = [child for child in children if child.name == named]
    if len(found) > 1:
        found = [child for child in found if child.state != "completed"] or found[-1:]
    if not found and len(named) >= 4:
        found = [child for child in children if child.id.startswith(named)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(child.short_id for child in found)
        raise RequestError("no-such-child", f"{len(found)} children are called {named!r}; use an id: {ids}")
    import difflib

    names = [child.name for child in children]
    near = difflib.get_close_matches(named, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(names[:10]) or 'none'}"
    raise RequestError("no-such-child", f"there is no child {named!r}{hint}")

"""What the tools of the MCP server take and give: one struct each, and the schemas made from them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET as UNSET
from msgspec import Meta, UnsetType

MOST_LINES: Final = 5000
LONGEST_WAIT: Final = 30_000
"""Milliseconds that a call for output may wait."""

_Optional: TypeAlias = UnsetType  # left out where there is nothing to say


class _Model(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True
):
    """What goes over the wire: camelCase, nothing unknown."""


def _said(description: str, **bounds: Any) -> Any:
    return Meta(description=description, **bounds)


TaskId = Annotated[
    str,
    _said("A task's id or its first 8 characters; or a spawn's, for all of its tasks.", min_length=8),
]


class StreamingOptions(_Model, frozen=True, kw_only=True):
    """How the merged output is shown beside the result."""

    output_mode: Annotated[
        Literal["console", "websocket", "both"],
        _said("console: on stderr, in verboseMasterMode; websocket: on a page, whose URL is in the result."),
    ] = "console"
    colorize: Annotated[bool, _said("Whether the lines on stderr are coloured.")] = False
    buffer_size: Annotated[
        int, _said("Bytes written to stderr at once at most.", ge=1024, le=16 * 1024 * 1024)
    ] = 262_144
    flush_interval: Annotated[
        int, _said("Milliseconds for which lines are collected for stderr; 0: none.", ge=0, le=10_000)
    ] = 0
    include_timestamps: Annotated[bool, _said("Whether lines begin with the time (UTC).")] = False
    prefix_length: (
        Annotated[int, _said("Characters of a task's name before its lines; default: all.", ge=1, le=256)]
        | _Optional
    ) = UNSET


class Spawn(_Model, frozen=True, kw_only=True):
    """The arguments of axiom_mcp_spawn."""

    parent_prompt: Annotated[
        str,
        _said("What the agents are to do.", min_length=1, max_length=100_000),
    ]
    spawn_pattern: Annotated[
        Literal["parallel", "sequential", "decompose", "recursive"],
        _said(
            "parallel: all at once on the same prompt; sequential: each is told the outcome of the one "
            "before, and a failure ends it; decompose: a planner divides the prompt into subtasks, which run "
            "at once; recursive: agents may ask for agents of their own."
        ),
    ] = "parallel"
    spawn_count: Annotated[
        int, _said("How many agents; with decompose: subtasks, with recursive: for each agent.", ge=1, le=10)
    ] = 3
    max_depth: Annotated[int, _said("How deep agents of agents may go (recursive).", ge=1, le=5)] = 3
    auto_execute: Annotated[
        bool, _said("false: only say what would be run (with decompose, a planner is asked).")
    ] = True
    verbose_master_mode: Annotated[
        bool, _said("Whether the agents' lines go to the server's stderr as they come, merged and prefixed.")
    ] = False
    return_immediately: Annotated[
        bool,
        _said(
            "true: answer at once, while the agents run: axiom_mcp_output reads what they write. "
            "false: answer when all have ended; cancelling the call stops them."
        ),
    ] = False
    streaming_options: Annotated[StreamingOptions, _said("How output is shown beside the result.")] = (
        msgspec.field(default_factory=StreamingOptions)
    )


class Status(_Model, frozen=True, kw_only=True):
    """The arguments of axiom_mcp_status."""

    task_id: Annotated[TaskId, _said("Default: all tasks.")] | _Optional = UNSET


class Output(_Model, frozen=True, kw_only=True):
    """The arguments of axiom_mcp_output."""

    task_id: Annotated[TaskId, _said("Default: all tasks, merged.")] | _Optional = UNSET
    cursor: Annotated[
        int,
        _said("0: from the beginning; else nextCursor of the last call, from which it goes on.", ge=0),
    ] = 0
    limit: Annotated[int, _said("Lines at most; 64 KiB at most in any case.", ge=1, le=MOST_LINES)] = 200
    wait_ms: Annotated[
        int,
        _said(
            "Milliseconds to wait for something new if there is nothing; what has come is given at once.",
            ge=0,
            le=LONGEST_WAIT,
        ),
    ] = 0


class Send(_Model, frozen=True, kw_only=True):
    """The arguments of axiom_mcp_send."""

    task_id: TaskId
    text: Annotated[
        str, _said("What is written into its input, with Enter.", min_length=1, max_length=256 * 1024)
    ]
    keys: Annotated[
        bool, _said("Whether text is keys, such as 1<Enter> or <Esc>: what a dialog on a terminal wants.")
    ] = False


class Interrupt(_Model, frozen=True, kw_only=True):
    """The arguments of axiom_mcp_interrupt."""

    task_id: TaskId


# --- results

_Name = Annotated[str, _said("For display, unique.")]
_Milliseconds = Annotated[int, _said("Milliseconds.", ge=0)]


class Task(_Model, frozen=True, kw_only=True):
    """An agent, as it stands."""

    task_id: str
    short_id: Annotated[str, _said("The first 8 characters of the id.")]
    name: _Name
    spawn_id: Annotated[str, _said("The call of axiom_mcp_spawn it belongs to.")]
    state: Literal["queued", "starting", "running", "restarting", "stopping", "completed"]
    ok: Annotated[bool, _said("Whether it has ended with success, once it has ended.")] | _Optional = UNSET
    exit_code: Annotated[int, _said("Once it has ended; not if a signal ended it.")] | _Optional = UNSET
    signal: Annotated[int, _said("The number of the signal that ended it.")] | _Optional = UNSET
    reason: Annotated[str, _said("Why it ended: exit, signal, stopped, timeout, …")] | _Optional = UNSET
    error: Annotated[str, _said("What went wrong, in a sentence.")] | _Optional = UNSET
    prompt: Annotated[str, _said("The beginning of what it is to do.")] | _Optional = UNSET
    index: Annotated[int, _said("Its place among its siblings, from 0.")] | _Optional = UNSET
    depth: Annotated[int, _said("How many agents stand between it and the first.")] | _Optional = UNSET
    parent: Annotated[str, _said("The id of the agent that asked for it.")] | _Optional = UNSET
    pid: int | _Optional = UNSET
    lines: int
    bytes: int
    interventions: Annotated[int, _said("Messages that were written into it.")]
    uptime: _Milliseconds
    idle: Annotated[int, _said("Milliseconds since it last wrote something.", ge=0)]
    answer: Annotated[str, _said("What the agent said last, once it has ended.")] | _Optional = UNSET
    tail: Annotated[list[str], _said("Its last lines, where it has no answer.")] | _Optional = UNSET
    screen: Annotated[list[str], _said("What its terminal shows, if it draws a screen.")] | _Optional = UNSET


class Planned(_Model, frozen=True, kw_only=True):
    """What an agent would be given."""

    prompt: str


SpawnState: TypeAlias = Literal["planned", "running", "completed", "failed", "stopped"]


class SpawnResult(_Model, frozen=True, kw_only=True):
    """The result of axiom_mcp_spawn."""

    spawn_id: str
    pattern: str
    state: SpawnState
    tasks: Annotated[list[Task], _said("So far: some patterns start more later.")]
    plan: Annotated[list[Planned], _said("Without autoExecute: what would be run.")] | _Optional = UNSET
    error: Annotated[str, _said("Why it has failed, in a sentence.")] | _Optional = UNSET
    notices: Annotated[list[str], _said("What else is to be known, such as worktrees that are kept.")] = []
    cursor: Annotated[int, _said("axiom_mcp_output reads its output from here on.")]
    url: Annotated[str, _said("Of the page that shows it live.")] | _Optional = UNSET


class SpawnInfo(_Model, frozen=True, kw_only=True):
    """A spawn, as it stands."""

    spawn_id: str
    pattern: str
    state: SpawnState
    prompt: str
    task_ids: list[str]
    plan: Annotated[list[Planned], _said("Without autoExecute: what would be run.")] | _Optional = UNSET
    error: str | _Optional = UNSET
    notices: list[str] = []


class StatusResult(_Model, frozen=True, kw_only=True):
    """The result of axiom_mcp_status."""

    active_count: Annotated[int, _said("Tasks that have not ended.")]
    tasks: Annotated[list[Task], _said("All that have not ended, and those that ended last.")]
    spawns: list[SpawnInfo]
    left_out: Annotated[int, _said("Older tasks that are not listed; they are there by their ids.")] = 0


EntryKind: TypeAlias = Literal[
    "output",
    "error",
    "intervention",
    "progress",
    "started",
    "sent",
    "delivery",
    "idle",
    "restarting",
    "completed",
    "gap",
]


class Entry(_Model, frozen=True, kw_only=True):
    """Something that happened to a task."""

    kind: Annotated[
        EntryKind,
        _said("output, error, intervention (marked lines), progress: lines; else an event, told in words."),
    ]
    task_id: str | _Optional = UNSET
    name: str | _Optional = UNSET
    timestamp: Annotated[int, _said("Milliseconds since the epoch.")] | _Optional = UNSET
    text: Annotated[str, _said("Whole lines, unless partial: then the last one goes on in a later entry.")]
    partial: bool = False


class OutputResult(_Model, frozen=True, kw_only=True):
    """The result of axiom_mcp_output."""

    entries: list[Entry]
    next_cursor: Annotated[int, _said("Give this as cursor to go on.")]
    lines: Annotated[int, _said("How many lines of output are in the entries.")]
    more: Annotated[bool, _said("Whether there is more already.")]
    done: Annotated[bool, _said("Whether all of these tasks have ended, and nothing more comes.")]
    active_count: Annotated[int, _said("How many of these tasks have not ended.")]


class SendResult(_Model, frozen=True, kw_only=True):
    """The result of axiom_mcp_send."""

    task_id: str
    receipt: str
    state: Annotated[
        Literal["confirmed", "queued", "unconfirmed"],
        _said(
            "confirmed: it was seen to take it; queued: it waits in the input; unconfirmed: it was written."
        ),
    ]
    reason: Annotated[str, _said("The evidence.")]


class InterruptResult(_Model, frozen=True, kw_only=True):
    """The result of axiom_mcp_interrupt."""

    interrupted: Annotated[list[str], _said("The ids of the tasks that were sent SIGINT.")]
    stopping: Annotated[
        list[str], _said("The ids of those interrupted before, which were asked to end: TERM, then KILL.")
    ]

"""Run many children at once and see every line of each, live, prefixed and in order.

The public names. They load what they need when they are first used, so that the
command can answer `--help` before trio is imported.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know better; importing typing takes 5 ms
if TYPE_CHECKING:
    from axiom_trio.abc import Executor as Executor
    from axiom_trio.abc import Port as Port
    from axiom_trio.abc import Sink as Sink
    from axiom_trio.engine.aggregator import StreamAggregator as StreamAggregator
    from axiom_trio.engine.child import Child as Child
    from axiom_trio.engine.opening import open_aggregator as open_aggregator
    from axiom_trio.engine.outlet import SinkFailure as SinkFailure
    from axiom_trio.engine.run import ChildResult as ChildResult
    from axiom_trio.engine.run import RunResult as RunResult
    from axiom_trio.engine.statistics import AggregatorStatistics as AggregatorStatistics
    from axiom_trio.engine.subscription import Subscription as Subscription
    from axiom_trio.executors.agent import AgentExecutor as AgentExecutor
    from axiom_trio.executors.agent import SdkExecutor as SdkExecutor
    from axiom_trio.executors.callable import CallableExecutor as CallableExecutor
    from axiom_trio.executors.process import ProcessExecutor as ProcessExecutor
    from axiom_trio.executors.pty import PtyExecutor as PtyExecutor
    from axiom_trio.executors.stream import StreamExecutor as StreamExecutor
    from axiom_trio.sansio.cursor import Batch as Batch
    from axiom_trio.sansio.errors import AxiomError as AxiomError
    from axiom_trio.sansio.errors import JournalError as JournalError
    from axiom_trio.sansio.errors import NotRunningError as NotRunningError
    from axiom_trio.sansio.errors import NotWritableError as NotWritableError
    from axiom_trio.sansio.errors import SinkError as SinkError
    from axiom_trio.sansio.errors import SpawnError as SpawnError
    from axiom_trio.sansio.errors import SpecificationError as SpecificationError
    from axiom_trio.sansio.events import AllCompleted as AllCompleted
    from axiom_trio.sansio.events import ChildStatistics as ChildStatistics
    from axiom_trio.sansio.events import Completed as Completed
    from axiom_trio.sansio.events import Delivery as Delivery
    from axiom_trio.sansio.events import Escaped as Escaped
    from axiom_trio.sansio.events import Event as Event
    from axiom_trio.sansio.events import Exit as Exit
    from axiom_trio.sansio.events import Gap as Gap
    from axiom_trio.sansio.events import Idle as Idle
    from axiom_trio.sansio.events import Intervention as Intervention
    from axiom_trio.sansio.events import Kind as Kind
    from axiom_trio.sansio.events import Output as Output
    from axiom_trio.sansio.events import Receipt as Receipt
    from axiom_trio.sansio.events import Restarting as Restarting
    from axiom_trio.sansio.events import Started as Started
    from axiom_trio.sansio.events import Stats as Stats
    from axiom_trio.sansio.events import TaskMetadata as TaskMetadata
    from axiom_trio.sansio.modes import InputMode as InputMode
    from axiom_trio.sansio.rule import Fired as Fired
    from axiom_trio.sansio.rule import Rule as Rule
    from axiom_trio.sansio.supervision import Supervision as Supervision
    from axiom_trio.sansio.text import TextFormat as TextFormat
    from axiom_trio.server.client import connect as connect
    from axiom_trio.server.run import run as run
    from axiom_trio.server.serve import Server as Server
    from axiom_trio.server.serve import serve as serve
    from axiom_trio.sinks.console import ConsoleSink as ConsoleSink
    from axiom_trio.sinks.file import FileSink as FileSink
    from axiom_trio.sinks.files import FilesSink as FilesSink
    from axiom_trio.sinks.journal import JournalSink as JournalSink
    from axiom_trio.sinks.journal_reader import JournalReader as JournalReader
    from axiom_trio.sinks.journal_reader import JournalRun as JournalRun
    from axiom_trio.sinks.jsonl import JsonlSink as JsonlSink
    from axiom_trio.spawn.agents import spawn_agents as spawn_agents
    from axiom_trio.spawn.patterns import Work as Work
    from axiom_trio.spawn.plan import PlanError as PlanError
    from axiom_trio.spawn.plan import Subtask as Subtask
    from axiom_trio.spawn.worktree import WorktreeError as WorktreeError

__version__ = "0.1.0"

_HOMES = {
    "abc": "Executor Port Sink",
    "engine.aggregator": "StreamAggregator",
    "engine.child": "Child",
    "engine.opening": "open_aggregator",
    "engine.outlet": "SinkFailure",
    "engine.run": "ChildResult RunResult",
    "engine.statistics": "AggregatorStatistics",
    "engine.subscription": "Subscription",
    "executors.agent": "AgentExecutor SdkExecutor",
    "executors.callable": "CallableExecutor",
    "executors.process": "ProcessExecutor",
    "executors.pty": "PtyExecutor",
    "executors.stream": "StreamExecutor",
    "sansio.errors": "AxiomError JournalError NotRunningError NotWritableError SinkError SpawnError "
    "SpecificationError",
    "sansio.events": "AllCompleted ChildStatistics Completed Delivery Escaped Event Exit Gap Idle "
    "Intervention Kind Output Receipt Restarting Started Stats TaskMetadata",
    "sansio.cursor": "Batch",
    "sansio.modes": "InputMode",
    "sansio.rule": "Fired Rule",
    "sansio.supervision": "Supervision",
    "sansio.text": "TextFormat",
    "server.client": "connect",
    "server.run": "run",
    "server.serve": "Server serve",
    "sinks.console": "ConsoleSink",
    "sinks.file": "FileSink",
    "sinks.files": "FilesSink",
    "sinks.journal": "JournalSink",
    "sinks.journal_reader": "JournalReader JournalRun",
    "sinks.jsonl": "JsonlSink",
    "spawn.agents": "spawn_agents",
    "spawn.patterns": "Work",
    "spawn.plan": "PlanError Subtask",
    "spawn.worktree": "WorktreeError",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

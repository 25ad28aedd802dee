"""`axiom-trio mcp`: the options turned into a server on stdin and stdout, and an exit status."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, final

import trio

from axiom_trio import __version__
from axiom_trio.cli import say
from axiom_trio.cli.limits import allow_descriptors
from axiom_trio.engine.opening import open_aggregator
from axiom_trio.executors import cgroup
from axiom_trio.sansio.errors import AxiomError, JournalError, SinkError, SpecificationError
from axiom_trio.sansio.supervision import Supervision
from axiom_trio.sinks.journal import JournalSink
from axiom_trio.spawn.presets import find_agent, wants_terminal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from axiom_trio.cli.mcp_options import McpOptions
    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.server.lines import LineConnection
    from axiom_trio.spawn.mcp_server import McpServer
    from axiom_trio.spawn.patterns import Work
    from axiom_trio.spawn.worktree import Worktrees

USAGE: Final = 2
LOST: Final = 3
PRIVATE_SIZE: Final = 1024 * 1024 * 1024
"""Bytes of a journal that goes with the server."""
_LAST_GRACE: Final = 1.0  # seconds at the end: hosts kill a server 2 s after they have left it
_PREFIX: Final = "axiom-mcp-"
_DESCRIPTORS: Final = 200  # children, about
_SIZE: Final = (40, 120)  # of the agents' terminals
_DEPTH: Final = "AXIOM_MCP_DEPTH"
_DEEPEST: Final = 3  # servers within each other: agents that all have this one would spawn without end
_WITHOUT: Final = "the extra mcp is not installed: pip install 'axiom-trio[mcp]'"


def mcp(options: McpOptions) -> int:
    """Serve to the end; returns the exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # were it ignored, exit statuses would vanish
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    allow_descriptors(_DESCRIPTORS)
    try:
        try:
            from axiom_trio.spawn.mcp_server import McpServer
        except ImportError as error:
            if (error.name or "").startswith("axiom_trio"):
                raise
            _say(_WITHOUT)
            return USAGE
        with _journal_directory(options) as directory:
            return trio.run(_Serving(options, McpServer, directory).main)
    except (JournalError, SpecificationError) as error:
        _say(str(error))
        return USAGE
    finally:
        cgroup.leave()


@final
class _Serving:
    """The server and what it stands on."""

    def __init__(self, options: McpOptions, server: type[McpServer], directory: str) -> None:
        self._options = options
        self._server = server
        self._agent = find_agent(options.agent)
        self._journal = JournalSink(
            directory,
            fsync="never" if options.journal is None else "interval",
            max_size=options.journal_size or (PRIVATE_SIZE if options.journal is None else None),
            notify=_say,
        )
        self._journal.lead()  # were it refused later, it would come out in a group
        self._signal: int | None = None
        self._lost = False
        self._url: str | None = None
        self._opening = trio.Lock()

    async def main(self) -> int:
        options = self._options
        gc.enable()
        gc.freeze()  # what was imported is never garbage
        if os.isatty(0):
            _say("an MCP host speaks to this on stdin; axiom-trio mcp --help says how to set one up")
        asked = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        heeded = [signum for signum in asked if signal.getsignal(signum) is not signal.SIG_IGN]
        try:
            with trio.open_signal_receiver(*heeded) as signals:
                async with trio.open_nursery() as nursery:
                    async with open_aggregator(
                        [self._journal],
                        jobs=options.jobs,
                        supervision=Supervision(timeout=options.timeout, idle_timeout=options.idle_timeout),
                        grace=options.grace,
                        mask=options.secrets,
                        subreaper=sys.platform == "linux",
                        guardian=sys.platform == "linux",
                    ) as aggregator:
                        await self._serve(aggregator, nursery, signals)
                    nursery.cancel_scope.cancel(reason="all have ended")
        except* SinkError as errors:
            _say(f"output was lost: {errors.exceptions[0]}")
            self._lost = True
        if self._lost:
            return LOST
        return 0 if self._signal is None else 128 + self._signal

    async def _serve(
        self, aggregator: StreamAggregator, nursery: trio.Nursery, signals: AsyncIterator[int]
    ) -> None:
        async def page() -> str:
            async with self._opening:
                if self._url is None:
                    self._url = await nursery.start(_page, aggregator)
                return self._url

        def start(work: Work) -> Child:
            executor = self._agent.executor(
                work.prompt,
                interactive=wants_terminal(work.metadata, self._options.interactive),
                cwd=work.cwd,
                size=_SIZE,
                echo=True,
            )
            if executor.tty:
                aggregator.screens  # noqa: B018 (followed from now on)
            return aggregator.start_soon(executor, name=work.name, metadata=work.metadata)

        server = self._server(
            aggregator,
            start,
            label=self._agent.name,
            version=__version__,
            page=page,
            worktrees=self._worktrees if self._options.worktree else None,
            keep_going=self._options.keep_going,
            refusal=_deeper(),
        )

        async def watch() -> None:
            async for signum in signals:
                if self._signal is not None:
                    aggregator.stop(grace=0)
                self._signal = self._signal or signum
                server.end()

        nursery.start_soon(watch)
        nursery.start_soon(_reachable, aggregator)
        await server.run(min(self._options.grace, _LAST_GRACE))

    async def _worktrees(self) -> Worktrees:
        from axiom_trio.spawn.worktree import open_worktrees

        return await open_worktrees()


def _deeper() -> str | None:
    """Count this server among those within which it runs; why it may spawn nothing, if they are too many."""
    depth = os.environ.get(_DEPTH, "")
    within = int(depth) if depth.isdecimal() and len(depth) < 4 else 0
    os.environ[_DEPTH] = str(within + 1)  # what it spawns may have such a server, too
    if within < _DEEPEST:
        return None
    return f"this server was started by agents of agents, {within} deep: here no more are spawned"


async def _page(
    aggregator: StreamAggregator, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve the page until cancelled. Raises SpecificationError."""
    from axiom_trio.server.serve import serve

    async with serve(aggregator) as server:
        aggregator._services.farewells.append(server.finish)  # who looks on gets the rest
        task_status.started(server.url)
        await trio.sleep_forever()


async def _reachable(aggregator: StreamAggregator) -> None:
    """Offer the run to the verbs of terminals, until cancelled."""
    try:
        runtime, make, session, host = await trio.to_thread.run_sync(_load, abandon_on_cancel=True)
        command = aggregator._masked(" ".join(["axiom-trio", *sys.argv[1:]]))
        shared = host.Host(aggregator, host.about_run(command, time.time()))

        async def serve(connection: LineConnection) -> None:
            with suppress(Exception):
                await session(connection, shared, ["view", "control"]).run()

        runtime.runs()
        control = make(aggregator.run_id, serve)
        aggregator._services.farewells.append(control.finish)
    except (AxiomError, OSError) as error:
        _say(f"other terminals can't reach this: {error}")
        return
    try:
        await control.run()
    finally:
        control.close()


def _load() -> tuple[Any, Any, Any, Any]:
    """Not on the loop: it takes a while."""
    from axiom_trio.server import host, runtime
    from axiom_trio.server.control import ControlSocket
    from axiom_trio.server.session import Session

    return runtime, ControlSocket, Session, host


@contextmanager
def _journal_directory(options: McpOptions) -> Iterator[str]:
    """Where the journal is written: as asked, or in a directory of our own that goes with us."""
    if options.journal is not None:
        yield options.journal
        return
    _remove_stale()
    try:
        directory = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
    except OSError as error:
        why = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
        raise JournalError(f"there is no place for a journal ({why}); name one with --journal DIR") from None
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _remove_stale() -> None:
    """Remove what servers of ours have left that were killed."""
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            pid = entry.name.removeprefix(_PREFIX).partition("-")[0]
            if not entry.name.startswith(_PREFIX) or not pid.isdigit():
                continue
            with suppress(OSError):
                if entry.stat(follow_symlinks=False).st_uid != os.geteuid():
                    continue
                try:
                    os.kill(int(pid), 0)
                except ProcessLookupError:
                    shutil.rmtree(entry.path, ignore_errors=True)


def _say(text: str) -> None:
    say(f"axiom-trio mcp: {text}\n")

"""What a run of the command offers to others while it goes on: its control socket, and its page."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final, final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from axiom_trio.cli.page import PagePort
    from axiom_trio.cli.tasks import TaskSpec
    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.server.control import ControlSocket
    from axiom_trio.server.host import Host
    from axiom_trio.server.listener import Listener
    from axiom_trio.server.session import Connection

_LATER: Final = 0.1  # seconds: who runs `true` has no need of it, and is not to wait for its import


@final
class Serving:
    """Offers a run to the verbs of other terminals.

    Args:
        aggregator: The run.
        tasks: What it runs, by child; those that are added come to it.
        start: Gives the aggregator a task.
        masked: Takes the secrets out of a text.
        notice: Tells the user something.
        page: The port of the page, if there is to be one.
    """

    def __init__(
        self,
        aggregator: StreamAggregator,
        tasks: dict[TaskSpec, Child],
        *,
        start: Callable[[TaskSpec], Child],
        masked: Callable[[str], str],
        notice: Callable[[str], None],
        page: PagePort | None = None,
    ) -> None:
        self._aggregator = aggregator
        self._tasks = tasks
        self._start = start
        self._masked = masked
        self._notice = notice
        self._page = page
        self._listener: Listener | None = None
        self._control: ControlSocket | None = None
        self._began = time.time()
        self._host: Host | None = None
        self.tried = trio.Event()
        """Whether it can be reached by now, or never will be."""
        aggregator._services.farewells.append(self._finish)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            if self._page is not None:
                nursery.start_soon(self._run_page, self._page)
            nursery.start_soon(self._run_control)

    async def _run_control(self) -> None:
        await trio.sleep(_LATER)
        try:
            make = await trio.to_thread.run_sync(_load, abandon_on_cancel=True)
            control = self._control = make(self._aggregator.run_id, self._serve)
        except Exception as error:  # noqa: BLE001 (the children don't need it)
            why = getattr(error, "strerror", None) or error
            self._notice(f"other terminals can't reach this run: {why}")
            return
        finally:
            self.tried.set()
        try:
            await control.run()
        except Exception as error:  # noqa: BLE001 (nor would they want to end with it)
            self._notice(f"other terminals can't reach this run any more: {error!r}")
        finally:
            control.close()

    async def _run_page(self, page: PagePort) -> None:
        try:
            await trio.to_thread.run_sync(_load_page, abandon_on_cancel=True)
            self._listener = page.listener(self._serve)
            await self._listener.run()
        except Exception as error:  # noqa: BLE001 (the children don't need it)
            self._notice(f"the page can't be reached any more: {error!r}")
        finally:
            page.close()

    async def _finish(self) -> None:
        """The run has ended: who looks on gets the rest, while the journal can be read."""
        async with trio.open_nursery() as nursery:
            for served in (self._control, self._listener):
                if served is not None:
                    nursery.start_soon(served.finish)

    async def _serve(self, connection: Connection, rights: Sequence[str] = ("view", "control")) -> None:
        from axiom_trio.server.session import Session

        if self._host is None:
            self._host = self._made_host()
        try:
            await Session(connection, self._host, rights).run()
        except Exception as error:  # noqa: BLE001 (no viewer is worth the children)
            self._notice(f"a viewer's connection was ended: {error!r}")

    def _made_host(self) -> Host:
        from axiom_trio.server.host import Host, about_run

        command = self._masked(" ".join(["axiom-trio", *sys.argv[1:]]))
        return Host(self._aggregator, about_run(command, self._began), add=self._add, again=self._again)

    def _add(self, data: dict[str, Any]) -> Child:
        """Another child, as `add` describes it. Raises ValueError, RuntimeError."""
        from axiom_trio.cli.tasks import TaskSpec
        from axiom_trio.sansio.names import default_name, printable, unique

        command: str | Sequence[str] = data["command"]
        words = [command] if isinstance(command, str) else command
        if not words or not all(isinstance(word, str) and "\0" not in word for word in words):
            raise ValueError("the command is no text, nor a list of words")
        if not words[0].strip():
            raise ValueError("the command is empty")
        name = data.get("name") or default_name(words[0])
        taken = [child.name for child in self._aggregator.children]
        name = unique([self._masked(printable(str(name)))], taken)[0]
        task = TaskSpec(command if isinstance(command, str) else [*command], name)
        task.cwd, task.env, task.pty = data.get("cwd"), data.get("env"), data.get("pty")
        return self._begin(task)

    def _again(self, ended: Child) -> Child:
        """A child that has ended, once more, as another one. Raises RuntimeError."""
        task = next(task for task, child in self._tasks.items() if child is ended)
        from copy import copy

        return self._begin(copy(task))

    def _begin(self, task: TaskSpec) -> Child:
        if not self._aggregator.statistics().active:
            raise RuntimeError("all children have ended, and the run with them: start a new one")
        child = self._tasks[task] = self._start(task)
        return child


def _load() -> type[ControlSocket]:
    """Not on the loop: it takes a while."""
    import axiom_trio.server.session  # noqa: F401 (the first connection needs it, on the loop)
    from axiom_trio.server import runtime
    from axiom_trio.server.control import ControlSocket

    runtime.runs()  # what others that were killed have left goes

    return ControlSocket


def _load_page() -> None:
    import axiom_trio.server.listener
    import axiom_trio.server.session
    import axiom_trio.server.websocket  # noqa: F401 (not on the loop: they take a while)

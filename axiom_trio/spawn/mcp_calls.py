"""What the tools of the MCP server do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

import trio

from axiom_trio.sansio.errors import SpecificationError
from axiom_trio.spawn import mcp_tools as tools
from axiom_trio.spawn.mcp_describe import tail_of
from axiom_trio.spawn.mcp_page import event_of
from axiom_trio.spawn.mcp_schema import ArgumentError
from axiom_trio.spawn.mcp_text import output_text, spawn_text, status_text
from axiom_trio.spawn.mcp_tools import UNSET
from axiom_trio.spawn.plan import make_plan

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from axiom_trio.engine.child import Child
    from axiom_trio.spawn.mcp_output import Reader
    from axiom_trio.spawn.mcp_spawns import Spawned, Spawns
    from axiom_trio.spawn.mcp_view import StderrView

    Progress = Callable[[float, str], Awaitable[None]]

_EVERY: Final = 0.2  # seconds between two reports of progress
_ALIVE: Final = (
    10.0  # seconds after which one comes though nothing has changed: hosts give up on silent calls
)
_LISTED: Final = 50  # tasks that have ended
_LONGEST: Final = 500  # characters of a line in it


@final
class Calls:
    """Answers calls: a result and its text.

    Args:
        spawns: All spawns.
        reader: Reads what they write.
        view: Shows them on stderr.
        nursery: Where they run.
        page: Opens the page, and returns its URL; None: there is none here.
        refusal: Why nothing may be spawned here.
    """

    def __init__(
        self,
        spawns: Spawns,
        reader: Reader,
        view: StderrView,
        nursery: trio.Nursery,
        page: Callable[[], Awaitable[str]] | None,
        refusal: str | None,
    ) -> None:
        self._spawns = spawns
        self._reader = reader
        self._view = view
        self._nursery = nursery
        self._page = page
        self._refusal = refusal

    async def spawn(self, asked: tools.Spawn, progress: Progress) -> tuple[tools.SpawnResult, str]:
        """Begin a spawn, and mostly wait for its end; cancelled, it stops it.

        Raises:
            AxiomError: It can't be.
        """
        if self._refusal is not None:
            raise SpecificationError(self._refusal)
        plan = make_plan(
            asked.parent_prompt, asked.spawn_pattern, count=asked.spawn_count, max_depth=asked.max_depth
        )
        options = asked.streaming_options
        url = await self._open_page() if options.output_mode != "console" else None
        spawned = await self._spawns.begin(plan, self._nursery, execute=asked.auto_execute)
        if asked.verbose_master_mode and options.output_mode != "websocket":
            self._nursery.start_soon(self._view.show, spawned, options)
        if not asked.return_immediately:
            try:
                await self._wait(spawned, progress)
            except trio.Cancelled:
                self._spawns.stop(spawned)
                raise
        result = tools.SpawnResult(
            spawn_id=spawned.id,
            pattern=plan.pattern,
            state=spawned.state,
            tasks=[self._spawns.task(child, words=spawned.ended.is_set()) for child in spawned.children],
            plan=spawned.would_run,
            error=UNSET if spawned.error is None else spawned.error,
            notices=[*spawned.notices],
            cursor=spawned.cursor,
            url=UNSET if url is None else url,
        )
        return result, spawn_text(result)

    async def _open_page(self) -> str:
        if self._page is None:
            raise SpecificationError(
                "this server has no page: leave streamingOptions.outputMode at console, and read the output "
                "with axiom_mcp_output"
            )
        return await self._page()

    async def _wait(self, spawned: Spawned, progress: Progress) -> None:
        began = told_at = trio.current_time()
        told: object = None
        while not spawned.ended.is_set():
            with trio.move_on_after(_EVERY):
                await spawned.ended.wait()
                return
            now = trio.current_time()
            standing = [child.statistics() for child in spawned.children]
            news = [(each.bytes, each.interventions) for each in standing]
            if news != told or now - told_at >= _ALIVE:
                told, told_at = news, now
                await progress(round(now - began, 1), _progress_text(spawned))

    async def status(self, asked: tools.Status) -> tuple[tools.StatusResult, str]:
        """How all stand, or one. Raises ArgumentError if there's no such task."""
        spawns = [*self._spawns]
        if asked.task_id is not UNSET:
            spawned, children = self._spawns.find(asked.task_id)
            of = self._spawns.of(children[0]) if spawned is None else spawned
            spawns = [] if of is None else [of]
        else:
            children = [child for spawned in spawns for child in spawned.children]
        ended = [child for child in children if child.completed is not None]
        left_out = {*ended[:-_LISTED]} if asked.task_id is UNSET else set()
        listed = [child for child in children if child not in left_out]
        spawns = [each for each in spawns if not each.children or {*each.children} - left_out]
        result = tools.StatusResult(
            active_count=_active(children),
            tasks=[self._spawns.task(child, words=asked.task_id is not UNSET) for child in listed],
            spawns=[spawned.info() for spawned in spawns],
            left_out=len(left_out),
        )
        return result, status_text(result)

    async def output(self, asked: tools.Output) -> tuple[tools.OutputResult, str]:
        """What they wrote, from a cursor on. Raises ArgumentError if there's no such task or cursor."""
        spawns = self._spawns
        spawned: Spawned | None = None
        child: Child | None = None
        if asked.task_id is not UNSET:
            spawned, children = spawns.find(asked.task_id)
            child = children[0] if spawned is None else None

        def meant() -> Sequence[Child]:
            if child is not None:
                return [child]
            return [c for s in ([*spawns] if spawned is None else [spawned]) for c in s.children]

        def done(position: int) -> bool:
            if child is None:
                running = [*spawns] if spawned is None else [spawned]
                if not all(each.ended.is_set() for each in running):
                    return False
            at = event_of(position)
            return all(c.completed is not None and c.completed.cursor < at for c in meant())

        known: dict[str, bool] = {}

        def wanted(id_: str) -> bool:
            if id_ not in known:
                known[id_] = any(c.id == id_ for c in meant())
            return known[id_]

        try:
            page = await self._reader.read(
                asked.cursor, asked.limit, asked.wait_ms / 1000, wanted=wanted, done=done
            )
        except ValueError as error:
            raise ArgumentError(str(error)) from None
        result = tools.OutputResult(
            entries=page.entries,
            next_cursor=page.position,
            lines=page.lines,
            more=page.more,
            done=done(page.position),
            active_count=_active(meant()),
        )
        return result, output_text(result)

    async def send(self, asked: tools.Send) -> tuple[tools.SendResult, str]:
        """Write a message into one, or press keys. Raises ArgumentError if it's refused."""
        child = self._spawns.one(asked.task_id)
        try:
            receipt = await (child.press(asked.text) if asked.keys else child.intervene(asked.text))
        except ValueError as error:  # no keys
            raise ArgumentError(str(error)) from None
        if receipt.state in ("refused", "suppressed"):
            raise ArgumentError(f"{child.name} was not sent it: {receipt.reason}")
        state: Any = receipt.state
        result = tools.SendResult(task_id=child.id, receipt=receipt.id, state=state, reason=receipt.reason)
        return result, f"[{child.name}] {receipt.state}: {receipt.reason}"

    async def interrupt(self, asked: tools.Interrupt) -> tuple[tools.InterruptResult, str]:
        """Interrupt one, or all of a spawn. Raises ArgumentError if all have ended."""
        spawned, children = self._spawns.find(asked.task_id)
        goes_on = spawned is not None and not spawned.ended.is_set()
        sent, stopped = self._spawns.interrupt(spawned, children)
        if not (sent or stopped or goes_on):
            what = "all of its tasks have" if spawned is not None else f"{children[0].name} has"
            raise ArgumentError(f"there is nothing to interrupt: {what} ended")
        result = tools.InterruptResult(interrupted=sent, stopping=stopped)
        text = f"interrupted: {len(sent)}, asked to end: {len(stopped)}"
        return result, f"{text}; no more of it begins" if goes_on else text


def _active(children: Sequence[Child]) -> int:
    return sum(child.completed is None for child in children)


def _progress_text(spawned: Spawned) -> str:
    children = spawned.children
    if not children:
        return "beginning"
    standing = [child.statistics() for child in children]
    lines = sum(each.lines for each in standing)
    text = f"{_active(children)} of {len(children)} run, {lines} lines"
    active = [
        (figures.idle, child.index)
        for figures, child in zip(standing, children, strict=True)
        if figures.lines
    ]
    if not active:
        return text
    latest = next(child for child in children if child.index == min(active)[1])
    last = tail_of(latest, 1)
    return f"{text} · [{latest.name}] {last[-1][:_LONGEST]}" if last else text

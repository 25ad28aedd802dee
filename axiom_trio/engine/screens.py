"""The screens of children that draw one: followed at their own pace, and what they say as rows.

A service that is there only when asked for. It's given each block that the merger takes, but
never holds it up: what a virtual terminal can't follow is dropped, and its screen starts
anew. Each has a queue of its own, so a flood elsewhere costs it nothing. Following takes at most a
quarter of the time.
"""

from __future__ import annotations

import math
import re
from collections import deque
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, final

import trio

from axiom_trio.engine.wakeup import Wakeup
from axiom_trio.sansio.redraw import Classifier
from axiom_trio.sansio.screen import VirtualTerminal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from axiom_trio.engine.child import Child
    from axiom_trio.engine.merger import Merger
    from axiom_trio.engine.port import ChildPort
    from axiom_trio.sansio.events import Completed, Restarting

    Turn: TypeAlias = Literal["left", "over", "restart", "end"]
    """What happens between the output: the alternate screen left, or a screen over; the child's ends."""
    ShowRows: TypeAlias = Callable[[Child, list[bytes]], Awaitable[None] | None]

QUEUE: Final = 256 * 1024
"""Bytes of a child's that wait to be followed."""
SILENCE: Final = 0.1
"""Seconds without output after which a screen is settled."""
PATIENCE: Final = 0.5
"""Seconds after which it's settled while output goes on."""

_TOGETHER: Final = 8 * 1024 * 1024  # bytes that wait, over all children
_LEAVES = re.compile(rb"(?:\x1b(?:c|\[[0-9;]*[JHf]|(?P<alternate>\[\?[0-9;]*l)))?\Z")
_BEGINS = re.compile(rb"\x1b(?:\[(?:\?[0-9;]*h|[0-9;]*[ABEFHdfr])|[78M])")
_SLICE: Final = 1024  # bytes followed at once: about half a millisecond
_REST: Final = 3  # times as long as was worked


def _begins_in_tail(data: bytes) -> bool:
    """Whether a screen begins in the open line of what was read: a child that never pauses would hide it."""
    return _BEGINS.search(data, data.rfind(b"\n") + 1) is not None


class _View:
    """What is known of one child's screen."""

    __slots__ = (
        *(
            "backlog",
            "changed",
            "child",
            "classifier",
            "done",
            "ended",
            "followed",
            "frames",
            "lost",
        ),
        *("screen", "settled", "size", "taken", "terminal", "todo"),
    )

    def __init__(self, child: Child) -> None:
        self.child = child
        self.classifier = Classifier()
        self.screen = False  # as far as was taken
        self.todo: deque[bytes | Turn] = deque()
        self.size = 0  # bytes in it
        self.taken = 0
        self.terminal: VirtualTerminal | None = None
        self.lost = False
        self.frames = 0
        self.followed = -1.0  # when it last was, while it has changed since it was settled
        self.changed = -1.0  # since when
        self.settled = 0.0
        self.backlog: list[bytes] = []
        self.ended = False
        self.done = trio.Event()

    def take(self, data: bytes, limit: int) -> None:
        self.taken += len(data)
        pieces = self.classifier.split(data)
        self.screen = self.classifier.kind == "screen"
        for number, (screen, piece) in enumerate(pieces, 1):
            if screen:
                self._add(piece, leaves=number < len(pieces) or not self.screen)
        if self.size > limit:
            # What is lost can't be settled before what ends it: only the child's own ends stay.
            self.todo = deque(entry for entry in self.todo if entry in ("restart", "end"))
            self.size = 0
            self.lost = True

    def _add(self, piece: bytes, *, leaves: bool) -> None:
        """A piece of a screen's output; what is there is settled before what ends it is followed."""
        self.size += len(piece)
        last = _LEAVES.search(piece, max(0, len(piece) - 80)) if leaves else None
        if last is None:
            self.todo.append(piece)
        else:
            self.todo += (piece[: last.start()], "left" if last["alternate"] else "over", last[0])

    @property
    def due(self) -> float:
        """When it's to be settled, if nothing comes: an update that is under way may take a little longer."""
        updating = self.terminal is not None and self.terminal.synchronized
        return min(self.followed + SILENCE, self.changed + PATIENCE) + PATIENCE * 2 * updating

    def cursor(self) -> tuple[int, int, int] | None:
        """Where the cursor is, and after how many bytes of output."""
        if self.terminal is None or not self.screen:
            return None
        return *self.terminal.cursor, self.taken - self.size - len(self.classifier.held)


@final
class Screens:
    """The screens of one aggregator's children; made by `StreamAggregator.screens`.

    Args:
        children: By id.
        merger: Whose blocks are looked at.
        start: Runs a task beside the children.
    """

    def __init__(
        self,
        children: Mapping[str, Child],
        merger: Merger,
        start: Callable[..., None],
    ) -> None:
        self._children = children
        self._views: dict[str, _View] = {}
        self._busy: dict[_View, None] = {}
        self._wakeup = Wakeup()
        self._show: list[ShowRows] = []
        merger.on_output = self._take
        merger.urgent = _begins_in_tail
        self._restarting = merger.on_restarting
        merger.on_restarting = self._note_restart
        self._completed = merger.on_completed
        merger.on_completed = self._note_end
        start(self._run)

    def of(self, child: Child | str) -> VirtualTerminal | None:
        """The screen of a child that is full-screen now, else None. To look at, not to feed."""
        view = self._views.get(child if isinstance(child, str) else child.id)
        if view is None or not view.screen or view.terminal is None:
            return None
        self._fit(view, view.terminal)
        return view.terminal

    def show(self, rows: ShowRows) -> None:
        """Have the rows that screens settle handed to a function, which may be async: `rows(child, rows)`.

        While it's awaited nothing is followed, and what is too much is lost, but no child waits.
        Rows are text with colours, closed at their ends, without newline.
        """
        self._show.append(rows)

    def paint(self, child: Child | str) -> bytes:
        """What shows a child's screen on a real terminal, as of the last event in the log.

        The output after that event goes on from there. Empty if it's not full-screen.
        """
        view = self._views.get(child if isinstance(child, str) else child.id)
        if view is None or not view.screen:
            return b""
        while view.todo:  # at most some tenths of a second
            view.backlog += self._work(view)
        if view.terminal is None:
            return b""
        self._fit(view, view.terminal)
        return view.terminal.paint() + view.classifier.held

    async def settled(self, child: Child) -> None:
        """Wait until a child that has ended has said all: what comes after it is its end."""
        view = self._views.get(child.id)
        if view is not None:
            await view.done.wait()
        else:
            await trio.lowlevel.checkpoint()

    async def finish(self) -> None:
        """Wait until all children have ended and said all."""
        for view in [*self._views.values()]:
            await view.done.wait()

    # --- for the merger: these never wait

    def _take(self, child_id: str, data: bytes) -> None:
        """A block of a child's output."""
        view = self._views.get(child_id)
        if view is None:
            child = self._children[child_id]
            if not child._executor.tty:
                return
            view = self._views[child_id] = _View(child)
        view.take(data, min(QUEUE, _TOGETHER // len(self._views)))
        view.child._port.at_once = view.screen
        if view.todo:
            self._mark(view)

    def _note_restart(self, event: Restarting) -> None:
        self._note(event.child, "restart")
        self._restarting(event)

    def _note_end(self, port: ChildPort, event: Completed) -> None:
        self._note(port.child, "end")
        self._completed(port, event)

    def _note(self, child_id: str, what: Turn) -> None:
        view = self._views.get(child_id)
        if view is not None:
            view.classifier.end()
            view.screen = False
            view.child._port.at_once = False
            view.todo.append(what)
            self._mark(view)

    def _mark(self, view: _View) -> None:
        self._busy[view] = None
        self._wakeup.set()

    # --- following

    async def _run(self) -> None:
        while True:
            for view in [*self._busy]:
                began = trio.current_time()
                rows = self._work(view)
                worked = trio.current_time() - began
                await self._hand_over(view, rows)
                await trio.sleep(worked * _REST)
                if not view.todo and view.changed < 0:
                    self._busy.pop(view, None)
            if any(view.todo for view in self._busy):
                continue
            due = min((view.due for view in self._busy), default=math.inf)
            with trio.move_on_after(max(0.0, due - trio.current_time())):
                await self._wakeup.wait()

    def _work(self, view: _View) -> list[bytes]:
        """Follow a little, and settle where it's time; return the rows."""
        now = trio.current_time()
        if view.lost:
            view.lost = False
            if view.terminal is not None:
                view.terminal.start_anew(alternate=view.classifier.alternate)
        if not view.todo:
            if view.changed >= 0 and now >= view.due:
                return self._settle(view, quiet=now >= view.followed + SILENCE)
            return []
        entry = view.todo.popleft()
        if isinstance(entry, bytes):
            return self._follow(view, entry, now)
        # A screen that the child itself has left has said all; else what is there is what stays.
        rows = self._settle(view, final=entry != "left")
        if entry in ("restart", "end"):
            view.terminal = None
            view.taken = view.size
            view.ended = entry == "end"
        return rows

    def _follow(self, view: _View, data: bytes, now: float) -> list[bytes]:
        executor = view.child._executor
        terminal = view.terminal
        if terminal is None:
            terminal = view.terminal = VirtualTerminal(*(executor.terminal_size or (24, 80)))
            view.frames = 0
            executor.follow_cursor(view.cursor)
        self._fit(view, terminal)
        if len(data) > _SLICE:
            view.todo.appendleft(data[_SLICE:])
            data = data[:_SLICE]
        view.size -= len(data)
        terminal.feed(data)
        view.followed = now
        if view.changed < 0:
            view.changed = now
        if terminal.frames > view.frames and not terminal.synchronized and now >= view.settled + SILENCE:
            view.frames = terminal.frames
            return self._settle(view)
        return self._settle(view, quiet=False) if now >= view.changed + PATIENCE and now >= view.due else []

    def _fit(self, view: _View, terminal: VirtualTerminal) -> None:
        size = view.child._executor.terminal_size
        if size is not None and size != terminal.asked:
            terminal.resize(*size)

    def _settle(self, view: _View, *, quiet: bool = True, final: bool = False) -> list[bytes]:
        view.settled = trio.current_time()
        if quiet or final:
            view.changed = view.followed = -1.0
        else:  # the row of the cursor is still to come
            view.changed = view.settled
        return [] if view.terminal is None else view.terminal.settle(quiet=quiet, final=final)

    async def _hand_over(self, view: _View, rows: list[bytes]) -> None:
        if view.backlog:
            rows = view.backlog + rows
            view.backlog = []
        for show in [*self._show] if rows else []:
            try:
                shown = show(view.child, rows)
                if shown is not None:
                    await shown
            except Exception:  # noqa: BLE001 (a view that fails must not harm the run)
                self._show.remove(show)
        if view.ended:
            self._views.pop(view.child.id, None)
            view.done.set()

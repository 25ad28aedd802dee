"""Messages that are typed: `name:text` understood, and sent in order without anybody waiting."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

import attrs
import trio

from axiom_trio.sansio.errors import NotRunningError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child

ALL: Final = "*"
MOST: Final = 1000
"""Messages that wait to be sent, or for what becomes of them, before who gives them has to wait."""
_SHORTEST: Final = 4  # characters of an id that may stand for it


class MessageError(Exception):
    """A line can't be sent; says why in a sentence."""


@final
@attrs.frozen
class Message:
    """What a line says."""

    children: tuple[Child, ...]
    text: str
    to_all: bool = False


def understand(line: str, children: Sequence[Child]) -> Message:
    """Read `name:text`, `id:text` or `*:text`; one space after the colon is not part of the text.

    A name that has a colon in it is found, too: the longest that fits is meant.

    Raises:
        MessageError: It's no such line, or no such child.
    """
    name, colon, text = line.partition(":")
    if not colon:
        running = [child for child in children if child.completed is None] or children
        example = running[0].name if running else "name"
        raise MessageError(f"a message begins with a name: {example}:{line.strip()[:20] or 'text'}")
    by_name = [child for child in children if line.startswith(child.name + ":")]
    if by_name:
        longest = max(len(child.name) for child in by_name)
        named = [child for child in by_name if len(child.name) == longest]
        if len(named) > 1:
            ids = ", ".join(child.short_id for child in named)
            raise MessageError(f"{len(named)} children have the name {named[0].name}; use an id: {ids}")
        return Message((named[0],), line[longest + 1 :].removeprefix(" "))
    text = text.removeprefix(" ")
    if name == ALL:
        return Message(tuple(children), text, to_all=True)
    if len(name) >= _SHORTEST:
        by_id = [child for child in children if child.id.startswith(name)]
        if len(by_id) == 1:
            return Message((by_id[0],), text)
    raise MessageError(f"there is no child {name!r}, so nothing was sent{_nearest(name, children)}")


def complete(beginning: str, children: Sequence[Child]) -> list[str]:
    """What the beginning of a line may become: the names that begin so, with their colons."""
    if any(beginning.startswith(child.name + ":") for child in children):
        return []
    names = [f"{child.name}:" for child in children if child.name.startswith(beginning)]
    if not names and len(beginning) >= _SHORTEST:
        return [f"{child.id}:" for child in children if child.id.startswith(beginning)]
    running = [f"{child.name}:" for child in children if child.completed is None]
    return [name for name in names if name in running] or names


def _nearest(name: str, children: Sequence[Child]) -> str:
    import difflib  # takes 4 ms

    names = [child.name for child in children]
    lower = {other.lower(): other for other in names}
    found = difflib.get_close_matches(name.lower(), lower, 1, cutoff=0.5)
    begins = [other for other in names if other.lower().startswith(name.lower())] if name else []
    if begins or found:
        return f"; did you mean {begins[0] if begins else lower[found[0]]}?"
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f"; there is {shown}" if names else ""


@final
class Sender:
    """Sends messages, each child's in order; who gives them goes on at once.

    Args:
        aggregator: Whose children.
        nursery: Where it sends.
        say: Tells of what was not sent.
        patient: Whether a message to a child that is not ready waits until it is.
        tell_refused: Whether nobody else tells of those that were refused.
    """

    def __init__(
        self,
        aggregator: StreamAggregator,
        nursery: trio.Nursery,
        say: Callable[[str], None],
        *,
        patient: bool = False,
        tell_refused: bool = False,
    ) -> None:
        self._aggregator = aggregator
        self._nursery = nursery
        self._say = say
        self._patient = patient
        self._tell_refused = tell_refused
        self._waiting: dict[str, deque[Message]] = {}
        self._unsent = 0
        self._room: trio.Event | None = None

    def send(self, message: Message) -> None:
        """Send it as soon as what was given before has been sent.

        Raises:
            MessageError: It's for all, and there is nobody who takes input.
        """
        children = message.children
        if message.to_all:
            children = tuple(child for child in children if child.completed is None)
            if not self._patient:
                children = tuple(child for child in children if child.writable)
            if not children:
                raise MessageError("no child takes input now; nothing was sent")
        self._unsent += len(children)
        for child in children:
            if child.id in self._waiting:
                self._waiting[child.id].append(message)
            else:
                self._waiting[child.id] = deque([message])
                self._nursery.start_soon(self._serve, child)

    @property
    def busy(self) -> bool:
        """Whether something is still to be sent."""
        return self._unsent > 0

    async def wait_room(self) -> None:
        """Wait while very many are still to be sent."""
        while self._unsent >= MOST:
            if self._room is None:
                self._room = trio.Event()
            await self._room.wait()

    def _sent(self) -> None:
        self._unsent -= 1
        if self._unsent < MOST and self._room is not None:
            self._room.set()
            self._room = None

    async def _serve(self, child: Child) -> None:
        waiting = self._waiting[child.id]
        try:
            if self._patient:
                with suppress(NotRunningError):
                    await child.wait_ready()
            while waiting:
                message = waiting.popleft()
                if message.to_all and not child.writable:
                    self._sent()
                    continue  # it's meant for those who take input
                # What became of one may take seconds to know, and the next doesn't wait for that: only
                # their order is kept, as each is in the queue for the child's input before the next.
                self._nursery.start_soon(self._deliver, child, message)
                await trio.lowlevel.checkpoint()
        finally:
            del self._waiting[child.id]

    async def _deliver(self, child: Child, message: Message) -> None:
        try:
            receipt = await child.intervene(message.text)
        finally:
            self._sent()
        if receipt.state == "refused" and self._tell_refused:
            self._say(f"[{child.name}] not sent: {receipt.reason}")

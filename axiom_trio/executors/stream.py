"""A child that is a stream of this program: bytes, text or events, from anything that can be iterated."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias, final

import trio

from axiom_trio.abc import Executor
from axiom_trio.sansio.errors import SpecificationError
from axiom_trio.sansio.events import Exit

if TYPE_CHECKING:
    from axiom_trio.abc import Port
    from axiom_trio.sansio.events import Kind

Framing: TypeAlias = Literal["auto", "stream", "message"]
"""What the items of a stream are; see `StreamExecutor`."""

_DRAIN = 256  # items taken from a memory channel at once, where they lie ready


@final
class StreamExecutor(Executor):
    """Merges any trio receive stream, memory channel or async iterable.

    Each item is bytes, str or an event; an event is `{"type": "data" | "error" |
    "exit", "payload": …}`, as a mapping or as an object with these attributes. An
    `error` shows as a line `[ERROR] …` of kind `error`; an `exit` ends the child with
    the status in its payload.

    Args:
        source: What to read. A generator is closed at the end.
        framing: `auto`: bytes are chunks of a stream, cut at newlines; str and
            events are messages, each ends its line. `stream` or `message`: all are.

    Raises:
        SpecificationError: It's nothing that can be iterated, or there is no such framing.
    """

    def __init__(
        self,
        source: trio.abc.ReceiveStream | AsyncIterable[object],
        *,
        framing: Framing = "auto",
    ) -> None:
        if not isinstance(source, AsyncIterable) and not hasattr(source, "__aiter__"):
            raise SpecificationError(
                f"a stream can't be read from a {type(source).__name__}: give an async iterable, "
                "a trio receive stream or a memory channel"
            )
        if framing not in ("auto", "stream", "message"):
            raise SpecificationError(f"framing is {framing!r}: it must be auto, stream or message")
        self._source = source
        self._framing = framing

    @property
    def label(self) -> str:
        """The source's name, or that of its type."""
        return getattr(self._source, "__name__", type(self._source).__name__)

    async def run(self, port: Port) -> Exit:
        """See `Executor.run`."""
        port.started()
        source = self._source
        try:
            if isinstance(source, trio.abc.ReceiveStream):
                return await self._read_stream(source, port)
            if isinstance(source, trio.MemoryReceiveChannel):
                return await self._read_channel(source, port)
            async for item in source:
                ended = await self._hand_on([item], port)
                if ended is not None:
                    return ended
        finally:
            aclose = getattr(source, "aclose", None)
            if aclose is not None:
                with trio.move_on_after(1, shield=True):
                    await aclose()
        return Exit(0)

    async def _read_stream(self, source: trio.abc.ReceiveStream, port: Port) -> Exit:
        while data := await source.receive_some(port.read_size):
            await self._hand_on([bytes(data)], port)
        return Exit(0)

    async def _read_channel(self, source: trio.MemoryReceiveChannel[object], port: Port) -> Exit:
        async for first in source:
            items = [first]
            try:
                while len(items) < _DRAIN:
                    items.append(source.receive_nowait())
            except (trio.WouldBlock, trio.EndOfChannel):
                pass
            ended = await self._hand_on(items, port)
            if ended is not None:
                return ended
        return Exit(0)

    async def _hand_on(self, items: list[object], port: Port) -> Exit | None:
        """Send all items, joined as far as they are alike; the exit if one says so."""
        pieces: list[tuple[Kind, bool, list[bytes]]] = []
        ended = None
        failed: Exception | None = None
        for item in items:
            try:
                piece = self._piece(item)
            except Exception as error:  # noqa: BLE001 (raised when what came before it is sent)
                failed = error
                break
            if isinstance(piece, Exit):
                ended = piece
                break
            kind, message, data = piece
            if pieces and pieces[-1][:2] == (kind, message):
                pieces[-1][2].append(data)
            else:
                pieces.append((kind, message, [data]))
        cancelled = None
        for kind, message, parts in pieces:
            try:
                await (port.send_line if message else port.send)(b"".join(parts), kind)
            except trio.Cancelled as error:  # each send keeps what it could not hand over: go on
                cancelled = error
        if cancelled is not None:
            raise cancelled
        if failed is not None:
            raise failed
        return ended

    def _piece(self, item: object) -> tuple[Kind, bool, bytes] | Exit:
        """What to send for an item: its kind, whether it is a message, its bytes."""
        kind: Kind = "output"
        message = not isinstance(item, bytes | bytearray | memoryview)
        if message and not isinstance(item, str):
            event_type, item = _fields(item)
            if event_type == "exit":
                return _exit(item)
            if event_type == "error":
                kind = "error"
                item = f"[ERROR] {_text(item)}"
            elif event_type != "data":
                raise SpecificationError(f"an event's type is {event_type!r}: it must be data, error or exit")
        data = (
            bytes(item)
            if isinstance(item, bytes | bytearray | memoryview)
            else _text(item).encode("utf-8", "replace")
        )
        if self._framing != "auto":
            message = self._framing == "message"
        if message and not data.endswith(b"\n"):
            data += b"\n"
        return kind, message, data


def _fields(item: object) -> tuple[object, object]:
    if isinstance(item, Mapping):
        if "type" in item:
            return item["type"], item.get("payload")
    elif hasattr(item, "type"):
        return item.type, getattr(item, "payload", None)
    raise SpecificationError(
        f"a {type(item).__name__} came out of the stream: "
        "items must be bytes, str or events with type and payload"
    )


def _exit(payload: object) -> Exit:
    if isinstance(payload, Mapping):
        payload = payload.get("code", payload.get("exitCode"))
    if payload is None:
        return Exit(0)
    if isinstance(payload, int):
        return Exit(int(payload))
    return Exit(1, error=_text(payload))


def _text(payload: object) -> str:
    if isinstance(payload, bytes):
        return payload.decode("utf-8", "replace")
    return payload if isinstance(payload, str) else "" if payload is None else str(payload)

"""`axiom-trio wait`: until a child has written something, or has ended."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import trio

from axiom_trio.cli import say
from axiom_trio.cli.verbs import DONE, FAILED, LOOK, TIME_IS_UP, Failure, child_of, connected, out, out_json
from axiom_trio.sansio.names import printable
from axiom_trio.sansio.plain import PlainText
from axiom_trio.sansio.unwire import data_of

if TYPE_CHECKING:
    from axiom_trio.cli.verb_options import VerbOptions
    from axiom_trio.server.client import Client
    from axiom_trio.server.remote import ChildInfo

_HELD: Final = 64 * 1024  # bytes that are searched back over, where a match may span blocks


async def wait(options: VerbOptions) -> int:
    """Wait; returns the exit status."""
    limit = options.get("timeout")
    with trio.move_on_after(float("inf") if limit is None else limit):
        async with connected(options) as client:
            return await _wait(options, client, await child_of(client, options))
    raise Failure(TIME_IS_UP, f"the time is up: [{options.name}] {_what(options)} within {limit:g} s")


def _what(options: VerbOptions) -> str:
    match = options.get("match")
    return "has not ended" if match is None else f"wrote nothing that matches {match!r}"


async def _wait(options: VerbOptions, client: Client, child: ChildInfo) -> int:
    pattern = options.get("match")
    after = options.get("after", -1)
    if pattern is None:
        if child.exit is not None:
            return _ended(options, child)
        after = client.hello.cursor
    regex = None if pattern is None else re.compile(pattern.encode(), re.MULTILINE)
    search = _Search(regex)
    # What it wrote may be gone, and its end with it: then the figures say when we have seen all there was.
    over = child.exit is not None
    async with client.subscribe(after, tasks=[child.id], tick=0.0, stats=LOOK) as events:
        async for message in events:
            kind, data = message["type"], message["data"]
            if kind == "gap":
                lost = f"{data['lines']} lines" + ("" if regex is None else ", which were not searched")
                say(f"axiom-trio wait: the run no longer has {lost}\n")
                now = {other.id: other for other in await client.children()}
                over = over or now[child.id].exit is not None
                search.clear()
            elif kind == "stream" and (found := search.feed(data)) is not None:
                return _found(options, child, found, message["cursor"])
            elif kind == "complete":
                break
            if over and message["cursor"] >= client.hello.cursor:
                break
    if regex is not None:
        raise Failure(FAILED, f"[{child.name}] ended, and nothing that it wrote matched {pattern!r}")
    now = {other.id: other for other in await _last(client, child, message)}
    return _ended(options, now[child.id])


async def _last(client: Client, child: ChildInfo, message: dict[str, Any]) -> tuple[ChildInfo, ...]:
    """The child as it ended."""
    if message["type"] == "complete":
        from axiom_trio.server.remote import child_info

        return (child_info({**child.wire, **message["data"], "state": "completed"}),)
    return await client.children()


class _Search:
    """Looks for a pattern in a child's output, over the ends of blocks; escape sequences don't count."""

    def __init__(self, regex: re.Pattern[bytes] | None) -> None:
        self._regex = regex
        self.clear()

    def feed(self, data: dict[str, Any]) -> bytes | None:
        """The match, if that's in what has come."""
        if self._regex is None:
            return None
        error = data["kind"] == "error"
        seen = self._seen[error] + self._plain[error].feed(data_of(data))
        if (match := self._regex.search(seen, self._cut[error])) is not None:
            return match[0]
        if len(seen) > _HELD:
            # One byte more than is searched: where it's cut no line begins.
            seen, self._cut[error] = seen[-_HELD - 1 :], 1
        self._seen[error] = seen
        return None

    def clear(self) -> None:
        """What comes next doesn't go on from what came before."""
        self._plain = {True: PlainText(), False: PlainText()}
        self._seen = {True: b"", False: b""}
        self._cut = {True: 0, False: 0}


def _found(options: VerbOptions, child: ChildInfo, found: bytes, cursor: int) -> int:
    text = found.decode("utf-8", "replace")
    if options.get("json"):
        out_json({"task": child.name, "taskId": child.id, "match": text, "cursor": cursor})
    else:
        out(f"[{printable(child.name)}] {printable(text)}")
    return DONE


def _ended(options: VerbOptions, child: ChildInfo) -> int:
    assert child.exit is not None
    if options.get("json"):
        fields = ("exitCode", "signal", "error", "reason")
        out_json({"task": child.name, "taskId": child.id, **{name: child.wire.get(name) for name in fields}})
    else:
        why = child.reason if child.reason in ("stopped", "timeout", "idle", "skipped") else None
        out(f"[{printable(child.name)}] {printable(str(child.exit))}{f' ({why})' if why else ''}")
    return DONE if child.ok else FAILED

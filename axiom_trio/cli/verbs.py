"""The verbs that talk to a running run: how they connect, what they print, their exit statuses."""

from __future__ import annotations

import os
import signal
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio

from axiom_trio.cli import say, write_all
from axiom_trio.sansio.names import printable
from axiom_trio.server import runtime
from axiom_trio.server.client import connect
from axiom_trio.server.remote import ConnectError, LostError, NoRunError, RequestError, find_child

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

    from axiom_trio.cli.verb_options import VerbOptions
    from axiom_trio.sansio.events import Receipt
    from axiom_trio.server.client import Client
    from axiom_trio.server.remote import ChildInfo

DONE: Final = 0
FAILED: Final = 1
NOT_THERE: Final = 4
TIME_IS_UP: Final = 124
_CONSUMER_GONE: Final = 141
_PATIENCE: Final = 5.0  # seconds for a run to answer
_NO_ANSWER: Final = "the run does not answer; is it stopped?"
LOOK: Final = 0.25
"""Seconds between two figures, which tell how far we are where nothing comes."""
_IDLE_WAIT: Final = 60.0
_DELIVERY: Final = 15.0  # seconds beyond that for a receipt: what is pasted may be long, and others may type


class Failure(Exception):  # noqa: N818 (it may be that the time is up)
    """The verb ends with this status, having said this."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def run_verb(options: VerbOptions) -> int:
    """Do what was asked; returns the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    status, text = FAILED, ""
    try:
        return trio.run(_act(options.verb), options)
    except Failure as failure:
        status, text = failure.status, str(failure)
    except NoRunError as error:
        several = "; say which" in str(error)
        status, text = 2 if several else NOT_THERE, str(error)
    except LostError as error:
        status, text = NOT_THERE, str(error)
    except ConnectError as error:
        text = str(error)
    except RequestError as error:
        status, text = NOT_THERE if error.code == "no-such-child" else FAILED, str(error)
    except BrokenPipeError:
        return _CONSUMER_GONE
    except OSError as error:
        status, text = 3, f"can't write to stdout: {error.strerror}"
    if text:
        say(f"axiom-trio {options.verb}: {printable(text)}\n")
    return status


def _act(verb: str) -> Callable[[VerbOptions], Awaitable[int]]:
    if verb == "ps":
        from axiom_trio.cli.verb_ps import ps

        return ps
    if verb == "logs":
        from axiom_trio.cli.verb_logs import logs

        return logs
    if verb == "wait":
        from axiom_trio.cli.verb_wait import wait

        return wait
    if verb == "attach":
        from axiom_trio.cli.verb_attach import attach

        return attach
    return _ACTS[verb]


def out(text: str) -> None:
    """Print a line on stdout."""
    write_all(1, text.encode("utf-8", "backslashreplace") + b"\n")


def out_json(value: object) -> None:
    """Print an object as a line of JSON."""
    write_all(1, msgspec.json.encode(value) + b"\n")


@asynccontextmanager
async def connected(options: VerbOptions) -> AsyncGenerator[Client, None]:
    """A connection to the run that is meant; one that does not answer is given up."""
    run = options.get("run")
    inside = options.get("inside")
    if inside is not None and any(found.run_id == inside for found in runtime.runs()[0]):
        run = inside
    with trio.move_on_after(_PATIENCE) as scope:
        async with connect(run, url=options.get("url"), token=options.token) as client:
            scope.deadline = float("inf")
            yield client
    if scope.cancelled_caught:
        raise Failure(FAILED, _NO_ANSWER)


@contextmanager
def answering(seconds: float = _PATIENCE) -> Iterator[None]:
    """Around what a run answers at once."""
    with trio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise Failure(FAILED, _NO_ANSWER)


async def child_of(client: Client, options: VerbOptions) -> ChildInfo:
    """The child that is meant. Raises RequestError."""
    assert options.name is not None
    return find_child(client.hello.children, options.name)


# --- the short ones


async def _send(options: VerbOptions) -> int:
    when = options.get("when", "now")
    wait = options.get("wait")
    if wait is None and when == "idle":
        wait = _IDLE_WAIT
    async with connected(options) as client:
        child = await child_of(client, options)
        with answering(_DELIVERY + (wait or 0)):
            receipt = await _deliver(client, child, options, when, wait)
    if options.get("json"):
        out_json({"task": child.name, "taskId": child.id} | _receipt(receipt))
    elif receipt.state == "refused":
        raise Failure(FAILED, f"[{child.name}] refused: {receipt.reason}")
    else:
        out(f"[{printable(child.name)}] {receipt.state}: {printable(receipt.reason)}")
    return DONE if receipt.state in ("confirmed", "queued") else FAILED


async def _deliver(
    client: Client, child: ChildInfo, options: VerbOptions, when: Any, wait: float | None
) -> Receipt:
    text = options.text or ""
    if options.get("keys"):
        return await client.press(child.id, text, id=options.get("id"))
    secret, force = bool(options.get("secret")), bool(options.get("force"))
    return await client.intervene(
        child.id, text, id=options.get("id"), when=when, wait=wait, secret=secret, force=force
    )


def _receipt(receipt: Receipt) -> dict[str, str]:
    return {"receipt": receipt.id, "state": receipt.state, "reason": receipt.reason}


async def _interrupt(options: VerbOptions) -> int:
    async with connected(options) as client:
        child = await child_of(client, options)
        with answering():
            await client.interrupt(child.id)
    return _told(options, child, "was sent SIGINT")


async def _restart(options: VerbOptions) -> int:
    async with connected(options) as client:
        child = await child_of(client, options)
        with answering():
            await client.restart(child.id)
    return _told(options, child, "is started again")


async def _stop(options: VerbOptions) -> int:
    async with connected(options) as client:
        child = None if options.name is None else await child_of(client, options)
        with answering():
            await client.stop(None if child is None else child.id, grace=options.get("grace"))
    if child is not None:
        return _told(options, child, "is asked to end")
    if options.get("json"):
        out_json({"run": client.hello.run_id})
    else:
        out(f"the run {client.hello.short_id} is asked to end")
    return DONE


def _told(options: VerbOptions, child: ChildInfo, what: str) -> int:
    if options.get("json"):
        out_json({"task": child.name, "taskId": child.id})
    else:
        out(f"[{printable(child.name)}] {what}")
    return DONE


async def _add(options: VerbOptions) -> int:
    pty = True if options.get("pty") else False if options.get("pipe") else None
    # Where the run is perhaps on another machine, its own directory is meant.
    try:
        cwd = None if options.get("url") is not None else os.getcwd()
    except OSError:
        raise Failure(
            FAILED, "the directory that this is started in is gone, and it would run there"
        ) from None
    async with connected(options) as client:
        with answering():
            task, name = await client.add(options.text or "", name=options.get("name"), cwd=cwd, pty=pty)
    if options.get("json"):
        out_json({"task": name, "taskId": task})
    else:
        out(f"[{printable(name)}] is started")
    return DONE


_ACTS: Final[dict[str, Callable[[VerbOptions], Awaitable[int]]]] = {
    "send": _send,
    "interrupt": _interrupt,
    "restart": _restart,
    "stop": _stop,
    "add": _add,
}

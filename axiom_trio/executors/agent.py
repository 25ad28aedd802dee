"""Children that are AI agents: a CLI's JSON stream, or the messages of an SDK, shown as lines."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, TypeAlias, final

import attrs
import trio

from axiom_trio.abc import Executor
from axiom_trio.executors.adapted import AdaptedPort, send_all
from axiom_trio.executors.process import ProcessExecutor
from axiom_trio.sansio.agent_sdk import from_sdk
from axiom_trio.sansio.agents import FORMATS, AgentStream
from axiom_trio.sansio.errors import NotWritableError, SpawnError, SpecificationError
from axiom_trio.sansio.events import Exit

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterable, Mapping, Sequence

    from axiom_trio.abc import Port

Format: TypeAlias = Literal["claude", "codex", "gemini"]

_NO_END = "its stream ended without saying how it went"


class _Agent(Executor):
    """What both have in common: a stream of messages, anew for each run."""

    def __init__(self, form: Format) -> None:
        if form not in FORMATS:
            raise SpecificationError(f"there is no format {form!r}: it must be {', '.join(FORMATS)}")
        self._form: Format = form
        self._stream = AgentStream(FORMATS[form]())

    @property
    def answer(self) -> str:
        """What the agent said last, at most 64 KiB of it; empty before it has said anything."""
        return self._stream.answer

    @property
    def session(self) -> str:
        """What identifies the session to the agent, for going on with it; empty before it's told."""
        return self._stream.session

    def _anew(self) -> AgentStream:
        self._stream = AgentStream(FORMATS[self._form]())
        return self._stream

    def _judged(self, ended: Exit) -> Exit:
        """How it ended, by its exit status and by what its stream says."""
        told = self._stream.ended
        if ended.signal is not None or ended.error is not None:
            return ended
        if told is None:
            return attrs.evolve(ended, code=1, error=_NO_END) if ended.ok else ended
        if told.ok:
            return ended
        return attrs.evolve(ended, code=ended.code or 1, error=told.reason or "it failed")


@final
class AgentExecutor(_Agent):
    """Runs an agent's command, and shows its JSON stream as lines.

    Its texts are shown as they come, each use of a tool is a line, and what isn't known of the
    stream is shown as it is. It has failed if its stream says so, or does not say how it ended,
    whatever its exit status. What it writes to stderr is of kind `error`.

    Args:
        command: A str is a shell command line, a sequence is an argv.
        format: What its stdout has: `claude` (`--output-format stream-json`), `codex`
            (`exec --json`) or `gemini` (`--output-format stream-json`).
        prompt: What is written into its stdin, which ends there; None: it reads end of file at once.
        steerable: Whether it takes messages while it works, until its stream says that it has ended: only
            `claude` does, with `--input-format stream-json`.
        cwd: Working directory; default: ours.
        env: The whole environment; default: ours.

    Raises:
        SpecificationError: An argument can't be.
    """

    def __init__(
        self,
        command: str | Sequence[str],
        *,
        format: Format,  # noqa: A002 (the field's name)
        prompt: str | None = None,
        steerable: bool = False,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(format)
        if steerable and format != "claude":
            raise SpecificationError(f"{format} takes no messages while it works: leave out steerable")
        self._prompt = prompt
        self._steerable = steerable
        self._message = b""
        self._told = trio.Event()
        stdin: Literal["null", "pipe"] = "null" if prompt is None and not steerable else "pipe"
        self._process = ProcessExecutor(command, cwd=cwd, env=env, stderr="split", stdin=stdin)

    @property
    def label(self) -> str:
        """The command's first word."""
        return self._process.label

    @property
    def writable(self) -> bool:
        """See `Executor.writable`."""
        return self._steerable and self._process.writable

    def pending_input(self) -> int | None:
        """See `Executor.pending_input`."""
        return self._process.pending_input()

    async def write(self, data: bytes) -> None:
        """Tell it something: what is written up to a newline at the end is a message.

        Raises:
            NotWritableError: It isn't steerable.
            trio.BrokenResourceError: It takes no more.
        """
        if not self._steerable:
            raise NotWritableError(f"{self.label} takes no messages while it works: run it on a PTY")
        self._message += data
        if self._message.endswith(b"\n"):
            text, self._message = self._message[:-1].decode("utf-8", "replace"), b""
            await self._told.wait()  # the prompt comes first, and whole
            await self._process.write(_frame(text))

    def close_stdin(self) -> None:
        """End its input."""
        self._process.close_stdin()

    def signal(self, signum: int) -> bool:
        """See `Executor.signal`."""
        return self._process.signal(signum)

    async def run(self, port: Port) -> Exit:
        """See `Executor.run`."""
        self._message = b""
        self._told = trio.Event()
        adapted = AdaptedPort(port, self._anew(), self.close_stdin)
        failed: SpawnError | None = None
        ended = Exit(None)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell, adapted)
            try:
                ended = await self._process.run(adapted)
            except SpawnError as error:  # to come out as it is, not in a group
                failed = error
            nursery.cancel_scope.cancel(reason="it has ended")
        if failed is not None:
            raise failed
        await adapted.finish()
        return self._judged(ended)

    async def _tell(self, adapted: AdaptedPort) -> None:
        """Write the prompt, and end the input."""
        try:
            if self._prompt is None:
                return
            await adapted.runs.wait()
            prompt = _frame(self._prompt) if self._steerable else self._prompt.encode("utf-8", "replace")
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # it doesn't want to know
                await self._process.write(prompt)
            if not self._steerable:
                self._process.close_stdin()
        finally:
            self._told.set()


@final
class SdkExecutor(_Agent):
    """Shows the messages of the Claude Agent SDK, or of any async iterable, as lines.

    Messages as `claude_agent_sdk.query` gives them (the extra `axiom-trio[claude]`), or as mappings
    that the CLI would write; anything else is shown as it is. It can't be run twice.

    Args:
        source: The messages; a generator is closed at the end.
        label: The child's name where the caller gives none.

    Example::

        async def messages():  # as query(prompt="Say hello") gives them, or the CLI writes them
            yield {"type": "assistant", "message": {"content": [{"type": "text", "text": "Hello"}]}}
            yield {"type": "result", "subtype": "success"}

        aggregator.start_soon(SdkExecutor(messages()))
    """

    def __init__(self, source: AsyncIterable[object], *, label: str = "claude") -> None:
        super().__init__("claude")
        if not hasattr(source, "__aiter__"):
            raise SpecificationError(f"{source!r} is no async iterable, such as query(prompt=…)")
        self._source = source
        self._label = label

    @property
    def label(self) -> str:
        """The name it was made with."""
        return self._label

    async def run(self, port: Port) -> Exit:
        """See `Executor.run`."""
        port.started()
        stream = self._anew()
        try:
            async for item in self._source:
                message = from_sdk(item)
                if isinstance(message, str):
                    await send_all(port, stream.text(message))
                else:
                    await send_all(port, stream.message(message))
        finally:
            try:
                aclose = getattr(self._source, "aclose", None)
                if aclose is not None:
                    with trio.move_on_after(1, shield=True):
                        await aclose()
            finally:  # what a source has said that fails, or is cancelled, too
                await send_all(port, stream.close())
        return self._judged(Exit(0))


def _frame(text: str) -> bytes:
    """A message as Claude Code reads it from its stdin."""
    message = {"role": "user", "content": [{"type": "text", "text": text}]}
    return json.dumps({"type": "user", "message": message}).encode() + b"\n"

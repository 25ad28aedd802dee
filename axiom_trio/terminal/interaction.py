"""Who may write to the children and steer them while the run goes on: a person, or what writes to stdin."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from axiom_trio.terminal import keyboard

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.terminal.commands import Commands
    from axiom_trio.terminal.sink import TerminalSink


@final
class Interaction:
    """Serves the keyboard where there is one, else, if asked for, lines on stdin.

    Args:
        aggregator: The run.
        sink: The terminal's, if it has a footer in which the line that is typed can be seen.
        asked: Whether it was asked for: then whole lines are read where there's no such terminal.
        quiet: Whether nobody else tells of what was refused.
        say: Tells of lines that were not sent.
        resize: Gives a child's terminal the size it has in the stream.
    """

    def __init__(
        self,
        aggregator: StreamAggregator,
        sink: TerminalSink | None,
        *,
        asked: bool,
        quiet: bool,
        say: Callable[[str], None],
        resize: Callable[[Child], None],
    ) -> None:
        self._aggregator = aggregator
        self._asked = asked
        self._quiet = quiet
        self._say = say
        self._commands: Commands | None = None
        if sink is not None and keyboard.is_ours():
            from axiom_trio.terminal.commands import Commands

            self._commands = Commands(aggregator, sink, resize=resize)

    async def run(self) -> None:
        """Serve until cancelled, or return if there's nobody."""
        if self._commands is not None:
            await self._commands.run()
        elif self._asked:
            from axiom_trio.terminal.piped import send_lines

            await send_lines(self._aggregator, self._say, tell_refused=self._quiet)

    @property
    def has_keyboard(self) -> bool:
        """Whether the terminal's modes are ours, and stopping and going on, too."""
        return self._commands is not None and self._commands.has_keyboard

    async def suspend(self) -> None:
        """Stop, as Ctrl-Z asks, with the terminal as it was before; returns when we go on."""
        if self._commands is not None:
            await self._commands.suspend()

    def continued(self) -> None:
        """We go on, whatever has stopped us."""
        if self._commands is not None:
            self._commands.continued()

    @property
    def attached(self) -> Child | None:
        """The child that has the whole terminal now, and so its size."""
        return None if self._commands is None else self._commands.attached

    def resized(self) -> None:
        """The terminal may have another size now."""
        if self._commands is not None:
            self._commands.resized()

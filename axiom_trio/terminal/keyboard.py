"""The user's terminal as a keyboard: its modes, and reading it without ever being stopped for it.

It's read through a description of our own of /dev/tty, as O_NONBLOCK on stdin would be
the shell's, too. A process in the background that reads its terminal, or sets its
modes, is stopped by the kernel: so neither is done there, and when the shell gives us
the foreground again it goes on.
"""

from __future__ import annotations

import atexit
import errno
import os
import signal
import termios
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, final

import trio

from axiom_trio.executors import lastwords
from axiom_trio.sinks.writer import write_within
from axiom_trio.terminal.keys import ESCAPE_WAIT, Key, KeyDecoder, Text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import FrameType
    from typing import Self, TypeAlias

    from axiom_trio.terminal.keys import Press

    Modes: TypeAlias = list[Any]
    Acts: TypeAlias = dict[str, Callable[["Owner"], Awaitable[None]]]

Owner = TypeVar("Owner")
_LOOK: Final = 0.3  # seconds between two looks whether the shell has given us the foreground
_READ: Final = 4096
_PATIENCE: Final = 1.0  # seconds for a terminal that is full to take what sets and restores it
_PASTE_ON: Final = b"\x1b[?2004h"
_PASTE_OFF: Final = b"\x1b[?2004l"
_IFLAG, _OFLAG, _LFLAG, _CC = 0, 1, 3, 6


def is_ours() -> bool:
    """Whether stdin and stdout are terminals, and stdin the one whose foreground we may be in."""
    try:
        os.tcgetpgrp(0)
    except OSError:
        return False
    return os.isatty(1)


@final
class Keyboard:
    """The terminal; to be used with `with`, which restores its modes in every case.

    Args:
        on_foreground: Called with whether we're in the foreground, when that has changed.
        cooked: Leave its modes alone: whole lines are read.

    Raises:
        OSError: There is no terminal.
    """

    def __init__(
        self, on_foreground: Callable[[bool], None] = lambda _: None, *, cooked: bool = False
    ) -> None:
        self._cooked = cooked
        self._on_foreground = on_foreground
        self._descriptor = -1
        self._saved: Modes | None = None  # what to restore; None: the terminal has its own modes
        self._raw = False
        self._ignored: Callable[[int, FrameType | None], Any] | int | None = None
        self._was_foreground = True
        self._group = os.getpgrp()
        self._reading: trio.CancelScope | None = None
        self._nudged = False

    def __enter__(self) -> Self:
        flags = os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        self._descriptor = os.open("/dev/tty", flags)
        # Ignored, a read in the background fails instead of stopping us, should we lose it just then.
        self._ignored = signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        atexit.register(self.release)
        self._look()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        atexit.unregister(self.release)
        signal.signal(signal.SIGTTIN, self._ignored)
        trio.lowlevel.notify_closing(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1

    @property
    def foreground(self) -> bool:
        """Whether we're the terminal's foreground process group."""
        try:
            return os.tcgetpgrp(self._descriptor) == self._group
        except OSError:
            return False

    @property
    def modes(self) -> Modes | None:
        """What the terminal's modes were before, while ours are set."""
        return self._saved

    def take(self) -> None:
        """Set our modes, if we're in the foreground."""
        if self._cooked or self._saved is not None or self._descriptor < 0 or not self.foreground:
            return
        with suppress(termios.error):
            self._saved = termios.tcgetattr(self._descriptor)
            self._set_ours(self._saved)
            self._write(_PASTE_ON)

    def release(self) -> None:
        """Give the terminal its modes back, if ours are set.

        In the background they're another's by now, and left alone.
        """
        saved, self._saved = self._saved, None
        lastwords.leave_modes(0, None, [])
        if saved is not None and self.foreground:
            self._write(_PASTE_OFF)
            with suppress(termios.error):
                self._set(saved)

    def set_raw(self, raw: bool) -> None:
        """Hand through each key as it is, Ctrl-C and Ctrl-Z too, and each byte of output; or no longer.

        While it's raw, bracketed paste is what who writes to the terminal makes it.
        """
        self._raw = raw
        if self._saved is not None and self.foreground:
            self._write(_PASTE_OFF if raw else _PASTE_ON)
            with suppress(termios.error):
                self._set_ours(self._saved)

    async def read(self) -> bytes:
        """What was typed next; nothing if `nudge` was called.

        In the background it waits until we're in the foreground again.
        """
        with trio.CancelScope() as self._reading:
            if self._nudged:
                self._reading.cancel(reason="nudged")
            data = await self._read()
            self._nudged = False
            return data
        self._nudged = False
        return b""

    def nudge(self) -> None:
        """Have who reads look up: something else has changed."""
        self._nudged = True
        if self._reading is not None:
            self._reading.cancel(reason="nudged")

    async def _read(self) -> bytes:
        while True:
            if not self._look():
                await trio.sleep(_LOOK)
                continue
            try:
                if data := os.read(self._descriptor, _READ):
                    return data
                await trio.sleep(_LOOK)  # hung up: SIGHUP tells what to do
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self._descriptor)
            except OSError as error:
                if error.errno != errno.EIO:  # else we've just lost the foreground
                    raise
                await trio.sleep(_LOOK)

    def stop(self) -> None:
        """Stop this process, as Ctrl-Z asks for; returns when it's continued.

        The modes are restored before and set again after.
        """
        self.release()
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        try:
            os.kill(os.getpid(), signal.SIGTSTP)
        finally:
            signal.signal(signal.SIGTSTP, handler)

    def continued(self) -> bool:
        """We go on, whatever has stopped us; returns whether in the foreground."""
        if (
            self._saved is not None and self.foreground
        ):  # stopped without a warning: another may have set them
            with suppress(termios.error):
                self._set_ours(self._saved)
        return self._look()

    def _look(self) -> bool:
        """Whether we're in the foreground; sets the modes as that says."""
        foreground = self.foreground
        if foreground != self._was_foreground:
            self._was_foreground = foreground
            if not foreground:
                self._saved = None  # the shell has given it the modes it wants
                lastwords.leave_modes(0, None, [])
            self._on_foreground(foreground)
        if foreground and self._saved is None:
            self.take()
        return foreground

    def _set_ours(self, before: Modes) -> None:
        self._set(_ours(before, raw=self._raw))
        lastwords.leave_modes(0, termios.tcgetattr(self._descriptor), before)

    def _set(self, modes: Modes) -> None:
        # Should the foreground be lost between the look and this: not stopped for it, at least.
        with _blocked(signal.SIGTTOU):
            termios.tcsetattr(self._descriptor, termios.TCSANOW, modes)

    def _write(self, data: bytes) -> None:
        with suppress(OSError), _blocked(signal.SIGTTOU):
            write_within(self._descriptor, data, _PATIENCE)


class _blocked:  # noqa: N801 (used as a function)
    def __init__(self, signum: int) -> None:
        self._signum = signum

    def __enter__(self) -> None:
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, [self._signum])

    def __exit__(self, *_: object) -> Literal[False]:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)
        return False


def _ours(modes: Modes, *, raw: bool) -> Modes:
    """Modes for reading single keys; signals from the keyboard stay signals unless raw."""
    ours = [*modes]
    ours[_CC] = [*modes[_CC]]
    ours[_IFLAG] &= ~(termios.IXON | termios.ICRNL | termios.INLCR | termios.IGNCR | termios.ISTRIP)
    ours[_LFLAG] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN)
    ours[_LFLAG] |= termios.ISIG
    if raw:
        ours[_LFLAG] &= ~termios.ISIG
        ours[_OFLAG] &= ~termios.OPOST
    ours[_CC][termios.VMIN], ours[_CC][termios.VTIME] = 1, 0
    return ours


@final
class Presses:
    """What is pressed on a keyboard, one read after the other.

    Args:
        keyboard: Which.
    """

    def __init__(self, keyboard: Keyboard) -> None:
        self._keyboard = keyboard
        self._decoder = KeyDecoder()

    async def next(self) -> list[Press]:
        """What came next; empty if it was half a key, or a nudge."""
        if self._decoder.waiting:
            with trio.move_on_after(ESCAPE_WAIT):
                return self._decoder.feed(await self._keyboard.read())
            return self._decoder.flush()
        return self._decoder.feed(await self._keyboard.read())


async def act(
    owner: Owner, press: Press, keys: Acts[Owner], texts: Acts[Owner], *, typing: bool
) -> Press | None:
    """Do what a press means to whom the keys belong; what is left of it is for the line that is typed.

    Args:
        owner: Whose `keys` act always, and `texts` while no line has begun.
        press: What was pressed.
        keys: By their names.
        texts: By their characters.
        typing: Whether a line has begun.
    """
    if isinstance(press, Key):
        if (action := keys.get(press.name)) is None:
            return press
        await action(owner)
        return None
    # What comes together is typed one by one all the same.
    while not (typing or press.pasted) and press.text and (action := texts.get(press.text[0])) is not None:
        await action(owner)
        press = Text(press.text[1:])
    return press if press.text else None

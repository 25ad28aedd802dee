r"""Delivering a message into a child: at most once, whole, and saying what became of it.

* **One writer per child.** A message is atomic: text, pause, Enter, with nothing of another's in
  between. Enter is a write of its own, as a program that gets it with the text takes it for a
  newline of that. On a pipe both go in one write, as nothing there tells them apart.
* **Nothing is a key but what is meant as one:** control characters in a text are made visible, and
  no escape sequence is sent but the two around a text of several lines, where the child wants them.
* **Refused**, before a byte is written: what could only be cut, lost, or shown to the wrong reader.
* The `Intervention` is in the log before the first byte is written; the `Delivery` when its fate
  is known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, final

import trio

from axiom_trio.engine.evidence import ENTER_PAUSE, Trace
from axiom_trio.engine.looking import open_dialog
from axiom_trio.sansio.errors import NotRunningError, NotWritableError, sentence
from axiom_trio.sansio.events import Receipt
from axiom_trio.sansio.keys import neutralise
from axiom_trio.sansio.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.modes import InputMode

ASKS_FOR_PASSWORD: Final = "it asks for a password: only what is sent as a secret answers that"
"""The reason for which a message to one that reads a password is refused."""
LONGEST_LINE: Final = 4095
"""Bytes of a line in a terminal's canonical mode; the kernel drops what goes beyond."""
REMEMBERED: Final = 1024
"""Receipts kept for each child."""
_FINISH = 5.0  # seconds that the rest of a message may take whose beginning is written

_SECRETS = re.compile(
    rb"(?:pass ?(?:word|phrase|code)|passwort|\bpin\b|\botp\b|verification code|one-time code|"
    rb"(?:api|secret|access|private) key|\b(?:secret|token)\b)(?:[^\r\n?]{0,80}[:>])?\s*\Z",
    re.IGNORECASE,
)


@final
class Message:
    """What is to be written, and by whom.

    Args:
        id: Of its receipt.
        text: What to say.
        keys: Or what to press, each a write of its own; `text` is how that is shown.
        enter: Whether Enter ends the text.
        force: Whether it's sent though a dialog of an agent would take it for an answer.
        secret: Whether it may answer a prompt for a password; it's shown as `***`.
        rule: The rule whose it is.
        hold: Called right before it's sent: why it's not to be sent after all, or None.
        gone: Whether the prompt on the child's screen that it answers is gone.
    """

    __slots__ = ("attempted", "cut", "enter", "force", "gone", "hold", "id", "keys", "rule", "secret", "text")

    def __init__(
        self,
        id: str,  # noqa: A002 (the field's name)
        text: str,
        *,
        keys: list[bytes] | None = None,
        enter: bool = True,
        secret: bool = False,
        force: bool = False,
        rule: str | None = None,
        hold: Callable[[], str | None] | None = None,
        gone: Callable[[], bool] | None = None,
    ) -> None:
        self.id = id
        self.text = text
        self.keys = keys
        self.enter = enter
        self.secret = secret
        self.force = force
        self.rule = rule
        self.hold = hold
        self.gone = gone
        self.attempted = False
        self.cut = False
        """Whether it was given up while its text was written."""

    def writes(self, mode: InputMode | None) -> list[bytes]:
        """What to write, one after the other."""
        if self.keys is not None:
            return [b"\n" if key == b"\r" and mode is None else key for key in self.keys]
        text = neutralise(self.text)
        if self.enter:
            text = text.removesuffix("\n")
        if mode is None:
            return [(text + "\n" * self.enter).encode("utf-8", "replace")]
        if mode.bracketed_paste and "\n" in text:
            text = "\x1b[200~" + text.replace("\n", "\r") + "\x1b[201~"
        elif not mode.canonical:
            text = text.replace("\t", "    ")  # a tab is a key there
        data = text.encode("utf-8", "replace")
        return [write for write in (data, b"\r" * self.enter) if write]


class _Fate:
    __slots__ = ("known", "receipt")

    def __init__(self) -> None:
        self.known = trio.Event()
        self.receipt: Receipt | None = None


@final
class Inbox:
    """The messages to one child: what became of the last ones, by receipt."""

    __slots__ = ("_fates", "free_at")

    def __init__(self) -> None:
        self._fates: dict[str, _Fate] = {}
        self.free_at = float("-inf")
        """When the next message may follow: Enter and a text in one read are no Enter, either."""

    def find(self, receipt: str) -> _Fate | None:
        """The message with this receipt, if it's remembered."""
        return self._fates.get(receipt)

    def open(self, receipt: str) -> _Fate:
        """A new message."""
        fate = self._fates[receipt] = _Fate()
        if len(self._fates) > REMEMBERED:
            oldest = next((key for key, old in self._fates.items() if old.receipt is not None), None)
            if oldest is not None:
                del self._fates[oldest]
        return fate


async def deliver(child: Child, message: Message) -> Receipt:
    """Write a message into a child, unless it was written already; say what became of it.

    **Cancellation:** while it waits for its turn nothing is written. A text that is begun is finished, and
    Enter follows all the same; but for a child that reads no more it's cut, and its receipt says so.
    """
    inbox = child._inbox
    if inbox is None:
        inbox = child._inbox = Inbox()
    fate = inbox.find(message.id)
    if fate is not None:
        await fate.known.wait()
        assert fate.receipt is not None
        return fate.receipt
    fate = inbox.open(message.id)
    receipt = None
    try:
        receipt = await _deliver(child, inbox, message)
    finally:
        if receipt is None and message.attempted:
            why = "cut: " * message.cut + "cancelled while it was written"
            receipt = Receipt(message.id, "unconfirmed", why)
        elif receipt is None:
            receipt = Receipt(message.id, "refused", "cancelled before it was written")
        fate.receipt = receipt
        fate.known.set()
        child._aggregator._recorder.delivered(child, receipt, message.rule)
    return receipt


async def _deliver(child: Child, inbox: Inbox, message: Message) -> Receipt:
    async with child._input:
        await trio.sleep_until(inbox.free_at)
        mode = child._executor.input_mode()
        writes = message.writes(mode)
        why = _refusal(child, message, mode, writes)
        if why is not None:
            return Receipt(message.id, "refused", why)
        why = None if message.hold is None else message.hold()
        if why is not None:
            return Receipt(message.id, "suppressed", why)
        if message.rule is None:
            child._typed_at = trio.current_time()
        trace = Trace(child, mode)
        message.attempted = True
        shown = "***" if message.secret else child._aggregator._masked(message.text)
        child._aggregator._recorder.intervened(child, shown, message.id, message.rule)
        try:
            await _write(child, writes, message, trace)
        except (trio.BrokenResourceError, trio.ClosedResourceError, NotRunningError):
            if not trace.written:
                return Receipt(message.id, "refused", "it takes no more input")
            return Receipt(message.id, "unconfirmed", "it ended while it was written to")
        except NotWritableError:
            return Receipt(message.id, "refused", "it takes no input")
        except Exception as error:  # noqa: BLE001 (an executor of the caller's may raise anything)
            why = f"its executor raised {child._aggregator._masked(sentence(error))}"
            return Receipt(message.id, "unconfirmed", why)
        if mode is not None:
            inbox.free_at = trio.current_time() + ENTER_PAUSE
    said = message.text if message.keys is None and not message.secret else ""
    return await trace.receipt(message.id, entered=message.enter, text=said, gone=message.gone)


def _refusal(child: Child, message: Message, mode: InputMode | None, writes: list[bytes]) -> str | None:
    try:
        child._check_running()
    except NotRunningError as error:
        return "it" + str(error).removeprefix(child.name)
    if not child._executor.writable:
        return "it takes no input"
    if mode is not None and mode.canonical and message.keys is None:
        longest = max(map(len, re.split(rb"[\r\n]", writes[0])), default=0) if writes else 0
        if longest > LONGEST_LINE:
            return f"a line of {longest} bytes: its terminal would cut it at {LONGEST_LINE}"
    if not message.secret and _types(message) and _asks_for_secret(child, mode):
        return ASKS_FOR_PASSWORD
    if mode is not None and message.keys is None and message.rule is None and not message.force:
        question = open_dialog(child)
        if question is not None:
            return f"it asks {child._aggregator._masked(question)!r}: press keys to answer"
    return None


def _types(message: Message) -> bool:
    """Whether it could answer a prompt; a key such as Ctrl-C can't."""
    return message.keys is None or any(key in (b"\r", b"\n") or key[0] >= 0x20 for key in message.keys)


def _asks_for_secret(child: Child, mode: InputMode | None) -> bool:
    if mode is not None and (mode.hides or (mode.canonical and mode.echo)):
        return mode.hides
    return _SECRETS.search(plain(child.open_row())[-256:]) is not None


async def _write(child: Child, writes: list[bytes], message: Message, trace: Trace) -> None:
    last = len(writes) - 1
    for number, data in enumerate(writes):
        if number:
            with trio.CancelScope(shield=True):
                await trio.sleep(ENTER_PAUSE)
        if trace.ended:
            raise NotRunningError("it ended")
        trace.before(data, last=number == last, is_key=message.keys is not None)
        if number:
            with trio.move_on_after(_FINISH, shield=True) as scope:
                await child._put(data)
            if scope.cancelled_caught:
                return
        else:
            try:
                await child._put(data)
            except BaseException:
                message.cut = True
                trace.abandon()
                raise
        trace.written = True

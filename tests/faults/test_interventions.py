"""T53, T54: messages into children: too long, full of keys, or to one that can't have them."""

from __future__ import annotations

import sys

import pytest
import trio

from axiom_trio import Delivery, Intervention, JournalReader, JournalSink, PtyExecutor, open_aggregator
from axiom_trio.testing import MemorySink, Puppet

READER = """
import os, signal, sys, termios, tty
for number in (1, 2, 3, 15, 20):
    signal.signal(number, lambda *a: os.write(1, b"SIGNAL %d\\n" % a[0]))
if sys.argv[1] == "raw":
    tty.setraw(0)
os.write(1, b"ready\\n")
got = b""
while not got.endswith(b"\\r" if sys.argv[1] == "raw" else b"\\n"):
    piece = os.read(0, 65536)
    if not piece:
        os.write(1, b"END OF FILE\\n")
        break
    got += piece
import hashlib
os.write(1, b"got %d %s\\n" % (len(got), hashlib.sha256(got[:-1]).hexdigest().encode()))
"""
KEYS = "\x03\x04\x1a\x1c\x11\x13\x7f\x15\x16\x1b[201~\x1b\r\x9b201~"


@pytest.mark.parametrize("mode", ["raw", "canonical"])
@pytest.mark.parametrize("size", [100, 4095 - 60, 20_000])
@pytest.mark.parametrize("echo", [False, True])
async def test_T53_a_long_message_full_of_keys_comes_whole_or_is_refused(
    mode: str, size: int, echo: bool
) -> None:
    import hashlib

    from axiom_trio.sansio.keys import neutralise

    text = KEYS.replace("\r", "") + "x" * size
    command = [sys.executable, "-I", "-S", "-c", READER, mode]
    sink = MemorySink()
    with trio.fail_after(60):
        async with open_aggregator([sink], grace=0.3) as aggregator:
            child = await aggregator.start(PtyExecutor(command, echo=echo))
            await child.wait_for(b"ready")
            receipt = await child.intervene(text)
            if mode == "canonical" and size > 4095:
                assert receipt.state == "refused"
                assert "4095" in receipt.reason
                assert (await child.intervene("short")).state != "refused", "nothing of it is in the way"
                sent = b"short"
            else:
                assert receipt.state != "refused"
                sent = neutralise(text).encode()
            await child.wait()
        output = sink.data(child.id)
        assert b"SIGNAL" not in output
        assert b"END OF FILE" not in output
        assert b"got %d %s" % (len(sent) + 1, hashlib.sha256(sent).hexdigest().encode()) in output


async def test_T53_the_kernel_cuts_what_is_longer() -> None:
    """Why it's refused: this is what a terminal does with such a line."""
    command = [sys.executable, "-I", "-S", "-c", READER, "canonical"]
    sink = MemorySink()
    with trio.fail_after(60):
        async with open_aggregator([sink]) as aggregator:
            child = await aggregator.start(PtyExecutor(command))
            await child.wait_for(b"ready")
            await child.write(b"x" * 6001)
            await child.write(b"\r")
            await child.wait()
    assert b"got 4096 " in sink.data(child.id)


def test_T54_a_message_to_one_that_can_not_have_it_is_refused_in_the_journal(tmp_path) -> None:
    receipts = {}

    async def main() -> None:
        async with open_aggregator([JournalSink(tmp_path / "j")]) as aggregator:
            dead, other = Puppet(takes_input=True), Puppet(takes_input=True)
            ended = await aggregator.start(dead, id="dead")
            await aggregator.start(other, id="other")
            dead.end()
            await ended.wait()
            receipts["dead"] = await ended.intervene("hello?")
            with pytest.raises(KeyError):
                aggregator.child("nobody")
            assert (dead.input, other.input) == (b"", b"")
            other.end()

    trio.run(main)
    with JournalReader(tmp_path / "j") as journal:
        events = [*journal.events()]
    (delivery,) = [event for event in events if isinstance(event, Delivery)]
    assert (delivery.child, delivery.state, delivery.reason) == ("dead", "refused", "it has ended")
    assert delivery.receipt == receipts["dead"].id
    assert not [event for event in events if isinstance(event, Intervention)]

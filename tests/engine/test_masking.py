"""Secrets in a run: masked in all that is shown, whatever way they come."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from axiom_trio import TaskMetadata, TextFormat, open_aggregator
from axiom_trio.sansio.errors import SpecificationError
from axiom_trio.sansio.events import Completed, Exit, Intervention, Output, Started
from axiom_trio.sansio.masks import Masker, Masks
from axiom_trio.testing import Fail, MemorySink, Pause, Puppet, ScriptedExecutor, Send, SendLine
from axiom_trio.testing.strategies import cuttings

SECRET = "hunter2-hunter3"


def run(main) -> None:
    async def bounded() -> None:
        with trio.fail_after(10_000):
            await main()

    trio.run(bounded, clock=MockClock(autojump_threshold=0))


async def play(*script, mask=(SECRET,)) -> MemorySink:
    sink = MemorySink(TextFormat())
    async with open_aggregator([sink], mask=mask) as aggregator:
        aggregator.start_soon(ScriptedExecutor(script), id="a", name="a")
    return sink


PARTS = [SECRET, SECRET[:9], SECRET[5:], "x", "\n", "\r\n", "Y"]  # Y: a long line
cut_streams = st.lists(st.sampled_from(PARTS), max_size=10).flatmap(
    lambda parts: cuttings("".join(parts).encode())
)


@given(cut_streams, st.booleans())
def test_any_cutting_gives_the_events_of_the_masked_whole(pieces: list[bytes], split: bool) -> None:
    pieces = [piece.replace(b"Y", b"y" * 70_000) for piece in pieces]
    data = b"".join(pieces)
    kinds = ["output", "error"] if split else ["output"]

    async def main() -> None:
        sink = await play(*(Send(piece, kind) for piece in pieces for kind in kinds))
        masked = data.replace(SECRET.encode(), b"***")
        for kind in kinds:
            assert sink.data("a", errors=kind == "error") == masked
        blocks = [event for event in sink.of_child("a") if type(event) is Output]
        number = 0
        for event in blocks:
            assert event.seq == number
            number += event.lines
        completed = sink.of_type(Completed)[0]
        assert completed.bytes == len(masked) * len(kinds)
        assert completed.lines == len(masked.splitlines()) * len(kinds)
        if not any(event.partial for event in blocks):  # else the end closes a line that was shown
            assert completed.lines == number

    run(main)


@given(cut_streams, st.lists(st.sampled_from([0.04, 0.06]), min_size=10, max_size=10))
def test_pauses_show_short_beginnings_and_never_a_secret(pieces: list[bytes], pauses: list[float]) -> None:
    script = [step for pair in zip(map(Send, pieces), map(Pause, pauses), strict=False) for step in pair]

    async def main() -> None:
        sink = await play(*script)
        masker = Masker(Masks([SECRET]))
        wanted = b""
        for step in script:
            if isinstance(step, Send):
                wanted += masker.feed(step.data)
            elif step.seconds > 0.05:
                wanted += masker.release()
        wanted += masker.feed(b"", final=True)
        assert sink.data("a") == wanted
        assert SECRET.encode() not in wanted
        completed = sink.of_type(Completed)[0]
        assert (completed.bytes, completed.lines) == (len(wanted), len(wanted.splitlines()))

    run(main)


def test_a_short_beginning_is_shown_in_a_silence_and_the_rest_still_masked() -> None:
    async def main() -> None:
        sink = MemorySink()
        async with open_aggregator([sink], mask=[SECRET]) as aggregator:
            script = [Send(b"who? h"), Pause(1), Send(b"unter2-"), Pause(1), Send(b"hunter3\n")]
            aggregator.start_soon(ScriptedExecutor(script), id="a")
            await trio.sleep(0.06)
            assert sink.data("a") == b"who? h"
            await trio.sleep(1.5)
            assert sink.data("a") == b"who? h", "a half-written secret is not shown"
        assert sink.data("a") == b"who? h***\n"

    run(main)


def test_a_beginning_alone_is_shown_in_a_silence_too() -> None:
    async def main() -> None:
        sink = MemorySink()
        async with open_aggregator([sink], mask=[SECRET]) as aggregator:
            script = [Send(b"\nhu"), Pause(1), Send(b"n"), Pause(1), Send(b"ter2"), Pause(1)]
            aggregator.start_soon(ScriptedExecutor(script), id="a")
            await trio.sleep(0.06)
            assert sink.data("a") == b"\nhu"
            await trio.sleep(1)
            assert sink.data("a") == b"\nhun"
        assert sink.data("a") == b"\nhunter2", "the end shows what was no secret"
        assert sink.of_type(Completed)[0].lines == 2

    run(main)


def test_a_message_ends_a_line_of_which_all_is_held_back() -> None:
    async def main() -> None:
        sink = await play(
            Send(b"hunter2"), SendLine(b"a message"), SendLine(SECRET.encode()), Send(b"hunter")
        )
        assert sink.data("a") == b"hunter2\na message\n***\nhunter"
        assert sink.text_written == b"[a] hunter2\n[a] a message\n[a] ***\n[a] hunter\n"

    run(main)


def test_nothing_of_a_cancelled_send_is_lost_or_shown() -> None:
    async def main() -> None:
        sink = MemorySink(paused=True)
        puppet = Puppet()
        async with open_aggregator([sink], gate=4096, mask=[SECRET]) as aggregator:
            child = aggregator.start_soon(puppet, id="a")
            for n in range(20):
                puppet.post(Send(b"%05d %s" % (n, SECRET.encode() * 15_000 + b"\n" + SECRET[:9].encode())))
            await trio.testing.wait_all_tasks_blocked()
            assert puppet.blocked
            child.stop()
            await trio.testing.wait_all_tasks_blocked()
            sink.resume()
        assert sink.data("a") == puppet.accepted().replace(SECRET.encode(), b"***")
        assert len(puppet.accepted()) > 30_000

    run(main)


def test_names_prompts_and_errors_are_masked() -> None:
    async def main() -> None:
        sink = MemorySink(TextFormat())
        async with open_aggregator([sink], mask=[SECRET]) as aggregator:
            child = aggregator.start_soon(
                ScriptedExecutor([Send(b"hunter2-"), Fail(ValueError(f"no {SECRET} here"))]),
                id="a",
                name=f"with {SECRET}",
                metadata=TaskMetadata(prompt=f"use {SECRET}", index=3),
            )
        started = sink.of_type(Started)[0]
        assert child.name == started.name == "with ***"
        assert started.metadata == TaskMetadata(prompt="use ***", index=3)
        assert sink.of_type(Completed)[0].exit == Exit(1, error="ValueError: no *** here")
        assert sink.text_written == b"[with ***] [ERROR] ValueError: no *** here\n[with ***] hunter2-\n"

    run(main)


def test_what_is_written_into_a_child_is_masked_in_its_event_only() -> None:
    async def main() -> None:
        sink = MemorySink(TextFormat())
        puppet = Puppet(takes_input=True)
        async with open_aggregator([sink], mask=[SECRET]) as aggregator:
            child = await aggregator.start(puppet, id="a", name="a")
            await child.intervene(f"it is {SECRET}")
            assert puppet.input == f"it is {SECRET}\n".encode()
            puppet.end()
        assert [event.text for event in sink.of_type(Intervention)] == ["it is ***"]
        assert b"[INTERVENTION] it is ***" in sink.text_written

    run(main)


def test_a_short_secret_is_refused() -> None:
    async def main() -> None:
        with pytest.raises(SpecificationError, match="shorter than 6"):
            async with open_aggregator(mask=["short"]):
                pass

    run(main)

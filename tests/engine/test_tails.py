"""Open lines: shown after 50 ms of silence, never glued, and the floor for those without end."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from axiom_trio import TextFormat, open_aggregator
from axiom_trio.sansio.events import Completed, Gap, Output
from axiom_trio.testing import MemorySink, Pause, ScriptedExecutor, Send


def run(main) -> None:
    async def bounded() -> None:
        with trio.fail_after(10_000):
            await main()

    trio.run(bounded, clock=MockClock(autojump_threshold=0))


async def play(*scripts, text: TextFormat | None = None) -> MemorySink:
    sink = MemorySink(TextFormat())
    async with open_aggregator([sink]) as aggregator:
        for name, script in zip("abc", scripts, strict=False):
            aggregator.start_soon(ScriptedExecutor(script), id=name, name=name)
    sink.broken = aggregator.statistics().broken_lines
    return sink


def blocks(sink: MemorySink, name: str) -> list[tuple[bytes, bool, int, int]]:
    return [(e.data, e.partial, e.seq, e.lines) for e in sink.of_child(name) if type(e) is Output]


def test_an_open_line_is_shown_after_50_ms_of_silence_and_not_before():
    async def main() -> None:
        sink = MemorySink(TextFormat())
        async with open_aggregator([sink]) as aggregator:
            aggregator.start_soon(
                ScriptedExecutor([Send(b"pass"), Pause(0.03), Send(b"word"), Pause(1), Send(b"?\n")]),
                id="a",
                name="a",
            )
            await trio.sleep(0.075)
            assert not sink.data("a")
            await trio.sleep(0.01)
            assert sink.data("a") == b"password"
            assert not sink.text_written, "text waits for the newline"
        assert blocks(sink, "a") == [(b"password", True, 0, 0), (b"?\n", False, 0, 1)]
        assert sink.text_written == b"[a] password?\n"

    run(main)


def test_a_line_in_many_pieces_is_one_line_and_each_byte_comes_once():
    async def main() -> None:
        pieces = [b"a", b"", b"bc", b"\r", b"\n\r", b"d", b"\n", b"e"]
        sink = await play([step for piece in pieces for step in (Send(piece), Pause(0.06))])
        assert sink.data("a") == b"".join(pieces)
        assert sink.text_written == b"[a] abc\r\n[a] \rd\n[a] e\n"
        completed = sink.of_type(Completed)[0]
        assert (completed.lines, completed.bytes) == (3, 9)

    run(main)


def test_open_lines_of_several_children_are_never_glued():
    async def main() -> None:
        script = [Send(b"half"), Pause(1), Send(b" and half"), Pause(1)]
        sink = await play(script, [Send(b"other\nopen")], [Pause(0.5), *script])
        lines = sink.text_written.splitlines(keepends=True)
        assert sorted(lines) == [
            b"[a] half and half\n",
            b"[b] open\n",
            b"[b] other\n",
            b"[c] half and half\n",
        ]

    run(main)


def test_the_output_and_the_errors_have_open_lines_of_their_own():
    async def main() -> None:
        sink = await play(
            [Send(b"out"), Send(b"err", "error"), Pause(1), Send(b"put\n"), Send(b"or\n", "error")]
        )
        assert sink.text_written == b"[a] output\n[a] error\n"

    run(main)


def test_a_line_beyond_the_read_buffer_is_whole_while_others_speak():
    async def main() -> None:
        long = [step for _ in range(20) for step in (Send(b"x" * 40_000), Pause(0.02))]
        chatter = [step for n in range(60) for step in (Send(b"%d\n" % n), Pause(0.01))]
        sink = await play([*long, Send(b"end\n")], chatter)
        assert b"[a] " + b"x" * 800_000 + b"end\n" in sink.text_written
        assert sink.text_written.count(b"[b] ") == 60
        assert sink.broken == 0
        assert max(len(data) for data, *_ in blocks(sink, "a")) <= 128 * 1024

    run(main)


def test_an_over_long_line_that_pauses_is_broken_when_others_speak():
    async def main() -> None:
        sink = await play(
            [Send(b"x" * 200_000), Pause(1), Send(b"y" * 10), Pause(1), Send(b"z\n")],
            [Pause(0.5), Send(b"hello\n"), Pause(1), Send(b"again\n")],
        )
        assert sink.text_written == (
            b"[a] " + b"x" * 200_000 + b"\n[b] hello\n[b] again\n[a] " + b"y" * 10 + b"z\n"
        )
        assert sink.broken == 1
        assert sink.data("a") == b"x" * 200_000 + b"y" * 10 + b"z\n", "the events have the bytes as they were"

    run(main)


def test_who_waits_for_the_floor_waits_100_ms_and_no_longer():
    async def main() -> None:
        sink = MemorySink(TextFormat())
        async with open_aggregator([sink]) as aggregator:
            aggregator.start_soon(ScriptedExecutor([Send(b"x" * 200_000), Pause(9)]), id="a", name="a")
            aggregator.start_soon(ScriptedExecutor([Pause(0.06), Send(b"hello\n")]), id="b", name="b")
            await trio.sleep(0.09)
            assert not sink.data("b")
            await trio.sleep(0.08)
            assert sink.data("b") == b"hello\n"

    run(main)


def test_an_over_long_line_that_goes_on_slowly_freezes_nobody_for_long():
    async def main() -> None:
        slowly = [step for _ in range(1000) for step in (Send(b"."), Pause(0.08))]
        sink = MemorySink(TextFormat())
        async with open_aggregator([sink]) as aggregator:
            aggregator.start_soon(ScriptedExecutor([Send(b"x" * 200_000), *slowly]), id="a", name="a")
            await trio.sleep(10)  # nobody else speaks: it may take its time
            assert not sink.text_written.count(b"\n")
            for _ in range(3):
                began = trio.current_time()
                aggregator.start_soon(ScriptedExecutor([Send(b"hello\n")]), name="b")
                heard = sink.text_written.count(b"hello") + 1
                await sink.wait_until(lambda sink, heard=heard: sink.text_written.count(b"hello") == heard)
                assert trio.current_time() - began < (5.2 if heard == 1 else 0.2)
        assert sink.text_written.startswith(b"[a] " + b"x" * 200_000)
        assert sink.text_written.replace(b"[a] ", b"").replace(b"\n[b] hello\n", b"").count(b".") == 1000
        assert aggregator.statistics().broken_lines == 1

    run(main)


def test_a_viewer_that_missed_the_end_of_an_over_long_line_gets_nothing_glued_to_it():
    async def main() -> None:
        viewer = MemorySink(TextFormat(), lossless=False)
        script = [
            Send(b"x" * 70_000),
            Pause(1),
            Send(b"end\n"),
            Send(b"y\n" * 9000),
            Pause(1),
            Send(b"last\n"),
        ]
        async with open_aggregator(
            [MemorySink(TextFormat()), viewer], gate=4096, history=4096, stats_interval=0.3
        ) as aggregator:
            aggregator.start_soon(ScriptedExecutor(script), id="a", name="a")
            await trio.sleep(0.5)
            viewer.pause()
            await trio.sleep(1)
            viewer.resume()
        assert viewer.of_type(Gap)
        assert viewer.text_written == b"[a] " + b"x" * 70_000 + b"\n[a] last\n"

    run(main)

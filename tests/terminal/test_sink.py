"""The terminal's writer: stream, footer and lines of ours in turn; nothing lost while it's another's."""

from __future__ import annotations

import os
import re
import termios
from collections.abc import Iterator

import pyte
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from axiom_trio import TextFormat, open_aggregator
from axiom_trio.executors import lastwords
from axiom_trio.sansio.cursor import Batch
from axiom_trio.sansio.linefilter import LineFilter
from axiom_trio.terminal.commands import Commands
from axiom_trio.terminal.scroll import _Past
from axiom_trio.terminal.sink import TerminalSink
from axiom_trio.testing import Puppet

ROWS, COLUMNS = 12, 40


class Pty:
    """A terminal whose other end is read when asked."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        self.resize(ROWS, COLUMNS)
        os.set_blocking(self.master, False)
        self.screen = pyte.HistoryScreen(COLUMNS, ROWS, history=1000, ratio=0.5)
        self.stream = pyte.ByteStream(self.screen)
        self.seen = b""

    def resize(self, rows: int, columns: int) -> None:
        termios.tcsetwinsize(self.slave, (rows, columns))

    def read(self) -> bytes:
        data = b""
        try:
            while piece := os.read(self.master, 65536):
                data += piece
        except BlockingIOError:
            pass
        self.seen += data
        self.stream.feed(data)
        return data

    def rows(self) -> list[str]:
        self.read()
        return [row.rstrip() for row in self.screen.display]

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def pty() -> Iterator[Pty]:
    pty = Pty()
    yield pty
    pty.close()


@pytest.fixture
async def sink(pty: Pty) -> TerminalSink:
    sink = TerminalSink(TextFormat(), descriptor=pty.slave)
    await sink.open()
    return sink


def batch(*lines: bytes, end: int = 0) -> Batch:
    return Batch([], [*lines], end)


async def test_without_a_footer_it_is_a_console(pty: Pty, sink: TerminalSink) -> None:
    await sink.write(batch(b"[a] one\n", b"[a] two\n"))
    await sink.notify(b"ours\n")
    await sink.aclose()
    pty.read()
    assert pty.seen == b"[a] one\r\n[a] two\r\nours\r\n"


async def test_stream_above_footer_below(pty: Pty, sink: TerminalSink) -> None:
    await sink.draw([b"first", b"second"])
    for n in range(20):
        await sink.write(batch(b"line %d\n" % n))
    await sink.notify(b"ours\n")
    assert pty.rows() == [*(f"line {n}" for n in range(12, 20)), "ours", "", "first", "second"]
    assert pty.screen.cursor.hidden
    await sink.draw([b"first"])
    assert pty.rows()[-3:] == ["", "", "first"]
    await sink.aclose()
    assert pty.rows()[-4:] == ["ours", "", "", ""]
    assert not pty.screen.cursor.hidden
    assert pty.screen.margins is None


async def test_a_line_of_ours_ends_one_that_is_open(pty: Pty, sink: TerminalSink) -> None:
    await sink.write(batch(b"[a] half"))
    await sink.notify(b"ours\n")
    await sink.notify(b"again\n")
    assert pty.rows()[:4] == ["[a] half", "ours", "again", ""]
    await sink.aclose()


async def test_a_line_waits_for_what_it_tells_of(pty: Pty, sink: TerminalSink) -> None:
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def _() -> None:
            await sink.notify(b"a has ended\n", after=7)

        await wait_all_tasks_blocked()
        await sink.write(batch(b"one\n", end=7))
        await wait_all_tasks_blocked()
        assert pty.rows()[:2] == ["one", ""]
        await sink.write(batch(b"last words\n", end=8))
    assert pty.rows()[:3] == ["one", "last words", "a has ended"]
    await sink.notify(b"late\n", after=3)
    await sink.aclose()


async def test_paused_it_waits(pty: Pty, sink: TerminalSink) -> None:
    sink.paused = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sink.write, batch(b"one\n"))
        await wait_all_tasks_blocked()
        await sink.draw([b"paused"])
        assert pty.rows() == [*[""] * (ROWS - 1), "paused"]
        sink.paused = False
    assert pty.rows()[0] == "one"
    await sink.aclose()


async def test_taken_nothing_is_lost_and_nobody_waits(pty: Pty, sink: TerminalSink) -> None:
    lines = [b"meanwhile %d %s\n" % (n, b"x" * 400) for n in range(3000)]
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def _() -> None:
            while True:
                pty.seen += read(pty.master)
                await trio.sleep(0.001)

        await sink.draw([b"footer"])
        async with sink.taken() as raw:
            await raw.write(b"full \x1b[31mscreen\x1b[5;7r\x1b[?1000h")
            for line in lines:
                await sink.write(batch(line))
            await sink.notify(b"ours\n")
            await sink.draw([b"not now"])
            with pytest.raises(RuntimeError):
                async with sink.taken():
                    pass
        await sink.write(batch(b"after\n"))
        with pytest.raises(trio.ClosedResourceError):
            await raw.write(b"late")
        await sink.aclose()
        while b"after" not in pty.seen:  # noqa: ASYNC110 (another task reads)
            await trio.sleep(0.001)
        nursery.cancel_scope.cancel()
    shown = pty.seen.replace(b"\r\n", b"\n")
    _, back = shown.split(b"\x1b[?1049l", 1)
    assert b"".join(lines) + b"ours\nafter\n" in back
    assert b"not now" not in shown
    assert b"\x1b[?1000l" in shown
    assert b"\x1b[?25h" in back


def read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 20)
    except BlockingIOError:
        return b""


async def test_a_run_that_ends_while_it_is_taken_leaves_it_in_order(pty: Pty, sink: TerminalSink) -> None:
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def _() -> None:
            async with sink.taken() as raw:
                await raw.write(b"full screen")
                await trio.sleep_forever()

        await wait_all_tasks_blocked()
        await sink.write(batch(b"last words\n"))
        await sink.aclose()
        assert pty.rows()[0] == "last words" or b"\x1b[?1049l" in pty.seen
        nursery.cancel_scope.cancel()
    pty.read()
    assert pty.seen.endswith(b"last words\r\n")
    assert pty.seen.count(b"\x1b[?1049l") == 1


async def test_it_follows_the_size_before_it_writes(pty: Pty, sink: TerminalSink) -> None:
    await sink.draw([b"footer"])
    pty.read()
    pty.resize(9, 30)
    pty.screen.resize(9, 30)
    await sink.write(batch(b"line\n"))
    assert sink.size == (9, 30)
    await sink.draw([b"not before the size has settled"])
    assert not any(pty.rows()[1:])
    await trio.sleep(0.6)
    await sink.draw([b"footer"])
    rows = pty.rows()
    assert rows[-1] == "footer"
    assert rows.count("footer") == 1
    await sink.aclose()


async def test_nothing_is_written_on_a_footer_whose_terminal_may_have_another_size(
    pty: Pty, sink: TerminalSink
) -> None:
    pty.resize(9, 30)
    pty.screen.resize(9, 30)
    sink.resized()
    await trio.sleep(0.6)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sink.draw, [b"footer"])
        await wait_all_tasks_blocked()
        nursery.start_soon(sink.write, batch(b"line\n"))
        await wait_all_tasks_blocked()
        assert pty.rows()[-1] == "footer"
        assert b"line" not in pty.seen
        pty.resize(20, 50)  # we are told late
        pty.screen.resize(20, 50)
    rows = pty.rows()
    assert sink.size == (20, 50)
    assert "line" in rows
    assert "footer" not in rows
    assert pty.screen.margins is None
    await sink.aclose()


async def test_a_drawing_that_was_cut_off_is_finished_first(pty: Pty, sink: TerminalSink) -> None:
    rows = [b"x" * 39] * 9
    with trio.move_on_after(0.2) as scope:
        while True:  # nobody reads: the terminal is full at some time
            await sink.draw(rows)
            await sink.draw([row.replace(b"x", b"y") for row in rows])
    assert scope.cancelled_caught
    reading = True
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def _() -> None:
            while reading:
                pty.read()
                await trio.sleep(0.001)

        await sink.write(batch(b"line\n"))
        reading = False
    assert pty.rows()[0] == "line"
    await sink.aclose()
    assert pty.rows()[0] == "line"
    assert not any("x" in row or "y" in row for row in pty.rows())


@pytest.mark.parametrize("way", ["suspend", "close", "aclose"])
async def test_the_terminal_is_brought_back(pty: Pty, sink: TerminalSink, way: str) -> None:
    words = lastwords.hold()
    await sink.write(batch(b"line\n"))
    await sink.draw([b"footer"])
    assert os.pread(words, 999, 0).startswith(b"printf ")
    if way == "suspend":
        await sink.suspend()
        assert pty.rows() == ["line", *[""] * (ROWS - 1)]
        sink.resume()
        await trio.sleep(0.6)
        await sink.draw([b"footer"])
        assert pty.rows()[-1] == "footer"
        await sink.aclose()
    elif way == "close":
        sink.close()
        sink.close()
        await sink.aclose()
    else:
        await sink.aclose()
    assert pty.rows() == ["line", *[""] * (ROWS - 1)]
    assert not pty.screen.cursor.hidden
    assert pty.screen.margins is None
    assert os.pread(words, 999, 0) == b""
    lastwords.release()


async def test_a_terminal_that_takes_nothing_holds_no_end_up(pty: Pty, sink: TerminalSink) -> None:
    await sink.draw([b"footer"])
    with trio.move_on_after(0.1):
        while True:
            await sink.write(batch(b"x" * 60_000 + b"\n"))
    with trio.fail_after(60):
        await sink.aclose()


async def test_who_has_a_footer_to_draw_waits_for_one_batch_only(pty: Pty, sink: TerminalSink) -> None:
    written = 0

    async def flood() -> None:
        nonlocal written
        while True:
            await sink.write(batch(b"x" * 10_000 + b"\n"))
            written += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(flood)
        await wait_all_tasks_blocked()
        before = written

        @nursery.start_soon
        async def _() -> None:
            while True:
                pty.seen += read(pty.master)
                await trio.sleep(0.001)

        await sink.draw([b"footer"])
        assert written <= before + 2
        nursery.cancel_scope.cancel()
    await trio.to_thread.run_sync(pty.read)
    await sink.aclose()


async def test_looking_back_as_the_run_ends_harms_nobody(sink: TerminalSink) -> None:
    await sink.aclose()
    async with open_aggregator([]) as aggregator:
        commands = Commands(aggregator, sink)
        commands._keyboard = object()  # type: ignore[assignment]  # (a stand-in)
        with trio.fail_after(60):
            await commands._look_back()


class NoKeys:
    """A keyboard on which nobody types."""

    async def read(self) -> bytes:
        await trio.sleep_forever()
        return b""


async def test_a_child_in_full_as_the_run_ends_harms_nobody(sink: TerminalSink) -> None:
    with trio.fail_after(60):
        async with open_aggregator([]) as aggregator, trio.open_nursery() as nursery:
            puppet = Puppet()
            child = await aggregator.start(puppet)
            commands = Commands(aggregator, sink)
            commands._keyboard = NoKeys()  # type: ignore[assignment]  # (a stand-in)
            sink.chosen = child.id
            nursery.start_soon(commands._open)
            await trio.sleep(0.2)
            await sink.aclose()
            await puppet.send(b"late\n")  # to a terminal that is ours no more
            await commands._view_left.wait()
            puppet.end()


async def test_looking_back_lines_have_their_prefixes_where_lines_are_filtered(pty: Pty) -> None:
    sink = TerminalSink(TextFormat(), descriptor=pty.slave, lines=LineFilter(include=re.compile(b"x")))
    async with open_aggregator([sink]) as aggregator:
        puppet = Puppet()
        await aggregator.start(puppet, name="a")
        await puppet.send(b"x\n")
        await trio.sleep(0.1)
        assert await _Past(aggregator, sink, None).latest() == [b"[a] x"]
        puppet.end()

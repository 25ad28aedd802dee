"""Screens are followed beside the run: they say all in the end, and nobody ever waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio
from trio.testing import MockClock

from axiom_trio import AllCompleted, Executor, Exit, Output, open_aggregator
from axiom_trio.engine import screens as module
from axiom_trio.engine.screens import PATIENCE, SILENCE
from axiom_trio.sansio.supervision import Supervision
from tests.commands import Collector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from axiom_trio import Port, Subscription
    from axiom_trio.engine.child import Child

ENTER, LEAVE = b"\x1b[?1049h\x1b[H", b"\x1b[?1049l"


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with trio.fail_after(10_000):
            await main()

    trio.run(bounded, clock=MockClock(autojump_threshold=0))


class Drawn(Executor):
    """A child on a terminal: it writes the bytes, and pauses the seconds."""

    tty = True

    def __init__(self, *steps: bytes | float, fails: int = 0) -> None:
        self.steps = steps
        self.size = (5, 40)
        self.fails = fails
        self.cursor: Callable[[], tuple[int, int, int] | None] | None = None

    @property
    def terminal_size(self) -> tuple[int, int]:
        return self.size

    def follow_cursor(self, cursor: Callable[[], tuple[int, int, int] | None]) -> None:
        self.cursor = cursor

    async def run(self, port: Port) -> Exit:
        port.started()
        for step in self.steps:
            if isinstance(step, bytes):
                await port.send(step)
            else:
                await trio.sleep(step)
        self.fails -= 1
        return Exit(0 if self.fails < 0 else 1)


class Seen:
    """The rows as they came, with when."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str]] = []
        self.times: list[float] = []

    async def show(self, child: Child, rows: Sequence[bytes]) -> None:
        self.rows += [(child.name, row.decode()) for row in rows]
        self.times += [trio.current_time()] * len(rows)
        await trio.lowlevel.checkpoint()

    def of(self, name: str) -> list[str]:
        return [row for child, row in self.rows if child == name]


async def drawn(*children: Drawn, **options: Any) -> tuple[Seen, Collector, float]:
    """Run children to their ends; return the rows, the text, and when it began."""
    seen, sink = Seen(), Collector(escapes="color")
    async with open_aggregator([sink], **options) as aggregator:
        aggregator.screens.show(seen.show)
        began = trio.current_time()
        for number, child in enumerate(children):
            aggregator.start_soon(child, id=f"c{number}", name=f"c{number}")
    return seen, sink, began


def test_rows_come_after_a_silence_and_each_once() -> None:
    async def main() -> None:
        seen, sink, began = await drawn(
            Drawn(
                b"first\r\n",
                ENTER + b"one",
                0.05,
                b"\r\ntwo",
                1,
                b"\x1b[1;1Hone\x1b[3;1Hthree",
                1,
                LEAVE,
                b"last\r\n",
            )
        )
        assert seen.of("c0") == ["one", "two", "three"]
        assert [round(time - began - SILENCE, 2) for time in seen.times] == [0.05, 0.05, 1.05]
        assert sink.written.decode() == "[c0] first\n[c0] ▣ full-screen\n[c0] last\n"

    run(main)


def test_one_that_never_pauses_is_settled_all_the_same() -> None:
    async def main() -> None:
        steps = [step for n in range(100) for step in (b"\x1b[%d;1Hrow %c" % (n % 4 + 1, 97 + n % 4), 0.02)]
        seen, _, began = await drawn(Drawn(ENTER, *steps))
        assert sorted(seen.of("c0")) == ["row a", "row b", "row c", "row d"]
        assert round(seen.times[0] - began, 1) == PATIENCE

    run(main)


def test_what_is_drawn_last_is_shown_wherever_it_falls() -> None:
    """The row of the cursor is left out while it draws: it must come when it no longer does."""

    async def main() -> None:
        for count in range(30):
            steps = [step for n in range(count) for step in (b"\x1b[1;1Hrow %c" % (97 + n % 4), 0.05)]
            seen, _, began = await drawn(Drawn(ENTER, *steps, b"\x1b[4;1Hthe end", 10, b"\x1b[2;1Hx", 1))
            [time] = [time for (_, row), time in zip(seen.rows, seen.times, strict=True) if row == "the end"]
            assert time - began < count * 0.05 + 1.5 * SILENCE, count

    run(main)


def test_an_update_is_settled_when_it_ends_and_not_in_its_middle() -> None:
    async def main() -> None:
        seen, _, began = await drawn(
            Drawn(
                ENTER, 0.5, b"\x1b[?2026hold\x1b[1;1H", 0.3, b"\x1b[Knew\x1b[?2026l", 0.01, b"\x1b[2;1Hx", 2
            )
        )
        assert seen.of("c0") == ["new", "x"]
        assert round(seen.times[0] - began, 1) == 0.8

    run(main)


def test_at_the_end_all_is_said_before_the_end() -> None:
    async def main() -> None:
        order: list[str] = []
        async with open_aggregator([Collector(escapes="color")]) as aggregator:
            aggregator.screens.show(lambda child, rows: order.extend(map(bytes.decode, rows)))
            child = aggregator.start_soon(Drawn(b"open", ENTER, b"the screen"))
            await child.wait()
            await aggregator.screens.settled(child)
            order.append("end")
            assert aggregator.screens.of(child) is None
        assert order == ["the screen", "end"]

    run(main)


def test_leaving_the_block_waits_for_the_last_rows() -> None:
    async def main() -> None:
        seen, _, _ = await drawn(Drawn(ENTER + b"x" * 30_000 + b"\x1b[1;1Hlast words\x1b[K"))
        assert seen.of("c0")[0].startswith("last words")

    run(main)


def test_a_screen_that_was_left_says_first_what_it_had() -> None:
    async def main() -> None:
        seen, _, _ = await drawn(Drawn(b"a\r\n" + ENTER + b"shown for a moment" + LEAVE + b"b\r\n", 1))
        assert seen.of("c0") == ["shown for a moment"]

    run(main)


def test_bars_over_several_rows_come_in_their_last_state() -> None:
    async def main() -> None:
        bars = [b"\x1b[2Aone %d%%\r\ntwo %d%%\r\n" % (n, n) for n in range(10, 110, 10)]
        seen, sink, _ = await drawn(Drawn(b"one 0%\r\ntwo 0%\r\n", *[s for bar in bars for s in (bar, 0.2)]))
        assert seen.of("c0") == ["one 10%", "two 10%", "one 100%", "two 100%"]
        assert sink.written.decode() == "[c0] one 0%\n[c0] two 0%\n[c0] ▣ full-screen\n"

    run(main)


def test_a_flood_loses_what_can_not_be_followed_and_nobody_waits() -> None:
    async def main() -> None:
        flood = [b"\x1b[3;3H" + b"x" * 8185] * 100
        seen, sink, _ = await drawn(Drawn(ENTER, *flood, b"\x1b[2J\x1b[1;1Hat last", 60), Drawn(b"me\r\n"))
        assert seen.of("c0") == ["at last"]
        assert len(sink.data("c0")) == sum(map(len, flood)) + len(ENTER) + len(b"\x1b[2J\x1b[1;1Hat last")

    run(main)


def test_what_waits_is_bounded_for_each_and_over_all(monkeypatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(module, "_TOGETHER", 400_000)
        async with open_aggregator([]) as aggregator:
            screens = aggregator.screens
            screens.show(never)
            for number in range(4):
                aggregator.start_soon(Drawn(ENTER + b"one", 0.2, *[b"x" * 50_000] * 40, 0.1), id=f"c{number}")
            await trio.sleep(0.25)
            assert len(screens._views) == 4
            for view in screens._views.values():
                assert view.size == sum(len(entry) for entry in view.todo if isinstance(entry, bytes))
                assert view.size <= 100_000

    run(main)


async def never(_: Child, __: Sequence[bytes]) -> None:
    await trio.sleep(1)


def test_an_endless_line_of_a_screen_does_not_take_the_floor() -> None:
    """Nor does it need anyone to follow it: there's no line that is to come out whole."""

    async def main() -> None:
        for followed in (True, False):
            sink = Collector(escapes="color")
            steps = [step for _ in range(100) for step in (b"\x1b[3;3H" + b"x" * 4000, 0.05)]
            async with open_aggregator([sink]) as aggregator:
                if followed:
                    aggregator.screens.show(never)
                aggregator.start_soon(Drawn(ENTER, 1, *steps), id="a", name="a")
                other = aggregator.start_soon(Drawn(4, b"other\r\n"), id="b", name="b")
                began = trio.current_time()
                await other.wait()
                assert trio.current_time() - began < 4.01
            assert sink.written.decode() == "[a] ▣ full-screen\n[b] other\n"

    run(main)


def test_what_is_to_be_followed_is_bounded_however_often_a_screen_comes_and_goes() -> None:
    async def main() -> None:
        toggles = [(ENTER + LEAVE) * 1000] * 200
        waiting = []
        async with open_aggregator([]) as aggregator:
            screens = aggregator.screens
            aggregator.start_soon(Drawn(*toggles), id="a")
            async with aggregator.subscribe() as events:
                async for _ in _outputs(events):
                    waiting.append(max(len(view.todo) for view in screens._views.values()))
        assert max(waiting) < 6 * module.QUEUE // len(ENTER + LEAVE)

    run(main)


async def _outputs(events: Subscription) -> AsyncIterator[Output]:
    async for event in events:
        if isinstance(event, Output):
            yield event
        elif isinstance(event, AllCompleted):
            return


def test_a_flood_elsewhere_costs_a_screen_nothing() -> None:
    async def main() -> None:
        flood = [b"y" * 99 + b"\r\n"] * 30_000
        rows = [step for n in range(20) for step in (b"\x1b[%d;1Hrow %c" % (n % 5 + 1, 97 + n), 0.11)]
        seen, _, _ = await drawn(Drawn(ENTER, *rows), Drawn(*flood), history=1000)
        assert seen.of("c0") == [f"row {chr(97 + n)}" for n in range(20)]

    run(main)


def test_a_view_that_is_slow_or_fails_harms_nobody() -> None:
    async def main() -> None:
        seen = Seen()

        def fails(_: Child, __: Sequence[bytes]) -> None:
            raise OSError("the terminal is gone")

        async with open_aggregator([]) as aggregator:
            aggregator.screens.show(fails)
            aggregator.screens.show(seen.show)
            child = aggregator.start_soon(Drawn(ENTER, b"one", 1, b"\r\ntwo", 1), name="a")
            await child.wait()
        assert seen.of("a") == ["one", "two"]

    run(main)


def test_a_view_that_hangs_does_not_hold_the_end() -> None:
    async def main() -> None:
        async def hangs(_: Child, __: Sequence[bytes]) -> None:
            await trio.sleep_forever()

        async with open_aggregator([]) as aggregator:
            aggregator.screens.show(hangs)
            aggregator.start_soon(Drawn(ENTER, b"one"))

    run(main)


def test_each_attempt_has_a_terminal_of_its_own() -> None:
    async def main() -> None:
        seen, _, _ = await drawn(
            Drawn(ENTER, b"same", fails=1), supervision=Supervision(retries=1, restart_after=0.5)
        )
        assert seen.of("c0") == ["same", "same"]

    run(main)


def test_the_screen_can_be_looked_at_and_follows_its_size() -> None:
    async def main() -> None:
        async with open_aggregator([]) as aggregator:
            screens = aggregator.screens
            executor = Drawn(b"text\r\n", 1, ENTER + b"\x1b[2;3Hhello\x1b[", 1, b"31mred", 1, LEAVE, 1)
            child = aggregator.start_soon(executor)
            await trio.sleep(0.5)
            assert screens.of(child) is None
            assert screens.paint(child) == b""
            await trio.sleep(1)
            terminal = screens.of(child)
            assert terminal is not None
            assert terminal.text()[1] == "  hello"
            assert terminal.size == (5, 40)
            assert screens.paint(child).endswith(b"\x1b[2;8H\x1b["), "what is begun goes on after it"
            # 6 bytes came before it; the last two are begun, and not followed.
            assert executor.cursor is not None
            assert executor.cursor() == (2, 8, 6 + len(ENTER) + len(b"\x1b[2;3Hhello"))
            executor.size = (3, 50)
            assert screens.of(child.id) is terminal
            assert terminal.size == (3, 50)
            await trio.sleep(1)
            assert terminal.text()[1] == "  hellored"
            await trio.sleep(1)
            assert screens.of(child) is None

    run(main)


def test_what_is_painted_is_as_new_as_the_log(monkeypatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(module, "_REST", 1e9)  # it follows nothing by itself
        monkeypatch.setattr(module, "_SLICE", 16)
        async with open_aggregator([]) as aggregator:
            aggregator.screens.show(lambda _child, _rows: None)
            child = aggregator.start_soon(Drawn(ENTER + b"x" * 50 + b"\r\nthe newest", 1))
            await trio.sleep(0.1)
            assert b"the newest" in aggregator.screens.paint(child)

    run(main)


def test_pipes_are_not_followed_nor_is_anyone_unasked() -> None:
    async def main() -> None:
        async with open_aggregator([]) as aggregator:
            aggregator.start_soon(Drawn(ENTER, b"one", 1))
            await trio.sleep(0.5)
            assert aggregator._merger.on_output is None
        pipe = Drawn(ENTER, b"one", 1)
        pipe.tty = False  # type: ignore[misc]  # (of a class, and here of one object)
        seen, _, _ = await drawn(pipe)
        assert seen.rows == []

    run(main)


async def test_an_executor_with_a_terminal_of_its_own_need_not_resize_it() -> None:
    class Own(Executor):
        @property
        def terminal_size(self) -> tuple[int, int]:
            return 24, 80

        async def run(self, port: Port) -> Exit:
            port.started()
            await trio.sleep_forever()

    async with open_aggregator() as aggregator:
        child = await aggregator.start(Own())
        child.resize(10, 20)
        child.stop(grace=0)

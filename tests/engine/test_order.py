"""The merged order: per child exact, in turn across children, marked lines cut out."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from axiom_trio import TextFormat, open_aggregator
from axiom_trio.sansio.events import Intervention, Output
from axiom_trio.testing import MemorySink, Pause, Puppet, ScriptedExecutor, Send


def run(main) -> None:
    async def bounded() -> None:
        with trio.fail_after(10_000):
            await main()

    trio.run(bounded, clock=MockClock(autojump_threshold=0))


def test_a_childs_lines_stay_in_order_and_are_numbered():
    async def main() -> None:
        sink = MemorySink(TextFormat())
        script = [step for n in range(200) for step in (Send(b"%d\n" % n), Pause(0.001 * (n % 3)))]
        async with open_aggregator([sink]) as aggregator:
            for name in "abc":
                aggregator.start_soon(ScriptedExecutor(script), id=name, name=name)
        for name in "abc":
            assert sink.data(name) == b"".join(b"%d\n" % n for n in range(200))
            lines = 0
            for event in sink.of_child(name):
                if type(event) is Output:
                    assert event.seq == lines
                    lines += event.lines
            prefix = b"[%b] " % name.encode()
            mine = [line for line in sink.text_written.splitlines() if line.startswith(prefix)]
            assert mine == [prefix + b"%d" % n for n in range(200)]

    run(main)


def test_a_flooding_child_does_not_starve_a_quiet_one():
    async def main() -> None:
        sink = MemorySink(paused=True)
        flood, quiet = Puppet(), Puppet()
        async with open_aggregator([sink]) as aggregator:
            aggregator.start_soon(flood, id="flood")
            aggregator.start_soon(quiet, id="quiet")
            for _ in range(100):
                flood.post(Send(b"x" * 65_535 + b"\n"))
            await trio.sleep(1)
            assert flood.blocked
            quiet.post(Send(b"here\n"))
            await trio.sleep(1)
            sink.resume()
            await sink.wait_until(lambda sink: sink.data("quiet"))
            # What was in the log before it, and two turns of the other: not all that's to come.
            before = sink.data("flood")
            assert len(before) < 10 * 65_536
            flood.end()
            quiet.end()
        assert len(sink.data("flood")) == 100 * 65_536

    run(main)


def test_two_flooding_children_are_served_in_turn():
    async def main() -> None:
        sink = MemorySink(paused=True)
        puppets = {"a": Puppet(), "b": Puppet()}
        async with open_aggregator([sink], gate=4096) as aggregator:
            for name, puppet in puppets.items():
                aggregator.start_soon(puppet, id=name)
                for _ in range(30):
                    puppet.post(Send(b"x" * 65_535 + b"\n"))
            await trio.sleep(1)
            assert all(puppet.blocked for puppet in puppets.values())
            sink.resume()
            await trio.sleep(1)
            for puppet in puppets.values():
                puppet.end()
        served = "".join(event.child for event in sink.of_type(Output))
        assert "aaa" not in served
        assert "bbb" not in served

    run(main)


def test_a_marked_line_is_a_block_of_its_own_behind_its_intervention():
    async def main() -> None:
        sink = MemorySink()
        text = b"a\n[INTERVENTION] one\nb\n[PROGRESS] 1/2\n[INTERVENTION] two\nc\n"
        async with open_aggregator([sink]) as aggregator:
            aggregator.start_soon(ScriptedExecutor([Send(text)]), id="a")
        shown = [(e.text,) if type(e) is Intervention else (e.kind, e.data) for e in sink.of_child("a")[1:-1]]
        assert shown == [
            ("output", b"a\n"),
            ("one",),
            ("intervention", b"[INTERVENTION] one\n"),
            ("output", b"b\n"),
            ("progress", b"[PROGRESS] 1/2\n"),
            ("two",),
            ("intervention", b"[INTERVENTION] two\n"),
            ("output", b"c\n"),
        ]

    run(main)


def test_marked_errors_stay_errors_and_do_not_end_an_open_line_of_the_output():
    async def main() -> None:
        sink = MemorySink(TextFormat())
        script = [
            Send(b"half "),
            Pause(1),
            Send(b"broken [PROG", "error"),
            Pause(1),
            Send(b"RESS] 1/2\n[INTERVENTION] x\n", "error"),
            Send(b"a line\n"),
        ]
        async with open_aggregator([sink]) as aggregator:
            aggregator.start_soon(ScriptedExecutor(script), id="a", name="a")
        assert sink.data("a", errors=False) == b"half a line\n"
        assert sink.data("a", errors=True) == b"broken [PROGRESS] 1/2\n[INTERVENTION] x\n"
        assert sink.text_written == b"[a] broken [PROGRESS] 1/2\n[a] [INTERVENTION] x\n[a] half a line\n"
        assert len(sink.of_type(Intervention)) == 1

    run(main)

"""Our own executors and sinks keep to the specification, and broken ones are found out."""

from __future__ import annotations

import subprocess
import sys

import pytest
import trio
from trio.testing import MockClock

from axiom_trio import (
    CallableExecutor,
    Executor,
    Exit,
    FileSink,
    JsonlSink,
    NotRunningError,
    ProcessExecutor,
    PtyExecutor,
    Sink,
    StreamExecutor,
    TextFormat,
    open_aggregator,
)
from axiom_trio.testing import MemorySink, Pause, Puppet, ScriptedExecutor, Send, check_executor, check_sink
from axiom_trio.testing.conformance import check_events


def run(main) -> None:
    async def bounded() -> None:
        with trio.fail_after(10_000):
            await main()

    trio.run(bounded, clock=MockClock(autojump_threshold=0))


ENDLESS = [Send(b"x" * 5000 + b"\n"), Pause(0.001)] * 2000


@pytest.mark.parametrize("signals", ["none", "obey", "ignore"])
def test_scripted(signals):
    script = [Send(b"one\ntw"), Pause(1), Send(b"o"), Send(b"oh\n", "error"), Exit(3)]
    run(
        lambda: check_executor(
            lambda: ScriptedExecutor(script, signals=signals),
            output=b"one\ntwo",
            errors=b"oh\n",
            ended=Exit(3),
            make_endless=lambda: ScriptedExecutor(ENDLESS, signals=signals),
        )
    )


def test_callable():
    async def short(writer) -> int:
        await writer.send_line(b"one")
        return 2

    async def endless(writer) -> None:
        while True:
            await writer.send(b"x" * 5000 + b"\n")
            await trio.sleep(0.001)

    run(
        lambda: check_executor(
            lambda: CallableExecutor(short),
            output=b"one\n",
            ended=Exit(2),
            make_endless=lambda: CallableExecutor(endless),
        )
    )


def test_stream():
    async def short():
        yield b"one\ntw"
        yield b"o"
        yield {"type": "error", "payload": "oh"}
        yield "three"

    async def endless():
        while True:
            yield b"x" * 5000
            await trio.sleep(0.001)

    run(
        lambda: check_executor(
            lambda: StreamExecutor(short()),
            output=b"one\ntwo\nthree\n",
            errors=b"[ERROR] oh\n",
            ended=Exit(0),
            make_endless=lambda: StreamExecutor(endless()),
            repeatable=False,
        )
    )


async def test_process():
    with trio.fail_after(60):
        await check_executor(
            lambda: ProcessExecutor("echo one; echo oh >&2; printf two; exit 3", stderr="split"),
            output=b"one\ntwo",
            errors=b"oh\n",
            ended=Exit(3),
            make_endless=lambda: ProcessExecutor("yes", stdin="pipe"),
        )


async def test_pty():
    with trio.fail_after(60):
        await check_executor(
            lambda: PtyExecutor("echo one; printf two; exit 3"),
            output=b"one\r\ntwo",
            ended=Exit(3),
            make_endless=lambda: PtyExecutor("yes"),
        )


def test_a_broken_executor_is_found_out():
    class Forgetful(Executor):
        runs = 0

        async def run(self, port):
            self.runs += 1
            await port.send(b"%d\n" % self.runs)
            return Exit(0)

    class Deaf(Executor):
        async def run(self, port):
            with trio.CancelScope(shield=True):
                for _ in range(1000):
                    await port.send(b"x\n" * 1000)
                    await trio.sleep(0.01)
            return Exit(0)

        def signal(self, signum):
            return True

    with pytest.raises(AssertionError, match="the same executor writes the same"):
        run(lambda: check_executor(Forgetful))
    with pytest.raises(AssertionError, match=r"all output arrives"):
        run(lambda: check_executor(lambda: ScriptedExecutor([Send(b"a")]), output=b"b"))
    with pytest.raises(AssertionError, match="one Started"):
        check_events([])

    async def impatient() -> None:
        with trio.fail_after(8):
            await check_executor(lambda: ScriptedExecutor([Send(b"a")]), make_endless=Deaf)

    with pytest.raises((AssertionError, trio.TooSlowError)):
        run(impatient)


@pytest.mark.parametrize("text", [None, TextFormat(), TextFormat(color=True, timestamps=True)])
def test_memory_sink(text):
    run(lambda: check_sink(lambda: MemorySink(text), received=lambda sink: sink.text_written))


def test_file_and_jsonl_sinks(tmp_path):
    paths = iter(range(100))

    def make() -> Sink:
        return FileSink(tmp_path / str(next(paths)))

    run(lambda: check_sink(make, received=lambda sink: sink._path.read_bytes()))
    with open(tmp_path / "jsonl", "wb") as file:
        run(lambda: check_sink(lambda: JsonlSink(descriptor=file.fileno())))


def test_a_broken_sink_is_found_out():
    class Shuffling(Sink):
        text = TextFormat()

        def __init__(self) -> None:
            self.got = b""

        async def write(self, batch) -> None:
            self.got = b"".join(batch.text) + self.got

    with pytest.raises(AssertionError, match="in order"):
        run(lambda: check_sink(Shuffling, received=lambda sink: sink.got))
    with pytest.raises(AssertionError, match="takes all"):
        run(lambda: check_sink(lambda: MemorySink(fail_at=1)))


def test_hypothesis_is_needed_for_strategies_only(monkeypatch):
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import axiom_trio.testing\n"
        "try:\n    import axiom_trio.testing.strategies\n"
        "except ImportError as error:\n    print(error)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert b"pip install 'axiom-trio[testing]'" in out


def test_a_puppet_does_as_it_is_told():
    async def main() -> None:
        sink = MemorySink()
        puppet = Puppet()
        async with open_aggregator([sink]) as aggregator:
            child = aggregator.start_soon(puppet)
            await puppet.send(b"hello\n")
            assert puppet.accepted() == b"hello\n"
            puppet.fail(ValueError("as told"))
            assert (await child.wait()).exit.error == "ValueError: as told"
            with pytest.raises(NotRunningError):
                await puppet.send(b"too late\n")

    run(main)

"""Reading what comes after a process has exited, where another holds its descriptors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import trio
from trio.testing import MockClock

from axiom_trio.abc import Port
from axiom_trio.executors.running import RunningProcess

if TYPE_CHECKING:
    from axiom_trio.sansio.events import Kind


class SlowPort(Port):
    def __init__(self, delay: float) -> None:
        self.data = b""
        self.held: bool | None = None
        self._delay = delay

    @property
    def read_size(self) -> int:
        return 4096

    def started(self, *, pid: int | None = None) -> None:
        pass

    def process_ended(self, pid: int, *, held: bool) -> None:
        self.held = held

    async def send(self, data: bytes, kind: Kind = "output") -> None:
        self.data += data
        await trio.sleep(self._delay)

    async def send_line(self, line: bytes, kind: Kind = "output") -> None:
        await self.send(line, kind)


async def read(port: SlowPort, *, every: float, lines: int, both: bool = False) -> None:
    """Have lines read that another writes to the output, or to both, after the process has exited."""
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", ":"], {}, setsid=True)  # noqa: ASYNC221 (takes no time)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 (it ends at once)
    pipes = [os.pipe(), os.pipe()]
    for reader, _ in pipes:
        os.set_blocking(reader, False)
    process = RunningProcess(pid, [(pipes[0][0], "output"), (pipes[1][0], "error")], port)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(process.run)
        for number in range(lines):
            for _, writer in pipes[: 1 + both]:
                os.write(writer, b"%d\n" % number)
            await trio.sleep(every)
        for _, writer in pipes:
            os.close(writer)


def test_one_descriptors_silence_does_not_cut_off_the_other() -> None:
    port = SlowPort(0)
    trio.run(lambda: read(port, every=0.06, lines=12), clock=MockClock(autojump_threshold=0))
    assert port.data == b"".join(b"%d\n" % number for number in range(12))
    assert port.held is False


def test_two_descriptors_have_the_time_of_one() -> None:
    port = SlowPort(0)
    trio.run(lambda: read(port, every=0.06, lines=12, both=True), clock=MockClock(autojump_threshold=0))
    assert sorted(port.data.split()) == sorted([b"%d" % number for number in range(12)] * 2)
    assert port.held is False


def test_who_waits_for_the_run_is_not_taken_for_silent() -> None:
    port = SlowPort(0.45)
    trio.run(lambda: read(port, every=0.5, lines=3), clock=MockClock(autojump_threshold=0))
    assert port.data == b"0\n1\n2\n"
    assert port.held is False

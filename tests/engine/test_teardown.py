"""What lies in the kernel is read, and nothing survives: with real processes, as small as they can be."""

from __future__ import annotations

import contextlib
import os
import signal

import pytest
import trio

from axiom_trio import ProcessExecutor, open_aggregator
from axiom_trio.abc import Port
from axiom_trio.testing import MemorySink


def has_exited(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


class SlowPort(Port):
    """Takes the second piece only when the process has exited."""

    read_size = 1000

    def __init__(self) -> None:
        self.data = b""
        self.pid = 0

    def started(self, *, pid: int | None = None) -> None:
        assert pid
        self.pid = pid

    async def send(self, data: bytes, kind="output") -> None:
        if self.data and len(self.data) <= self.read_size:
            while not has_exited(self.pid):  # noqa: ASYNC110 (nobody would set an event)
                await trio.sleep(0.01)
            await trio.sleep(0.05)  # for the executor to see it, too
        self.data += data

    async def send_line(self, line: bytes, kind="output") -> None:
        raise NotImplementedError


async def test_what_lies_in_the_kernel_when_the_process_exits_is_read():
    port = SlowPort()
    with trio.fail_after(60):
        ended = await ProcessExecutor("seq 1 10000; exit 3").run(port)
    assert ended.code == 3
    assert port.data == b"".join(b"%d\n" % n for n in range(1, 10001))


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("command", "stop"),
    [
        ("sleep 1000 & echo $!; wait", True),
        ("trap '' TERM; sleep 1000 & echo $!; wait; wait", True),
        ("sleep 1000 >/dev/null 2>&1 & echo $!", False),
    ],
)
async def test_no_process_of_the_group_survives(command, stop):
    sink = MemorySink()
    pid = 0
    try:
        with trio.fail_after(60):
            async with open_aggregator([sink], grace=0.3) as aggregator:
                child = aggregator.start_soon(ProcessExecutor(command), id="a")
                pid = int((await child.wait_for(rb"(\d+)\n")).group(1))
                if stop:
                    child.stop()
                await child.wait()
            with trio.move_on_after(5):
                while is_alive(pid):  # noqa: ASYNC110 (nobody would set an event)
                    await trio.sleep(0.01)
        assert not is_alive(pid)
    finally:
        if pid and is_alive(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

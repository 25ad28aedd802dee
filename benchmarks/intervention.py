"""From the attempt of an intervention to every console and subscription that shows it.

Run as a program with axiom-trio's own interpreter, it does the work once and prints what it saw.
"""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING

from benchmarks.program import run_program
from benchmarks.series import Case, Context, Sample, interleave
from benchmarks.startup import python_of_axiom

if TYPE_CHECKING:
    import axiom_trio

CHILDREN, FLOODS, EVERY = 10, 10, 0.02
TYPED_EVERY = 0.3  # a message to a terminal has a pause before and after its Enter
FLOOD = "yes a line of some length that comes again"
WAYS = {
    "idle": ("call", f"intervention by a call into one of {CHILDREN} children"),
    "flood": ("flood", f"the same beside {FLOODS} that flood"),
    "rule": ("rule", f"by a rule, from what it matches, beside {FLOODS} that flood"),
    "keyboard": ("keyboard", f"by the keyboard to the terminal, beside {FLOODS} that flood"),
}


def intervention(context: Context) -> list[Case]:
    count = 100 if context.quick else 1000
    python = python_of_axiom()
    cases = []
    for name, (way, title) in WAYS.items():
        result = Case(f"intervention-{name}", title)
        cases.append(result)
        if python is None:
            result.problems["axiom-trio"] = "no interpreter with trio found"
            continue
        samples = count // 5 if way == "keyboard" else count

        def measure(_: str, python: str = python, way: str = way, samples: int = samples) -> Sample:
            return run_program(python, "benchmarks.intervention", way, samples)

        interleave(result, ["axiom-trio"], min(context.rounds, 1 if context.quick else 3), measure)
    return cases


async def within(way: str, count: int) -> dict[str, float]:
    """Time to the last of: the console's reader, a lossless and a lossy subscription."""
    import trio

    import axiom_trio

    ends: dict[str, list[float]] = {"console": [], "lossless": [], "lossy": []}
    reader, writer = os.pipe()
    os.set_blocking(reader, False)

    async def read_console() -> None:
        seen = b""
        while len(ends["console"]) < count:
            await trio.lowlevel.wait_readable(reader)
            seen = seen[-64:] + os.read(reader, 1 << 20)
            shown = seen.count(b"[INTERVENTION]")
            seen = seen[seen.rfind(b"[INTERVENTION]") + 14 :] if shown else seen
            ends["console"] += [trio.current_time()] * shown
        while True:  # the flood goes on until it's stopped
            await trio.lowlevel.wait_readable(reader)
            os.read(reader, 1 << 20)

    async def follow(name: str, aggregator: axiom_trio.StreamAggregator) -> None:
        async with aggregator.subscribe(after="now", lossless=name == "lossless") as events:
            async for event in events:
                if isinstance(event, axiom_trio.Intervention):
                    ends[name].append(trio.current_time())

    starts: list[float] = []
    rule = axiom_trio.Rule(
        name="answer", match=r"^ask (\d+)$", send=r"number \1", settle=0, cooldown=0, limit=None
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_console)
        console = axiom_trio.ConsoleSink(axiom_trio.TextFormat(), descriptor=writer)
        async with axiom_trio.open_aggregator([console], rules=[rule] if way == "rule" else ()) as aggregator:
            for name in ("lossless", "lossy"):
                nursery.start_soon(follow, name, aggregator)
            if way == "rule":
                await aggregator.start(_asker(count, starts), name="asker")
            children = [
                await aggregator.start(axiom_trio.ProcessExecutor("exec cat >/dev/null", stdin="pipe"))
                for _ in range(CHILDREN)
            ]
            if way != "call":
                for _ in range(FLOODS):
                    await aggregator.start(axiom_trio.ProcessExecutor(FLOOD))
            for n in range(0 if way == "rule" else count):
                await trio.sleep(EVERY)
                starts.append(trio.current_time())
                await children[n % CHILDREN].intervene(f"number {n}")
            while any(len(times) < count for times in ends.values()):  # noqa: ASYNC110 (three lists to look at)
                await trio.sleep(EVERY)
            aggregator.stop(grace=0)
        nursery.cancel_scope.cancel()
    return _figures([max(times) - start for start, *times in zip(starts, *ends.values(), strict=True)])


def _asker(count: int, starts: list[float]) -> axiom_trio.Executor:
    """A child within the program that asks, and is answered by the rule."""
    import trio

    import axiom_trio

    class Asker(axiom_trio.Executor):
        answered = trio.Event()

        async def run(self, port: axiom_trio.Port) -> axiom_trio.Exit:
            await trio.sleep(1)
            for n in range(count):
                await trio.sleep(EVERY)
                starts.append(trio.current_time())
                await port.send_line(b"ask %d" % n)
                await self.answered.wait()
                self.answered = trio.Event()
            await trio.sleep_forever()
            return axiom_trio.Exit(0)

        async def write(self, data: bytes) -> None:  # noqa: ARG002 (that it came is enough)
            self.answered.set()
            await trio.lowlevel.checkpoint()

        def pending_input(self) -> int:
            return 0

    return Asker()


def from_keyboard(count: int) -> dict[str, float]:
    """Time from Enter on the command's terminal to the message on it."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (40, 120))
    floods = [FLOOD] * FLOODS
    process = subprocess.Popen(
        [sys.executable, "-m", "axiom_trio", "run", "-n", "a", "exec cat >/dev/null", *floods],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # our controlling terminal
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(slave)
    seen = b""

    def read(until: float, wanted: bytes = b"") -> bool:
        nonlocal seen
        while (left := until - time.perf_counter()) > 0:
            if select.select([master], [], [], left)[0]:
                try:
                    seen = seen[-256:] + os.read(master, 1 << 16)
                except OSError:  # all is said
                    return False
                if wanted and wanted in seen:
                    return True
        return False

    delays = []
    try:
        read(time.perf_counter() + 3.0)
        for n in range(count):
            read(time.perf_counter() + TYPED_EVERY)
            began = time.perf_counter()
            os.write(master, b"a:number %d.\r" % n)
            if not read(began + 10.0, b"[INTERVENTION] number %d." % n):
                raise TimeoutError(f"message {n} was not seen within 10 s")
            delays.append(time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        while process.poll() is None:
            read(time.perf_counter() + 0.05)
        os.close(master)
    return _figures(delays)


def _figures(delays: list[float]) -> dict[str, float]:
    delays.sort()
    return {
        "p50": delays[len(delays) // 2] * 1e6,
        "p99": delays[len(delays) * 99 // 100] * 1e6,
        "max": delays[-1] * 1e6,
        "samples": len(delays),
    }


if __name__ == "__main__":
    way, count = sys.argv[1], int(sys.argv[2])
    if way == "keyboard":
        print(json.dumps(from_keyboard(count)))
    else:
        import trio

        print(json.dumps(trio.run(within, way, count)))

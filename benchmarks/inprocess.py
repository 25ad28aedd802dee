"""Sources within one program: 10 000 tasks that hand batches of lines to the library.

Run as a program with axiom-trio's own interpreter, it does the work once and prints what it saw.
"""

from __future__ import annotations

import json
import sys
import time

from benchmarks.program import run_program
from benchmarks.series import Case, Context, Sample, interleave
from benchmarks.startup import python_of_axiom

TASKS, BATCHES, LINES = 10_000, 5, 20


def inprocess(context: Context) -> list[Case]:
    tasks = 1000 if context.quick else TASKS
    result = Case("inprocess", f"{tasks} sources in one program, batches of {LINES} lines")
    python = python_of_axiom()
    if python is None:
        result.problems["axiom-trio"] = "no interpreter with trio found"
        return [result]

    def measure(_: str) -> Sample:
        return run_program(python, "benchmarks.inprocess", tasks)

    return [interleave(result, ["axiom-trio"], min(context.rounds, 1 if context.quick else 5), measure)]


async def once(tasks: int) -> dict[str, float]:
    import axiom_trio

    batch = b"".join(
        b"line %02d of a batch, as an agent's event stream might say it\n" % n for n in range(LINES)
    )

    async def source(writer: axiom_trio.Writer) -> None:
        for _ in range(BATCHES):
            await writer.send(batch)

    wanted, seen = tasks * BATCHES * LINES, 0
    start = time.perf_counter()
    async with (
        axiom_trio.open_aggregator() as aggregator,
        aggregator.subscribe() as events,
    ):
        for _ in range(tasks):
            aggregator.start_soon(axiom_trio.CallableExecutor(source))
        async for event in events:
            if isinstance(event, axiom_trio.Output):
                seen += event.lines
                if seen >= wanted:
                    break
    seconds = time.perf_counter() - start
    return {"events_s": seen / seconds, "seconds": seconds, "lost": wanted - seen}


if __name__ == "__main__":
    import trio

    print(json.dumps(trio.run(once, int(sys.argv[1]))))

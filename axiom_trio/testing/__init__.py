"""Driving axiom_trio from a test suite or a benchmark: no processes, no terminal, no real time.

* `ScriptedExecutor` and `Puppet`: children that do what a test says, and record
  exactly which bytes were accepted.
* `MemorySink`: keeps what it gets; pauses, and fails, when told.
* `check_executor`, `check_sink`: what every executor and every sink must do, to be
  run against your own.
* `axiom_trio.testing.strategies`: hypothesis strategies for byte streams, their
  cuttings, and scripts (needs the extra `testing`; nothing else here does).

Time passes at once under trio's `MockClock`::

    async def main():
        sink = MemorySink(TextFormat())
        child = ScriptedExecutor([Send(b"half a li"), Pause(10), Send(b"ne\\n")], label="a")
        async with axiom_trio.open_aggregator([sink]) as aggregator:
            aggregator.start_soon(child)
        assert sink.text_written == b"[a] half a line\\n"

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
"""

from axiom_trio.sansio.events import Exit
from axiom_trio.testing.conformance import check_executor, check_sink
from axiom_trio.testing.executors import (
    Fail,
    Forever,
    Pause,
    ScriptedExecutor,
    Send,
    SendLine,
    Signals,
    Step,
)
from axiom_trio.testing.puppet import Puppet
from axiom_trio.testing.sinks import MemorySink

__all__ = [
    "Exit",
    "Fail",
    "Forever",
    "MemorySink",
    "Pause",
    "Puppet",
    "ScriptedExecutor",
    "Send",
    "SendLine",
    "Signals",
    "Step",
    "check_executor",
    "check_sink",
]

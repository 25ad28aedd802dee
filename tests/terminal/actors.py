"""Ten children as people have them: `python actors.py PART`; the demo and its test run them side by side."""

from __future__ import annotations

import itertools
import random
import select
import sys
import time


def say(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()


def build() -> None:
    """A chatty build, in colour."""
    chance = random.Random(1)
    for n in range(1, 401):
        say(f"\x1b[32m  CC\x1b[0m src/module_{n:03}.c")
        if n % 37 == 0:
            say(f"src/module_{n:03}.c:{n}: \x1b[35mwarning:\x1b[0m unused variable 'x'")
        time.sleep(chance.uniform(0.02, 0.25))
    say("\x1b[1mlinked\x1b[0m build/app")


def bars() -> None:
    """Three downloads with a bar drawn by carriage returns."""
    for name, size in (("model.bin", 480), ("vocab.json", 60), ("weights.bin", 900)):
        for done in range(0, size + 1, 3):
            full = 24 * done // size
            bar = "█" * full + "░" * (24 - full)
            say(f"\r{name} {100 * done // size:3}% |{bar}| {done}/{size} MB", end="")
            time.sleep(0.06)
        say("")


def asks() -> None:
    """Asks before each step, and waits for an answer."""
    for step in itertools.count(1):
        say(f"step {step}: plan is ready")
        say("Do you want to proceed? [y/N] ", end="")
        answer = sys.stdin.readline()
        if not answer:
            return
        say(f"step {step}: {'applied' if answer.strip() == 'y' else 'skipped'}")
        time.sleep(6)


def agent() -> None:
    """Thinks aloud; heeds what it's told."""
    thoughts = ("reading the issue", "planning the change", "weighing two ways", "planning some more")
    for n in itertools.count():
        say(f"… {thoughts[n % len(thoughts)]}")
        if select.select([sys.stdin], [], [], 1.5)[0]:
            told = sys.stdin.readline()
            if not told:
                return
            say(f"understood: {told.strip()}")
            say("wrote src/fix.py (+42 −7)")


def hangs() -> None:
    """Says that it waits, and does."""
    say("waiting for the database at 10.0.0.7")
    time.sleep(3600)


def fails() -> None:
    """Fails after some seconds."""
    for n in range(1, 9):
        say(f"test_{n} {'PASSED' if n < 8 else 'FAILED'}")
        time.sleep(0.7)
    say("AssertionError: 41 != 42")
    sys.exit(3)


def floods() -> None:
    """Writes as fast as it can, in bursts of 300 lines."""
    for n in range(600):
        block = "".join(f"{300 * n + i:06} the quick brown fox jumps over the lazy dog\n" for i in range(300))
        sys.stdout.write(block)
        sys.stdout.flush()
        time.sleep(1.5)


def serves() -> None:
    """A server's log."""
    chance = random.Random(2)
    say("listening on 127.0.0.1:8080")
    while True:
        time.sleep(chance.uniform(0.2, 1.2))
        say(f"GET /users/{chance.randrange(100)} \x1b[32m200\x1b[0m {chance.randrange(3, 90)} ms")


if __name__ == "__main__":
    globals()[sys.argv[1]]()

"""The checker of `native/verifier.c` for machines without a C compiler: same arguments, same verdict."""

from __future__ import annotations

import json
import re
import sys

ESCAPES = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")
FIGURES = re.compile(rb"[0-9]{10}:")
NOT_LETTERS = re.compile(rb"[^a-z]+")
LETTERS = bytes(97 + i % 26 for i in range(1040))


def piece(data: bytes) -> bool:
    """Whether this has a piece of a child's line in it."""
    if FIGURES.search(data):
        return True
    return any(run[i : i + 6] in LETTERS for run in NOT_LETTERS.split(data) for i in range(len(run) - 5))


class Verifier:
    def __init__(self, children: int, lines: int, length: int, prefix: str, ansi: bool) -> None:
        self.children, self.lines, self.size, self.ansi = children, lines, length - 1, ansi
        self.prefixes = [
            re.compile(re.escape(prefix.replace("{}", f"c{i:05d}")).replace(r"\#", "[0-9]").encode())
            for i in range(children)
        ]
        self.next = [0] * children
        self.got = [0] * children
        self.counts = dict.fromkeys(
            ("bytes", "good", "lost", "torn", "glued", "reordered", "duplicated", "noise"), 0
        )
        self.sample = ""

    def count(self, what: str, line: bytes) -> None:
        self.counts[what] += 1
        if what not in ("good", "noise") and not self.sample:
            self.sample = re.sub(r'[^ -~]|["\\]', "?", line[:200].decode("latin-1"))

    def whole(self, body: bytes) -> tuple[int, int] | None:
        match = re.fullmatch(rb"([0-9]{5}):([0-9]{10}):([a-z]*):([0-9]{4})", body)
        if not match or int(match[1]) >= self.children or int(match[2]) % 10000 != int(match[4]):
            return None
        child = int(match[1])
        start = (child * 7 + 17) % 26
        return (child, int(match[2])) if match[3] == LETTERS[start : start + len(match[3])] else None

    def check(self, line: bytes) -> None:
        if self.ansi:
            line = ESCAPES.sub(b"", line)
        found = self.whole(line[-self.size :]) if len(line) >= self.size else None
        if found is None:
            self.count("torn" if piece(line) else "noise", line)
            return
        child, seq = found
        rest = line[: -self.size]
        if not self.prefixes[child].fullmatch(rest):
            self.count("glued" if piece(rest) else "torn", line)
            return
        self.got[child] += 1
        self.count("good" if seq >= self.next[child] else "reordered", line)
        self.next[child] = max(self.next[child], seq + 1)

    def verdict(self) -> dict[str, object]:
        self.counts["lost"] = sum(max(0, self.lines - got) for got in self.got)
        self.counts["duplicated"] = sum(max(0, got - self.lines) for got in self.got)
        return {**self.counts, "sample": self.sample}


def main(words: list[str]) -> int:
    options = {"children": "10", "lines": "1000", "length": "100", "prefix": "[{}] ", "ansi": "0"}
    options |= dict(word.split("=", 1) for word in words)
    numbers = [int(options[key]) for key in ("children", "lines", "length")]
    verifier = Verifier(*numbers, prefix=options["prefix"], ansi=options["ansi"] != "0")
    for line in sys.stdin.buffer:
        verifier.counts["bytes"] += len(line)
        if line.endswith(b"\n"):
            verifier.check(line[:-1])
        else:
            verifier.count("torn", line)
    print(json.dumps(verifier.verdict()))
    bad = ("lost", "torn", "glued", "reordered", "duplicated")
    return int(any(verifier.counts[what] for what in bad))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The reader of `native/latency.c` for machines without a C compiler: same arguments."""

from __future__ import annotations

import json
import os
import re
import sys
import time

STAMP = re.compile(rb"@([0-9]{19}):")


def main(words: list[str]) -> None:
    options = {"warm": 1000, "window": 10000} | {k: int(v) for k, v in (word.split("=") for word in words)}
    start = until = last = count = 0
    held, samples = b"", []
    while data := os.read(0, 1 << 20):
        now = time.monotonic_ns()
        inside = start and start <= now < until
        if inside:
            count, last = count + len(data), now
        for match in STAMP.finditer(held + data):
            written = int(match[1])
            if not start:
                start = now + options["warm"] * 1_000_000
                until = start + options["window"] * 1_000_000
            if inside and written >= start:
                samples.append((now - written) / 1000)
        cut = data.rfind(b"@")
        held = data[cut:] if cut >= 0 and len(data) - cut < 21 else b""
    samples.sort()
    points = {
        name: round(samples[min(len(samples) - 1, int(share * len(samples)))], 1) if samples else -1.0
        for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1))
    }
    speed = round(count * 1000 / (last - start), 1) if start and last > start else 0.0
    print(json.dumps({"samples": len(samples), **points, "mb_s": speed}))


if __name__ == "__main__":
    main(sys.argv[1:])

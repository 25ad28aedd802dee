"""Run with axiom-trio's own interpreter: a run, its page in chromium, and what that says of itself."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time

import trio

from benchmarks.page import CHILDREN
from tests.browser import Chromium, Page
from tests.commands import command, environment

CHILD = """
import sys, time
lines, rate, name = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
step = max(1, rate // 20) if rate else 500
written, began = 0, time.monotonic()
while written < lines:
    count = min(step, lines - written)
    rows = "".join(f"{name} {written + n:07d} " + "x" * 80 + "\\n" for n in range(count))
    sys.stdout.write(rows)
    sys.stdout.flush()
    written += count
    if rate:
        time.sleep(max(0, began + written / rate - time.monotonic()))
time.sleep(600)
"""
WATCH = """
globalThis.longest = 0; globalThis.gap = 0; globalThis.frames = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) longest = Math.max(longest, entry.duration);
}).observe({type: "longtask", buffered: true});
let last = performance.now();
(function frame() {
  const now = performance.now();
  gap = Math.max(gap, now - last); last = now; frames += 1;
  requestAnimationFrame(frame);
})();
"""


async def watch(page: Page, lines: int, view: str) -> dict[str, float]:
    peak, began = 0.0, time.monotonic()
    deadline = began + 180
    while time.monotonic() < deadline:
        usage = await page.call("Runtime.getHeapUsage")
        peak = max(peak, usage["usedSize"] + usage.get("backingStorageSize", 0))
        seen = await page.eval("app.run.seen")
        if seen >= lines:
            break
        if view == "reading" and seen > lines / 4:
            await page.eval("app.list.move(-2000)")
        await trio.sleep(0.25)
    seconds = time.monotonic() - began
    found = await page.eval("({longest, gap, frames, seen: app.run.seen, skipped: app.run.skipped})")
    await page.call("HeapProfiler.collectGarbage")
    kept = (await page.call("Runtime.getHeapUsage"))["usedSize"]
    if found["seen"] < lines:
        sys.exit(f"{lines - found['seen']} lines have not come")
    return {
        "longest_ms": found["longest"],
        "gap_ms": found["gap"],
        "frames_s": found["frames"] / seconds,
        "lines_s": lines / seconds,
        "skipped": found["skipped"],
        "peak_mb": peak / 1e6,
        "kept_mb": kept / 1e6,
    }


async def main(lines: int, rate: int, view: str) -> None:
    """So many lines in all, so many a second in all (0: as fast as can be)."""
    child = [sys.executable, "-I", "-S", "-c", CHILD, str(lines // CHILDREN), str(rate // CHILDREN)]
    children = [shlex.join([*child, f"c{number}"]) for number in range(CHILDREN)]
    with Chromium() as browser:
        async with browser.page() as page:
            await page.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
            run = subprocess.Popen(  # noqa: ASYNC220 (once, before anything is measured)
                command("--pipe", "--listen", "0", "--output", "none", *children),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environment(),
            )
            try:
                assert run.stderr is not None
                said = ""
                while not (urls := re.findall(r"http://\S+#\S+", said)):
                    said += (await trio.to_thread.run_sync(run.stderr.readline)).decode()
                await page.go(urls[0])
                if view == "lanes":
                    await page.eval("app.tools.nextView()")
                async with page.traced():
                    sample = await watch(page, lines, view)
                print(json.dumps({**sample, "cpu_ms": max(page.tasks, default=0.0)}))
            finally:
                run.terminate()
                run.wait()
                run.stderr.close()


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])

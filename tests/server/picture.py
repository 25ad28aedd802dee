"""The picture of the page for README and guide: ten children as they are in life, in a real browser."""

from __future__ import annotations

import random
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import trio

import axiom_trio
from axiom_trio import PtyExecutor
from axiom_trio.testing import Puppet
from tests.browser import Chromium

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GREEN, RED, YELLOW, BLUE, DIM, END = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[34m", "\x1b[2m", "\x1b[0m"
FILES = ("session.py", "wire.py", "merger.py", "journal.py", "client.py", "gate.py", "events.py")


def vite(chance: random.Random) -> Iterator[str]:
    yield f"{GREEN}VITE v7.2.4{END}  ready in 312 ms"
    while True:
        yield f"{DIM}10:42:{chance.randrange(10, 60)}{END} {BLUE}[vite]{END} {GREEN}hmr update{END} /src/{chance.choice(['App', 'Lane', 'Chart'])}.tsx"


def api(chance: random.Random) -> Iterator[str]:
    while True:
        status = chance.choice([200, 200, 200, 201, 304, 500])
        color = RED if status == 500 else GREEN
        yield f"INFO  GET /v1/{chance.choice(['runs', 'tasks', 'users'])}/{chance.randrange(999)} {color}{status}{END} in {chance.randrange(2, 90)} ms"


def pytest_(chance: random.Random) -> Iterator[str]:
    for done in count(3):
        share = min(99, done)
        yield f"tests/server/test_{chance.choice(['gate', 'http', 'page'])}.py {GREEN}{'.' * chance.randrange(8, 24)}{END} [ {share}%]"


def agent(chance: random.Random) -> Iterator[str]:
    while True:
        name = chance.choice(FILES)
        yield f"{BLUE}●{END} Read(axiom_trio/server/{name})"
        yield f"  {DIM}└ {chance.randrange(40, 320)} lines{END}"
        yield f"{BLUE}●{END} {chance.choice(['I’ll make the smallest change that holds.', 'The test shows it: the cursor moves too early.', 'Now the error path.'])}"


CLAUDE = r"""
said=("Read(axiom_trio/server/session.py)" "Edit(axiom_trio/server/page/list.js)" "Bash(pytest tests/server)" "The cursor moves too early: I’ll look at the error path.")
for ((n = 0; ; n++)); do
  if read -r -t 2 line; then
    printf '\e[35m●\e[0m Understood: %s\n' "$line"; sleep 1
    printf '\e[35m●\e[0m Write(docs/cursor.md)\n'
  else
    printf '\e[34m●\e[0m %s\n' "${said[n % 4]}"
  fi
done
"""


def migrate(chance: random.Random) -> Iterator[str]:
    for done in count(1):
        yield f"[PROGRESS] {min(done, 96)}% migrating table events, {done * 12_500:,} rows"


def build(chance: random.Random) -> Iterator[str]:
    for done in count(140):
        yield f"[{min(done, 338)}/340] CC {chance.choice(FILES).replace('.py', '.o')}"


def worker(chance: random.Random) -> Iterator[str]:
    while True:
        yield f"job {chance.randrange(10**6):06x} {YELLOW}mail.send{END} done in {chance.random() * 3:.2f} s"


CHILDREN: dict[str, tuple[Callable[[random.Random], Iterator[str]], float]] = {
    "web": (vite, 0.5),
    "api": (api, 0.22),
    "test": (pytest_, 0.3),
    "codex": (agent, 0.6),
    "gemini": (agent, 0.9),
    "migrate": (migrate, 0.4),
    "build": (build, 0.2),
    "worker": (worker, 0.45),
}


async def speak(puppet: Puppet, lines: Iterator[str], every: float, chance: random.Random) -> None:
    for line in lines:
        await puppet.send(line.encode() + b"\n")
        await trio.sleep(every * (0.6 + 2 * chance.random()))


async def main(folder: Path, everything: bool) -> None:
    """Serve the children, and write the picture, or all of them."""
    chance = random.Random(5)
    async with (
        trio.open_nursery() as nursery,
        axiom_trio.open_aggregator() as aggregator,
        axiom_trio.serve(aggregator) as server,
    ):
        puppets: dict[str, Puppet] = {}
        await aggregator.start(PtyExecutor(["bash", "-c", CLAUDE]), name="claude")
        for name in [*CHILDREN, "lint"]:
            puppets[name] = Puppet(label=name, signals="obey", takes_input=True)
            await aggregator.start(puppets[name], name=name)
        for name, (lines, every) in CHILDREN.items():
            nursery.start_soon(speak, puppets[name], lines(chance), every, chance)
        await puppets["lint"].send(
            f"{RED}E501{END} axiom_trio/server/http.py:80 line too long\n".encode(), "error"
        )
        puppets["lint"].end(1)
        with Chromium() as browser:
            async with browser.page(server.control_url, width=1360, height=850) as page:
                await page.resize(1360, 850, dark=True)
                await trio.sleep(20)
                await page.click("#message")
                await page.eval(
                    "app.steer.choose([...app.run.children.values()].find((child) => child.name === 'claude').id)"
                )
                await page.type("Stop planning, write the file.")
                await page.key("Enter")
                await page.wait(
                    "document.querySelector('#outbox .badge:is(.confirmed, .unconfirmed, .queued)') !== null"
                )
                await page.see("Understood")
                await page.picture(folder / "page.png")
                if everything:
                    await more(page, folder)
        for child in aggregator.children:
            child.stop()
        nursery.cancel_scope.cancel()


async def more(page, folder: Path) -> None:
    """The page in other lights and sizes, to be looked at."""
    await page.key("Escape")
    await page.resize(1360, 850, dark=False)
    await trio.sleep(0.5)
    await page.picture(folder / "light.png")
    await page.key("l")
    await page.resize(1600, 950, dark=True)
    await trio.sleep(1.5)
    await page.picture(folder / "lanes.png")
    await page.key("l")
    await page.resize(390, 780, mobile=True, dark=True)
    await trio.sleep(1.5)
    await page.picture(folder / "phone.png")
    await page.resize(1360, 850, dark=True)
    await page.key("?")
    await page.eval("app.solo([...app.run.children.keys()][1]); app.list.move(-400)")
    await trio.sleep(0.5)
    await page.picture(folder / "keys.png")


if __name__ == "__main__":
    folder, everything = Path(sys.argv[1]), "all" in sys.argv
    sys.argv = ["axiom-trio", "run", "--listen", "8080", "-f", "axiom.toml"]  # what the page shows
    trio.run(main, folder, everything)

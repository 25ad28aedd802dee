"""Who is measured: floors and peers, with how each is started and installed."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable

from benchmarks.peers import Peer, search_path
from benchmarks.workload import Workload

Prepare = Callable[[str, Workload, tuple[str, ...]], list[str]]


def axiom(path: str, work: Workload, options: tuple[str, ...]) -> list[str]:
    streams = () if "--pty" in options else ("--pipe",)
    return [path, "run", *streams, *options, work.template(), ":::", *work.names]


def parallel(path: str, work: Workload, _: tuple[str, ...]) -> list[str]:
    return [path, "--line-buffer", "--tag", "-j0", work.template(), ":::", *work.names]


def concurrently(path: str, work: Workload, _: tuple[str, ...]) -> list[str]:
    return [path, "--no-color", "-n", ",".join(work.names), *work.commands()]


def package(work: Workload, **more: str) -> dict[str, str]:
    scripts = dict(zip(work.names, work.commands(), strict=True))
    (work.folder / "package.json").write_text(
        json.dumps({"name": "b", "private": True, "scripts": scripts, **more})
    )
    return scripts


def bun(path: str, work: Workload, _: tuple[str, ...]) -> list[str]:
    package(work)
    return [path, "run", "--parallel", "c*"]


def pnpm(path: str, work: Workload, _: tuple[str, ...]) -> list[str]:
    package(work)
    return [path, "run", f"--workspace-concurrency={work.children}", "/^c/"]


def turbo(path: str, work: Workload, _: tuple[str, ...]) -> list[str]:
    bun_path = shutil.which("bun", path=search_path())
    manager = f"bun@{BY_NAME['bun'].version}" if bun_path else "npm@10.0.0"
    scripts = package(work, packageManager=manager)
    tasks = {name: {"cache": False} for name in scripts}
    (work.folder / "turbo.json").write_text(json.dumps({"tasks": tasks}))
    (work.folder / "bunfig.toml").write_text("[run]\nsilent = true\n")  # its stderr would cut turbo's lines
    how = ["--ui=stream", "--log-order=stream", f"--concurrency={work.children + 1}"]
    return [path, "run", *work.names, *how]


def poe(path: str, work: Workload, _: tuple[str, ...]) -> list[str]:
    tasks = {name: {"shell": command} for name, command in zip(work.names, work.commands(), strict=True)}
    everything = {"tasks": {"all": {"parallel": work.names}, **tasks}}
    (work.folder / "poe_tasks.json").write_text(json.dumps(everything))
    return [path, "-q", "-C", str(work.folder), "all"]


def honcho(path: str, work: Workload, _: tuple[str, ...]) -> list[str]:
    # It stops all when one ends, so the children wait for each other at their end.
    gate = (f"gate={work.folder / 'gate'}", f"of={work.children}") if work.mode == "block" else ()
    rows = [f"{name}: exec {line}\n" for name, line in zip(work.names, work.commands(*gate), strict=True)]
    (work.folder / "Procfile").write_text("".join(rows))
    return [path, "start", "--no-colour"]


def go_task(path: str, work: Workload, _: tuple[str, ...]) -> list[str]:
    tasks = {
        name: {"cmds": [line], "silent": True} for name, line in zip(work.names, work.commands(), strict=True)
    }
    everything = {"version": "3", "output": "prefixed", "tasks": {"all": {"deps": work.names}, **tasks}}
    (work.folder / "Taskfile.yml").write_text(json.dumps(everything))  # JSON is YAML
    return [path, "--taskfile", str(work.folder / "Taskfile.yml"), "all"]


def script(each: str = "", last: str = "") -> Prepare:
    """All children in the background of one shell, each behind `each`, all behind `last`."""

    def prepare(path: str, work: Workload, _: tuple[str, ...]) -> list[str]:
        rows = []
        for name, line in zip(work.names, work.commands(), strict=True):
            behind = each.replace("PROGRAM", shlex.quote(path)).replace("{}", name)
            rows.append(f"{line} {behind} &\n")
        text = "{\n" + "".join(rows) + "wait\n}" + last + "\n"
        (work.folder / "run.sh").write_text(text)
        return ["/bin/sh", str(work.folder / "run.sh")]

    return prepare


PEERS = [
    Peer("axiom-trio", ("axiom-trio",), axiom, "pip install .", "[{}] "),
    Peer(
        "cat",
        ("cat",),
        script(),
        "coreutils",
        floor=True,
        keeps_lines=False,
        remark="all children into one pipe: no merger at all",
    ),
    Peer(
        "cat|cat",
        ("cat",),
        script(last=" | cat"),
        "coreutils",
        floor=True,
        keeps_lines=False,
        remark="one process between, as any merger is",
    ),
    Peer(
        "parallel",
        ("parallel",),
        parallel,
        "apt-get install parallel",
        "{}\t",
        version_pattern=r"(?<=parallel )\d+",
        remark="--line-buffer --tag -j0",
    ),
    Peer(
        "turbo",
        ("turbo",),
        turbo,
        "npm install -g turbo bun",
        "{}: ",
        most_children=200,
        remark="starts a package manager per child: not asked for 1000",
    ),
    Peer("bun", ("bun",), bun, "npm install -g bun", "{} | ", most_mb=100, remark="bun run --parallel"),
    Peer("pnpm", ("pnpm",), pnpm, "npm install -g pnpm", ". {}: ", most_mb=200, remark="pnpm run /pattern/"),
    Peer("poe", ("poe",), poe, "pip install poethepoet", "{} | ", most_mb=100, remark="parallel tasks"),
    Peer(
        "concurrently", ("concurrently",), concurrently, "npm install -g concurrently", "[{}] ", most_mb=200
    ),
    Peer(
        "honcho",
        ("honcho",),
        honcho,
        "pip install honcho",
        "##:##:## {}.1 | ",
        most_mb=10,
        most_children=200,
        remark="its children wait for each other, since it stops all when one ends",
    ),
    Peer(
        "go-task",
        ("go-task", "task"),
        go_task,
        "https://taskfile.dev/installation",
        "[{}] ",
        version_pattern=r"3\.\d+\.\d+",
        remark="output: prefixed",
    ),
    Peer(
        "mawk × N",
        ("mawk",),
        script(each="""| PROGRAM '{print "[{}] " $0}'"""),
        "apt-get install mawk",
        "[{}] ",
        keeps_lines=False,
        most_children=100,
        remark="a filter per child, all into one pipe: mixes lines",
    ),
    Peer(
        "sed -u × N",
        ("sed",),
        script(each="| PROGRAM -u 's/^/[{}] /'"),
        "apt-get install sed",
        "[{}] ",
        most_mb=20,
        most_children=100,
        remark="a filter per child, a write per line",
    ),
]
BY_NAME = {peer.name: peer for peer in PEERS}


def installed() -> list[Peer]:
    return [peer for peer in PEERS if peer.find()]


def missing() -> list[Peer]:
    return [peer for peer in PEERS if not peer.find()]

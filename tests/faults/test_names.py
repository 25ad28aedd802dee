"""T63: whatever a child is called, it's harmless to show, and its file is a plain one of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import trio

from axiom_trio import FilesSink, ProcessExecutor, open_aggregator
from tests.commands import axiom

NAMES = [
    "../../x",
    "..",
    ".",
    "/etc/passwd",
    "a\0b",
    "n" * 300,
    "A",
    "a",
    "\x1b[2J\x1b]0;x\x07",
    "-rf",
    "",
    "é",
    "a",
]


def files_below(directory: Path) -> list[str]:
    """The plain files right in it; anything else is an error."""
    entries = [*directory.iterdir()]
    assert all(entry.is_file() and not entry.is_symlink() for entry in entries)
    return sorted(entry.name for entry in entries)


def check_names(names: list[str]) -> None:
    for name in names:
        assert name.isascii()
        assert name.isprintable()
        assert name[0].isalnum() or name[0] == "%"
        assert len(name) <= 64 + len(".log")
    assert len({name.lower() for name in names}) == len(names)


async def test_T63_names_in_a_program(tmp_path: Path) -> None:
    where = tmp_path / "logs" / "here"
    with trio.fail_after(60):
        async with open_aggregator([FilesSink(where)]) as aggregator:
            for number, name in enumerate(NAMES):
                aggregator.start_soon(ProcessExecutor(f"echo {number}"), name=name)
    names = files_below(where)
    assert len(names) == len(NAMES)
    check_names(names)
    assert {(where / name).read_text() for name in names} == {f"{n}\n" for n in range(len(NAMES))}
    assert sorted(os.listdir(tmp_path)) == ["logs"]
    assert sorted(os.listdir(where.parent)) == ["here"]


def test_T63_names_on_the_command_line(tmp_path: Path) -> None:
    names = [name for name in NAMES if name and "\0" not in name]
    where = tmp_path / "logs"
    result = axiom(
        *("--files", str(where), "-n", ",".join(names), "--summary", str(tmp_path / "s")),
        *(f"echo {number}" for number in range(len(names))),
    )
    assert result.status == 0
    assert b"\x1b" not in result.stdout
    assert len({line.partition(b"]")[0] for line in result.stdout.splitlines()}) == len(names)
    files = files_below(where)
    check_names(files)
    assert {(where / name).read_text() for name in files} == {f"{n}\n" for n in range(len(names))}
    shown = [child["name"] for child in json.loads((tmp_path / "s").read_text())["children"]]
    assert len({*shown}) == len(names)
    assert {entry.name for entry in tmp_path.iterdir()} == {"logs", "s"}

"""T65: a secret that comes in pieces, encoded, or over the ends of records is masked in every sink."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from tests.commands import Running, axiom, hex_script

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "correct-Horse/42+battery staple"
RAW = SECRET.encode()
both = pytest.mark.parametrize("on", ["--pipe", "--pty"])


def shown(tmp_path: Path, on: str, *children: str) -> dict[str, bytes]:
    """What every sink has, by its name: of a run with each form of output."""
    found = {}
    for form in ("lines", "grouped", "raw", "jsonl"):
        directory = tmp_path / form
        directory.mkdir()
        result = axiom(
            *(on, "--output", form, "--mask-env", "THE_SECRET", "--files", str(directory / "files")),
            *("--joblog", str(directory / "joblog"), "--summary", str(directory / "summary")),
            *("-n", ",".join("abcdef"[: len(children)]), *children),
            env={"THE_SECRET": SECRET},
        )
        assert result.status == 0, result
        found[form] = result.stdout
        found[f"{form}, stderr"] = result.stderr.encode()
        for path in directory.rglob("*"):
            if path.is_file():
                found[f"{form}, {path.name}"] = path.read_bytes()
    return found


def data_of(wire: bytes, name: str) -> bytes:
    """The bytes of a child in the wire form."""
    events = [json.loads(line) for line in wire.splitlines()]
    return "".join(
        event["data"]["text"]
        for event in events
        if event["type"] == "stream" and event["data"]["name"] == name
    ).encode()


def check(found: dict[str, bytes], *wanted: bytes, forbidden: tuple[bytes, ...] = (RAW,)) -> None:
    for sink, content in found.items():
        for form in forbidden:
            assert form not in content, f"{form!r} in {sink}"
    for name, data in zip("abcdef", wanted, strict=False):
        for form in ("lines", "grouped", "raw", "jsonl"):
            assert found[f"{form}, {name}.log"] == data
        assert data_of(found["jsonl"], name) == data
        for line in data.splitlines():
            assert b"[%s] %s\n" % (name.encode(), line) in found["lines"]
            assert b"[%s] %s\n" % (name.encode(), line) in found["grouped"]
            assert line + b"\n" in found["raw"]


def in_writes(data: bytes, count: int, *pause: int) -> str:
    """A child that writes `data` in so many writes."""
    cuts = [len(data) * n // count for n in range(count + 1)]
    steps: list[bytes | int] = []
    for start, end in zip(cuts, cuts[1:], strict=False):
        steps += (data[start:end], *pause)
    return hex_script(*steps)


@both
def test_T65_a_secret_in_two_to_n_writes(on: str, tmp_path: Path) -> None:
    data = b"before " + RAW + b" after\n" + RAW + RAW + b"\nit is\n" + RAW[:-1] + b"\n" + RAW
    children = [in_writes(data, count) for count in (1, 2, 3, 7, len(data))]
    masked = b"before *** after\n******\nit is\n" + RAW[:-1] + b"\n***"
    check(shown(tmp_path, on, *children), *[masked] * len(children))


@both
def test_T65_a_secret_in_writes_with_pauses(on: str, tmp_path: Path) -> None:
    children = [
        in_writes(b"begin " + RAW + b" end\n", 5, 80),
        hex_script(b"begin ", RAW[:4], 80, RAW[4:20], 80, RAW[20:], b" end\n"),
        hex_script(b"begin ", RAW[:2], 80, RAW[2:3], 80, RAW[3:], b" end\n"),
    ]
    found = shown(tmp_path, on, *children)
    check(found, forbidden=(RAW, RAW[:4], RAW[4:8], RAW[-4:]))
    for name in "abc":
        data = found[f"lines, {name}.log"]
        assert data.startswith(b"begin ")
        assert data.endswith(b"*** end\n")
        assert RAW[:3].startswith(data[6:-8])


@both
def test_T65_a_secret_over_the_ends_of_records(on: str, tmp_path: Path) -> None:
    parts = [b"x" * size + RAW for size in (65520, 65536 - len(RAW) - 3, 8190, 32760, 100_000, 1)]
    data = b"".join(parts) + b"\n" + RAW + b"\n"
    path = tmp_path / "data"
    path.write_bytes(data)
    check(shown(tmp_path, on, f"cat {path}"), data.replace(RAW, b"***"))


def test_T65_a_secret_in_base64_and_other_encodings(tmp_path: Path) -> None:
    encoded = [base64.b64encode(b"y" * before + RAW + b"zz") for before in range(4)]
    encoded += [base64.urlsafe_b64encode(b"y" * before + RAW + b"zz") for before in range(4)]
    plain = [b"correct-Horse%2F42%2Bbattery%20staple", b"correct-Horse%2f42%2bbattery+staple"]
    plain.append(b'"correct-Horse\\/42+battery staple"')
    data = b"\n".join(encoded + plain) + b"\n"
    found = shown(tmp_path, "--pipe", in_writes(data, 23))
    inner = [base64.b64encode(b"y" * before + RAW)[4:-4] for before in range(3)]
    check(found, forbidden=(*inner, *plain))
    lines = found["lines, a.log"].splitlines()
    assert all(b"***" in line for line in lines)
    assert max(map(len, lines[:8])) < 20, "only what other bytes have a part in is left"


@both
def test_T65_a_held_tail_is_shown_while_the_child_waits(on: str, tmp_path: Path) -> None:
    child = hex_script(b"who? co", 60_000)
    secrets = tmp_path / "secrets"
    secrets.write_text(SECRET)
    with Running(on, "--output", "jsonl", "--mask-file", str(secrets), child) as run:
        run.read_until(b'co"')  # at once with what stands before it, or after it
        run.process.terminate()
        result = run.finish()
    assert result.status == 143


def test_T65_split_errors_and_what_is_written_of_commands(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text(f"\n{SECRET}\n\nanother one\r\n")
    line = "printf 'corr'; printf 'anoth' >&2; sleep 0.01; printf 'ect-Horse/42+battery staple'; printf 'er one' >&2"
    result = axiom(
        *("--stderr", "split", "--mask-file", str(secrets), "--summary", str(tmp_path / "s")),
        *("--joblog", str(tmp_path / "j"), "--files", str(tmp_path / "f")),
        *(line, f"no-such-program-x '{SECRET}'"),
    )
    assert (tmp_path / "f" / "printf.log").read_bytes() == b"***"
    assert (tmp_path / "f" / "printf.err").read_bytes() == b"***"
    assert "no-such-program-x '***'" in (tmp_path / "s").read_text()
    assert "no-such-program-x '***'\n" in (tmp_path / "j").read_text()
    for text in (
        result.stdout.decode(),
        result.stderr,
        (tmp_path / "s").read_text(),
        (tmp_path / "j").read_text(),
    ):
        assert SECRET not in text


def test_T65_a_secret_as_argument_is_in_no_name(tmp_path: Path) -> None:
    result = axiom(
        *("--mask-env", "THE_SECRET", "--summary", str(tmp_path / "s"), "--joblog", str(tmp_path / "j")),
        *("--files", str(tmp_path / "f"), "echo {}; exit 1", ":::", SECRET, SECRET, "other"),
        env={"THE_SECRET": SECRET},
    )
    names = [child["name"] for child in json.loads((tmp_path / "s").read_text())["children"]]
    assert names == ["***", "***-2", "other"]
    assert sorted(result.stdout.splitlines()) == [b"[***-2] ***", b"[***] ***", b"[other] other"]
    everything = (
        result.stderr + (tmp_path / "j").read_text() + "".join(p.name for p in (tmp_path / "f").iterdir())
    )
    assert "Horse" not in everything
    assert len([*(tmp_path / "f").iterdir()]) == 3


def test_of_a_stray_whose_command_line_is_cut_no_part_is_shown(tmp_path: Path) -> None:
    long = "x" * (200 - len("sh -c sleep 30; : ") - 9)
    result = axiom(
        *("--mask-env", "THE_SECRET", "--summary", str(tmp_path / "s")),
        f"setsid sh -c 'sleep 30; :' '{long}{SECRET}' & sleep 0.3",
        env={"THE_SECRET": SECRET},
    )
    for text in (result.stderr, (tmp_path / "s").read_text()):
        assert "left behind" in text or "escaped" in text
        assert SECRET[:4] not in text


def test_a_journal_s_header(tmp_path: Path) -> None:
    where = tmp_path / SECRET
    where.mkdir(parents=True)
    (tmp_path / "t.toml").write_text(
        f"[tasks.a]\ncommand = ['echo', '{SECRET}']\ncwd = '{where}'\nready = '{SECRET}'\n"
        f"env = {{ K = '{SECRET}' }}\n"
    )
    journal = tmp_path / "journal"
    options = ("--journal", str(journal), "--mask-env", "THE_SECRET", "-f", str(tmp_path / "t.toml"))
    assert axiom(*options, env={"THE_SECRET": SECRET}).stdout == b"[a] ***\n"
    for segment in journal.iterdir():
        assert RAW not in segment.read_bytes()
    assert "a secret was taken out" not in axiom("--resume", str(journal)).stderr  # it has succeeded

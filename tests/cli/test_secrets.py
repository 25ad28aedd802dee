"""Where secrets come from, and what is refused: never with the secret itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from axiom_trio.cli.options import RunOptions, parse
from axiom_trio.cli.tasks import UsageError

ENVIRONMENT = {
    "TOKEN": "hunter2-hunter3",
    "KEY": "the first line\nand the second",
    "PIN": "9183",
    "EMPTY": "",
}


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def secrets(*words: str) -> list[str]:
    options = parse(["run", *words], ENVIRONMENT)
    assert isinstance(options, RunOptions)
    return [*options.secrets]


def refused(*words: str) -> str:
    with pytest.raises(UsageError) as caught:
        secrets(*words)
    sentence = str(caught.value)
    assert not any(value in sentence for value in ENVIRONMENT.values() if value)
    return sentence.removeprefix("axiom-trio run: ")


def test_from_variables_and_a_file(directory: Path) -> None:
    assert secrets("x") == []
    assert secrets("--mask-env", "TOKEN, KEY,", "x") == ["hunter2-hunter3", "the first line\nand the second"]
    assert secrets("--mask-env", "TOKEN", "--mask-env", "KEY", "x") == secrets("--mask-env", "TOKEN,KEY", "x")
    Path("file").write_bytes(b"\xef\xbb\xbfone secret\r\n\n   \nanother\xff\n")
    assert secrets("--mask-file", "file", "x") == ["one secret\r", "another\udcff"]
    assert secrets("--mask-file", "file", "--mask-env=TOKEN", "x")[0] == "hunter2-hunter3"


def test_in_a_toml_file(directory: Path) -> None:
    Path("axiom.toml").write_text(
        "[run]\nmask-env = ['TOKEN', 'OWN']\nmask-file = 'file'\n"
        "[tasks.a]\ncommand = 'x'\nenv = {OWN = 'of a task', TOKEN = 'another one'}\n"
    )
    Path("file").write_text("in the file")
    assert secrets() == ["another one", "hunter2-hunter3", "of a task", "in the file"]
    assert secrets("-f", "axiom.toml", "--mask-env", "KEY")[:-1] == ["the first line\nand the second"]


def test_what_cannot_be_masked_is_refused() -> None:
    assert refused("--mask-env", "NO", "x") == (
        "--mask-env: the variable NO is not set; set it, or leave it out"
    )
    short = "can't be masked: a secret is shorter than 6 characters, too short to be masked"
    assert refused("--mask-env", "TOKEN,PIN", "x") == f"--mask-env: the value of PIN {short}"
    assert refused("--mask-env", "EMPTY", "x") == f"--mask-env: the value of EMPTY {short}"
    Path("file").write_text("long enough\n\n9183\n")
    assert refused("--mask-file", "file", "x") == f"--mask-file: line 3 of file {short}"
    assert refused("--mask-file", "nix", "x") == "--mask-file: cannot read nix: No such file or directory"
    assert refused("--mask-file", ".", "x") == "--mask-file: cannot read .: Is a directory"
    assert refused("--mask-file", "", "x") == "--mask-file: '' is no file name"

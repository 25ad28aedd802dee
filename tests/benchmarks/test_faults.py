"""The faults' harness: a tool that hangs is noticed and ended with all it has started, and results are told apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.faultcases import CASES
from benchmarks.faultrun import HungError, Tool, Trial
from benchmarks.faults import attempt, markdown


@dataclass(frozen=True)
class Made(Tool):
    """A tool made of a shell script that is given the names."""

    text: str = ""

    def find(self) -> str:
        return "sh"

    @property
    def version(self) -> str:
        return "1"


def made(text: str) -> Made:
    def words(path: str, names: list[str], folder: Path) -> list[str]:
        return [path, "-c", text, "sh", *names]

    return Made("made", words, r"\[NAME\] ", text=text)


CAT = 'for n; do ./$n | sed "s/^/[$n] /" & done; wait'
AWK = """for n; do ./$n | awk -v n=$n '{ print "[" n "] " $0 }' & done; wait"""
BY_ID = {case.id: case for case in CASES}


def test_a_tool_that_hangs_is_ended_with_all_that_it_left() -> None:
    with Trial(made("setsid sleep 1000 & sleep 1000 & echo hi; wait"), 0.5) as trial:
        trial.start({})
        with pytest.raises(HungError):
            trial.finish()
        assert trial.output == b"hi\n"
        assert len(trial.living()) >= 2
    assert not trial.living()  # and the fixture looks, too


@pytest.mark.parametrize(
    ("case", "text", "words"),
    [
        ("T30", AWK, "6 of 6 whole"),
        ("T30", CAT, "torn or glued"),
        ("T31", CAT, "80 of 80 whole"),
        ("T32", CAT, "bytes exact"),
        ("T62", CAT + " 7</dev/null", "0,1,2"),
        ("T24", f"({CAT}) | head -500", "lost"),
        ("T17", "./a; true", "1 survivor"),
        ("T42", "trap '' PIPE; ./a", "ignored"),
        ("T06", "(./a & ./b; wait) > /dev/null", "exit 0, silent"),
        ("T34", CAT, "19 of 19 reach the terminal"),
    ],
)
def test_what_is_said(case: str, text: str, words: str) -> None:
    said = attempt(BY_ID[case], made(text), 10)
    assert words in said


def test_the_table() -> None:
    tool = made("")
    text = markdown({"T30": {"made": "6 | 6"}}, [tool], "python -m x", ["parallel"])
    assert "| T30 | 3 children end in the middle of a line | 6 of 6 whole | 6 \\| 6 |" in text
    assert "Not found: parallel (apt-get install parallel)" in text

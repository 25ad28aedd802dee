"""Plans: their bounds, what a planner may answer, and who may ask for children."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.spawn.plan import (
    LONGEST_PROMPT,
    MARKER,
    Nonce,
    PlanError,
    Subtask,
    make_plan,
    planner_prompt,
    read_plan,
    read_request,
    step_prompt,
)

NONCE = Nonce("abc1", "def2")


def test_what_is_spawned_by_default() -> None:
    plan = make_plan("do it")
    assert (plan.pattern, plan.subtasks, plan.max_depth) == ("parallel", (Subtask("do it"),) * 3, 3)
    assert make_plan("do it", "sequential", count=2).subtasks == (Subtask("do it"),) * 2
    assert make_plan("do it", "recursive", count=7).subtasks == (Subtask("do it"),)
    assert make_plan("do it", "decompose").subtasks == ()
    two = (Subtask("a"), Subtask("b", "bee"))
    assert make_plan("do it", subtasks=two).count == 2
    assert make_plan("do it", "recursive", subtasks=two).count == 3
    assert make_plan("do it", "decompose", subtasks=two, count=3).count == 3


@pytest.mark.parametrize("count", [1, 10])
@pytest.mark.parametrize("depth", [1, 5])
def test_bounds_that_are_allowed(count: int, depth: int) -> None:
    plan = make_plan("x", "recursive", count=count, max_depth=depth)
    assert (plan.count, plan.max_depth) == (count, depth)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"count": 0}, "spawnCount is 0: it must be from 1 to 10"),
        ({"count": 11}, "spawnCount is 11: it must be from 1 to 10"),
        ({"max_depth": 0}, "maxDepth is 0: it must be from 1 to 5"),
        ({"max_depth": 6}, "maxDepth is 6: it must be from 1 to 5"),
        (
            {"pattern": "paralel"},
            "there is no pattern 'paralel'; it must be parallel, sequential, decompose, recursive",
        ),
        ({"prompt": " \n"}, "the prompt is empty: say what is to be done"),
        ({"prompt": "a\0"}, "the prompt has a NUL character in it"),
        (
            {"prompt": "a" * (LONGEST_PROMPT + 1)},
            "the prompt is 100,001 characters long: at most 100,000 are allowed",
        ),
        ({"subtasks": [Subtask("a"), Subtask("")]}, "subtask 2 is empty: say what is to be done"),
        ({"subtasks": [Subtask("a")] * 11}, "there are 11 subtasks: at most 10 are allowed"),
        (
            {"subtasks": [Subtask("a")] * 2, "count": 3},
            "spawnCount is 3, but there are 2 subtasks: leave it out",
        ),
    ],
)
def test_what_can_not_be_is_said_in_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PlanError) as raised:
        make_plan(**{"prompt": "x", **options})
    assert str(raised.value) == sentence


def test_a_prompt_may_be_of_bytes_that_are_no_text() -> None:
    prompt = os.fsdecode(b"caf\xe9")
    assert make_plan(prompt).prompt == prompt


def test_a_plan_is_read_as_it_was_written() -> None:
    plan = make_plan("x", subtasks=[Subtask("a", "one"), Subtask("b")])
    assert read_plan(json.dumps(plan.document())) == plan.subtasks


@pytest.mark.parametrize(
    "answer",
    [
        '["a", "b"]',
        '{"subtasks": ["a", {"prompt": "b"}]}',
        '{"tasks": [{"task": "a"}, "b"]}',
        'Sure! Here is the plan [1] {it is good}:\n```json\n{"subtasks": ["a", "b"]}\n```\nGood luck {you}!',
        'First I thought {"subtasks": ["no"]}\nbut this is better:\n[\n "a",\n "b"\n]\n',
        'The plan: {"subtasks": ["a", "b"]}.',
    ],
)
def test_plans_that_are_understood(answer: str) -> None:
    assert [task.prompt for task in read_plan(answer)] == ["a", "b"]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("", "no plan in it"),
        ("I can't.", "no plan in it"),
        ("[", "no plan in it"),
        ("[" * 100_000, "no plan in it"),
        ('{"a": 1}', "no plan in it"),
        ("[]", "no subtasks in it"),
        ('["a", 7]', "subtask 2 has no prompt"),
        (r'["a", "b \ud83d"]', r"half a character in it: U\+D83D without"),
        ('[{"prompt": ""}]', "subtask 1 is empty"),
        ('[{"prompt": "a", "name": 7}]', "subtask 1 has a name that is no string"),
        (json.dumps(["a"] * 5), "there are 5 subtasks in it: at most 4 are allowed"),
    ],
)
def test_bad_plans_say_why(answer: str, sentence: str) -> None:
    with pytest.raises(PlanError, match=sentence):
        read_plan(answer, 4)


@given(st.text() | st.text('[]{}",: \n`a1'))
def test_no_answer_raises_anything_else(answer: str) -> None:
    try:
        tasks = read_plan(answer)
    except PlanError:
        return
    assert all(task.prompt.strip() for task in tasks)


def test_names_are_harmless() -> None:
    assert read_plan('[{"prompt": "a", "name": " a\\nb\\u001b[2J "}]') == (Subtask("a", "a b^[[2J"),)
    assert read_plan('[{"prompt": "a", "name": "\\n"}]') == (Subtask("a"),)
    [task] = read_plan(json.dumps([{"prompt": "a", "name": "n" * 999}]))
    assert task.name == "n" * 40


def request(nonce: str = NONCE.word, **more: Any) -> bytes:
    return f"{MARKER} {json.dumps({'nonce': nonce, 'tasks': ['a', 'b'], **more})}".encode()


@pytest.mark.parametrize(
    "line",
    [request(), b"  " + request() + b"\r", b"`" + request() + b"`", b"\x1b[1m" + request() + b"\x1b[0m"],
)
def test_a_child_asks_for_children(line: bytes) -> None:
    assert read_request(line, NONCE, 2) == (Subtask("a"), Subtask("b"))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nothing",
        request(""),
        request("abc1"),
        request("abc1 def2"),
        request("0" * 8),
        b"he said: " + request(),
        b'> "' + request(),
        request()[:-1],
        MARKER.encode(),
        MARKER.encode() + b" [1]",
        MARKER.encode() + b" " + b"[" * 50_000,
        MARKER.encode() + b" " + b'{"a":' * 40_000,
        request() + b" " * 300_000,
    ],
)
def test_who_does_not_know_the_nonce_or_the_form_asks_for_nothing(line: bytes) -> None:
    assert read_request(line, NONCE, 2) is None


def test_what_the_child_is_told_asks_for_nothing_when_it_is_shown_again() -> None:
    told = NONCE.instructions(3, 2)
    assert NONCE.word not in told
    assert all(read_request(line.encode(), NONCE, 3) is None for line in told.split("\n"))
    assert "abc1 and def2" in told
    assert "up to 3" in told
    assert "children of their own" in told
    assert "children of their own" not in NONCE.instructions(3, 1)


@pytest.mark.parametrize(
    ("tasks", "sentence"),
    [("a", "no list of tasks"), ([], "no subtasks"), (["a"] * 3, "at most 2"), ([""], "subtask 1 is empty")],
)
def test_a_request_that_can_not_be_is_told_of(tasks: Any, sentence: str) -> None:
    with pytest.raises(PlanError, match=sentence):
        read_request(request(tasks=tasks), NONCE, 2)


def test_long_answers_do_not_take_for_ever() -> None:
    with pytest.raises(PlanError):
        read_plan("[{" * 30_000)
    assert read_request(MARKER.encode() + b" {" * 100_000, NONCE, 2) is None


def test_prompts_of_planners_and_steps() -> None:
    told = planner_prompt("build it", 4)
    with pytest.raises(PlanError, match="there is no plan in it"):
        read_plan(told)  # repeated, it is none
    assert "at most 4" in told
    assert told.endswith("The task:\nbuild it")
    assert "could not be used: too long" in planner_prompt("build it", 4, "too long")
    plan = make_plan("all", "sequential", subtasks=[Subtask("one"), Subtask("all")])
    assert (
        step_prompt(plan, 0, None) == "one\n\nThis is a part of the following task; do only your part:\nall"
    )
    assert step_prompt(plan, 1, "ended.") == "all\n\nThis is step 2 of 2. The step before it ended."

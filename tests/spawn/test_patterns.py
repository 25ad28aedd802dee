"""The patterns, with children that follow a script, on a clock of their own."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock

from axiom_trio import Exit, Started, open_aggregator
from axiom_trio.spawn.patterns import Spawner, Work
from axiom_trio.spawn.plan import MARKER, PlanError, Subtask, make_plan
from axiom_trio.testing import Forever, MemorySink, Pause, ScriptedExecutor, Send

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from axiom_trio import Child, StreamAggregator, TaskMetadata

    Script = Callable[[Work], Iterable[Any]]


class Stage:
    """A plan that is run: what was asked for, and what became of it."""

    def __init__(self, aggregator: StreamAggregator, plan: Any, script: Script, **options: Any) -> None:
        self.aggregator = aggregator
        self.works: list[Work] = []
        self.notices: list[str] = []
        self.begun: list[float] = []
        self._script = script
        self.spawner = Spawner(aggregator, plan, self._start, notice=self.notices.append, **options)

    def _start(self, work: Work) -> Child:
        self.works.append(work)
        self.begun.append(trio.current_time())
        executor = ScriptedExecutor(self._script(work), signals="obey")
        return self.aggregator.start_soon(executor, name=work.name, metadata=work.metadata)

    @property
    def names(self) -> list[str]:
        return [work.name for work in self.works]

    @property
    def told(self) -> list[TaskMetadata]:
        return [work.metadata for work in self.works]


def play(
    plan: Any, script: Script, *, during: Callable[[Stage], Awaitable[None]] | None = None, **options: Any
) -> Stage:
    """Run it to the end, at once."""
    sink = MemorySink()

    async def main() -> Stage:
        with trio.fail_after(10_000):
            async with open_aggregator([sink]) as aggregator, trio.open_nursery() as nursery:
                stage = Stage(aggregator, plan, script, **options)
                if during is not None:
                    nursery.start_soon(during, stage)
                await stage.spawner.run()
                assert all(child.completed for child in stage.spawner.children)
        assert [e.metadata for e in sorted(sink.of_type(Started), key=lambda e: e.index)] == stage.told
        return stage

    return trio.run(main, clock=MockClock(autojump_threshold=0))


def says(text: str, *more: Any) -> list[Any]:
    return [Send(text.encode() + b"\n"), *more]


def quiet(_work: Work) -> list[Any]:
    return says("done")


# --- parallel


def test_parallel_children_run_at_the_same_time() -> None:
    stage = play(make_plan("do it", count=4), lambda work: [Pause(5)], label="claude")
    assert stage.names == ["claude-1", "claude-2", "claude-3", "claude-4"]
    assert [work.prompt for work in stage.works] == ["do it"] * 4
    assert len(set(stage.begun)) == 1
    assert [(m.index, m.depth, m.pattern, m.parent, m.prompt) for m in stage.told] == [
        (index, 0, "parallel", None, "do it") for index in range(4)
    ]


def test_subtasks_have_their_own_prompts_and_names() -> None:
    tasks = [Subtask("a", "api"), Subtask("b"), Subtask("c", "api")]
    stage = play(make_plan("all", subtasks=tasks), quiet)
    assert stage.names == ["api", "agent-2", "api-2"]
    assert [work.prompt for work in stage.works] == ["a", "b", "c"]
    assert play(make_plan("one", count=1), quiet).names == ["agent"]


def test_a_failure_of_one_is_nothing_to_the_others() -> None:
    stage = play(make_plan("x", count=3), lambda work: [Exit(1)] if work.name == "agent-1" else [Pause(5)])
    assert [child.completed.ok for child in stage.spawner.children] == [False, True, True]


# --- sequential


def test_each_step_sees_how_the_one_before_ended() -> None:
    tasks = [Subtask("first"), Subtask("second"), Subtask("third")]
    stage = play(
        make_plan("all", "sequential", subtasks=tasks), lambda work: [Pause(5), *says(f"{work.name} is done")]
    )
    one, two, three = (work.prompt for work in stage.works)
    assert one.startswith("first\n")
    assert "step before" not in one
    assert "step 2 of 3. The step before it has succeeded." in two
    assert "<<<\nagent-1 is done\n>>>" in two
    assert "<<<\nagent-2 is done\n>>>" in three
    assert "agent-1" not in three
    assert stage.begun[0] < stage.begun[1] < stage.begun[2]
    assert [m.prompt for m in stage.told] == ["first", "second", "third"]


def test_a_sequence_stops_at_a_failure_unless_told_otherwise() -> None:
    plan = make_plan("x", "sequential", count=3)

    def script(work: Work) -> list[Any]:
        return says("no way", Exit(3)) if work.metadata.index == 0 else says("fine")

    stage = play(plan, script)
    assert stage.names == ["agent-1"]
    assert stage.notices == ["step 1 of 3 did not succeed: 2 more are not started"]
    stage = play(plan, script, keep_going=True)
    assert stage.names == ["agent-1", "agent-2", "agent-3"]
    assert "has failed (exit 3)" in stage.works[1].prompt
    assert "<<<\nno way\n>>>" in stage.works[1].prompt


def test_a_sequence_that_is_stopped_goes_no_further() -> None:
    async def stop(stage: Stage) -> None:
        await trio.sleep(1)
        stage.aggregator.stop()

    plan = make_plan("x", "sequential", count=3)
    stage = play(plan, lambda work: [Forever()], during=stop, keep_going=True)
    assert stage.names == ["agent-1"]
    assert play(plan, quiet, may_start=lambda: False).names == []


def test_the_next_step_is_told_the_end_of_a_long_answer() -> None:
    def script(work: Work) -> list[Any]:
        return says("\n".join(f"line {n:05}" for n in range(5000)))

    stage = play(make_plan("x", "sequential", count=2), script)
    assert "line 04999\n>>>" in stage.works[1].prompt
    assert len(stage.works[1].prompt) < 5000


# --- decompose


def planner(*answers: str) -> Script:
    left = [*answers]

    def script(work: Work) -> list[Any]:
        return says(left.pop(0)) if work.name.startswith("plan") else says("done")

    return script


PLAN = json.dumps({"subtasks": [{"name": "api", "prompt": "build it"}, "test it"]})


def test_a_planner_says_what_the_children_do() -> None:
    stage = play(make_plan("all of it", "decompose", count=4), planner(PLAN))
    assert stage.names == ["plan", "api", "agent-2"]
    assert "at most 4 subtasks" in stage.works[0].prompt
    assert stage.works[0].prompt.endswith("all of it")
    assert [work.prompt for work in stage.works[1:]] == ["build it", "test it"]
    first = stage.spawner.children[0]
    assert [(m.depth, m.index, m.parent) for m in stage.told] == [
        (0, None, None),
        (1, 0, first.id),
        (1, 1, first.id),
    ]
    assert [task.prompt for task in stage.spawner.plan.subtasks] == ["build it", "test it"]


def test_a_bad_plan_is_told_and_tried_once_more() -> None:
    stage = play(make_plan("x", "decompose", count=3), planner("I would rather not.", PLAN))
    assert stage.names == ["plan", "plan-2", "api", "agent-2"]
    [notice] = stage.notices
    assert notice.startswith("the plan can't be used, so another is asked for: there is no plan in it")
    assert "could not be used: there is no plan in it" in stage.works[1].prompt


@pytest.mark.parametrize(
    ("script", "sentence", "asked"),
    [
        (planner("[]", json.dumps(["a"] * 4)), "there is no plan: there are 4 subtasks in it: at most 3", 2),
        (lambda work: says(PLAN, Exit(2)), "plan has failed: exit 2", 1),
    ],
)
def test_without_a_plan_nothing_is_started(script: Script, sentence: str, asked: int) -> None:
    started: list[Work] = []

    def counted(work: Work) -> Iterable[Any]:
        started.append(work)
        return script(work)

    with pytest.RaisesGroup(
        pytest.RaisesExc(PlanError, match=sentence), flatten_subgroups=True, allow_unwrapped=True
    ):
        play(make_plan("x", "decompose", count=3), counted)
    assert len(started) == asked


@pytest.mark.parametrize(
    "answer", [PLAN, ["build it", Subtask("test it", "t")], (Subtask("a"), Subtask("b"))]
)
def test_a_planner_may_be_a_function(answer: Any) -> None:
    async def plan(prompt: str, most: int) -> Any:
        assert (most, "at most 2" in prompt) == (2, True)
        return answer

    stage = play(make_plan("x", "decompose", count=2), quiet, planner=plan)
    assert len(stage.works) == 2
    assert all(m.depth == 0 and m.parent is None for m in stage.told)


def test_a_plan_that_is_given_needs_no_planner() -> None:
    assert play(make_plan("x", "decompose", subtasks=[Subtask("a")]), quiet).names == ["agent"]


# --- recursive


def asks(work: Work, *tasks: str, **more: Any) -> str:
    found = re.search(r"the two words (\w+) and (\w+)", work.prompt)
    nonce = "".join(found.groups()) if found else "none"
    return f"{MARKER} {json.dumps({'nonce': nonce, 'tasks': [*tasks], **more})}"


def family(requests: dict[str, list[str]], **more: Any) -> Script:
    """A script in which those with these prompts ask for these."""

    def script(work: Work) -> list[Any]:
        tasks = requests.get(work.metadata.prompt)
        return [*(says(asks(work, *tasks)) if tasks else []), Pause(1), *says("done")]

    return script


def test_children_ask_for_children() -> None:
    stage = play(make_plan("top", "recursive"), family({"top": ["a", "b"], "b": ["c"]}))
    assert stage.names == ["agent", "agent.1", "agent.2", "agent.2.1"]
    ids = {child.name: child.id for child in stage.spawner.children}
    assert [(m.prompt, m.index, m.depth, m.parent) for m in stage.told] == [
        ("top", 0, 0, None),
        ("a", 0, 1, ids["agent"]),
        ("b", 1, 1, ids["agent"]),
        ("c", 0, 2, ids["agent.2"]),
    ]
    assert all(m.pattern == "recursive" for m in stage.told)
    assert stage.notices == ["agent asks for 2: 1, 2", "agent.2 asks for 1: 1"]


def test_depth_is_bounded() -> None:
    def script(work: Work) -> list[Any]:
        return says(asks(work, "more"))

    for depth in (1, 2, 5):
        stage = play(make_plan("top", "recursive", max_depth=depth), script)
        assert len(stage.names) == depth
        assert MARKER not in stage.works[-1].prompt


def test_the_number_of_one_parents_children_is_bounded() -> None:
    def script(work: Work) -> list[Any]:
        if work.metadata.depth:
            return says("done")
        return [*says(asks(work, "a", "b", "c")), *says(asks(work, "a", "b")), *says(asks(work, "c", "d"))]

    stage = play(make_plan("top", "recursive", count=2), script)
    assert stage.names == ["agent", "agent.1", "agent.2"]
    assert stage.notices == [
        "agent asks for children, and gets none: there are 3 subtasks in it: at most 2 are allowed",
        "agent asks for 2: 1, 2",
        "agent asks for children, and gets none: it has had 2, and may have 2",
    ]


def test_the_total_is_bounded() -> None:
    def script(work: Work) -> list[Any]:
        return says(asks(work, *(f"{work.name} {n}" for n in range(10))))

    stage = play(make_plan("top", "recursive", count=10, max_depth=5), script)
    assert len(stage.works) == 41  # 10 more would be 51
    assert "are all that may be" in stage.notices[-1]


def test_text_that_is_quoted_spawns_nothing() -> None:
    requests: list[str] = []

    def script(work: Work) -> list[Any]:
        lines = work.prompt.split("\n")
        if work.metadata.depth == 0:
            requests.append(asks(work, "a"))
            return [*says(requests[0]), Pause(1), *(Send(line.encode() + b"\n") for line in lines)]
        # It knows its parent's request, and repeats all that it was told.
        return [Send(line.encode() + b"\n") for line in [*requests, *lines]]

    assert play(make_plan("top", "recursive"), script).names == ["agent", "agent.1"]


def test_a_request_that_is_said_again_is_the_same() -> None:
    def script(work: Work) -> list[Any]:
        if work.metadata.depth:
            return []
        request = asks(work, "a").encode()
        return [
            Send(request[:20]),
            Pause(1),
            Send(request[20:] + b"\r\n" + request),
            Pause(1),
            Send(b"\n" + request),
        ]

    stage = play(make_plan("top", "recursive"), script)
    assert stage.names == ["agent", "agent.1"]


def test_errors_and_endless_lines_ask_for_nothing() -> None:
    def script(work: Work) -> list[Any]:
        request = asks(work, "a").encode()
        return [Send(request + b"\n", "error"), *[Send(b"x" * 60_000)] * 20, Send(request + b"\n")]

    assert play(make_plan("top", "recursive"), script).names == ["agent"]


def test_who_is_being_stopped_gets_no_children() -> None:
    async def stop(stage: Stage) -> None:
        await trio.sleep(1)
        stage.aggregator.stop()

    def start(work: Work) -> list[Any]:
        return [Forever()]

    class Stubborn(Stage):
        def _start(self, work: Work) -> Child:
            self.works.append(work)
            goodbye = asks(work, "a").encode()
            executor = ScriptedExecutor([Forever()], signals="obey", goodbye=goodbye)
            return self.aggregator.start_soon(executor, name=work.name, metadata=work.metadata)

    async def main() -> None:
        with trio.fail_after(10_000):
            async with open_aggregator() as aggregator, trio.open_nursery() as nursery:
                stage = Stubborn(aggregator, make_plan("top", "recursive"), start)
                nursery.start_soon(stop, stage)
                await stage.spawner.run()
        assert stage.names == ["agent"]
        assert stage.notices == ["agent asks for children, and gets none: it is being stopped"]

    trio.run(main, clock=MockClock(autojump_threshold=0))

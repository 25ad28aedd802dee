"""The MCP server as its clients see it: the SDK's own, in both eras."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trio

from axiom_trio.spawn.worktree import Worktrees, open_worktrees
from tests.commands import PATIENCE
from tests.spawn.serving import ERAS, serving, shell, text_of

TOOLS = ["spawn", "status", "output", "send", "interrupt"]


@pytest.fixture(autouse=True, params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_tools_have_closed_schemas_titles_and_descriptions(tmp_path: Path, era: str) -> None:
    import jsonschema

    async with serving(tmp_path, "true {prompt}", era=era) as server:
        tools = (await server.client.list_tools()).tools
        assert [tool.name for tool in tools] == [f"axiom_mcp_{name}" for name in TOOLS]
        for tool in tools:
            assert tool.title
            assert tool.description
            for schema in (tool.input_schema, tool.output_schema):
                assert schema is not None
                jsonschema.Draft202012Validator.check_schema(schema)
                assert schema["type"] == "object"
                for part in parts_of(schema):
                    assert "$ref" not in part
                    if part.get("type") == "object":
                        assert part["additionalProperties"] is False
                    assert "enum" not in part or part["type"] == "string"


def parts_of(schema: Any) -> Any:
    if isinstance(schema, dict):
        yield schema
    for value in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from parts_of(value)


async def test_three_are_spawned_and_waited_for(tmp_path: Path, era: str) -> None:
    async with serving(tmp_path, shell('echo "$0"; exit "${0##* }"'), era=era) as server:
        result = await server.call("spawn", parentPrompt="exit with 0", spawnCount=3)
        assert result["state"] == "completed"
        assert [task["name"] for task in result["tasks"]] == ["agent-1", "agent-2", "agent-3"]
        assert all(task["ok"] and task["tail"] == ["exit with 0"] for task in result["tasks"])
        failed = await server.call("spawn", parentPrompt="exit with 3", spawnCount=2)
        assert failed["state"] == "failed"
        assert {(task["ok"], task["exitCode"]) for task in failed["tasks"]} == {(False, 3)}
        status = await server.call("status")
        assert status["activeCount"] == 0
        assert [spawn["state"] for spawn in status["spawns"]] == ["completed", "failed"]
        assert len(status["tasks"]) == 5


@pytest.mark.parametrize("limit", [1, 7, 5000])
async def test_output_is_polled_to_the_end_and_no_line_is_missing_or_doubled(
    tmp_path: Path, era: str, limit: int
) -> None:
    lines = 40 if limit == 1 else 2000
    script = f'i=0; while [ $i -lt {lines} ]; do echo "$0 $i"; i=$((i+1)); done'
    async with serving(tmp_path, shell(script), era=era) as server:
        result = await server.call("spawn", parentPrompt="line", spawnCount=3, returnImmediately=True)
        assert len(result["tasks"]) == 3
        entries = await server.output(result["spawnId"], cursor=result["cursor"], limit=limit)
        expected = "".join(f"line {number}\n" for number in range(lines))
        for task in result["tasks"]:
            assert text_of(entries, task["taskId"]) == expected
            mine = [e["kind"] for e in entries if e.get("taskId") == task["taskId"]]
            assert mine[0] == "started"
            assert mine[-1] == "completed"
        alone = await server.output(result["tasks"][1]["shortId"], limit=limit)
        assert text_of(alone, result["tasks"][1]["taskId"]) == expected
        assert {e["taskId"] for e in alone} == {result["tasks"][1]["taskId"]}


async def test_a_line_too_long_for_a_page_comes_in_pieces_that_join(tmp_path: Path, era: str) -> None:
    script = "printf 'a€%.0s' $(seq 60000); echo; echo short; printf 'no newline'"
    async with serving(tmp_path, shell(script), era=era) as server:
        result = await server.call("spawn", parentPrompt="x", spawnCount=1, returnImmediately=True)
        task = result["tasks"][0]["taskId"]
        entries = await server.output(task)
        assert text_of(entries, task) == "a€" * 60_000 + "\nshort\nno newline\n"
        assert [e["partial"] for e in entries if e.get("partial")]
        assert max(len(e["text"].encode()) for e in entries) <= 64 * 1024


async def test_a_page_waits_for_what_comes_and_says_when_nothing_does(tmp_path: Path, era: str) -> None:
    (tmp_path / "go").mkdir()
    script = f"echo first; while [ -d {tmp_path}/go ]; do sleep 0.05; done; echo second"
    async with serving(tmp_path, shell(script), era=era) as server:
        result = await server.call("spawn", parentPrompt="x", spawnCount=1, returnImmediately=True)
        task = result["tasks"][0]["taskId"]
        cursor, text = result["cursor"], ""
        with trio.fail_after(PATIENCE):
            while "first" not in text:
                page = await server.call("output", taskId=task, cursor=cursor, waitMs=30_000)
                cursor, text = page["nextCursor"], text + text_of(page["entries"], task)
        page = await server.call("output", taskId=task, cursor=cursor, waitMs=100)
        assert page["entries"] == []
        assert (page["done"], page["more"], page["activeCount"]) == (False, False, 1)
        assert page["nextCursor"] == cursor
        (tmp_path / "go").rmdir()
        assert text_of(await server.output(task, cursor=cursor), task) == "second\n"


async def test_ten_answer_at_once_and_are_read_while_they_run(tmp_path: Path, era: str) -> None:
    (tmp_path / "go").mkdir()
    script = f"echo begun; while [ -d {tmp_path}/go ]; do sleep 0.05; done; echo ended"
    async with serving(tmp_path, shell(script), era=era) as server:
        result = await server.call("spawn", parentPrompt="x", spawnCount=10, returnImmediately=True)
        assert result["state"] == "running"
        assert len({task["taskId"] for task in result["tasks"]}) == 10
        cursor, seen = result["cursor"], 0
        with trio.fail_after(PATIENCE):
            while seen < 10:
                page = await server.call("output", cursor=cursor, waitMs=30_000)
                cursor, seen = page["nextCursor"], seen + page["lines"]
        assert (await server.call("status"))["activeCount"] == 10
        (tmp_path / "go").rmdir()
        rest = await server.output(cursor=cursor)
        assert sorted(e["text"] for e in rest if e["kind"] == "output") == ["ended\n"] * 10


async def test_bad_arguments_get_a_sentence(tmp_path: Path, era: str) -> None:
    async with serving(tmp_path, "true {prompt}", era=era) as server:
        for arguments, wanted in (
            ({}, "axiom_mcp_spawn needs parentPrompt"),
            ({"parentPrompt": ""}, "parentPrompt must be a text"),
            ({"parentPrompt": "  "}, "empty"),
            (
                {"parentPrompt": "x", "spawnCount": 11},
                "spawnCount must be a whole number from 1 to 10, not 11",
            ),
            ({"parentPrompt": "x", "spawnCount": "3"}, 'not "3"'),
            ({"parentPrompt": "x", "maxDepth": 6}, "maxDepth must be a whole number from 1 to 5, not 6"),
            ({"parentPrompt": "x", "spawnPattern": "all"}, "spawnPattern must be one of"),
            ({"parentPrompt": "x", "spawnCont": 3}, "did you mean spawnCount?"),
            ({"parentPrompt": "x", "streamingOptions": {"outputMode": "tv"}}, "streamingOptions.outputMode"),
            ({"parentPrompt": "x", "streamingOptions": {"outputMode": "both"}}, "no page"),
            ({"parentPrompt": "x\0"}, "NUL"),
        ):
            assert wanted in await server.refused("spawn", **arguments)
        assert "no task 'deadbeef'" in await server.refused("status", taskId="deadbeef")
        assert "at least 8 characters" in await server.refused("status", taskId="dead")
        assert "waitMs must be a whole number from 0 to 30000" in await server.refused(
            "output", waitMs=30_001
        )
        assert "there is no cursor" in await server.refused("output", cursor=99 << 20)
        assert "needs text" in await server.refused("send", taskId="deadbeef")
        assert (await server.call("status"))["tasks"] == []
        with pytest.raises(Exception, match=r"there is no tool 'nope'; there are axiom_mcp_spawn, "):
            await server.client.call_tool("nope", {})


async def test_null_counts_as_not_given(tmp_path: Path, era: str) -> None:
    async with serving(tmp_path, "true {prompt}", era=era) as server:
        options = {"outputMode": "console", "prefixLength": None}
        result = await server.call("spawn", parentPrompt="x", spawnCount=None, streamingOptions=options)
        assert len(result["tasks"]) == 3


async def test_cancelling_a_call_stops_its_tasks(tmp_path: Path, era: str) -> None:
    script = "echo begun; trap 'echo stopped; exit 1' TERM; while :; do sleep 0.05; done"
    async with serving(tmp_path, shell(script), era=era) as server:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: server.call("spawn", parentPrompt="x", spawnCount=2))
            with trio.fail_after(PATIENCE):
                seen = cursor = 0
                while seen < 2:
                    page = await server.call("output", cursor=cursor, waitMs=1000)
                    cursor, seen = page["nextCursor"], seen + page["lines"]
            nursery.cancel_scope.cancel()
        entries = await server.output()
        assert sorted(e["text"] for e in entries if e["kind"] == "output" and "stopped" in e["text"])
        status = await server.call("status")
        assert [spawn["state"] for spawn in status["spawns"]] == ["stopped"]
        assert {task["reason"] for task in status["tasks"]} == {"stopped"}


async def test_progress_is_told_while_a_call_waits(tmp_path: Path, era: str) -> None:
    told: list[tuple[float, str | None]] = []
    (tmp_path / "go").mkdir()

    async def progress(value: float, _total: float | None, message: str | None) -> None:
        told.append((value, message))
        if "working" in (message or "") and (tmp_path / "go").exists():
            (tmp_path / "go").rmdir()

    script = f"printf 'before it\\rworking\\n'; while [ -d {tmp_path}/go ]; do sleep 0.05; done"
    async with serving(tmp_path, shell(script), era=era) as server:
        arguments = {"parentPrompt": "x", "spawnCount": 2}
        with trio.fail_after(PATIENCE):
            await server.client.call_tool("axiom_mcp_spawn", arguments, progress_callback=progress)
    assert any(message and "of 2 run" in message and "] working" in message for _, message in told)
    values = [value for value, _ in told]
    assert values == sorted({*values}), "each is more than the one before"


async def test_one_can_be_sent_to_and_interrupted(tmp_path: Path, era: str) -> None:
    script = (
        "trap 'echo interrupted' INT; printf 'name? '; read -r name; echo \"hello $name\"; "
        "while :; do sleep 0.05; done"
    )
    async with serving(tmp_path, shell(script), era=era, interactive=True) as server:
        result = await server.call("spawn", parentPrompt="x", spawnCount=1, returnImmediately=True)
        short = result["tasks"][0]["shortId"]
        sent = False
        text, cursor = "", 0
        with trio.fail_after(PATIENCE):
            while "interrupted" not in text:
                page = await server.call("output", taskId=short, cursor=cursor, waitMs=1000)
                cursor = page["nextCursor"]
                text += "".join(e["text"] for e in page["entries"])
                if "name?" in text and not sent:
                    sent = True
                    receipt = await server.call("send", taskId=short, text="Ann")
                    assert receipt["state"] in ("confirmed", "queued", "unconfirmed")
                if "hello Ann" in text:
                    told = await server.call("interrupt", taskId=short)
                    assert [*told["interrupted"], *told["stopping"]] == [result["tasks"][0]["taskId"]]
        await server.call("interrupt", taskId=short)
        entries = await server.output(short, cursor=cursor)
        assert entries[-1]["kind"] == "completed"
        assert "ended" in await server.refused("interrupt", taskId=short)
        assert "was not sent it" in await server.refused("send", taskId=short, text="Bob")


async def test_a_spawn_is_interrupted_as_a_whole_and_no_more_of_it_begins(tmp_path: Path, era: str) -> None:
    script = "trap 'exit 1' INT; echo begun; while :; do sleep 0.05; done"
    async with serving(tmp_path, shell(script), era=era) as server:
        result = await server.call(
            "spawn", parentPrompt="x", spawnCount=3, spawnPattern="sequential", returnImmediately=True
        )
        [task] = result["tasks"]
        with trio.fail_after(PATIENCE):
            while not (await server.call("output", taskId=task["taskId"], waitMs=1000))["lines"]:
                pass
        told = await server.call("interrupt", taskId=result["spawnId"])
        assert told == {"interrupted": [task["taskId"]], "stopping": []}
        await server.output(result["spawnId"])
        status = await server.call("status", taskId=result["spawnId"][:8])
        assert [spawn["state"] for spawn in status["spawns"]] == ["stopped"]
        assert len(status["tasks"]) == 1


async def test_a_plan_is_only_told(tmp_path: Path, era: str) -> None:
    script = """echo '{"subtasks": ["one", {"name": "b", "prompt": "two"}]}'"""
    async with serving(tmp_path, shell(script), era=era) as server:
        result = await server.call("spawn", parentPrompt="x", spawnCount=2, autoExecute=False)
        assert (result["state"], result["tasks"]) == ("planned", [])
        assert result["plan"] == [{"prompt": "x"}] * 2
        asked = {"spawnPattern": "decompose", "autoExecute": False}
        result = await server.call("spawn", parentPrompt="x", **asked)
        assert result["plan"] == [{"prompt": "one"}, {"prompt": "two"}]
        assert len(result["tasks"]) == 1, "the planner"
        later = await server.call("spawn", parentPrompt="x", returnImmediately=True, **asked)
        await server.output(later["spawnId"])
        [spawn] = (await server.call("status", taskId=later["spawnId"]))["spawns"]
        assert (spawn["state"], spawn["plan"]) == ("planned", result["plan"])


async def test_decompose_and_a_plan_that_cannot_be(tmp_path: Path, era: str) -> None:
    script = """case $0 in *Divide*) echo '{"subtasks": ["one", "two"]}';; *) echo "did $0";; esac"""
    async with serving(tmp_path, shell(script), era=era) as server:
        result = await server.call("spawn", parentPrompt="x", spawnPattern="decompose")
        assert result["state"] == "completed"
        assert [task["tail"] for task in result["tasks"][1:]] == [["did one"], ["did two"]]
        assert {task["parent"] for task in result["tasks"][1:]} == {result["tasks"][0]["taskId"]}
    (tmp_path / "2").mkdir()
    async with serving(tmp_path / "2", shell("echo I would rather not"), era=era) as server:
        failed = await server.call("spawn", parentPrompt="x", spawnPattern="decompose")
        assert failed["state"] == "failed"
        assert "there is no plan" in failed["error"]
        assert len(failed["tasks"]) == 2, "the planner, asked twice"


async def test_an_agent_that_is_not_there(tmp_path: Path, era: str) -> None:
    async with serving(tmp_path, "no-such-agent-anywhere {prompt}", era=era) as server:
        result = await server.call("spawn", parentPrompt="x", spawnCount=1)
        assert result["state"] == "failed"
        assert "no-such-agent-anywhere" in result["tasks"][0]["error"]
        entries = await server.output()
        assert [e["kind"] for e in entries][-1] == "completed"


async def test_the_url_of_the_page_is_in_the_result(tmp_path: Path, era: str) -> None:
    async def page() -> str:
        return "http://127.0.0.1:1/#token"

    async with serving(tmp_path, "true {prompt}", era=era, page=page) as server:
        options = {"outputMode": "websocket"}
        result = await server.call("spawn", parentPrompt="x", spawnCount=1, streamingOptions=options)
        assert result["url"] == "http://127.0.0.1:1/#token"
        assert "url" not in await server.call("spawn", parentPrompt="x", spawnCount=1)


async def test_verbose_master_mode_writes_merged_lines_to_stderr(tmp_path: Path, era: str) -> None:
    file = tmp_path / "stderr"
    with file.open("wb") as stderr:
        async with serving(tmp_path, shell("echo 1; echo 2 >&2"), era=era, stderr=stderr.fileno()) as server:
            options = {"prefixLength": 5, "includeTimestamps": True}
            result = await server.call(
                "spawn", parentPrompt="do it", spawnCount=2, verboseMasterMode=True, streamingOptions=options
            )
            with trio.fail_after(PATIENCE):
                while b"completed" not in file.read_bytes():  # noqa: ASYNC110 (of a file)
                    await trio.sleep(0.01)
    lines = file.read_text().splitlines()
    short = result["spawnId"][:8]
    assert lines[0] == f"━━ spawn {short}: parallel × 2 ━━ do it"
    assert lines[-1].startswith(f"━━ spawn {short}: completed, 2 tasks, 4 lines, ")
    assert sorted(line.partition(" ")[2] for line in lines[1:-1]) == [
        "[ag…-1] 1",
        "[ag…-1] 2",
        "[ag…-2] 1",
        "[ag…-2] 2",
    ]
    assert all(line.partition(" ")[0].endswith("Z") for line in lines[1:-1])


async def test_lines_on_stderr_are_coloured_and_written_in_pieces_of_the_size_asked_for(
    tmp_path: Path, era: str
) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # a packet is a write
    script = r"printf '\033[31m'; yes red 2>/dev/null | head -n 2000"
    with ours, theirs:
        async with serving(tmp_path, shell(script), era=era, stderr=theirs.fileno()) as server:
            options = {"colorize": True, "bufferSize": 1024, "flushInterval": 10}
            asked = {"parentPrompt": "x", "spawnCount": 1, "verboseMasterMode": True}
            await server.call("spawn", **asked, returnImmediately=True, streamingOptions=options)
            packets: list[bytes] = []
            with trio.fail_after(PATIENCE):
                while not packets or b"completed" not in packets[-1]:
                    await trio.lowlevel.wait_readable(ours)
                    packets.append(ours.recv(1 << 20))
    assert max(map(len, packets)) == 1024
    text = b"".join(packets)
    assert text.count(b"red") == 2000
    assert b"\x1b[31mred" in text
    assert b"\x1b[" in text.partition(b"agent")[0].rpartition(b"\n")[2], "and so is the name"


async def test_all_end_with_the_server(tmp_path: Path, era: str) -> None:
    script = "trap '' TERM; echo begun; sleep 1000"
    async with serving(tmp_path, shell(script), era=era) as server:
        await server.call("spawn", parentPrompt="x", spawnCount=2, returnImmediately=True)
        seen = cursor = 0
        with trio.fail_after(PATIENCE):
            while seen < 2:
                page = await server.call("output", cursor=cursor, waitMs=1000)
                cursor, seen = page["nextCursor"], seen + page["lines"]
    assert {child.completed.reason for child in server.aggregator.children} == {"stopped"}


async def test_a_status_lists_those_that_ended_last_and_short_prompts(tmp_path: Path, era: str) -> None:
    async with serving(tmp_path, "true {prompt}", era=era) as server:
        first = await server.call("spawn", parentPrompt="y" * 100_000, spawnCount=1)
        assert first["tasks"][0]["prompt"] == "y" * 300 + "…"
        for _ in range(6):
            await server.call("spawn", parentPrompt="x", spawnCount=10)
        status = await server.call("status")
        assert len(status["tasks"]) == 50
        assert status["leftOut"] == 11
        assert len(status["spawns"]) == 5
        [task] = (await server.call("status", taskId=first["tasks"][0]["shortId"]))["tasks"]
        assert task["name"] == "agent"
        assert "leftOut" not in await server.call("status", taskId=first["spawnId"])


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    directory = tmp_path / "project"
    directory.mkdir()
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init", "-q"), (*who, "commit", "-q", "--allow-empty", "-m", "begun")):
        subprocess.run(["git", "-C", str(directory), *words], check=True)
    return directory


async def test_worktrees_that_are_kept_are_named(tmp_path: Path, repository: Path, era: str) -> None:
    script = "case $PWD in *agent-1*) echo made > made.txt;; esac; pwd"

    async def worktrees() -> Worktrees:
        return await open_worktrees(str(repository))

    async with serving(tmp_path, shell(script), era=era, worktrees=worktrees) as server:
        result = await server.call("spawn", parentPrompt="x", spawnCount=2)
        first, second = (task["tail"][0] for task in result["tasks"])
        assert first.rpartition("/")[0] == second.rpartition("/")[0] == f"{repository}.worktrees"
        [notice] = result["notices"]
        assert first in notice
        assert "1 changed file" in notice
        assert [path.name for path in repository.with_name("project.worktrees").iterdir()] == [
            first.rpartition("/")[2]
        ]
        assert [spawn["notices"] for spawn in (await server.call("status"))["spawns"]] == [[notice]]


@pytest.mark.parametrize("pattern", ["parallel", "sequential", "decompose", "recursive"])
async def test_one_that_has_no_task_yet_is_interrupted_too(
    tmp_path: Path, repository: Path, era: str, pattern: str
) -> None:
    go_on = trio.Event()

    async def worktrees() -> Worktrees:
        await go_on.wait()
        return await open_worktrees(str(repository))

    async with serving(tmp_path, "sleep 1000{prompt}", era=era, worktrees=worktrees) as server:
        result = await server.call("spawn", parentPrompt="0", spawnPattern=pattern, returnImmediately=True)
        told = await server.call("interrupt", taskId=result["spawnId"])
        assert told == {"interrupted": [], "stopping": []}
        go_on.set()
        assert await server.output(result["spawnId"]) == []
        status = await server.call("status", taskId=result["spawnId"])
        assert [spawn["state"] for spawn in status["spawns"]] == ["stopped"]
        assert status["tasks"] == []
        assert "have ended" in await server.refused("interrupt", taskId=result["spawnId"])


async def test_keys_are_pressed(tmp_path: Path, era: str) -> None:
    script = "stty -icanon -echo; printf 'sure? '; printf 'got <%s>\\n' \"$(dd bs=1 count=2 2>/dev/null)\""
    async with serving(tmp_path, shell(script), era=era, interactive=True) as server:
        result = await server.call("spawn", parentPrompt="x", spawnCount=1, returnImmediately=True)
        task = result["tasks"][0]["taskId"]
        text, cursor = "", 0
        with trio.fail_after(PATIENCE):
            while "sure?" not in text:
                page = await server.call("output", taskId=task, cursor=cursor, waitMs=1000)
                cursor, text = page["nextCursor"], text + text_of(page["entries"], task)
        assert "<Nope>" in await server.refused("send", taskId=task, text="<Nope>", keys=True)
        receipt = await server.call("send", taskId=task, text="y<Tab>", keys=True)
        assert receipt["state"] in ("confirmed", "queued", "unconfirmed")
        assert "got <y\t>" in text_of(await server.output(task, cursor=cursor), task)

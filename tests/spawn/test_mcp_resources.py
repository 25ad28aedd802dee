"""The logs of tasks as resources, and who is told when they grow, in both eras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from tests.commands import PATIENCE
from tests.spawn.serving import ERAS, serving, shell


@pytest.fixture(autouse=True, params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_each_task_has_its_log(tmp_path: Path, era: str) -> None:
    async with serving(tmp_path, shell('echo "$0"; printf "\\033[31mred\\033[0m\\n"'), era=era) as server:
        assert (await server.client.list_resources()).resources == []
        [template] = (await server.client.list_resource_templates()).resource_templates
        assert template.uri_template == "axiom://task/{taskId}/log"
        result = await server.call("spawn", parentPrompt="say it", spawnCount=2)
        resources = (await server.client.list_resources()).resources
        assert [r.uri for r in resources] == [f"axiom://task/{t['taskId']}/log" for t in result["tasks"]]
        short = f"axiom://task/{result['tasks'][1]['shortId']}/log"
        for uri in (resources[0].uri, short):
            [contents] = (await server.client.read_resource(uri)).contents
            assert contents.text == "say it\nred\n"
        for wrong in (
            "axiom://task/deadbeef/log",
            "axiom://nothing",
            f"axiom://task/{result['spawnId']}/log",
        ):
            with pytest.raises(Exception, match=r"there is no |is a spawn"):
                await server.client.read_resource(wrong)


async def test_of_a_long_log_the_end_is_given(tmp_path: Path, era: str) -> None:
    script = "seq -f '%0100g' 20000"
    async with serving(tmp_path, shell(script), era=era) as server:
        result = await server.call("spawn", parentPrompt="x", spawnCount=1)
        [contents] = (
            await server.client.read_resource(f"axiom://task/{result['tasks'][0]['taskId']}/log")
        ).contents
        first, *lines = contents.text.splitlines()
        assert first.startswith("… ")
        assert 1024 * 1024 <= len(contents.text) < 1024 * 1024 + 2 * 64 * 1024 + 100
        assert [int(line) for line in lines] == [*range(20_001 - len(lines), 20_001)]


async def test_pages_of_resources(tmp_path: Path, era: str) -> None:
    async with serving(tmp_path, "true {prompt}", era=era) as server:
        for _ in range(11):
            await server.call("spawn", parentPrompt="x", spawnCount=10)
        first = await server.client.list_resources()
        assert len(first.resources) == 100
        second = await server.client.list_resources(cursor=first.next_cursor)
        assert len(second.resources) == 10
        assert second.next_cursor is None


@pytest.mark.filterwarnings("ignore:resources/.*subscribe is removed")
async def test_who_has_subscribed_is_told_when_a_log_grows(tmp_path: Path, era: str) -> None:
    (tmp_path / "go").mkdir()
    script = f"echo begun; while [ -d {tmp_path}/go ]; do sleep 0.05; done; echo ended"
    told = trio.Event()
    uri = ""

    async def heard(message: Any) -> None:
        if getattr(message, "method", "") == "notifications/resources/updated" and message.params.uri == uri:
            told.set()

    async with serving(tmp_path, shell(script), era=era, heard=heard) as server:
        result = await server.call("spawn", parentPrompt="x", spawnCount=1, returnImmediately=True)
        uri = f"axiom://task/{result['tasks'][0]['taskId']}/log"
        with trio.fail_after(PATIENCE):
            if era == "legacy":
                await server.client.subscribe_resource(uri)
                (tmp_path / "go").rmdir()
                await told.wait()
                await server.client.unsubscribe_resource(uri)
            else:
                async with server.client.listen(resource_subscriptions=[uri]) as subscription:
                    (tmp_path / "go").rmdir()
                    async for event in subscription:
                        if getattr(event, "uri", None) == uri:
                            break

"""A whole day's work of an agent, by the official MCP client: from the first status to the video, with no key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.mcp_client import over_stdio
from tests.e2e.place import Place

pytestmark = pytest.mark.system  # each takes seconds: make e2e

SAMPLE = Path(__file__).parents[2] / "videodb_cli" / "local" / "sample" / "sample.mp4"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path / "events", VIDEODB_LOCAL="1")
    yield found
    found.clean_up()
    assert found.publishers() == []


async def test_a_whole_day(place: Place) -> None:
    place.path.mkdir(mode=0o700, exist_ok=True)
    async with over_stdio(place.path, "--allow-capture", "--local") as client:

        async def call(tool: str, **arguments: Any) -> dict[str, Any]:
            result: Any = await client.call_tool(tool, arguments)
            assert not result.is_error, result.content[0].text
            found = result.structured_content
            assert isinstance(found, dict)
            return found

        assert (await call("status"))["state"] == "stopped"
        channels = await call("capture_channels", source=str(SAMPLE))
        assert [one["id"] for one in channels["displays"]] == ["display:file"]
        began = await call(
            "capture_start",
            source=str(SAMPLE),
            channel=["display:file"],  # without sound no speech model is needed
            index_visuals="What is on screen?",
            alert={"keys": "access keys"},
        )
        assert began["status"] == "active"
        status = await call("status")
        assert status["state"] == "listening"
        assert status["capture"]["session_id"] == began["session_id"]
        cursor: dict[str, str] = {}
        for _ in range(4):
            seen = await call("events_wait", channel=["visual_index"], session="last", timeout_s=50, **cursor)
            if seen["count"]:
                break
            cursor = {"cursor": seen["cursor"]}
        assert seen["count"] >= 1
        words = str(seen["untrusted"]["items"][0]["data"]["text"]).split()
        word = max((word for word in words if word.isalpha()), key=len)
        found = await call("events_search", words=word, session="last")
        assert word.lower() in found["untrusted"]["items"][0]["snippet"].lower()
        summary = await call("events_summary", session="last", budget_tokens=500)
        assert summary["untrusted"]["summary"]["screens"]["count"] >= 1
        ended = await call("capture_stop")
        assert ended["stopped"] is True
        assert ended["exported_video_id"]
        sessions = (await call("sessions"))["untrusted"]["items"]
        assert [one["session"] for one in sessions] == [began["session_id"]]
        assert sessions[0]["player_url"] == ended["player_url"]
        await call("listen_stop")
        assert (await call("status"))["state"] == "stopped"

"""What travels to the background process: all of a request, and no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from videodb_cli.capture.channels import Channel
from videodb_cli.capture.ffmpeg.arguments import Playback, Quality
from videodb_cli.capture.pipelines import PipelineRequest
from videodb_cli.capture.request import CaptureRequest, OpenedSession
from videodb_cli.settings import Credentials, Secret

CHANNEL = Channel("display:file", "display", "film", store=False, details={"track": 0, "duration_s": 4.5})
FULL = CaptureRequest(
    channels=(CHANNEL, Channel("mic:default", "mic", "Built-in", primary=True)),
    recorder="file",
    session_id="cap-1",
    ws_id="ws-1",
    collection="c-1",
    end_user="me",
    metadata={"build": "7"},
    quality=Quality(fps=5.0, size=(640, 360)),
    playback=Playback(Path("/films/a b.mp4"), loop=True, speed=2.0),
    pipelines=PipelineRequest(transcribe=True, visual_prompt="What?", alerts=(("pager", "a pager"),)),
    duration_s=9.5,
)
TOKEN = Credentials(Secret("st-secret"), "http://127.0.0.1:9", "a test", "a test")
KEY = Credentials(Secret("sk-secret"), "http://127.0.0.1:9", "a test", "a test")


def over_the_wire(fields: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(orjson.dumps(fields))
    return found


@pytest.mark.parametrize("request_", [FULL, CaptureRequest(channels=(CHANNEL,), recorder="linux")])
def test_a_request_arrives_unchanged(request_: CaptureRequest) -> None:
    assert CaptureRequest.from_wire(over_the_wire(request_.to_wire())) == request_


def test_a_session_arrives_unchanged_and_its_secrets_go_another_way() -> None:
    opened = OpenedSession("cap-1", "c-1", "ws-1", TOKEN, KEY, listener_started=True, listener_pid=7)
    fields = over_the_wire(opened.to_wire())
    assert "secret" not in str(fields)
    assert OpenedSession.from_wire(fields, TOKEN, KEY) == opened


@pytest.mark.parametrize(
    "fields", [{}, {"channels": 5, "recorder": "file"}, {**FULL.to_wire(), "playback": {"path": 5, "loop": "no"}}]
)
def test_what_is_no_request_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        CaptureRequest.from_wire(fields)
    with pytest.raises(TypeError):
        OpenedSession.from_wire({**fields, "colour": 1}, TOKEN, None)


def test_whether_an_export_is_to_be_expected() -> None:
    assert FULL.is_stored
    assert not CaptureRequest(channels=(CHANNEL,), recorder="file").is_stored

"""Which pipelines are started on which streams, and with which bodies."""

from collections.abc import Mapping
from typing import Any

import pytest

from videodb_cli.api.failures import BadRequestError
from videodb_cli.capture.channels import Channel
from videodb_cli.capture.pipelines import (
    PipelineRequest,
    PipelineState,
    check_request,
    media_of,
    plan,
    start_pipelines,
    stream_of,
)
from videodb_cli.errors import RefusedError, UsageError
from videodb_cli.model.rtstreams import SessionStream

MIC = SessionStream("r-mic", "mic:default", ("audio",))
SYSTEM = SessionStream("r-sys", "system_audio:default", ("audio",))
SCREEN = SessionStream("r-dis", "display:1", ("video",))
ALL = [MIC, SYSTEM, SCREEN]


def kinds(request_: PipelineRequest, streams: list[SessionStream] = ALL) -> list[tuple[str, str]]:
    return [(step.kind, step.stream.id) for step in plan(streams, request_).steps]


def test_each_kind_goes_to_its_media() -> None:
    assert kinds(PipelineRequest(transcribe=True)) == [("transcript", "r-mic"), ("transcript", "r-sys")]
    assert kinds(PipelineRequest(visual_prompt="x")) == [("visual_index", "r-dis")]
    assert kinds(PipelineRequest(audio_prompt="x")) == [("audio_index", "r-mic"), ("audio_index", "r-sys")]


def test_an_alert_gives_every_audio_stream_an_index() -> None:
    request_ = PipelineRequest(visual_prompt="x", alerts=(("a", "b"),))
    assert kinds(request_) == [("audio_index", "r-mic"), ("audio_index", "r-sys"), ("visual_index", "r-dis")]


@pytest.mark.parametrize(
    "request_",
    [PipelineRequest(transcribe=True), PipelineRequest(audio_prompt="x"), PipelineRequest(alerts=(("a", "b"),))],
    ids=["speech", "audio", "alert"],
)
def test_what_no_stream_can_do_is_said(request_: PipelineRequest) -> None:
    assert plan([SCREEN], request_).unmet
    assert not plan(ALL, request_).unmet


def test_what_no_channel_can_give_is_refused_before_a_session_is_made() -> None:
    display = Channel("display:1", "display", "")
    check_request([display], PipelineRequest(visual_prompt="x", alerts=(("a", "b"),)))
    for request_ in (PipelineRequest(transcribe=True), PipelineRequest(alerts=(("a", "b"),))):
        with pytest.raises(UsageError, match="--"):
            check_request([display], request_)
    with pytest.raises(UsageError, match="--index-visuals"):
        check_request([Channel("mic:default", "mic", "")], PipelineRequest(visual_prompt="x"))


def test_a_stream_without_media_types_is_known_by_its_name() -> None:
    assert media_of(SessionStream("r", "screen:2", ())) == {"video"}
    assert media_of(SessionStream("r", "Capture", ())) == {"audio"}


def test_streams_are_matched_by_name_by_category_and_by_being_the_only_one() -> None:
    channels = [Channel("display:2", "display", ""), Channel("mic:usb", "mic", "")]
    titled = {
        "a": SessionStream("a", "Capture mic - cap-1", ("audio",), "mic"),
        "b": SessionStream("b", "x", ("video",)),
    }
    assert stream_of(channels[0], titled, channels) == "b"
    assert stream_of(channels[1], titled, channels) == "a"
    two = [Channel("mic:a", "mic", ""), Channel("mic:b", "mic", "")]
    assert stream_of(two[0], titled, two) is None


class Service:
    """Remembers what it was asked, and refuses on demand."""

    def __init__(self, refuse: str = "") -> None:
        self.asked: list[tuple[Any, ...]] = []
        self._refuse = refuse

    def _ask(self, *what: Any) -> str:
        if what[0] == self._refuse:
            raise BadRequestError("no model")
        self.asked.append(what)
        return f"id-{len(self.asked)}"

    async def start_transcription(self, rtstream_id: str, *, ws_connection_id: str | None = None) -> dict[str, Any]:
        return {"id": self._ask("transcription", rtstream_id, ws_connection_id)}

    async def create_index(self, rtstream_id: str, body: Mapping[str, Any]) -> str:
        return self._ask("index", rtstream_id, dict(body))

    async def create_event(self, prompt: str, label: str) -> str:
        return self._ask("event", prompt, label)

    async def create_alert(self, rtstream_id: str, index_id: str, event_id: str, ws_connection_id: str | None) -> str:
        return self._ask("alert", rtstream_id, index_id, event_id, ws_connection_id)


async def test_every_rule_watches_every_index_with_the_present_id() -> None:
    request_ = PipelineRequest(
        transcribe=True, visual_prompt="what?", visual_window_s=2, frames=4, model="m", alerts=(("a", "x"), ("b", "y"))
    )
    service: Any = Service()
    started = list[PipelineState]()
    await start_pipelines(service, request_, plan(ALL, request_).steps, "ws-9", started.append)
    assert [p.kind for p in started] == ["transcript"] * 2 + ["audio_index"] * 2 + ["visual_index"] + ["alert"] * 6
    assert {p.ws_connection_id for p in started} == {"ws-9"}
    visual = next(asked for asked in service.asked if asked[0] == "index" and asked[1] == "r-dis")[2]
    assert visual["extraction_type"] == "time"
    assert visual["extraction_config"] == {"time": 2, "frame_count": 4}
    assert (visual["prompt"], visual["model_name"], visual["ws_connection_id"]) == ("what?", "m", "ws-9")
    audio = next(asked for asked in service.asked if asked[0] == "index" and asked[1] == "r-mic")[2]
    assert audio["extraction_type"] == "transcript"
    assert sum(asked[0] == "event" for asked in service.asked) == 2


async def test_a_refusal_names_what_was_refused_and_is_not_the_users_mistake() -> None:
    request_ = PipelineRequest(transcribe=True, visual_prompt="x")
    service: Any = Service("index")
    started = list[PipelineState]()
    with pytest.raises(RefusedError, match="visual_index of display:1: no model"):
        await start_pipelines(service, request_, plan(ALL, request_).steps, None, started.append)
    assert len(started) == 2

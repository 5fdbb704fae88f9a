"""The calls of a recovery: what a failure leaves, what is said of it, and what is unknown."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.stream_service import StreamService
from tests.fakes.virtual_time import VirtualTime
from videodb_cli.api.failures import RequestFailedError
from videodb_cli.listener.recovery.client import FAILED, GONE, RecoveryClient, failed_pause_s
from videodb_cli.listener.recovery.gap import RecoveryPolicy
from videodb_cli.listener.recovery.pipeline import Pipeline


class Setting:
    def __init__(self) -> None:
        self.time = VirtualTime()
        self.service = StreamService(self.time)
        self.said: list[tuple[str, str]] = []
        calls: Any = self.service
        self.client = RecoveryClient(calls, lambda *what: self.said.append(what), 5.0, self.time.monotonic)

    def records(self, index_id: str | None = "idx-1", *, is_mentioned: bool = True) -> Any:
        pipeline = Pipeline("rts-1", "visual_index", "visual_index", index_id, 0.0, 0.0, RecoveryPolicy())
        return self.time.run(self.client.records(pipeline, 1e11, lambda: is_mentioned))


@pytest.fixture
def setting() -> Any:
    made = Setting()
    yield made
    made.time.close()


def test_a_failure_is_said_once_and_waits(setting: Setting) -> None:
    setting.service.add_pipeline("rts-1", "visual_index", "idx-1", None)
    setting.service.is_down = True
    assert setting.records() is FAILED
    assert setting.said == [("records of visual_index of rts-1", "the service is down")]
    setting.service.is_down = False
    assert setting.records() is FAILED, "it is not asked again at once"
    assert set(setting.client.failures) == {"records of visual_index of rts-1"}
    setting.time.pass_(5.0)
    assert setting.records() == []
    assert setting.client.failures == {}
    assert len(setting.said) == 1
    setting.client.forget_failures()
    setting.service.is_down = True
    assert setting.records() is FAILED
    assert len(setting.said) == 2


def test_what_fails_for_long_is_told_apart(setting: Setting) -> None:
    setting.service.is_down = True
    setting.records()
    assert setting.client.lasting_failures(60.0) == frozenset()
    setting.time.pass_(60.0)
    setting.records()
    assert setting.client.lasting_failures(60.0) == {"records of visual_index of rts-1"}


def test_the_service_says_when_to_come_back(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any) -> Any:
        raise RequestFailedError("slow down", status=429, retry_after_s=30.0)

    monkeypatch.setattr(setting.service, "scene_records", refuse)
    assert setting.records() is FAILED
    assert setting.client.not_before == setting.time.monotonic() + 30.0


def test_an_answer_that_nobody_thought_of_is_a_failure(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    async def surprise(*_: Any) -> Any:
        raise KeyError("x")

    monkeypatch.setattr(setting.service, "scene_records", surprise)
    assert setting.records() is FAILED
    assert setting.said == [("records of visual_index of rts-1", "KeyError: 'x'")]


def test_what_was_heard_of_and_is_gone_is_unknown(setting: Setting) -> None:
    setting.service.is_strict = True
    assert setting.records(None, is_mentioned=False) is GONE
    assert setting.client.unknown == set()
    assert setting.records() is GONE
    assert setting.client.unknown == {"records of visual_index of rts-1"}
    setting.service.add_pipeline("rts-1", "visual_index", "idx-1", None)
    assert setting.records() == []
    assert setting.client.unknown == set()


def test_a_stream_that_the_service_does_not_list_has_no_index(setting: Setting) -> None:
    setting.service.is_strict = True
    assert setting.time.run(setting.client.indexes("rts-1", lambda: False)) == {}
    setting.service.add_pipeline("rts-1", "audio_index", "idx-1", None)
    assert setting.time.run(setting.client.indexes("rts-1", lambda: False)) == {"idx-1": "audio_index"}


def test_only_a_transcription_that_runs_is_started_again(setting: Setting) -> None:
    setting.service.is_strict = True
    assert setting.time.run(setting.client.bind("rts-1", "ws-2")) is GONE
    pipeline = setting.service.add_pipeline("rts-1", "transcript", None, "ws-1")
    pipeline.is_running = False
    assert setting.time.run(setting.client.bind("rts-1", "ws-2")) == "stopped"
    assert pipeline.bound_to == "ws-1"
    pipeline.is_running = True
    assert setting.time.run(setting.client.bind("rts-1", "ws-2")) == "running"
    assert pipeline.bound_to == "ws-2"
    setting.service.is_down = True
    assert setting.time.run(setting.client.bind("rts-1", "ws-3")) is FAILED


def test_a_stream_is_over_when_the_service_says_so(setting: Setting) -> None:
    setting.service.is_down = True
    assert not setting.time.run(setting.client.is_over("rts-1"))
    setting.service.is_down = False
    setting.time.pass_(60.0)
    assert setting.time.run(setting.client.is_over("rts-1")), "it does not exist"
    setting.service.add_stream("rts-1")
    assert not setting.time.run(setting.client.is_over("rts-1"))
    setting.service.streams["rts-1"] = "stopped"
    assert setting.time.run(setting.client.is_over("rts-1"))


@pytest.mark.parametrize(
    ("export", "expected"),
    [
        (None, {"export_status": "exported", "video_id": "m-1"}),
        ({"player_url": "https://p"}, {"export_status": "exported", "video_id": "m-1", "player_url": "https://p"}),
    ],
)
def test_the_addresses_of_an_export_are_asked_for(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, export: dict[str, Any] | None, expected: dict[str, Any]
) -> None:
    async def answer(*_: Any) -> Any:
        await setting.service._call(is_known=export is not None)
        return export

    monkeypatch.setattr(setting.service, "export", answer)
    setting.service.sessions["cap-1"] = {"export_status": "exported", "video_id": "m-1"}
    assert setting.time.run(setting.client.session("default", "cap-1", "ws-1")) == expected
    assert setting.time.run(setting.client.session("default", "cap-2", "ws-1")) is GONE


def test_an_export_whose_addresses_are_refused_is_an_export(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: str) -> dict[str, Any]:
        raise RequestFailedError("no such video")

    monkeypatch.setattr(setting.service, "export", refuse)
    session = setting.service.sessions["cap-1"] = {"export_status": "exported", "video_id": "m-1"}
    asked = setting.time.run(setting.client.session("default", "cap-1", "ws-1"))
    assert asked is FAILED
    setting.time.pass_(60.0)
    assert setting.time.run(setting.client.session("default", "cap-1", "ws-1")) == session
    assert setting.client.failures == {}


def test_pauses_grow_with_failures() -> None:
    assert [failed_pause_s(5.0, count) for count in (0, 1, 2, 100)] == [5.0, 10.0, 20.0, 60.0]

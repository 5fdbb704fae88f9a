import json

import pytest

from videodb_cli.local.events import TRIGGER_KINDS, Trigger, encode, milliseconds

NOW = 1_710_000_002.3456


@pytest.mark.parametrize("kind", TRIGGER_KINDS)
def test_every_kind_has_its_envelope(kind: str) -> None:
    event = json.loads(encode(Trigger(kind).event(1, NOW)))
    channel, _, status = kind.partition(".")
    assert event["channel"] == channel
    assert isinstance(event["data"], dict)
    if status:
        assert event["event"] == kind
        assert event["status"] == status
        assert event["capture_session_id"].startswith("cap-")
    else:
        assert event["rtstream_id"].startswith("rts-")
        assert ":" in event["rtstream_name"]
        assert (event["data"]["start"], event["data"]["end"]) == (milliseconds(NOW - 2), milliseconds(NOW))
        assert isinstance(event["data"]["end"], int)


def test_the_text_is_taken() -> None:
    for kind in ("transcript", "visual_index", "audio_index", "alert"):
        assert Trigger(kind, "hé \u2028 llo").event(1, NOW)["data"]["text"] == "hé \u2028 llo"  # type: ignore[index]
    failed = Trigger("capture_session.failed", "boom").event(1, NOW)
    assert failed["data"]["error"]["message"] == "boom"  # type: ignore[index]


def test_an_empty_text_stays_empty() -> None:
    assert Trigger("transcript", "").event(1, NOW)["data"]["text"] == ""  # type: ignore[index]


def test_a_run_of_several_is_numbered() -> None:
    trigger = Trigger("capture_session.active", total=3)
    assert [trigger.event(number, NOW)["data"]["sequence"] for number in (1, 2, 3)] == [1, 2, 3]  # type: ignore[index]
    assert "sequence" not in Trigger("transcript").event(1, NOW)["data"]  # type: ignore[operator]


def test_active_and_exported_carry_what_a_client_waits_for() -> None:
    active = Trigger("capture_session.active").event(1, NOW)["data"]
    assert [set(member) for member in active["rtstreams"]] == [{"rtstream_id", "name", "media_types"}] * 2  # type: ignore[index]
    exported = Trigger("capture_session.exported").event(1, NOW)["data"]
    assert set(exported) == {"status", "exported_video_id", "stream_url", "player_url"}  # type: ignore[call-overload]

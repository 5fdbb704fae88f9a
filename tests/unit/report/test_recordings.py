from typing import Any

import pytest

from videodb_cli.report.recordings import Recordings


def seen(*events: tuple[float, str, dict[str, Any]]) -> Recordings:
    found = Recordings()
    for at, status, data in events:
        found.see({"event": f"capture_session.{status}", "data": data}, "cap-1", at)
    return found


def test_a_recording_begins_when_its_session_became_active() -> None:
    data = {"exported_video_id": "m-1", "stream_url": "https://s/x.m3u8", "player_url": "https://p/watch?v=1"}
    (video,) = seen((1.0, "starting", {}), (5.0, "active", {}), (9.0, "exported", data)).videos()
    assert (video.title, video.start, video.hls, video.player) == (
        "m-1",
        5.0,
        "https://s/x.m3u8",
        "https://p/watch?v=1",
    )
    assert video.is_estimated


def test_a_session_without_an_export_has_no_recording() -> None:
    assert list(seen((1.0, "active", {}), (2.0, "stopped", {})).videos()) == []


@pytest.mark.parametrize("address", ["javascript:alert(1)", "file:///etc/passwd", 7, None, "", {"a": 1}])
def test_only_web_addresses_are_recordings(address: object) -> None:
    data = {"stream_url": address, "player_url": address}
    assert list(seen((1.0, "exported", data)).videos()) == []


def test_thousands_of_sessions_stay_bounded() -> None:
    found = Recordings()
    for number in range(5000):
        found.see({"event": "capture_session.exported", "data": {"stream_url": "https://s/x"}}, f"cap-{number}", 1.0)
    assert len(list(found.videos())) == 200

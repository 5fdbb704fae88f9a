"""What the official recorder is asked to record, and when its silence means something."""

from __future__ import annotations

import pytest

from videodb_cli.capture.channels import Channel
from videodb_cli.capture.recorders.official_media import recording, take_progress
from videodb_cli.rundir.capture_state import ChannelState


@pytest.mark.parametrize("session", ["cap-1", "ss-1", "3f0c"])
def test_both_drivers_members_are_sent(session: str) -> None:
    mic = Channel("mic:default", "mic", "m")
    display = Channel("display:1", "display", "d", store=False, primary=True)
    sent = recording(session, "st-1", [mic, display])
    assert (sent["sessionId"], sent["uploadToken"]) == (session, "st-1")
    assert sent["primary_video_channel_id"] == "display:1"
    assert sent["channels"][1] == {
        "channel_id": "display:1", "type": "video", "name": "d", "store": False, "is_primary": True,
        "record": True, "transcript": False,
    }  # fmt: skip
    assert "primary_video_channel_id" not in recording(session, "st-1", [mic])


def told(*moments: float) -> ChannelState:
    health = ChannelState("mic:default", "mic", state="flowing", stall_after_s=None)
    for moment in moments:
        take_progress(health, moment)
    return health


def test_a_recorder_that_tells_nothing_or_once_is_never_called_stalled() -> None:
    take_progress(None, 5.0)
    assert not told().is_stalled(1e6)
    assert not told(10.0).is_stalled(1e6)


@pytest.mark.parametrize(("pace", "limit"), [(1.0, 15.0), (10.0, 30.0), (20.0, 60.0), (40.0, 60.0)])
def test_the_limit_follows_the_pace_of_its_reports(pace: float, limit: float) -> None:
    health = told(100.0, 100.0 + pace)
    now = 100.0 + pace
    assert health.media_since == 100.0
    assert not health.is_stalled(now + limit - 0.1)
    assert health.is_stalled(now + limit)
    take_progress(health, now + 3 * limit)
    assert (health.stall_after_s, health.media_since) == (limit, now + 3 * limit)

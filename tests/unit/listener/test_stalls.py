"""A stall is told once when it is noticed, and once when it is over, with its length by a clock that nobody sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from videodb_cli.eventlog.write.store import Keeping, LogStore
from videodb_cli.listener.capture_watch import CaptureWatch
from videodb_cli.listener.journal import Journal
from videodb_cli.listener.stalls import Stall, StallWatch
from videodb_cli.model import event as ev
from videodb_cli.process.clock import Clock, boot_id, uptime_s
from videodb_cli.process.start_token import current_start_token
from videodb_cli.render.rows import EventRows
from videodb_cli.rundir import state
from videodb_cli.rundir.capture_state import CaptureState, ChannelState

AHEAD_S = 1_800_000_000.0


class Capture:
    """A capture as its state file shows it. Times are uptime seconds; ``ahead_s`` is how the wall clock stands."""

    def __init__(self) -> None:
        self.watch = StallWatch()
        self.channel = ChannelState("display:1", "display", state="flowing")
        self.status = "active"
        self.ahead_s = AHEAD_S
        self.pid = 7

    def looks(self, now: float, *, written: float | None = None) -> list[Stall]:
        """Write the state, and look at it ``now``."""
        at = now if written is None else written

        def unix(moment: float | None) -> float | None:
            return None if moment is None else round(moment + self.ahead_s, 3)

        times = {name: unix(getattr(self.channel, name)) for name in ("last_media_at", "media_since", "paused_until")}
        members = {**{name: getattr(self.channel, name) for name in self.channel.__struct_fields__}, **times}
        shown = CaptureState(
            "cap-1",
            pid=self.pid,
            status=self.status,
            channels=[ChannelState(**members)],
            written_at=unix(at),
            uptime_s=at,
            boot_id=boot_id(),
        )
        return self.watch.take(shown, now)


@pytest.fixture
def capture() -> Capture:
    made = Capture()
    for second in range(100, 103):
        made.channel.note_media(float(second))
        assert made.looks(float(second)) == []
    return made


def test_a_stall_is_told_once_and_its_end_with_its_length(capture: Capture) -> None:
    assert capture.looks(116.5) == []
    capture.channel.reason = "no media for 8 s"
    (stall,) = capture.looks(117.5)
    assert (stall.session_id, stall.channel_id, stall.media_word) == ("cap-1", "display:1", "frame")
    assert (stall.began, stall.seconds, stall.reason, stall.ended) == (102.0, 15.5, "no media for 8 s", None)
    assert capture.looks(130.0) == []
    capture.channel.note_media(140.0)
    capture.channel.note_media(141.5)
    (over,) = capture.looks(142.0)
    assert (over.began, over.seconds, over.ended) == (102.0, pytest.approx(38.0, abs=0.01), 140.0)
    assert capture.looks(143.0) == []
    # And the next one counts anew.
    assert [stall.ended for stall in capture.looks(160.0)] == [None]


@pytest.mark.parametrize("step_s", [-86400.0, 3600.0])
def test_a_clock_that_is_set_makes_no_stall_and_no_other_length(capture: Capture, step_s: float) -> None:
    capture.ahead_s += step_s
    capture.channel.note_media(104.0)
    assert capture.looks(104.0) == []
    assert len(capture.looks(120.0)) == 1
    capture.ahead_s -= step_s
    assert capture.looks(121.0) == []
    capture.channel.note_media(124.0)
    assert [over.seconds for over in capture.looks(124.0)] == [pytest.approx(20.0, abs=0.01)]


def test_a_pause_is_no_stall(capture: Capture) -> None:
    capture.channel.note_paused(True, 103.0)
    assert capture.looks(200.0) == []
    capture.channel.note_paused(False, 300.0)
    assert capture.looks(314.0) == []
    capture.channel.note_media(314.5)
    assert capture.looks(315.0) == []
    assert len(capture.looks(330.0)) == 1


@pytest.mark.parametrize("end", ["finished", "stopped"])
def test_what_is_over_does_not_stall(capture: Capture, end: str) -> None:
    capture.channel.state = end
    assert capture.looks(500.0) == []
    capture.channel.state, capture.status = "flowing", "stopping"
    assert capture.looks(600.0) == []


def test_what_began_and_ended_between_two_looks_is_told_too(capture: Capture) -> None:
    """The machine slept: nothing was captured meanwhile."""
    capture.channel.note_media(7302.0)
    began, over = capture.looks(7303.0)
    assert (began.ended, over.ended) == (None, 7302.0)
    assert began.seconds == over.seconds == pytest.approx(7200.0, abs=0.01)


def test_a_process_that_says_nothing_proves_no_media(capture: Capture) -> None:
    assert capture.looks(116.9, written=102.0) == []
    (stall,) = capture.looks(117.5, written=102.0)
    assert stall.reason == "the process that captures has said nothing for 16 s"


def test_a_new_capture_begins_anew_and_another_boot_tells_nothing(capture: Capture) -> None:
    assert len(capture.looks(120.0)) == 1
    capture.pid = 8
    assert len(capture.looks(121.0)) == 1
    assert StallWatch().take(CaptureState("cap-1", status="active", channels=[capture.channel]), 200.0) == []


def test_the_listener_writes_it_down_and_tail_shows_a_rule(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "videodb_events.jsonl", keeping=Keeping(sync="none"))
    store.open()
    journal = Journal(store, "service", None, Clock())
    watch = CaptureWatch(tmp_path / "info.json", lambda *_: None, journal.capture_stalled)
    now = uptime_s()
    ahead_s = Clock().unix(0.0)

    def write(last_media: float, **channel: Any) -> None:
        import os

        state.write(
            tmp_path / "info.json",
            {
                "session_id": "cap-1",
                "pid": os.getpid(),
                "start_token": current_start_token(),
                "status": "active",
                "written_at": now + ahead_s,
                "uptime_s": now,
                "boot_id": boot_id(),
                "channels": [
                    {
                        "channel_id": "mic:default",
                        "type": "mic",
                        "state": "flowing",
                        "last_media_at": last_media + ahead_s,
                        **channel,
                    }
                ],
            },
        )
        watch.last_look()
        watch.look()

    write(now - 20.0)
    write(now, media_since=now - 1.0 + ahead_s)
    store.close()
    lines = [json.loads(line) for line in (tmp_path / "videodb_events.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["capture.stalled", "capture.resumed"]
    assert all(ev.is_own(line) for line in lines)
    stalled, resumed = (line["data"] for line in lines)
    assert stalled["text"] == "mic:default: no sound for 20 s"
    assert {**stalled, "text": "", "last_media_at": ""} == {
        "text": "", "capture_session_id": "cap-1", "channel_id": "mic:default", "last_media_at": "",
        "seconds": pytest.approx(20.0, abs=0.1), "reason": None,
    }  # fmt: skip
    assert resumed["text"] == "mic:default: sounds come again after 19.0 s without any"
    assert resumed["seconds"] == pytest.approx(19.0, abs=0.1)
    assert resumed["from"] == stalled["last_media_at"]
    for line in lines:
        row = EventRows(80).render(line)[-1]
        assert row.startswith("─── ") or "──── mic:default" in row
        assert row.endswith("─")

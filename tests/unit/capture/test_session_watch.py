"""Watching a session: its rtstreams may be known only a little after it is active."""

from pathlib import Path
from typing import Any

import pytest

from videodb_cli.api.shapes import CaptureSession
from videodb_cli.capture import session_watch as watch_module
from videodb_cli.capture.session import SessionState
from videodb_cli.capture.session_watch import SessionWatch

STREAMS = [{"rtstream_id": "rts-1", "name": "mic:default", "media_types": ["audio"]}, {"rtstream_id": "rts-2"}]


class Service:
    """Knows one more stream each time it is asked, up to ``most``."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.asked = 0

    async def get_session(self, _collection_id: str, session_id: str) -> CaptureSession:
        self.asked += 1
        known = STREAMS[: min(self.asked - 1, self.most)]
        session = CaptureSession.read({"session_id": session_id, "status": "active", "rtstreams": known})
        assert session is not None
        return session


@pytest.mark.parametrize(("most", "count", "asked"), [(2, 2, 3), (0, 2, None), (2, 0, 0)])
async def test_streams_are_waited_for_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, count: int, asked: int | None
) -> None:
    monkeypatch.setattr(watch_module, "_STREAMS_EVERY_S", 0.01)
    service: Any = Service(most)
    state = SessionState("cap-1")
    watch = SessionWatch(state, tmp_path / "log", "default", by_key=service, by_token=service)
    await watch.wait_for_streams(count, 0.2)
    assert len(state.streams) == min(most, count)
    assert asked is None or service.asked == asked
    await watch.close()

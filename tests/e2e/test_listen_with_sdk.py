"""The official SDK makes a session with the id that `videodb listen` published; its life stands in the log."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import videodb

from tests.e2e.program import VIDEODB, Box, eventually
from videodb_cli.local.http.server import Running


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    found = Box(tmp_path)
    yield found
    found.close()


def test_a_session_of_the_sdk_is_heard(box: Box, service: Running) -> None:
    given = {"VIDEO_DB_API_KEY": service.key, "VIDEO_DB_API": service.url}
    listener = box.start(None, "listen", environment=given)
    listener.wait_for("WS_ID=")
    path = subprocess.run(
        [VIDEODB, "path", "ws-id"], env=box.environment(), cwd=box.root, capture_output=True, text=True, check=True
    )
    conn = videodb.connect(api_key=service.key, base_url=service.url)
    try:
        ws_id = Path(path.stdout.strip()).read_text().strip()
        assert listener.out[0] == f"WS_ID={ws_id}"
        session = conn.create_capture_session(end_user_id="user-1", ws_connection_id=ws_id)
        recorder = videodb.connect(session_token=conn.generate_client_token(), base_url=service.url)
        try:
            channel = {"channel_id": "mic:default", "channel_name": "Mic", "type": "audio", "store": False}
            body = {"session_id": session.id, "channels": [{**channel, "is_primary": False}]}
            recorder.post(path="capture/session/start", data=body)
            recorder.post(path=f"capture/session/{session.id}/stop", data={})
        finally:
            recorder.session.close()
    finally:
        conn.session.close()

    def life() -> list[str]:
        return [line["event"] for line in box.lines() if line.get("capture_session_id") == session.id]

    expected = [f"capture_session.{status}" for status in ("created", "starting", "stopping", "stopped")]
    eventually(lambda: life() == expected, what=f"{box.lines()}")
    assert listener.end() == 0
    assert service.key.encode() not in box.log.read_bytes()

"""`capture stop` after a capture that failed by itself: what it fetches, what it says, and that it ends soon."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.place import Place
from tests.fakes.capture_service import TOKEN, CaptureService, closed_port

pytestmark = pytest.mark.system  # each takes seconds: make e2e

EXPORTED = {"export_status": "exported", "video_id": "m-1", "stream_url": "http://s", "player_url": "http://p"}
LOST = {"code": "lost", "message": "every channel is lost"}


@pytest.fixture
def service() -> Iterator[CaptureService]:
    with CaptureService() as found:
        found.status = "active"
        yield found


@pytest.fixture
def place(tmp_path: Path, service: CaptureService) -> Place:
    """A directory in which a capture has failed that had stored something."""
    found = Place(tmp_path / "events", VIDEO_DB_API=service.url, VIDEODB_CLIENT_TOKEN=TOKEN)
    found.path.mkdir(mode=0o700)
    write(found)
    return found


def write(place: Place, **members: object) -> None:
    state: dict[str, object] = {"v": 1, "pid": 1, "session_id": "cap-1", "collection_id": "default"}
    state |= {"streaming_session_id": "ss-1", "session_status": "active", "status": "failed", "error": LOST}
    state |= {"channels": [{"channel_id": "mic:file", "store": True}], "left_at_service": "export"}
    (place.path / "videodb_capture_info.json").write_text(json.dumps(state | members))


def stop(place: Place, *arguments: str, within_s: float = 20, **environment: str) -> tuple[dict[str, object], str]:
    began = time.monotonic()
    done = place.run("capture", "stop", "--json", *arguments, **environment)
    assert time.monotonic() - began < within_s
    assert done.returncode == 0, (done.stdout, done.stderr)
    fields = json.loads(done.stdout)
    assert (fields["status"], fields["error"]) == ("failed", LOST)
    return fields, done.stderr.replace("finalising …", "").replace("exporting …", "").strip()


def stop_again(place: Place) -> None:
    """What one stop has settled the next one does not tell again."""
    done = place.run("capture", "stop", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"stopped": False, "session_id": None, "status": None, "schema": 1}


def test_the_export_is_waited_for_within_the_timeout_and_fetched_once(place: Place, service: CaptureService) -> None:
    service.export = {"export_status": "exporting"}
    late = place.run("capture", "stop", "--timeout", "6", "--json")
    assert late.returncode == 124, late.stderr
    assert json.loads(late.stdout)["error"]["code"] == "stop_timeout"
    assert service.status == "stopped"
    service.export = EXPORTED
    fields, said = stop(place)
    assert (fields["exported_video_id"], fields["stream_url"], fields["player_url"]) == ("m-1", "http://s", "http://p")
    assert said == ""
    calls = len(service.calls)
    stop_again(place)
    assert len(service.calls) == calls


def test_a_session_that_the_service_calls_failed_has_no_export(place: Place, service: CaptureService) -> None:
    service.status, service.error = "failed", {"code": "INGEST_FAILED", "message": "no room"}
    _, said = stop(place)
    assert said == "the service says that the session failed (no room): there is no export of it"
    assert not [call for call in service.calls if call.endswith(("/stop", "/export"))]
    stop_again(place)


def test_a_session_that_was_known_to_have_failed_is_not_asked_for(place: Place, service: CaptureService) -> None:
    write(place, session_status="failed")
    assert stop(place)[1] == "the service says that the session failed: there is no export of it"
    assert service.calls == []


def test_a_session_that_the_service_does_not_know(place: Place, service: CaptureService) -> None:
    service.forgets = True
    assert stop(place)[1] == "the service does not know the session any more: there is no export of it"


def test_a_session_of_which_nothing_was_recorded(place: Place, service: CaptureService) -> None:
    service.status = "stopped"
    assert stop(place)[1].startswith("what was recorded is not fetched: nothing was exported: ")
    stop_again(place)


def test_a_service_that_is_not_there_is_asked_again_by_the_next_stop(place: Place, service: CaptureService) -> None:
    _, said = stop(place, VIDEO_DB_API=f"http://127.0.0.1:{closed_port()}")
    assert said.startswith("what was recorded is not fetched: the service did not stop the session: ")
    assert said.endswith(" · videodb capture stop")
    service.export = EXPORTED
    assert stop(place)[0]["exported_video_id"] == "m-1"


def test_no_key_and_no_token(place: Place, service: CaptureService) -> None:
    _, said = stop(place, VIDEODB_CLIENT_TOKEN="")
    assert said.startswith("what was recorded is not fetched: ")
    assert service.calls == []


def test_a_start_that_failed_has_nothing_to_export_but_its_session_ends(place: Place, service: CaptureService) -> None:
    service.export = EXPORTED
    write(place, left_at_service="session")
    fields, said = stop(place)
    assert (service.status, said, fields["exported_video_id"]) == ("stopped", "", None)
    assert not [call for call in service.calls if call.endswith("/export")]
    calls = len(service.calls)
    stop_again(place)
    assert len(service.calls) == calls

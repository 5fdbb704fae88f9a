"""What the embedded service leaves out: docs/embedded.md lists it, and every other call of the SDK is answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import videodb
from videodb.audio import Audio
from videodb.client import Connection
from videodb.collection import Collection
from videodb.editor import Timeline as EditorTimeline
from videodb.exceptions import InvalidRequestError
from videodb.timeline import Timeline
from videodb.video import Video

from videodb_cli.local.http.server import Running

PAGE = Path(__file__).parents[2] / "docs" / "embedded.md"
ERRORS = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
CLONE: dict[str, Callable[[Any], Any]] = {
    "create_voice_clone": lambda it: it.create_voice_clone("a-1"),
    "get_voice_clone": lambda it: it.get_voice_clone("vc-1"),
    "list_voice_clones": lambda it: it.list_voice_clones(),
    "delete_voice_clone": lambda it: it.delete_voice_clone("vc-1"),
    "upload": lambda it: it.upload(url="http://127.0.0.1:9/film.mp4"),
    "record_meeting": lambda it: it.record_meeting("http://127.0.0.1:9/"),
    "get_meeting": lambda it: it.get_meeting("meet-1"),
}
SEARCHES: dict[str, Callable[[Any], Any]] = {
    "ask": lambda it: it.ask("why?"),
    "semantic_search": lambda it: it.semantic_search("budget"),
    "query": lambda it: it.query("idx"),
    "aggregate": lambda it: it.aggregate("idx"),
}
CALLS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "Connection": {
        **CLONE,
        "create_collection": lambda conn: conn.create_collection("name", "description"),
        "update_collection": lambda conn: conn.update_collection("default", "name", "description"),
        "check_usage": lambda conn: conn.check_usage(),
        "get_invoices": lambda conn: conn.get_invoices(),
        "download": lambda conn: conn.download("http://127.0.0.1:9/x.m3u8", "x"),
        "youtube_search": lambda conn: conn.youtube_search("cats"),
        "transcode": lambda conn: conn.transcode("http://127.0.0.1:9/x.mp4", "http://127.0.0.1:9/"),
        "get_transcode_details": lambda conn: conn.get_transcode_details("job-1"),
        "get_job_status": lambda conn: conn.get_job_status("job-1"),
        "wait_for_job": lambda conn: conn.wait_for_job("job-1", timeout=5, interval=1),
        "create_sandbox": lambda conn: conn.create_sandbox(),
        "get_sandbox": lambda conn: conn.get_sandbox("sb-1"),
        "list_sandboxes": lambda conn: conn.list_sandboxes(),
        "get_async_response": lambda conn: conn.get_async_response("r-1"),
    },
    "Collection": {
        **CLONE,
        **SEARCHES,
        "delete": lambda coll: coll.delete(),
        "make_public": lambda coll: coll.make_public(),
        "make_private": lambda coll: coll.make_private(),
        "get_images": lambda coll: coll.get_images(),
        "get_image": lambda coll: coll.get_image("img-1"),
        "delete_image": lambda coll: coll.delete_image("img-1"),
        "generate_image": lambda coll: coll.generate_image("a cat"),
        "generate_music": lambda coll: coll.generate_music("a tune"),
        "generate_sound_effect": lambda coll: coll.generate_sound_effect("a bell"),
        "generate_voice": lambda coll: coll.generate_voice("hello"),
        "generate_video": lambda coll: coll.generate_video("a cat"),
        "generate_text": lambda coll: coll.generate_text("hello"),
        "dub_video": lambda coll: coll.dub_video("m-1", "de"),
        "search_title": lambda coll: coll.search_title("Monday"),
    },
    "Video": {
        **SEARCHES,
        "remove_storage": lambda video: video.remove_storage(),
        "get_thumbnails": lambda video: video.get_thumbnails(),
        "translate_transcript": lambda video: video.translate_transcript("de"),
        "get_scenes": lambda video: video.get_scenes(),
        "extract_scenes": lambda video: video.extract_scenes(),
        "get_scene_collection": lambda video: video.get_scene_collection("sc-1"),
        "list_scene_collection": lambda video: video.list_scene_collection(),
        "delete_scene_collection": lambda video: video.delete_scene_collection("sc-1"),
        "index_scenes": lambda video: video.index_scenes(),
        "index_visuals": lambda video: video.index_visuals(prompt="p"),
        "index_audio": lambda video: video.index_audio(prompt="p"),
        "list_scene_index": lambda video: video.list_scene_index(),
        "get_scene_index": lambda video: video.get_scene_index("idx-1"),
        "delete_scene_index": lambda video: video.delete_scene_index("idx-1"),
        "understand": lambda video: video.understand(analyzers=[{"type": "vlm"}]),
        "get_understanding": lambda video: video.get_understanding("und-1"),
        "list_understandings": lambda video: video.list_understandings(),
        "delete_understanding": lambda video: video.delete_understanding("und-1"),
        "index": lambda video: video.index({"understanding_id": "und-1"}),
        "get_index": lambda video: video.get_index("idx-1"),
        "list_indexes": lambda video: video.list_indexes(),
        "delete_index": lambda video: video.delete_index("idx-1"),
        "add_subtitle": lambda video: video.add_subtitle(),
        "clip": lambda video: video.clip("the best", "spoken", "basic"),
        "get_meeting": lambda video: video.get_meeting(),
        "reframe": lambda video: video.reframe(),
        "smart_vertical_reframe": lambda video: video.smart_vertical_reframe(),
        "download": lambda video: video.download(),
    },
    "Timeline": {"generate_stream": lambda timeline: timeline.generate_stream()},
    "editor.Timeline": {
        "generate_stream": lambda timeline: timeline.generate_stream(),
        "download_stream": lambda timeline: timeline.download_stream("http://127.0.0.1:9/x.m3u8"),
    },
}
# Called by the tests of sessions, rtstreams and assets.
SERVED = {
    "Connection": """get_collection get_collections create_event list_events create_capture_session get_capture_session
        list_capture_sessions connect_websocket generate_client_token""",
    "Collection": """get_videos get_video delete_video get_audios get_audio delete_audio connect_rtstream get_rtstream
        list_rtstreams search legacy_search create_capture_session get_capture_session list_capture_sessions""",
    "Video": """update search legacy_search delete generate_stream generate_thumbnail get_transcript
        get_transcript_text generate_transcript index_spoken_words insert_video play get_embed_code""",
    "Audio": "generate_url get_transcript get_transcript_text generate_transcript delete",
}


@pytest.fixture(scope="module")
def objects(shared: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """One object of each kind; the video is a real export."""
    conn = videodb.connect(base_url=shared.url, api_key=shared.key)
    coll = conn.get_collection()
    film = tmp_path_factory.mktemp("film") / "film.mp4"
    film.write_bytes(b"x")
    stream = coll.connect_rtstream(url=str(film), name="film", media_types=["video", "audio"], store=True)
    stream.stop()
    video = coll.get_video(stream.export().video_id)
    with pytest.warns(DeprecationWarning, match="editor.Timeline"):
        timeline = Timeline(conn)
    timelines = {"Timeline": timeline, "editor.Timeline": EditorTimeline(conn)}
    yield {"Connection": conn, "Collection": coll, "Video": video, **timelines}
    conn.session.close()


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, calls in CALLS.items() for name in calls])
def test_what_is_not_served_answers_the_documented_error(objects: dict[str, Any], kind: str, name: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        CALLS[kind][name](objects[kind])
    answer = refused.value.response
    assert answer.status_code in ERRORS
    body = answer.json()
    assert (body["success"], body["error_code"]) == (False, ERRORS[answer.status_code])
    assert body["message"]


def test_the_page_lists_what_is_not_served() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert {kind: set(re.findall(r"`(\w+)`", calls)) for kind, calls in rows} == {
        kind: set(calls) for kind, calls in CALLS.items()
    }


@pytest.mark.parametrize("kind", [Connection, Collection, Video, Audio])
def test_every_call_of_the_sdk_is_served_or_listed(kind: type) -> None:
    public = {name for name, value in vars(kind).items() if callable(value) and not name.startswith("_")}
    assert public == set(SERVED[kind.__name__].split()) | set(CALLS.get(kind.__name__, {}))

"""The bundled sample through the real service, driven by the official SDK: heard, read, played and exported."""

import asyncio
import contextlib
import importlib.util
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import videodb

from videodb_cli.errors import MissingDependencyError
from videodb_cli.local import models
from videodb_cli.local.http.server import running


def has_what_it_needs() -> bool:
    if any(importlib.util.find_spec(name) is None for name in ("av", "faster_whisper", "rapidocr")):
        return False
    try:
        models.locate()
    except MissingDependencyError:
        return False
    return True


pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(not has_what_it_needs(), reason="the speech model or the local extra is not installed"),
]
SAMPLE = Path(models.__file__).with_name("sample") / "sample.mp4"


async def hear_until(socket: Any, wanted: set[str], timeout_s: float) -> list[dict[str, Any]]:
    """Events until a final one of each wanted channel has come."""
    events: list[dict[str, Any]] = []
    async with asyncio.timeout(timeout_s):
        async for event in socket.receive():
            events.append(event)
            if event["data"].get("is_final", True):
                wanted.discard(event["channel"])
            if not wanted:
                break
    return events


async def test_the_sample_is_heard_read_and_exported(tmp_path: Path) -> None:
    with running(tmp_path / "local") as service, contextlib.ExitStack() as stack:
        conn = await asyncio.to_thread(videodb.connect, api_key=service.key, base_url=service.url)
        stack.callback(conn.session.close)
        async with await asyncio.to_thread(conn.connect_websocket) as socket:
            collection = await asyncio.to_thread(conn.get_collection)
            began = time.time()
            stream = await asyncio.to_thread(
                collection.connect_rtstream,
                url=str(SAMPLE),
                name="sample",
                media_types=["video", "audio"],
                store=True,
                enable_transcript=True,
                ws_connection_id=socket.connection_id,
            )
            index = await asyncio.to_thread(stream.index_visuals, ws_connection_id=socket.connection_id)
            events = await hear_until(socket, {"transcript", "visual_index"}, 45)
        spoken = next(e for e in events if e["channel"] == "transcript" and e["data"]["is_final"])
        assert "release review" in spoken["data"]["text"].lower()
        assert spoken["data"]["model"] == "whisper-tiny.en"
        assert began * 1000 - 1000 <= spoken["data"]["start"] <= spoken["data"]["end"] <= time.time() * 1000
        seen = next(e for e in events if e["channel"] == "visual_index")
        assert "Release review" in seen["data"]["text"]
        assert seen["data"]["model"] == "ocr"
        await asyncio.to_thread(stream.stop)
        records = (await asyncio.to_thread(stream.get_transcript))["transcription_records"]
        assert spoken["data"]["text"] in [record["text"] for record in records]
        assert records[0]["word_timestamps"]
        assert (await asyncio.to_thread(index.get_scenes))["scenes"]
        export = await asyncio.to_thread(stream.export)
        await asyncio.to_thread(check_media, export, tmp_path / "export.mp4")


def check_media(export: Any, target: Path) -> None:
    """The export is H.264 and AAC of its length, and its HLS holds picture and sound."""
    import av

    target.write_bytes(httpx.get(export.stream_url.replace("index.m3u8", "export.mp4")).content)
    with av.open(str(target)) as media:
        assert [stream.codec_context.name for stream in media.streams] == ["h264", "aac"]
        assert media.duration is not None
        assert media.duration / 1e6 == pytest.approx(export.duration, abs=0.5)
    with av.open(export.stream_url) as media:
        assert sorted({stream.type for stream in media.streams}) == ["audio", "video"]
        assert next(media.decode(video=0)).width == 1280
    assert httpx.get(export.player_url).status_code == 200

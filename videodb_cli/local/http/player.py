"""The page that plays a recording, with what was said and seen beside it. It loads nothing from elsewhere."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.responses import Response
from starlette.routing import Route

from videodb_cli.local.http import fields, service_of
from videodb_cli.local.http.answers import not_found
from videodb_cli.local.media.library import place_recordings
from videodb_cli.local.media.store import EXPORT, PLAYLIST, RECORDING
from videodb_cli.local.state.assets import Asset
from videodb_cli.local.state.jobs import SceneIndex
from videodb_cli.page.collector import Collector
from videodb_cli.page.content import PageContent, Video
from videodb_cli.page.document import iter_page, page_policy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starlette.requests import Request

    from videodb_cli.local.media.library import Clip
    from videodb_cli.local.service import Service
    from videodb_cli.local.state.jobs import Index

_NOTE: Final = "Played by the embedded service of videodb-cli on this machine. It is not the VideoDB service."
_GROWING: Final = "The recording still grows; load the page again for what was said since."
_BUDGET: Final = 4_500_000

# A channel, the name of a stream, the first and last second, the text.
_Found = tuple[str, str, float, float, str]


async def show_player(request: Request) -> Response:
    """A page that plays the export if there is one, else the recording of a stream, with what was said and seen in it.

    A stream that was compiled of several is played file after file.
    """
    service = service_of(request)
    media_id = request.path_params.get("media_id") or request.query_params.get("v", "")
    if not service.media.has(media_id):
        raise not_found("This recording")
    clips = service.library.clips(media_id)
    video = _compiled(service, clips) if clips else _recording(service, media_id, fields.query_span(request))
    policy = page_policy([video], own_origin=True)
    content = _content(video, _of_clips(service, clips) if clips else _of_media(service, media_id))
    page = await asyncio.to_thread(lambda: b"".join(iter_page(content, policy=policy)))
    # `frame-ancestors` counts in a header only; players are embedded in other pages, so it is not set.
    headers = {"content-security-policy": policy, "referrer-policy": "no-referrer", "cache-control": "no-store"}
    return Response(page, media_type="text/html", headers=headers)


def _compiled(service: Service, clips: Sequence[Clip]) -> Video:
    parts = tuple(
        (f"/media/{clip.media_id}/{service.library.file_of(clip.media_id)}", clip.start, clip.end) for clip in clips
    )
    return Video("Compiled recording", 0.0, parts=parts)


def _recording(service: Service, media_id: str, span: tuple[float, float] | None) -> Video:
    base = f"/media/{media_id}"
    asset = service.state.assets.of_media(media_id)
    stream = service.find_stream_of(media_id)
    title = asset.name if asset is not None else stream.name if stream is not None else "Recording"
    name = EXPORT if service.media.path(media_id, EXPORT) is not None else RECORDING
    if name == RECORDING and span is None and stream is not None and stream.is_playing:
        return Video(title, 0.0, growing=f"{base}/{RECORDING}", hls=f"{base}/{PLAYLIST}")
    fragment = f"#t={span[0]:.3f},{span[1]:.3f}" if span is not None else ""
    return Video(title, 0.0, mp4=f"{base}/{name}{fragment}", download=f"{base}/{name}")


def _content(video: Video, found: Iterator[_Found]) -> PageContent:
    collector = Collector(budget=_BUDGET)
    for channel, stream, start, end, text in found:
        collector.add(channel, stream, start, end, text)
    collector.add_video(video)
    content = collector.content(video.title, [_NOTE, _GROWING] if video.growing else [_NOTE])
    content.is_player, content.is_wall_clock = True, False
    return content


def _of_media(service: Service, media_id: str) -> Iterator[_Found]:
    """Yield what was said and seen in a recording, in its seconds."""
    asset = service.state.assets.of_media(media_id) or _unexported(service, media_id)
    if asset is None:
        return
    for part, stream in service.state.assets.parts_of(asset):
        name = stream.channel or stream.name
        for spoken in stream.transcription.records:
            if (at := asset.place(part, spoken.start, spoken.end)) is not None:
                yield "transcript", name, *at, spoken.text
        indexes: list[Index] = [*stream.indexes.values(), *stream.materialized.values()]
        for index in indexes:
            is_seen = not isinstance(index, SceneIndex) or index.extraction_type == "time"
            for record in index.records:
                if (at := asset.place(part, record.start, record.end)) is not None:
                    yield "visual_index" if is_seen else "audio_index", name, *at, record.text


def _unexported(service: Service, media_id: str) -> Asset | None:
    """Return the recording of a stream that nobody has exported as if it were an asset."""
    stream = service.find_stream_of(media_id)
    if stream is None:
        return None
    parts = place_recordings(service.media, stream, [one for one in stream.recordings if one.media_id == media_id])
    length = sum(part.length for part in parts)
    return Asset(
        id="m-unexported",
        collection_id=stream.collection_id,
        name=stream.name,
        media_id=media_id,
        length=length,
        created_at=stream.created_at,
        parts=tuple(parts),
    )


def _of_clips(service: Service, clips: Sequence[Clip]) -> Iterator[_Found]:
    """Yield what was said and seen in several spans, in the seconds of all of them together."""
    before = 0.0
    for clip in clips:
        for channel, stream, start, end, text in _of_media(service, clip.media_id):
            if end > clip.start and start < clip.end:
                first, last = max(start, clip.start), min(end, clip.end)
                yield channel, stream, before + first - clip.start, before + last - clip.start, text
        before += clip.end - clip.start


routes = [
    Route("/play/watch", show_player, methods=["GET"]),
    Route("/play/embed", show_player, methods=["GET"]),
    Route("/play/{media_id}", show_player, methods=["GET"]),
]

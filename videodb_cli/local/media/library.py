"""Assets from recordings, and where they are played: whole, a span of one, or several spans one after the other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from videodb_cli.errors import VideodbError
from videodb_cli.local.http.answers import ServiceError, invalid
from videodb_cli.local.media.store import (
    EXPORT,
    PLAYLIST,
    RECORDING,
    cut_playlist,
    join_playlists,
    playlist_began_at,
    playlist_length,
)
from videodb_cli.local.media.timeline import WallClock
from videodb_cli.local.state.assets import Part
from videodb_cli.local.state.limits import guard_count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from videodb_cli.local.media.store import MediaStore
    from videodb_cli.local.state.assets import Asset
    from videodb_cli.local.state.records import Recorded, RTStream
    from videodb_cli.local.state.service_state import ServiceState

LEAST_SPAN_S: Final = 1.0  # clients cut moments to whole seconds, so that a short one begins where it ends


@dataclass(frozen=True, slots=True)
class Clip:
    """A span of one recording, in its seconds."""

    media_id: str
    start: float
    end: float


def place_recordings(media: MediaStore, stream: RTStream, recordings: Sequence[Recorded]) -> list[Part]:
    """The recordings of a stream in a row, as an export of it holds them."""
    parts, at = [], 0.0
    for recorded in recordings:
        part = place_recording(media, stream, recorded, offset=at)
        parts.append(part)
        at += part.length
    return parts


def place_recording(media: MediaStore, stream: RTStream, recorded: Recorded, *, offset: float) -> Part:
    """One recording at a second of an asset."""
    text = _playlist_of(media, recorded.media_id)
    return Part(stream.id, clock_of(recorded, text), offset, playlist_length(text))


def clock_of(recorded: Recorded, playlist: str) -> WallClock:
    """When each second of a recording was played."""
    moves = list(recorded.clock_moves)
    return WallClock(moves or [(0.0, playlist_began_at(playlist) or recorded.began_at)])


def add_stream_asset(
    state: ServiceState, media: MediaStore, stream: RTStream, *, media_id: str, name: str, length: float | None = None
) -> Asset:
    """What was recorded of ``stream`` as an asset under ``media_id``; the same id again for a stream that has one."""
    kept = [recorded for recorded in stream.recordings if media.recording(recorded.media_id) is not None]
    parts = place_recordings(media, stream, kept if len(kept) > 1 else stream.recordings[-1:])
    asset = state.assets.put(
        stream.exported_asset_id or state.assets.new_id("video" if "video" in stream.media_types else "audio"),
        collection_id=stream.collection_id,
        name=name,
        media_id=media_id,
        length=sum(part.length for part in parts) if length is None else length,
        parts=parts,
    )
    stream.exported_asset_id = asset.id
    return asset


def with_span(stream_url: str, player_url: str, start: float, end: float) -> tuple[str, str]:
    """Both addresses of a recording, of a span of it in its seconds."""
    span = urlencode({"start": f"{start:.3f}", "end": f"{end:.3f}"})
    return f"{stream_url}?{span}", f"{player_url}&{span}"


class Library:
    """Plays assets. ``addresses`` gives the stream and the player URL of a media id."""

    def __init__(self, state: ServiceState, media: MediaStore, addresses: Callable[[str], tuple[str, str]]) -> None:
        self._state = state
        self._media = media
        self._addresses = addresses
        self._compiled: dict[tuple[Clip, ...], str] = {}

    def play(self, asset: Asset, spans: Sequence[tuple[float, float]] = ()) -> tuple[str, str]:
        """The stream and the player URL of an asset, or of ``spans`` of it. Raises `ServiceError` 400."""
        if not spans:
            return self._addresses(asset.media_id)
        return self.compile([(asset, span) for span in spans])

    def compile(self, shots: Sequence[tuple[Asset, tuple[float, float]]]) -> tuple[str, str]:
        """The stream and the player URL of spans of assets, one after the other. Raises `ServiceError` 400.

        Streams begin and end with whole segments (2 s), because nothing is encoded again.
        """
        lasting = [(asset, span) for asset, span in shots if span[1] > span[0]]
        clips = tuple(self._clip(asset, *span) for asset, span in lasting or shots)
        if len(clips) == 1:
            stream_url, player_url = self._addresses(clips[0].media_id)
            return with_span(stream_url, player_url, clips[0].start, clips[0].end)
        found = self._compiled.get(clips)
        if found is None:
            guard_count(self._compiled, "compiled streams")
            found, directory = self._media.create_directory()
            texts = [(f"/media/{clip.media_id}/", self._cut(clip)) for clip in clips]
            (directory / PLAYLIST).write_text(join_playlists(texts), "utf-8")
            self._compiled[clips] = found
        return self._addresses(found)

    async def thumbnail(self, asset: Asset, second: float) -> str:
        """The name of a picture of an asset, made once for each tenth of a second. Raises `ServiceError` 400."""
        from videodb_cli.local.media.thumbnail import write_thumbnail

        second = round(min(max(second, 0.0), asset.length), 1)
        name = f"thumbnail{round(second * 10):08d}.jpg"
        recording = self._media.path(asset.media_id, self.file_of(asset.media_id))
        if recording is None:
            raise ServiceError(400, f"{asset.id} has no recording", "NO_RECORDINGS")
        if self._media.path(asset.media_id, name) is None:
            try:
                target = self._media.hls_directory(asset.media_id) / name
                await asyncio.to_thread(write_thumbnail, recording, target, second)
            except VideodbError as error:
                raise ServiceError(400, error.message, error.code.upper()) from error
        return name

    def clips(self, media_id: str) -> tuple[Clip, ...]:
        """The clips of a compiled stream, none for any other recording."""
        return next((clips for clips, compiled in self._compiled.items() if compiled == media_id), ())

    def file_of(self, media_id: str) -> str:
        """The name of the MP4 of a recording."""
        return EXPORT if self._media.path(media_id, EXPORT) is not None else RECORDING

    def forget_media(self, media_id: str) -> list[str]:
        """Drop what plays from a recording that goes; the ids of compiled streams that cannot be played without it."""
        self._state.assets.forget_media(media_id)
        lost = {
            clips: compiled
            for clips, compiled in self._compiled.items()
            if compiled == media_id or any(clip.media_id == media_id for clip in clips)
        }
        for clips in lost:
            del self._compiled[clips]
        return [compiled for compiled in lost.values() if compiled != media_id]

    def _clip(self, asset: Asset, start: float, end: float) -> Clip:
        if end < start:
            raise invalid("A span must not end before it begins")
        first = max(0.0, start)
        last = min(end if end > start else start + LEAST_SPAN_S, asset.length)
        clip = Clip(asset.media_id, round(first, 3), round(last, 3))
        if last <= first or self._cut(clip) == "":
            raise ServiceError(400, f"{asset.id} has nothing from {start:g} s to {end:g} s", "NO_RECORDINGS")
        return clip

    def _cut(self, clip: Clip) -> str:
        return cut_playlist(_playlist_of(self._media, clip.media_id), clip.start, clip.end) or ""


def _playlist_of(media: MediaStore, media_id: str) -> str:
    path: Path | None = media.path(media_id, PLAYLIST)
    return path.read_text("utf-8") if path is not None else ""

"""Exports of capture sessions: which recordings go into one, and how far it is."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from videodb_cli.errors import VideodbError
from videodb_cli.local.http.answers import ServiceError, invalid
from videodb_cli.local.media.library import place_recording
from videodb_cli.local.media.store import EXPORT
from videodb_cli.local.state.records import SessionExport

if TYPE_CHECKING:
    from collections.abc import Callable

    from videodb_cli.local.media.intake import MediaIntake, Recording
    from videodb_cli.local.media.store import MediaStore
    from videodb_cli.local.state.records import CaptureSessionRecord
    from videodb_cli.local.state.service_state import ServiceState


class SessionExporter:
    """Makes exports, each in a thread. ``addresses`` gives the stream and the player URL of a media id."""

    def __init__(
        self, state: ServiceState, media: MediaStore, intake: MediaIntake, addresses: Callable[[str], tuple[str, str]]
    ) -> None:
        self._state = state
        self._media = media
        self._intake = intake
        self._addresses = addresses
        self._unwanted = threading.Event()

    def channel_of(self, session: CaptureSessionRecord, asked: str | None) -> str | None:
        """The picture of an export: the one asked for, else the primary, else the first that was stored, if any.

        Raises `ServiceError` 400 if that is no picture of this session.
        """
        if asked is not None:
            if not any(channel.channel_id == asked and channel.type == "video" for channel in session.channels):
                raise invalid(f"video_channel_id names no video channel of {session.id}: {asked}")
            return asked
        pictures = [found.channel.channel_id for found in self._pictures(session)]
        primary = session.primary_video_channel_id
        return primary if primary in pictures or not pictures else pictures[0]

    def is_possible(self, session: CaptureSessionRecord, channel_id: str | None) -> bool:
        """Whether something was stored that such an export would show, or at least let hear."""
        found = self._intake.recordings(session)
        if channel_id is not None and any(recording.channel.type == "video" for recording in found):
            return any(recording.channel.channel_id == channel_id for recording in found)
        return bool(found)

    def begin(self, session: CaptureSessionRecord, channel_id: str | None) -> SessionExport:
        """An export that has begun, for `run`."""
        export = SessionExport("exporting")
        session.exports[channel_id] = export
        return export

    async def run(self, session: CaptureSessionRecord, channel_id: str | None) -> SessionExport:
        """Make the export that was begun; how it ended stands in it."""
        from videodb_cli.local.media.mix import MixInput, mix_session

        export = session.exports[channel_id]
        found = self._intake.recordings(session)
        pictures = [MixInput(part.path, part.began_at) for part in found if part.channel.channel_id == channel_id]
        sounds = [MixInput(part.path, part.began_at) for part in found if part.channel.type == "audio"]
        media_id, directory = self._media.create_directory()
        try:
            export.duration = await asyncio.to_thread(
                mix_session,
                pictures,
                sounds,
                directory,
                directory / EXPORT,
                unwanted=self._unwanted,
            )
        except BaseException as error:
            self._media.remove(media_id)
            export.status = "failed"
            export.error = error.message if isinstance(error, VideodbError) else f"{type(error).__name__}: {error}"
            if isinstance(error, VideodbError):
                return export
            raise
        export.stream_url, export.player_url = self._addresses(media_id)
        export.media_id = media_id
        export.video_id = self._add_asset(session, channel_id, media_id, export.duration)
        export.status = "exported"
        return export

    def _add_asset(self, session: CaptureSessionRecord, channel_id: str | None, media_id: str, duration: float) -> str:
        """The video of an export; the id by which it is asked for."""
        found = self._intake.recordings(session)
        pictures = [part for part in found if part.channel.channel_id == channel_id and part.channel.type == "video"]
        sounds = [part for part in found if part.channel.type == "audio"]
        began_at = min(part.began_at for part in pictures or sounds)
        parts = [
            place_recording(self._media, part.stream, part.recorded, offset=part.began_at - began_at)
            for part in (*pictures, *sounds)
        ]
        asset = self._state.assets.put(
            self._state.assets.new_id("video"),
            collection_id=session.collection_id,
            name=f"Capture session {session.id}" + (f" - {channel_id}" if channel_id is not None else ""),
            media_id=media_id,
            length=duration,
            parts=parts,
        )
        return asset.id

    def close(self) -> None:
        """Give up what is being made."""
        self._unwanted.set()

    def _pictures(self, session: CaptureSessionRecord) -> list[Recording]:
        return [found for found in self._intake.recordings(session) if found.channel.type == "video"]


def no_session_recordings(session: CaptureSessionRecord) -> ServiceError:
    """400: nothing of ``session`` was stored."""
    return ServiceError(400, f"No recordings available for capture session {session.id}", "NO_RECORDINGS")

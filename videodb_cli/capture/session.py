"""Where a capture session stands, as far as events in the log and answers of the control plane tell. No I/O.

Two sources say the same thing at different times, so a status only ever goes forward; a deaf socket or a service that
does not answer leaves the other source. Statuses that we do not know are remembered and decide nothing.
"""

from __future__ import annotations

from typing import Any

from videodb_cli.api.shapes import CaptureSession, Export, StreamingSession, read_error
from videodb_cli.model import event as ev
from videodb_cli.model import lifecycle
from videodb_cli.model.rtstreams import SessionStream, read_streams


class SessionState:
    """The life cycle of one session. Each ``on_…`` returns whether it learnt anything."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.status = "created"
        self.streams: dict[str, SessionStream] = {}
        self.export = Export(None)
        self.error: tuple[str, str] | None = None

    @property
    def has_failed(self) -> bool:
        """Whether the service gave the session up."""
        return self.status == lifecycle.FAILED

    @property
    def is_over(self) -> bool:
        """Whether the service takes nothing more in."""
        return self.status in lifecycle.CLOSED

    @property
    def is_finished(self) -> bool:
        """Whether everything is finished but perhaps the export."""
        return self.status in lifecycle.OVER

    def on_event(self, event: dict[str, Any]) -> bool:
        """Take an event of the log in, if it is about this session."""
        if not lifecycle.is_about_session(event):
            return False
        data = ev.data_of(event)
        if self.session_id not in {ev.session_of(event), ev.session_of(data)}:
            return False
        learnt = self._learn_streams(read_streams(data.get("rtstreams")))
        learnt = self._learn_export(Export.read(data)) or learnt
        return self._move(lifecycle.status_of(event), read_error(data.get("error"))) or learnt

    def on_session(self, session: CaptureSession) -> bool:
        """Take the control plane's answer in."""
        learnt = self._learn_streams(session.streams)
        learnt = self._learn_export(session.export) or learnt
        status = "exported" if session.export.status == "exported" and session.status == "stopped" else session.status
        return self._move(status, session.error) or learnt

    def on_streaming(self, session: StreamingSession) -> bool:
        """Take the recorder's view of it in."""
        return self._move(session.status, session.error)

    def on_export(self, export: Export) -> bool:
        """Take an answer of the export call in."""
        learnt = self._learn_export(export)
        if export.status == "failed":
            return self._move("failed", ("export_failed", "the export of the session failed")) or learnt
        if export.video_id is not None and export.status in {None, "exported"}:
            return self._move("exported", None) or learnt
        return learnt

    def _learn_streams(self, streams: tuple[SessionStream, ...]) -> bool:
        before = dict(self.streams)
        for stream in streams:
            known = self.streams.get(stream.id, stream)
            self.streams[stream.id] = stream._replace(
                name=stream.name or known.name,
                media_types=stream.media_types or known.media_types,
                channel=stream.channel or known.channel,
            )
        return self.streams != before

    def _learn_export(self, export: Export) -> bool:
        before = self.export
        self.export = Export(
            export.status or before.status,
            export.video_id or before.video_id,
            export.stream_url or before.stream_url,
            export.player_url or before.player_url,
        )
        return self.export != before

    def _move(self, status: object, error: tuple[str, str] | None) -> bool:
        if not isinstance(status, str) or not lifecycle.is_later(status, self.status):
            return False
        self.status = status
        if status == lifecycle.FAILED:
            self.error = error or ("failed", "the service says that the session failed, and not why")
        return True

"""Finds the recordings that a log names, and when their first second was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from videodb_cli.model import event as ev
from videodb_cli.page.content import Video
from videodb_cli.page.document import web_address
from videodb_cli.report.words import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from videodb_cli.model.event import Event

_MAX_SESSIONS: Final = 200


@dataclass(slots=True)
class _Session:
    first: float
    active: float | None = None
    title: str = ""
    stream_url: str = ""
    player_url: str = ""


class Recordings:
    """Learns from the life cycle of sessions."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}

    def see(self, event: Event, ident: str, at: float) -> None:
        """Look at one event of the life cycle of a session."""
        session = self._sessions.get(ident)
        if session is None:
            if len(self._sessions) >= _MAX_SESSIONS:
                return
            session = self._sessions[ident] = _Session(at)
        name = ev.name_of(event) or ""
        if name.endswith(".active") and session.active is None:
            session.active = at
        data = ev.data_of(event)
        stream, player = web_address(data.get("stream_url")), web_address(data.get("player_url"))
        if stream or player:
            session.stream_url, session.player_url = stream, player
            video = data.get("exported_video_id")
            session.title = clean(video if isinstance(video, str) and video else ident or "recording", 80)

    def videos(self) -> Iterator[Video]:
        """Yield the recordings, in the order in which their sessions began."""
        for session in self._sessions.values():
            if session.stream_url or session.player_url:
                start = session.first if session.active is None else session.active
                yield Video(session.title, start, hls=session.stream_url, player=session.player_url, is_estimated=True)

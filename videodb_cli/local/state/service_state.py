"""What the embedded service knows, in memory. Pure: clock and random source are arguments. For one thread, the loop's.

It decides what is allowed (the session's life cycle, token expiry, one use of a ticket) and raises `ServiceError`; it
sends nothing and starts nothing.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from videodb_cli.local.http.answers import ServiceError, invalid, not_found
from videodb_cli.local.state.assets import AssetStore
from videodb_cli.local.state.job_store import JobStore
from videodb_cli.local.state.limits import guard_count
from videodb_cli.local.state.records import SESSION_TRANSITIONS, CaptureSessionRecord, Collection, RTStream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from videodb_cli.local.state.records import SessionChannel

TICKET_LIFE_S = 60.0
MAX_TOKEN_LIFE_S = 30 * 86400


class ServiceState:
    """Everything that the service would keep in a data base.

    ``clock`` gives unix seconds; ``token`` gives ``n`` random bytes as hex text.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        token: Callable[[int], str] = secrets.token_hex,
    ) -> None:
        self.clock = clock
        self.token = token
        self.collections = {
            "default": Collection("default", "Default collection", "The one collection of this service", clock())
        }
        self.sessions: dict[str, CaptureSessionRecord] = {}
        self.streams: dict[str, RTStream] = {}
        self.jobs = JobStore(self.stream, clock=clock, token=token)
        self.assets = AssetStore(self.streams, clock=clock, token=token)
        self._client_tokens: dict[str, float] = {}  # token -> unix seconds of its end
        self._tickets: dict[str, float] = {}

    # Tokens and tickets

    def issue_client_token(self, expires_in: int) -> tuple[str, float]:
        """A new ``st-…`` token and the unix second at which it ends."""
        if not 1 <= expires_in <= MAX_TOKEN_LIFE_S:
            raise invalid(f"expires_in must be between 1 and {MAX_TOKEN_LIFE_S} seconds")
        now = self.clock()
        self._client_tokens = {token: end for token, end in self._client_tokens.items() if end > now}
        guard_count(self._client_tokens, "client tokens")
        token = f"st-{self.token(24)}"
        self._client_tokens[token] = now + expires_in
        return token, now + expires_in

    def is_client_token(self, token: str) -> bool:
        """Whether ``token`` was issued here and has not expired. Every comparison takes the same time."""
        valid = False
        now = self.clock()
        for known, end in self._client_tokens.items():
            if secrets.compare_digest(known.encode(), token.encode()) and end > now:
                valid = True
        return valid

    def issue_ticket(self) -> str:
        """A name that opens one socket, once, within `TICKET_LIFE_S`."""
        now = self.clock()
        self._tickets = {ticket: end for ticket, end in self._tickets.items() if end > now}
        guard_count(self._tickets, "unused socket URLs")
        ticket = self.token(24)
        self._tickets[ticket] = now + TICKET_LIFE_S
        return ticket

    def redeem_ticket(self, ticket: str) -> bool:
        """Use ``ticket`` up; false if it is unknown, used or too old."""
        end = self._tickets.pop(ticket, None)
        return end is not None and end > self.clock()

    # Collections and capture sessions

    def collection(self, collection_id: str) -> Collection:
        """The collection, or `ServiceError` 404."""
        found = self.collections.get(collection_id)
        if found is None:
            raise not_found(f"Collection {collection_id}")
        return found

    def create_session(
        self,
        collection_id: str,
        *,
        end_user_id: str,
        callback_url: str | None,
        ws_connection_id: str | None,
        metadata: Mapping[str, object],
    ) -> CaptureSessionRecord:
        """A new session in status ``created``."""
        self.collection(collection_id)
        guard_count(self.sessions, "capture sessions")
        session = CaptureSessionRecord(
            id=f"cap-{self.token(8)}",
            collection_id=collection_id,
            end_user_id=end_user_id,
            callback_url=callback_url,
            ws_connection_id=ws_connection_id,
            metadata=metadata,
            created_at=self.clock(),
        )
        self.sessions[session.id] = session
        return session

    def session(self, session_id: str, collection_id: str | None = None) -> CaptureSessionRecord:
        """The session (of that collection, if one is given), or `ServiceError` 404."""
        found = self.sessions.get(session_id)
        if found is None or (collection_id is not None and found.collection_id != collection_id):
            raise not_found(f"Capture session {session_id}")
        return found

    def session_of(self, stream: RTStream) -> CaptureSessionRecord | None:
        """The session that a stream belongs to, None for one that was made from an address."""
        return next((session for session in self.sessions.values() if stream.id in session.rtstream_ids), None)

    def move_session(self, session: CaptureSessionRecord, status: str) -> None:
        """Go to ``status``, or `ServiceError` 400 if it cannot follow the present one."""
        if status not in SESSION_TRANSITIONS[session.status]:
            raise ServiceError(
                400, f"Capture session {session.id} is {session.status} and cannot become {status}", "INVALID_STATE"
            )
        session.status = status

    def begin_session(self, session: CaptureSessionRecord, channels: Sequence[SessionChannel]) -> None:
        """``created`` → ``starting`` with the channels that a recorder offers."""
        if not channels:
            raise invalid("channels must name at least one channel")
        ids = [channel.channel_id for channel in channels]
        if len(set(ids)) != len(ids):
            raise invalid("channels must not name a channel twice")
        self.move_session(session, "starting")
        session.channels = tuple(channels)

    # Streams

    def add_stream(
        self,
        *,
        url: str,
        name: str | None,
        collection_id: str,
        media_types: Sequence[str],
        sample_rate: int,
        store: bool,
        ws_connection_id: str | None,
    ) -> RTStream:
        """A new stream, not yet started."""
        self.collection(collection_id)
        guard_count(self.streams, "streams")
        stream_id = f"rts-{self.token(8)}"
        stream = RTStream(
            id=stream_id,
            name=name or stream_id,
            url=url,
            collection_id=collection_id,
            media_types=tuple(media_types),
            sample_rate=sample_rate,
            store=store,
            ws_connection_id=ws_connection_id,
            created_at=self.clock(),
        )
        self.streams[stream.id] = stream
        return stream

    def stream(self, stream_id: str) -> RTStream:
        """The stream, or `ServiceError` 404."""
        found = self.streams.get(stream_id)
        if found is None:
            raise not_found(f"RTStream {stream_id}")
        return found

    def list_streams(self, *, status: str | None, name: str | None, ordering: str | None) -> list[RTStream]:
        """All streams that match; ``name`` is a part of the name, ``ordering`` a field, ``-`` before it reverses."""
        chosen = [
            stream
            for stream in self.streams.values()
            if (status is None or stream.status == status) and (name is None or name.lower() in stream.name.lower())
        ]
        ordering = ordering or "-created_at"
        reverse = ordering.startswith("-")
        keys: dict[str, Callable[[RTStream], tuple[float, str]]] = {
            "created_at": lambda stream: (stream.created_at, ""),
            "name": lambda stream: (0.0, stream.name),
            "status": lambda stream: (0.0, stream.status),
            "id": lambda stream: (0.0, stream.id),
        }
        key = keys.get(ordering.removeprefix("-"))
        if key is None:
            raise invalid(f"ordering must be one of {', '.join(keys)}, with - before it to reverse")
        if reverse:
            chosen.reverse()  # a stable sort keeps this order among streams of one instant: newest first there too
        return sorted(chosen, key=key, reverse=reverse)

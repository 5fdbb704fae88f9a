"""Capture sessions, and the client tokens with which a recorder speaks for one."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from videodb_cli.local.http import fields, service_of
from videodb_cli.local.http.answers import invalid, success
from videodb_cli.local.http.security import read_object
from videodb_cli.local.state.records import CaptureSessionRecord, SessionChannel
from videodb_cli.local.webhooks import checked_callback

MAX_CHANNELS = 32
DEFAULT_TOKEN_LIFE_S = 86400


async def create_session(request: Request) -> Response:
    """A session in status ``created``; it stays so until a recorder starts it."""
    service = service_of(request)
    body = await read_object(request)
    session = service.state.create_session(
        request.path_params["cid"],
        end_user_id=fields.text(body, "end_user_id"),
        callback_url=checked_callback(fields.optional_text(body, "callback_url")),
        ws_connection_id=fields.optional_text(body, "ws_connection_id"),
        metadata=fields.mapping(body, "metadata"),
    )
    service.sessions.created(session)
    return success(session.as_json(service.state.streams))


async def list_sessions(request: Request) -> Response:
    """All sessions of a collection, newest first; ``status`` and ``end_user_id`` choose some of them.

    Each has its ``id`` here beside ``session_id``: the Node SDK reads the one, the Python SDK the other.
    """
    state = service_of(request).state
    collection = state.collection(request.path_params["cid"])
    query = request.query_params
    status, end_user = query.get("status"), query.get("end_user_id") or query.get("endUserId")
    sessions = [
        {"id": session.id, **session.as_json(state.streams)}
        for session in reversed(state.sessions.values())
        if session.collection_id == collection.id
        and (not status or session.status == status)
        and (not end_user or session.end_user_id == end_user)
    ]
    return success({"sessions": sessions, "next_page": None})


async def get_session(request: Request) -> Response:
    """One session."""
    state = service_of(request).state
    session = state.session(request.path_params["sid"], request.path_params["cid"])
    return success(session.as_json(state.streams))


async def export_session(request: Request) -> Response:
    """The export of a session; the same call again asks how far it is."""
    service = service_of(request)
    body = await read_object(request)
    video_channel_id = fields.optional_text(body, "video_channel_id")
    connection_id = fields.optional_text(body, "connection_id")
    session = service.state.session(request.path_params["sid"], request.path_params["cid"])
    return success(service.sessions.export(session, video_channel_id, connection_id))


async def create_token(request: Request) -> Response:
    """A client token: it opens everything but the making of further tokens."""
    body = await read_object(request)
    fields.optional_text(body, "user_id")
    expires_in = fields.integer(body, "expires_in", DEFAULT_TOKEN_LIFE_S)
    token, expires_at = service_of(request).state.issue_client_token(expires_in)
    return success({"token": token, "expires_at": expires_at, "expires_in": expires_in})


async def start_session(request: Request) -> Response:
    """A recorder offers its channels: the session goes to ``starting``."""
    service = service_of(request)
    body = await read_object(request)
    session = service.state.session(fields.text(body, "session_id"))
    channels = _channels(body)
    connection_id = fields.optional_text(body, "ws_connection_id")
    callback_url = checked_callback(fields.optional_text(body, "callback_url"))
    service.require_credits()
    session.ws_connection_id = connection_id or session.ws_connection_id
    session.callback_url = callback_url or session.callback_url
    service.sessions.begin(session, channels)
    answer: dict[str, object] = {
        "session_id": session.id,
        "streaming_session_id": session.id,
        "status": session.status,
        "channels": _with_addresses(request, session),
    }
    if service.intake.rtsp is not None and service.intake.rtsp.certificate_hash is not None:
        answer["ssl_certificate_hash"] = service.intake.rtsp.certificate_hash
    return success(answer)


async def get_streaming_session(request: Request) -> Response:
    """A session as its recorder sees it: where to publish each channel, once that is known."""
    service = service_of(request)
    session = service.state.session(request.path_params["sid"])
    return success({"session_id": session.id, "status": session.status, "channels": _with_addresses(request, session)})


async def stop_session(request: Request) -> Response:
    """The recorder or the backend ends the session. Idempotent."""
    service = service_of(request)
    session = service.state.session(request.path_params["sid"])
    service.sessions.stop(session)
    return success({"session_id": session.id, "status": session.status}, message="Capture session is stopping")


def _with_addresses(request: Request, session: CaptureSessionRecord) -> list[dict[str, object]]:
    """The channels, with ``rtsp_url`` while something may be published there; under the name that this caller used."""
    urls = service_of(request).sessions.rtsp_urls(session, request.url.hostname or "127.0.0.1")
    channels: list[dict[str, object]] = []
    for channel in session.channels:
        shape = channel.as_json()
        if channel.channel_id in urls:
            shape["rtsp_url"] = urls[channel.channel_id]
        channels.append(shape)
    return channels


def _channels(body: dict[str, Any]) -> list[SessionChannel]:
    listed = body.get("channels")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_CHANNELS:
        raise invalid(f"channels must be a list of 1 to {MAX_CHANNELS} channels")
    channels = []
    for item in listed:
        if not isinstance(item, dict):
            raise invalid("each of channels must be an object")
        channel_id = fields.text(item, "channel_id")
        name = fields.optional_text(item, "channel_name") or fields.optional_text(item, "name") or channel_id
        channels.append(
            SessionChannel(
                channel_id,
                name,
                fields.choice(item, "type", ("audio", "video"), "audio"),
                store=fields.flag(item, "store", default=True),
                is_primary=fields.flag(item, "is_primary", default=False),
            )
        )
    return channels


routes = [
    Route("/collection/{cid}/capture/session", create_session, methods=["POST"]),
    Route("/collection/{cid}/capture/session", list_sessions, methods=["GET"]),
    Route("/collection/{cid}/capture/session/{sid}", get_session, methods=["GET"]),
    Route("/collection/{cid}/capture/session/{sid}/export", export_session, methods=["POST"]),
    Route("/capture/session/token", create_token, methods=["POST"]),
    Route("/capture/session/start", start_session, methods=["POST"]),
    Route("/capture/session/{sid}", get_streaming_session, methods=["GET"]),
    Route("/capture/session/{sid}/stop", stop_session, methods=["POST"]),
]

"""The control plane's calls for capture sessions, indexes, detection rules and alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from videodb_cli.api.failures import RequestFailedError
from videodb_cli.api.shapes import CaptureSession, ClientToken, Export, StreamingSession
from videodb_cli.settings import Secret


def _part(value: str) -> str:
    return quote(value, safe="")


class CaptureCalls:
    """One method for each endpoint. `ControlPlane` inherits them and has `call`. All raise as `call` does."""

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make one call; see `ControlPlane.call`."""
        raise NotImplementedError

    # ---- sessions ------------------------------------------------------------------------------------------------

    async def create_session(
        self,
        collection_id: str,
        *,
        end_user_id: str,
        ws_connection_id: str | None = None,
        metadata: Mapping[str, str] | None = None,
        callback_url: str | None = None,
    ) -> CaptureSession:
        """``POST /collection/{cid}/capture/session``."""
        body: dict[str, Any] = {"end_user_id": end_user_id}
        if ws_connection_id is not None:
            body["ws_connection_id"] = ws_connection_id
        if metadata:
            body["metadata"] = dict(metadata)
        if callback_url is not None:
            body["callback_url"] = callback_url
        data = await self.call("POST", f"/collection/{_part(collection_id)}/capture/session", body)
        session = CaptureSession.read(data)
        if session is None:
            raise RequestFailedError("the service made a capture session and did not say its id")
        return session

    async def get_session(self, collection_id: str, session_id: str) -> CaptureSession:
        """``GET /collection/{cid}/capture/session/{sid}``."""
        data = await self.call("GET", f"/collection/{_part(collection_id)}/capture/session/{_part(session_id)}")
        session = CaptureSession.read(data, session_id)
        if session is None:
            raise RequestFailedError("the service answered without a session")
        return session

    async def export_session(self, collection_id: str, session_id: str, *, connection_id: str | None = None) -> Export:
        """``POST …/export``: begins the export, and asks how far it is when called again."""
        # This one call names the key connection_id, without the ws_ of all others.
        body = {"connection_id": connection_id} if connection_id is not None else {}
        path = f"/collection/{_part(collection_id)}/capture/session/{_part(session_id)}/export"
        return Export.read(await self.call("POST", path, body))

    async def create_client_token(self, expires_in: int = 86400) -> ClientToken:
        """``POST /capture/session/token``."""
        data = await self.call("POST", "/capture/session/token", {"expires_in": expires_in})
        token = data.get("token")
        if not isinstance(token, str) or not token:
            raise RequestFailedError("the service answered without a client token")
        return ClientToken(Secret(token), data.get("expires_at"), data.get("expires_in"))

    async def start_streaming(
        self, session_id: str, channels: Sequence[Mapping[str, Any]], ws_connection_id: str | None = None
    ) -> StreamingSession:
        """``POST /capture/session/start``, with a client token."""
        body: dict[str, Any] = {"session_id": session_id, "channels": [dict(channel) for channel in channels]}
        if ws_connection_id is not None:
            body["ws_connection_id"] = ws_connection_id
        return StreamingSession.read(await self.call("POST", "/capture/session/start", body), session_id)

    async def get_streaming(self, streaming_id: str) -> StreamingSession:
        """``GET /capture/session/{streaming_session_id}``."""
        return StreamingSession.read(await self.call("GET", f"/capture/session/{_part(streaming_id)}"), streaming_id)

    async def stop_streaming(self, streaming_id: str) -> None:
        """``POST /capture/session/{streaming_session_id}/stop``."""
        await self.call("POST", f"/capture/session/{_part(streaming_id)}/stop", {})

    # ---- pipelines -----------------------------------------------------------------------------------------------

    async def create_index(self, rtstream_id: str, body: Mapping[str, Any]) -> str:
        """``POST /rtstream/{id}/index/scene``; returns the index id."""
        data = await self.call("POST", f"/rtstream/{_part(rtstream_id)}/index/scene", dict(body))
        return _id_in(data, "rtstream_index_id", "scene_index_id", "id")

    async def create_event(self, prompt: str, label: str) -> str:
        """``POST /rtstream/event``: a detection rule; returns its id."""
        data = await self.call("POST", "/rtstream/event", {"event_prompt": prompt, "label": label})
        return _id_in(data, "event_id", "id")

    async def create_alert(self, rtstream_id: str, index_id: str, event_id: str, ws_connection_id: str | None) -> str:
        """``POST /rtstream/{id}/index/{iid}/alert``; returns the alert id."""
        body: dict[str, Any] = {"event_id": event_id, "callback_url": ""}
        if ws_connection_id is not None:
            body["ws_connection_id"] = ws_connection_id
        data = await self.call("POST", f"/rtstream/{_part(rtstream_id)}/index/{_part(index_id)}/alert", body)
        return _id_in(data, "alert_id", "id")


def _id_in(data: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = data.get(name)
        if isinstance(value, str | int) and value != "":
            return str(value)
    raise RequestFailedError(f"the service answered without {names[0]}")

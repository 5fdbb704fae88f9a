"""The backend of a capture: it holds the key, makes sessions, and starts the analysis when one becomes active.

It makes the calls of the SDK's quickstart for Python, in its order. Environment: VIDEO_DB_API_KEY, BACKEND_PORT.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import videodb
from videodb._constants import RTStreamChannelType

connection = videodb.connect()
address = ""


def start_listener(name: str) -> str:
    """Open a socket in a thread, print its texts, and return its connection id."""
    ids: queue.Queue[str] = queue.Queue()

    async def listen() -> None:
        socket = await connection.connect_websocket().connect()
        ids.put(socket.connection_id)
        async for message in socket.receive():
            text = (message.get("data") or {}).get("text", "")
            if message.get("channel") in {"transcript", "audio_index", "scene_index", "visual_index"} and text.strip():
                print(f"[{name}] {message['channel']}: {' '.join(text.split())}", flush=True)

    threading.Thread(target=lambda: asyncio.run(listen()), daemon=True).start()
    return ids.get(timeout=10)


def on_active(session_id: str) -> None:
    """Start what listens to and looks at the streams of a session."""
    session = connection.get_capture_session(session_id)
    mics = session.get_rtstream(RTStreamChannelType.mic)
    displays = session.get_rtstream(RTStreamChannelType.screen)
    sounds = session.get_rtstream(RTStreamChannelType.system_audio)
    print(f"mics: {len(mics)} system audio: {len(sounds)} displays: {len(displays)}", flush=True)
    for stream in (mics or sounds)[:1]:
        connection_id = start_listener("sound")
        stream.start_transcript(ws_connection_id=connection_id)
        stream.index_audio(prompt="Extract key decisions and action items", ws_connection_id=connection_id)
    for stream in displays[:1]:
        connection_id = start_listener("picture")
        stream.index_visuals(prompt="Describe what the user is doing on screen", ws_connection_id=connection_id)
    print("analysis started", flush=True)


class Handler(BaseHTTPRequestHandler):
    """Answers the client, and the service's callbacks."""

    def do_POST(self) -> None:
        """``/init-session`` makes a session and a token; ``/callback`` takes an event."""
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        try:
            answer = self.init_session() if self.path == "/init-session" else self.callback(body)
        except Exception:  # noqa: BLE001 - whatever it is, the client is to see it
            traceback.print_exc()
            self.reply(500, {"error": traceback.format_exc(limit=1)})
        else:
            self.reply(200, answer)

    def init_session(self) -> dict[str, Any]:
        """Make a session whose events come to ``/callback``."""
        session = connection.create_capture_session(
            end_user_id="quickstart-user",
            collection_id="default",
            callback_url=f"{address}/callback",
            metadata={"app": "quickstart"},
        )
        return {"session_id": session.id, "token": connection.generate_client_token()}

    def callback(self, event: dict[str, Any]) -> dict[str, Any]:
        """Print an event of the session; start the analysis when it is active."""
        name = event.get("event")
        if name is None:
            return {"received": True}
        data = event.get("data") or {}
        print(f"callback {name} {data.get('exported_video_id', '')}".rstrip(), flush=True)
        if name == "capture_session.active":
            on_active(event["capture_session_id"])
        elif name == "capture_session.exported":
            video = connection.get_collection().get_video(data["exported_video_id"])
            print(f"exported {video.id} {video.length} {video.generate_stream()}", flush=True)
        return {"received": True}

    def reply(self, status: int, answer: dict[str, Any]) -> None:
        """Send a JSON answer."""
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Print no line for each request."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("BACKEND_PORT", "5002"))), Handler)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    print(f"backend {address}", flush=True)
    server.serve_forever()

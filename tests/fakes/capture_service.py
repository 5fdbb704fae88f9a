"""A stand-in for the service's capture side: the calls of a recorder over HTTP, with answers that a test decides.

Media are taken by an RTSP server of its own; ``url_of`` may name anything else, a closed port say.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from videodb_cli.local.rtsp.server import RtspServer

TOKEN = "st-test-0123456789"


def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class CaptureService:
    """``with CaptureService() as service: service.url``. ``status`` is what it says of the session; tests set it.

    ``keeps_back``: channels whose addresses it never names; ``export``: its answer when asked for one.
    """

    def __init__(self) -> None:
        self.status = "created"
        self.error: dict[str, str] | None = None
        self.calls: list[str] = []
        self.active_on_start = True
        self.urls_later = False
        self.keeps_back: set[str] = set()
        self.forgets = False
        self.export: dict[str, str] | None = None
        self.hangs: str | None = None
        self._over = threading.Event()
        self.refuses_token = False
        self.refuse_start: tuple[int, str] | None = None
        self.url_of: Callable[[dict[str, Any]], str] = self._take_media
        self.urls: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        self._rtsp: RtspServer | None = None

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer({})

            def do_POST(self) -> None:
                self._answer(json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}"))

            def _answer(self, body: dict[str, Any]) -> None:
                status, answer = outer.answer(self.command, self.path.rstrip("/"), body)
                if self.path.rstrip("/") == outer.hangs:
                    outer._over.wait(60)
                    self.close_connection = True
                    return
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._threads = [
            threading.Thread(target=self._http.serve_forever, daemon=True),
            threading.Thread(target=self._run_rtsp, daemon=True),
        ]
        self._ready = threading.Event()
        for thread in self._threads:
            thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._http.shutdown()
        self._http.server_close()
        self._loop.call_soon_threadsafe(self._end.set)
        for thread in self._threads:
            thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def _run_rtsp(self) -> None:
        async def serve() -> None:
            self._end = asyncio.Event()
            self._rtsp = RtspServer(socket.create_server(("127.0.0.1", 0)))
            self._rtsp.start()
            self._ready.set()
            await self._end.wait()
            await self._rtsp.close()

        self._loop.run_until_complete(serve())
        self._loop.close()

    def _take_media(self, channel: dict[str, Any]) -> str:
        assert self._rtsp is not None
        place = self._rtsp.relay.expect(channel["type"], on_record=lambda _: None, on_lost=lambda _: None)
        return f"rtsp://127.0.0.1:{self._rtsp.port}/{place.token}"

    # ---- the calls -----------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.calls.append(f"{method} {path}")
        if self.refuses_token:
            return 401, {"success": False, "message": "the token has expired"}
        if self.forgets:
            return 404, {"success": False, "message": "no such session"}
        if path == "/capture/session/start" and self.refuse_start is not None:
            status, message = self.refuse_start
            return status, {"success": False, "message": message}
        if path == "/capture/session/start":
            self.status = "active" if self.active_on_start else "starting"
            self.urls = {channel["channel_id"]: self.url_of(channel) for channel in body["channels"]}
            data: dict[str, Any] = {
                "session_id": body["session_id"],
                "status": "starting",
                "streaming_session_id": "ss-1",
            }
            return 200, {"success": True, "data": data if self.urls_later else {**data, "channels": self._channels()}}
        if path == "/capture/session/ss-1":
            data = {"session_id": "cap-1", "status": self.status, "channels": self._channels(), "error": self.error}
            return 200, {"success": True, "data": data}
        if path in {"/capture/session/ss-1/stop", "/capture/session/cap-1/stop"}:
            self.status = "stopped" if self.status != "failed" else "failed"
            return 200, {"success": True, "data": {}}
        if method == "GET" and path == "/capture/session/cap-1":
            return 200, {"success": True, "data": {"session_id": "cap-1", "status": self.status, "error": self.error}}
        if path == "/collection/default/capture/session/cap-1/export":
            if self.export is None:
                return 400, {"success": False, "message": "no recordings"}
            return 200, {"success": True, "data": self.export}
        return 404, {"success": False, "message": f"no such thing: {path}"}

    def _channels(self) -> list[dict[str, str]]:
        return [{"channel_id": name, "rtsp_url": url} for name, url in self.urls.items() if name not in self.keeps_back]

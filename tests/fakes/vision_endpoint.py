"""An endpoint with the OpenAI chat-completions API, which answers or misbehaves on demand.

It checks the key and the shape of each request as such servers do, and decodes the picture. `script` holds what the
next requests meet, one entry each; after it `answer` decides. `tests/unit/fakes` holds it to the public API.
"""

from __future__ import annotations

import base64
import io
import json
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import av
import numpy as np


@dataclass(frozen=True)
class Asked:
    """One question as it arrived."""

    model: str
    system: str
    prompt: str
    pictures: list[np.ndarray]  # BGR
    headers: dict[str, str]

    @property
    def picture(self) -> np.ndarray | None:
        """The last picture."""
        return self.pictures[-1] if self.pictures else None


@dataclass
class Act:
    """What one request meets. Without any field it is answered."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    wait: threading.Event | None = None  # the answer comes once this is set
    is_cut: bool = False  # the connection is closed without an answer


def garbage() -> Act:
    return Act(body=b'{"choices": [')


def closed() -> Act:
    return Act(is_cut=True)


def refused(status: int, **headers: str) -> Act:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Act(status, named, json.dumps({"error": {"message": "no", "type": "fake"}}).encode())


class VisionEndpoint:
    """Serves on a free port of the loopback while it is entered."""

    def __init__(
        self, *, key: str | None = None, models: Sequence[str] = ("fake-vl",), tls: ssl.SSLContext | None = None
    ) -> None:
        self.key = key
        self.models = list(models)
        self.script: list[Act] = []
        self.always: Act | None = None
        self.answer: Callable[[Asked], str] = lambda asked: f"Answer to: {asked.prompt}"
        self.asked: list[Asked] = []
        self.requests = 0
        self.changed = threading.Condition()
        self._ends: list[threading.Event] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                endpoint._list(self)

            def do_POST(self) -> None:
                endpoint._complete(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: object) -> None:
                pass  # a client that did not wait for its answer

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="vision endpoint"
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for event in self._ends:
            event.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def never(self) -> Act:
        """An answer that comes only when the test has ended."""
        event = threading.Event()
        self._ends.append(event)
        return Act(wait=event)

    def wait_asked(self, count: int, timeout_s: float = 15.0) -> list[Asked]:
        """The questions, once there are ``count``."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= count, timeout_s), self.asked
            return list(self.asked)

    def _list(self, handler: BaseHTTPRequestHandler) -> None:
        if not self._is_allowed(handler):
            _send(handler, refused(401))
        elif handler.path != "/v1/models":
            _send(handler, refused(404))
        else:
            data = [{"id": name, "object": "model", "owned_by": "fake"} for name in self.models]
            _send(handler, Act(body=json.dumps({"object": "list", "data": data}).encode()))

    def _complete(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        if not self._is_allowed(handler):
            _send(handler, refused(401))
            return
        if handler.path != "/v1/chat/completions":
            _send(handler, refused(404))
            return
        try:
            asked = _read(json.loads(body), dict(handler.headers.items()))
        except (ValueError, KeyError, TypeError, av.error.FFmpegError) as error:
            _send(handler, Act(400, body=json.dumps({"error": {"message": repr(error)}}).encode()))
            return
        if asked.model not in self.models:
            _send(handler, refused(404))
            return
        with self.changed:
            self.asked.append(asked)
            self.requests += 1
            act = self.script.pop(0) if self.script else self.always or Act()
            self.changed.notify_all()
        if act.wait is not None:
            act.wait.wait(60)
        if act.is_cut:
            handler.close_connection = True
            return
        if act.status == 200 and act.body is None:
            message = {"role": "assistant", "content": self.answer(asked)}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            completion = {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": int(time.time()),
                "model": asked.model,
                "choices": [choice],
            }
            act = Act(body=json.dumps(completion).encode())
        _send(handler, act)

    def _is_allowed(self, handler: BaseHTTPRequestHandler) -> bool:
        return self.key is None or handler.headers.get("authorization") == f"Bearer {self.key}"


def _send(handler: BaseHTTPRequestHandler, act: Act) -> None:
    body = act.body or b""
    handler.send_response(act.status)
    for name, value in {"content-type": "application/json", **act.headers}.items():
        handler.send_header(name, value)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _read(body: dict[str, Any], headers: dict[str, str]) -> Asked:
    system, prompt = "", ""
    pictures: list[np.ndarray] = []
    for message in body["messages"]:
        if message["role"] not in {"system", "user", "assistant"}:
            raise ValueError(message["role"])
        content = message["content"]
        parts: list[dict[str, Any]] = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for part in parts:
            if part["type"] == "image_url":
                pictures.append(_decoded(part["image_url"]["url"]))
            elif message["role"] == "system":
                system += part["text"]
            else:
                prompt += part["text"]
    if not prompt or body.get("stream"):
        raise ValueError("this fake wants a prompt, and does not stream")
    return Asked(body["model"], system, prompt, pictures, headers)


def _decoded(url: str) -> np.ndarray:
    head, _, data = url.partition(",")
    if head != "data:image/jpeg;base64":
        raise ValueError(head)
    content = base64.b64decode(data, validate=True)
    if not content.startswith(b"\xff\xd8"):
        raise ValueError("this is no JPEG")
    with av.open(io.BytesIO(content), "r", format="jpeg_pipe") as container:
        return next(container.decode(video=0)).to_ndarray(format="bgr24")

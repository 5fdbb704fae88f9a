"""Every answer is valid against the service's public OpenAPI description, where that describes the call.

The description is not ours to copy, and no test reaches out of this machine: name a copy of it in VIDEODB_OPENAPI to
run this (see CONTRIBUTING.md).
"""

import os
import time
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
import yaml

from videodb_cli.local.analysis.base import AnalysisRecord
from videodb_cli.local.http.server import Running

DESCRIPTION = os.environ.get("VIDEODB_OPENAPI", "")
pytestmark = pytest.mark.skipif(not DESCRIPTION, reason="VIDEODB_OPENAPI names no description")


def plain_schema(node: Any, root: dict[str, Any]) -> Any:
    """OpenAPI 3.0's dialect as JSON Schema."""
    if isinstance(node, list):
        return [plain_schema(item, root) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target: Any = root
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return plain_schema(target, root)
    made = {key: plain_schema(value, root) for key, value in node.items() if key not in {"example", "nullable"}}
    if node.get("nullable"):
        made["type"] = [made["type"], "null"]
    return made


class Described:
    def __init__(self, client: httpx.Client) -> None:
        self.root = yaml.safe_load(Path(DESCRIPTION).read_text())
        self.client = client
        self.checked: set[tuple[str, str, int]] = set()

    def call(
        self, method: str, template: str, status: int = 200, *, json: Any = None, query: str = "", **ids: str
    ) -> Any:
        answer = self.client.request(method, template.format(**ids) + query, json=json)
        assert answer.status_code == status, answer.text
        operation = self.root["paths"][template][method.lower()]
        described = operation["responses"][str(status)]["content"]["application/json"]["schema"]
        jsonschema_rs.Draft202012Validator(plain_schema(described, self.root)).validate(answer.json())
        self.checked.add((method, template, status))
        return answer.json().get("data")


def test_every_answer_is_as_described(service: Running, sources: Any, clip: Path) -> None:
    with httpx.Client(base_url=service.url, headers={"x-access-token": service.key}, timeout=20) as client:
        call_everything(Described(client), sources, clip)


def call_everything(api: Described, sources: Any, clip: Path) -> None:
    api.call("GET", "/")
    api.call("GET", "/collection")
    api.call("GET", "/collection/{collection_id}", collection_id="default")
    api.call("GET", "/collection/{collection_id}/websocket", collection_id="default")
    sessions = "/collection/{collection_id}/capture/session"
    body = {"end_user_id": "u", "ws_connection_id": "ws-1", "callback_url": "http://127.0.0.1:9", "metadata": {"a": 1}}
    session = api.call("POST", sessions, json=body, collection_id="default")["session_id"]
    api.call("POST", sessions, 400, json={}, collection_id="default")
    api.call("GET", sessions, query="?status=created", collection_id="default")
    api.call("GET", sessions + "/{session_id}", collection_id="default", session_id=session)
    api.call("GET", sessions + "/{session_id}", 404, collection_id="default", session_id="cap-none")
    api.call("POST", "/capture/session/token", json={"expires_in": 60})
    start = {"session_id": session, "channels": [{"channel_id": "mic"}]}
    api.client.post("/_local/credits", json={"exhausted": True})
    api.call("POST", "/capture/session/start", 402, json=start)
    api.client.post("/_local/credits", json={"exhausted": False})
    api.call("POST", "/capture/session/start", json=start)
    api.call("POST", "/capture/session/start", 400, json={"session_id": session})
    api.call("GET", "/capture/session/{streaming_session_id}", streaming_session_id=session)
    api.call("GET", "/capture/session/{streaming_session_id}", 404, streaming_session_id="none")
    api.call("POST", "/capture/session/{streaming_session_id}/stop", streaming_session_id=session)

    create = {"url": str(clip), "name": "clip", "media_types": ["video", "audio"], "store": True}
    stream = api.call("POST", "/rtstream/", 201, json=create)["id"]
    api.call("POST", "/rtstream/", 400, json={})
    api.call("GET", "/rtstream/", query="?limit=1&offset=0")
    one = "/rtstream/{stream_id}"
    api.call("GET", one + "/", stream_id=stream)
    api.call("GET", one + "/", 404, stream_id="rts-none")
    api.call("PATCH", one + "/", json={"name": "other", "sample_rate": 5}, stream_id=stream)
    api.call("PATCH", one + "/", 400, json={"url": "x"}, stream_id=stream)
    api.call("POST", one + "/transcription/", json={"action": "start"}, stream_id=stream)
    sources.say(AnalysisRecord("transcript", "hello", time.time() - 1, time.time(), is_final=True, model="m"))
    deadline = time.monotonic() + 10
    while not api.call("GET", one + "/transcription/", query="?page_size=5", stream_id=stream)["transcription_records"]:
        assert time.monotonic() < deadline
    api.call("GET", one + "/transcription/status", stream_id=stream)
    index = api.call("POST", one + "/index/scene", json={"prompt": "p"}, stream_id=stream)["rtstream_index_id"]
    sources.say(AnalysisRecord("visual_index", "a page", time.time() - 1, time.time(), is_final=True, model="ocr"))
    api.call("GET", one + "/index/scene", stream_id=stream)
    api.call("GET", one + "/index/{scene_index_id}", stream_id=stream, scene_index_id=index)
    api.call("GET", one + "/index/scene/{scene_index_id}", stream_id=stream, scene_index_id=index)
    api.call(
        "PATCH", one + "/index/scene/{scene_index_id}", json={"prompt": "q"}, stream_id=stream, scene_index_id=index
    )
    api.call("POST", one + "/search", json={"query": "page", "scene_index_id": index}, stream_id=stream)
    status = {"stream_id": stream, "scene_index_id": index}
    rule = api.call("POST", "/rtstream/event", json={"event_prompt": "refund", "label": "refund"})["event_id"]
    api.call("GET", "/rtstream/event")
    alerts = one + "/index/{scene_index_id}/alert"
    made = api.call("POST", alerts, json={"event_id": rule, "callback_url": "", "ws_connection_id": "ws-1"}, **status)
    api.call("GET", alerts, **status)
    api.call("PATCH", alerts + "/{alert_id}/status", json={"status": "disabled"}, alert_id=made["alert_id"], **status)
    api.call("PATCH", one + "/index/scene/{scene_index_id}/status", json={"action": "stop"}, **status)
    api.call("GET", one + "/stream", query=f"?start={int(time.time())}&end={int(time.time()) + 9}", stream_id=stream)
    api.call("PATCH", one + "/status/", json={"action": "stop"}, stream_id=stream)
    api.call("POST", one + "/export", json={"name": "n"}, stream_id=stream)
    assert len(api.checked) == 41

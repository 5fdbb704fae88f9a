"""The official Node SDK, unmodified, drives every call about sessions, sockets, rtstreams, indexes, alerts and search.

It comes from npm with the lock file beside `node/bridge.js`; its installation script, which loads a recorder for macOS
and Windows, does not run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from videodb_cli.local.analysis.base import AnalysisRecord, Word
from videodb_cli.local.http.server import Running

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("npm") is None or shutil.which("node") is None, reason="Node.js is not installed"),
]
NODE = Path(__file__).parent / "node"
FAKE_RECORDER = Path(__file__).parents[1] / "fakes" / "fake_recorder.py"


class NodeError(AssertionError):
    """The SDK raised."""


class Bridge:
    """The SDK in a Node process; its objects are called by the names under which they were kept."""

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            ["node", "bridge.js"], cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def _ask(self, **request: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise NodeError(answer["error"])
        return answer["result"]

    def call(self, on: str, method: str, *arguments: Any, keep: str | None = None, index: int | None = None) -> Any:
        chosen = {} if index is None else {"index": index}
        return self._ask(on=on, call=method, arguments=arguments, keep=keep, **chosen)

    def read(self, on: str, name: str) -> Any:
        return self._ask(on=on, read=name)

    def next(self, socket: str) -> dict[str, Any]:
        found: dict[str, Any] = self._ask(on=socket, next=True)
        return found

    def next_of(self, socket: str, channel: str) -> dict[str, Any]:
        while (event := self.next(socket)).get("channel") != channel:
            pass
        return event

    def end(self) -> None:
        self._process.communicate(timeout=10)


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", ".npmrc", "bridge.js", "recorder.js"):
        shutil.copy(NODE / name, directory / name)
    subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=directory, check=True, capture_output=True, timeout=110)
    return directory


@pytest.fixture
def node(sdk: Path, service: Running) -> Iterator[Bridge]:
    bridge = Bridge(sdk)
    bridge.call("videodb", "connect", {"apiKey": service.key, "baseUrl": service.url}, keep="conn")
    bridge.call("conn", "getCollection", keep="collection")
    yield bridge
    bridge.end()


@pytest.fixture
def socket(node: Bridge) -> str:
    node.call("conn", "connectWebsocket", keep="opened")
    node.call("opened", "connect", keep="socket")
    connection_id = node.read("socket", "connectionId")
    assert isinstance(connection_id, str)
    return connection_id


@pytest.fixture
def stream(node: Bridge, clip: Path) -> dict[str, Any]:
    media, rate, is_stored = ["video", "audio"], 30, True
    wanted = (str(clip), "display:1", media, rate, is_stored)
    found: dict[str, Any] = node.call("collection", "connectRTStream", *wanted, keep="stream")
    return found


@pytest.fixture
def say(sources: Any) -> Callable[..., None]:
    def say(kind: str, text: str, **more: Any) -> None:
        now = time.time()
        sources.say(AnalysisRecord(kind, text, now, now + 1, True, "model", **more))  # type: ignore[arg-type]

    return say


def screen(text: str) -> dict[str, Any]:
    """What a picture with one new line says."""
    return {"lines": [text], "new_lines": [text]}


def test_collections_sessions_and_tokens(node: Bridge, socket: str) -> None:
    assert node.read("collection", "id") == "default"
    assert [found["id"] for found in node.call("conn", "getCollections")] == ["default"]
    wanted = {"endUserId": "user-1", "wsConnectionId": socket, "metadata": {"team": "blue"}}
    session = node.call("collection", "createCaptureSession", wanted, keep="session")
    assert session["id"].startswith("cap-")
    created = node.next_of("socket", "capture_session")
    assert (created["event"], created["data"]["status"]) == ("capture_session.created", "created")
    node.call("collection", "createCaptureSession", {"endUserId": "user-2"})
    assert len(node.call("collection", "listCaptureSessions")) == 2
    assert session["id"] in [
        found["id"] for found in node.call("collection", "listCaptureSessions", {"status": "created"})
    ]
    assert node.call("collection", "listCaptureSessions", {"status": "active"}) == []
    node.call("session", "refresh")
    assert node.read("session", "status") == "created"
    assert node.call("conn", "getCaptureSession", session["id"])["endUserId"] == "user-1"
    assert node.call("conn", "generateClientToken", 600).startswith("st-")
    with pytest.raises(NodeError, match="was not found"):
        node.call("collection", "getCaptureSession", "cap-nowhere")


def test_streams(node: Bridge, stream: dict[str, Any]) -> None:
    assert stream["id"].startswith("rts-")
    assert [found["id"] for found in node.call("collection", "listRTStreams")] == [stream["id"]]
    assert node.call("collection", "getRTStream", stream["id"])["name"] == "display:1"
    node.call("stream", "stop")
    assert node.call("collection", "getRTStream", stream["id"])["status"] == "stopped"
    exported = node.call("stream", "export", "A title")
    assert exported["name"] == "A title"
    assert exported["videoId"].startswith("m-")
    assert exported["playerUrl"].startswith("http://127.0.0.1")


def test_transcripts(node: Bridge, stream: dict[str, Any], socket: str, say: Callable[..., None]) -> None:
    assert node.call("stream", "startTranscript", socket)["status"] == "running"
    say("transcript", "We ship it.", words=(Word("We", 1.0, 1.2),))
    heard = node.next_of("socket", "transcript")
    assert (heard["data"]["text"], heard["data"]["is_final"]) == ("We ship it.", True)
    assert heard["rtstream_id"] == stream["id"]
    read = node.call("stream", "getTranscript", {"page": 1, "pageSize": 10})
    assert [record["text"] for record in read["transcriptionRecords"]] == ["We ship it."]
    assert node.call("stream", "stopTranscript")["status"] == "stopped"


@pytest.mark.parametrize("kind", ["time_based", "shot_based"])
def test_a_visual_index_with_the_defaults_of_the_sdk(
    node: Bridge, stream: dict[str, Any], socket: str, say: Callable[..., None], kind: str
) -> None:
    wanted = {"extractionType": kind, "prompt": "What is on screen?", "wsConnectionId": socket}
    index = node.call("stream", "indexScenes", wanted, keep="index")
    assert (index["status"], index["rtstreamId"]) == ("running", stream["id"])
    say("visual_index", "Release checklist", detail=screen("Release checklist"))
    seen = node.next_of("socket", "visual_index")
    assert seen["data"]["text"] == "Release checklist"
    scenes = node.call("index", "getScenes")["scenes"]
    assert scenes[0]["description"] == scenes[0]["text"] == "Release checklist"
    assert [found["rtstreamIndexId"] for found in node.call("stream", "listSceneIndexes")] == [index["rtstreamIndexId"]]
    assert node.call("stream", "getSceneIndex", index["rtstreamIndexId"])["prompt"] == "What is on screen?"
    node.call("index", "updateSceneIndex", "Which page is open?")
    assert node.call("stream", "getSceneIndex", index["rtstreamIndexId"])["prompt"] == "Which page is open?"
    shots = node.call("stream", "search", {"query": "checklist"})["shots"]
    assert [shot["text"] for shot in shots] == ["Release checklist"]
    everywhere = node.call("collection", "search", "checklist", *[None] * 6, "rtstream")["shots"]
    assert [shot["rtstreamId"] for shot in everywhere] == [stream["id"]]
    node.call("index", "stop")
    assert node.call("stream", "getSceneIndex", index["rtstreamIndexId"])["status"] == "stopped"
    node.call("index", "start")


def test_an_audio_index_starts_the_transcript_that_it_needs(
    node: Bridge, stream: dict[str, Any], socket: str, say: Callable[..., None], clip: Path
) -> None:
    batch = {"type": "sentence", "value": 1}
    index = node.call("stream", "indexAudio", {"prompt": "Summarize", "batchConfig": batch, "socketId": socket})
    assert (index["extractionType"], index["status"]) == ("transcript", "running")
    say("transcript", "The refund was late.")
    assert node.next_of("socket", "transcript")["data"]["text"] == "The refund was late."
    say("audio_index", "Speech: The refund was late.", detail={"transcript": "The refund was late."})
    assert node.next_of("socket", "audio_index")["data"]["text"] == "Speech: The refund was late."
    node.call("collection", "connectRTStream", str(clip), "other", ["audio"], keep="other")
    with pytest.raises(NodeError, match="Start transcript first"):
        node.call("other", "indexAudio", {"prompt": "Summarize", "autoStartTranscript": False})


def test_events_and_alerts(node: Bridge, stream: dict[str, Any], socket: str, say: Callable[..., None]) -> None:
    event_id = node.call("conn", "createEvent", "the deployment failed", "pager")
    assert node.call("conn", "createEvent", "the deployment failed", "pager") == event_id
    assert [event["label"] for event in node.call("conn", "listEvents")] == ["pager"]
    node.call("stream", "indexVisuals", {"prompt": "What happens?", "socketId": socket}, keep="index")
    alert_id = node.call("index", "createAlert", event_id, "", socket)
    say(
        "visual_index",
        "The deployment failed",
        detail=screen("The deployment failed"),
    )
    rung = node.next_of("socket", "alert")
    assert rung["data"]["alert_id"] == alert_id
    assert rung["data"]["label"] == rung["data"]["event_label"] == "pager"
    assert [alert["alertId"] for alert in node.call("index", "listAlerts")] == [alert_id]
    node.call("index", "disableAlert", alert_id)
    assert node.call("index", "listAlerts")[0]["status"] == "disabled"
    node.call("index", "enableAlert", alert_id)


def test_its_capture_client_can_run_a_session_on_the_fake_recorder(sdk: Path, tmp_path: Path) -> None:
    """The fake's dialect `node`, to which our driver is held, is one that the Node SDK understands."""
    log = tmp_path / "commands.jsonl"
    done = subprocess.run(
        ["node", "recorder.js", sys.executable, str(FAKE_RECORDER)],
        cwd=sdk,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "FAKE_RECORDER_FAULTS": "node uploads", "FAKE_RECORDER_LOG": str(log)},
    )
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout)
    assert found["permission"] == "granted"
    assert ["mic:default", "Built-in Microphone"] in found["names"]
    heard = [name for name, _ in found["heard"]]
    assert heard == ["recording:started", *["upload:progress"] * 4, "recording:stopped"]
    commands = [note["command"] for note in map(json.loads, log.read_text().splitlines()) if "command" in note]
    assert commands == [
        "init", "requestPermission", "getChannels", "startRecording", "pauseTracks", "resumeTracks", "stopRecording",
        "shutdown",
    ]  # fmt: skip

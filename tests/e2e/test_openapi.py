"""The service's OpenAPI document: it names every call, and generated requests get nothing that it does not have."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.e2e.conftest import Sources
from tests.e2e.description import Description
from tests.e2e.program import eventually
from videodb_cli.local.analysis.base import AnalysisRecord, Word
from videodb_cli.local.http.app import ROUTES
from videodb_cli.local.http.description.document import build_document, keys_of
from videodb_cli.local.http.description.operations import OPERATIONS
from videodb_cli.local.http.server import Running, running

CHANNEL = {"channel_id": "mic:default", "type": "audio"}
EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "10"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# Nobody is connected, nothing was captured, and spans at random are hardly ever within a video: the SDK's tests get
# these answers, and hold them against the document too.
NEVER_DONE = {
    "POST /_local/trigger",
    "POST /collection/{cid}/capture/session/{sid}/export",
    "POST /compile",
    "GET /video/{vid}/thumbnail",
    "POST /video/{vid}/thumbnail",
}
# One would end the service, the other takes lines and not a document: see test_local_service.py.
NOT_GENERATED = {"POST /_local/stop", "POST /_local/replay"}
ABOUT_MEDIA = {"video", "audio", "media", "play", "compile", "export"}


def test_every_route_is_in_the_document_and_nothing_else() -> None:
    assert set(keys_of(ROUTES)) == set(OPERATIONS)
    document = build_document(ROUTES)
    jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **document["components"]})
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], f"{method} {path} has no docstring"


def test_the_document_is_served_without_a_key(shared: Running) -> None:
    answer = httpx.get(f"{shared.url}/openapi.json")
    assert answer.status_code == 200
    assert answer.json() == build_document(ROUTES, shared.url)


def test_an_answer_that_is_not_described_is_noticed() -> None:
    description = Description()
    good = {"success": True, "data": {"event_id": "e"}}
    description.check("POST", "http://x/rtstream/event/", 200, good)
    with pytest.raises(jsonschema_rs.ValidationError):
        description.check("POST", "http://x/rtstream/event", 200, {**good, "more": 1})
    with pytest.raises(AssertionError, match="answered 418"):
        description.check("POST", "http://x/rtstream/event", 418, good)


@pytest.fixture(scope="module")
def sources() -> Sources:
    return Sources()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, sources: Sources) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("served") / "local", make_source=sources) as found:
        yield found


@pytest.fixture
def known(served: Running, sources: Sources, tmp_path: Path, key: str) -> dict[str, str]:
    """One of everything that has an id, by the names that ids have in paths and bodies."""
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"x")
    headers = {"x-access-token": served.key}
    with httpx.Client(base_url=served.url, headers=headers, timeout=10) as client:

        def call(method: str, path: str, **body: Any) -> Any:
            answer = client.request(method, path, json=body)
            assert answer.is_success, answer.text
            return answer.json().get("data")

        def recording(*media_types: str) -> tuple[str, dict[str, Any]]:
            stream = call("POST", "/rtstream", url=str(clip), store=True, media_types=media_types)["id"]
            call("POST", f"/rtstream/{stream}/transcription", action="start")
            now = time.time()
            words = (Word("hello", now, now + 1),)
            sources.say(AnalysisRecord("transcript", "hello", now, now + 1, True, "whisper", words=words))
            eventually(lambda: client.get(f"/rtstream/{stream}/transcription").json()["data"]["total_count"])
            call("PATCH", f"/rtstream/{stream}/status", action="stop")
            return stream, call("POST", f"/rtstream/{stream}/export")

        call("POST", "/_local/credits", exhausted=False)
        call("POST", "/_local/faults", faults=[])
        session = call("POST", "/collection/default/capture/session", end_user_id="u")["session_id"]
        stream = call("POST", "/rtstream", url=str(clip), media_types=["video", "audio"])["id"]
        rule = call("POST", "/rtstream/event", event_prompt="refund", label="refund")["event_id"]
        scene = call("POST", f"/rtstream/{stream}/index/scene")["rtstream_index_id"]
        understanding = call("POST", f"/rtstream/{stream}/understand")["understanding_id"]
        source = {"understanding_id": understanding}
        index = call("POST", f"/rtstream/{stream}/indexes", source=source)["index_id"]
        alerts = {
            one: call("POST", f"/rtstream/{stream}/index/{one}/alert", event_id=rule)["alert_id"]
            for one in (scene, index)
        }
        ids = {"cid": "default", "rid": stream, "sid": session, "session_id": session, "uid": understanding}
        ids |= {"understanding_id": understanding, "event_id": rule, "iid": scene, "aid": alerts[scene]}
        ids |= {"indexes.iid": index, "indexes.aid": alerts[index], "url": str(clip)}
        ids |= {"callback_url": "http://127.0.0.1:9/", "collection_id": "default"}
        if ABOUT_MEDIA & set(key.split("/")):
            sources.media_types = ("audio",)
            _, sound = recording("audio")
            sources.media_types = ("video", "audio")
            stopped, film = recording("video", "audio")
            call("POST", f"/video/{film['video_id']}/index")
            ids |= {"audio.vid": sound["video_id"], "vid": film["video_id"], "video_id": film["video_id"]}
            media = film["stream_url"].split("/")[-2]
            ids |= {"media_id": media, "compile.media_id": film["video_id"], "v": media, "name": "index.m3u8"}
            ids |= {"export.rid": stopped}
        return ids


def with_known(document: dict[str, Any], key: str, known: dict[str, str]) -> dict[str, Any]:
    """The document of one call, where ids are those that exist. No address leads off this machine."""
    method, path = key.split(" ", 1)
    parts = path.split("/")

    def of(name: str, schema: Any) -> Any:
        special = [known[f"{part}.{name}"] for part in parts if f"{part}.{name}" in known]
        wanted = special[0] if special else known.get(name)
        if wanted is None or (name == "name" and "media" not in parts):
            return schema
        return {"enum": [wanted]}

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(item) for item in node]
        if not isinstance(node, dict):
            return node
        made = {name: walk(value) for name, value in node.items()}
        if isinstance(made.get("properties"), dict):
            made["properties"] = {name: of(name, schema) for name, schema in made["properties"].items()}
        if "in" in made and "schema" in made:
            made["schema"] = of(made["name"], made["schema"])
        return made

    operation = document["paths"][path][method.lower()]
    asked = {name: walk(value) for name, value in operation.items() if name in {"parameters", "requestBody"}}
    return {**document, "paths": {path: {method.lower(): {**operation, **asked}}}}


@pytest.mark.parametrize("key", sorted(set(OPERATIONS) - NOT_GENERATED))
def test_generated_requests_get_described_answers(served: Running, known: dict[str, str], key: str) -> None:
    document = build_document(ROUTES)
    statuses: set[int] = set()
    with requests.Session() as session:

        def send(case: Any) -> None:
            answer = case.call(served.url, session=session, headers={"x-access-token": served.key}, timeout=10)
            case.validate_response(answer, checks=CHECKS)
            statuses.add(answer.status_code)

        generate(with_known(document, key, known), GenerationMode.POSITIVE, EXAMPLES, send)
        generate(
            with_known(document, key, {"callback_url": known["callback_url"]}),
            GenerationMode.POSITIVE,
            EXAMPLES // 3,
            send,
        )
        with contextlib.suppress(Unsatisfiable):  # nothing can be wrong about a call without parameters
            generate(with_known(document, key, known), GenerationMode.NEGATIVE, EXAMPLES // 2, send)
    if key not in NEVER_DONE:
        assert min(statuses) < 300, f"no request was answered as it should: {statuses}"


def generate(document: dict[str, Any], mode: GenerationMode, count: int, send: Callable[[Any], None]) -> None:
    """Send ``count`` requests to the one call of a document."""
    (result,) = schemathesis.openapi.from_dict(document).get_all_operations()
    assert isinstance(result, Ok)
    run = given(case=result.ok().as_strategy(generation_mode=mode))(send)
    settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )(run)()

"""Hostile input is normal input: whatever a request holds, the service answers with one of its two envelopes."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from videodb_cli.local.http.server import Running

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        "end_user_id",
        "metadata",
        "ws_connection_id",
        "session_id",
        "channels",
        "expires_in",
        "url",
        "name",
        "media_types",
        "collection_id",
        "sample_rate",
        "store",
        "enable_transcript",
        "action",
        "engine",
        "extraction_type",
        "prompt",
        "extraction_config",
        "kind",
        "text",
        "count",
        "rate",
        "to",
        "callback_url",
    ]
)
PATHS = st.sampled_from(
    [
        "/collection/default/capture/session",
        "/capture/session/token",
        "/capture/session/start",
        "/rtstream",
        "/rtstream/{rid}/transcription",
        "/rtstream/{rid}/index/scene",
        "/rtstream/{rid}/export",
        "/_local/trigger",
        "/collection/default/capture/session/{sid}/export",
        "/capture/session/{sid}/stop",
    ]
)
QUERIES = st.dictionaries(
    st.sampled_from(["limit", "offset", "page", "page_size", "start", "end", "since", "ordering", "status", "name"]),
    st.text(max_size=12) | st.integers().map(str) | st.floats().map(str) | st.just("9" * 5000),
    max_size=4,
)
READS = st.sampled_from(
    [
        "/rtstream",
        "/rtstream/{rid}",
        "/rtstream/{rid}/transcription",
        "/rtstream/{rid}/stream",
        "/collection/default/capture/session",
        "/rtstream/{rid}/index/scene/{iid}",
    ]
)
MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def prepared(
    shared: Running, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    clip = tmp_path_factory.mktemp("media") / "clip.mp4"
    clip.touch()
    with httpx.Client(base_url=shared.url, headers={"x-access-token": shared.key}, timeout=20) as http:
        rid = http.post("/rtstream", json={"url": str(clip)}).json()["data"]["id"]
        iid = http.post(f"/rtstream/{rid}/index/scene", json={}).json()["data"]["rtstream_index_id"]
        sid = http.post("/collection/default/capture/session", json={"end_user_id": "u"}).json()["data"]["session_id"]
        yield http, {"rid": rid, "iid": iid, "sid": sid}


def is_answer(answer: httpx.Response) -> bool:
    body = answer.json()
    if answer.status_code < 300:
        return body["success"] is True
    return 400 <= answer.status_code < 500 and set(body) == {"success", "message", "error_code"}


@MANY
@given(path=PATHS, body=st.dictionaries(FIELDS, JSON, max_size=6) | JSON)
def test_any_body_gets_an_answer(prepared: tuple[httpx.Client, dict[str, str]], path: str, body: Any) -> None:
    http, ids = prepared
    assert is_answer(http.post(path.format(**ids), content=json.dumps(body).encode()))


@MANY
@given(path=READS, query=QUERIES)
def test_any_query_gets_an_answer(
    prepared: tuple[httpx.Client, dict[str, str]], path: str, query: dict[str, str]
) -> None:
    http, ids = prepared
    assert is_answer(http.get(path.format(**ids), params=query))


@MANY
@given(path=st.text(max_size=40))
def test_any_path_gets_an_answer(prepared: tuple[httpx.Client, dict[str, str]], path: str) -> None:
    http, _ = prepared
    assert is_answer(http.put("/" + quote(path, safe="/")))

"""The fake endpoint speaks the public chat-completions API, and misbehaves as it is told."""

from __future__ import annotations

import base64
import http.client
import json
import threading
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import pytest

from tests.fakes.vision_endpoint import VisionEndpoint, closed, garbage, refused
from videodb_cli.local.analysis.jpeg import jpeg_of

TEXT = [{"role": "user", "content": "What is there?"}]


def post(endpoint: VisionEndpoint, messages: Any = TEXT, *, key: str | None = None, **more: Any) -> Any:
    body = json.dumps({"model": "fake-vl", "messages": messages, **more}).encode()
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(endpoint.url + "/v1/chat/completions", body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def status_of(*arguments: Any, **more: Any) -> int:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(*arguments, **more)
    caught.value.close()
    return caught.value.code


def test_it_answers_as_the_public_api_does() -> None:
    with VisionEndpoint() as endpoint:
        endpoint.answer = lambda asked: "A kettle."
        answer = post(endpoint)
        assert answer["object"] == "chat.completion"
        assert answer["choices"][0]["message"] == {"role": "assistant", "content": "A kettle."}
        with urllib.request.urlopen(endpoint.url + "/v1/models", timeout=10) as listed:
            assert [one["id"] for one in json.loads(listed.read())["data"]] == ["fake-vl"]


def test_it_decodes_the_picture() -> None:
    url = "data:image/jpeg;base64," + base64.b64encode(jpeg_of(np.full((90, 160, 3), 200, np.uint8))).decode()
    content = [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": url}}]
    with VisionEndpoint() as endpoint:
        post(endpoint, [{"role": "user", "content": content}])
        picture = endpoint.asked[0].picture
        assert picture is not None
        assert picture.shape == (90, 160, 3)
        content[1] = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,bm90IGEgcGljdHVyZQ=="}}
        assert status_of(endpoint, [{"role": "user", "content": content}]) == 400


def test_it_refuses_a_wrong_key_and_an_unknown_model() -> None:
    with VisionEndpoint(key="right") as endpoint:
        assert status_of(endpoint, key="wrong") == 401
        assert post(endpoint, key="right")["choices"]
        assert status_of(endpoint, key="right", model="another") == 404
        assert status_of(endpoint, [{"role": "nobody", "content": "x"}], key="right") == 400


def test_it_misbehaves_as_told() -> None:
    with VisionEndpoint() as endpoint:
        endpoint.script = [refused(429, retry_after="7"), garbage(), closed(), refused(500)]
        with pytest.raises(urllib.error.HTTPError) as caught:
            post(endpoint)
        assert (caught.value.code, caught.value.headers["retry-after"]) == (429, "7")
        caught.value.close()
        with pytest.raises(json.JSONDecodeError):
            post(endpoint)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            post(endpoint)
        assert status_of(endpoint) == 500
        assert post(endpoint)["choices"]


def test_it_keeps_an_answer_back() -> None:
    with VisionEndpoint() as endpoint:
        act = endpoint.never()
        endpoint.script = [act]
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(post(endpoint)))
        thread.start()
        endpoint.wait_asked(1)
        assert not answers
        assert act.wait is not None
        act.wait.set()
        thread.join(10)
        assert answers[0]["choices"]

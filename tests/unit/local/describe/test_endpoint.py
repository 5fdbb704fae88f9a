"""The client of the endpoint against the fake, and what it says of each failure."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.fakes.authority import Authority
from tests.fakes.proxy import Proxy
from tests.fakes.vision_endpoint import Act, VisionEndpoint, closed, garbage, refused
from videodb_cli.local.describe import endpoint as module
from videodb_cli.local.describe.endpoint import Endpoint, EndpointError
from videodb_cli.local.describe.options import DescribeOptions
from videodb_cli.local.describe.prompts import about_speech
from videodb_cli.settings import Secret

KEY = "sk-very-secret-4711"
QUESTION = about_speech("Sum up", "hello")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "_PAUSE_S", 0.01)


@pytest.fixture
def fake() -> Iterator[VisionEndpoint]:
    with VisionEndpoint(key=KEY, models=["first-vl", "second-vl"]) as made:
        yield made


@pytest.fixture
async def endpoint(fake: VisionEndpoint) -> AsyncIterator[Endpoint]:
    made = Endpoint(DescribeOptions(fake.url + "/v1", timeout_s=5.0), Secret(KEY))
    yield made
    await made.close()


async def failure(endpoint: Endpoint) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        await endpoint.ask(QUESTION)
    assert KEY not in str(caught.value)
    return caught.value


async def test_a_question_is_answered_by_the_first_model(fake: VisionEndpoint, endpoint: Endpoint) -> None:
    assert await endpoint.ask(QUESTION) == "Answer to: Sum up\n\nWhat was said:\nhello"
    assert endpoint.model == fake.asked[0].model == "first-vl"


async def test_the_model_that_was_named_is_asked(fake: VisionEndpoint) -> None:
    endpoint = Endpoint(DescribeOptions(fake.url + "/v1", "second-vl", 5.0), Secret(KEY))
    await endpoint.ask(QUESTION)
    assert fake.asked[0].model == "second-vl"
    await endpoint.close()


@pytest.mark.parametrize("act", [refused(500), refused(503), refused(429, retry_after="0"), closed()])
async def test_what_may_pass_is_tried_once_more(fake: VisionEndpoint, endpoint: Endpoint, act: Act) -> None:
    fake.script = [act]
    assert "hello" in await endpoint.ask(QUESTION)
    assert fake.requests == 2
    fake.script = [act, act, act]
    await failure(endpoint)
    assert fake.requests == 4


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (refused(400), "it answered 400"),
        (refused(307, location="http://elsewhere.invalid/"), "it answered 307"),
        (garbage(), "it answered with something else than JSON"),
        (Act(body=b"[]"), "its answer is no chat completion"),
        (Act(body=b'{"choices": []}'), "its answer is no chat completion"),
        (Act(body=b'{"choices": [{"message": {"content": null}}]}'), "its answer is no chat completion"),
        (Act(body=b" " * 2_000_000), "its answer is too large"),
        (refused(429, retry_after="20"), "it answered 429"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_does_not_pass_is_not_tried_again(
    fake: VisionEndpoint, endpoint: Endpoint, act: Act, reason: str
) -> None:
    fake.script = [act]
    error = await failure(endpoint)
    assert str(error) == reason
    assert fake.requests == 1
    assert error.retry_after_s == (20.0 if act.status == 429 else None)


async def test_one_that_never_answers_is_left_after_the_time_limit(fake: VisionEndpoint) -> None:
    endpoint = Endpoint(DescribeOptions(fake.url + "/v1", "first-vl", 0.3), Secret(KEY))
    fake.always = fake.never()
    began = time.monotonic()
    assert str(await failure(endpoint)) == "it did not answer within 0.3 s"
    assert time.monotonic() - began < 3
    assert fake.requests == 1
    await endpoint.close()


async def test_a_wrong_key_a_missing_model_and_nobody_there_are_named(fake: VisionEndpoint) -> None:
    wrong = Endpoint(DescribeOptions(fake.url + "/v1", "first-vl", 5.0), Secret("sk-wrong-secret"))
    assert str(await failure(wrong)) == "it answered 401 (is VIDEODB_DESCRIBE_KEY right?)"
    missing = Endpoint(DescribeOptions(fake.url + "/v1", "third-vl", 5.0), Secret(KEY))
    assert str(await failure(missing)) == "it answered 404 (does it have the model third-vl?)"
    fake.models = []
    empty = Endpoint(DescribeOptions(fake.url + "/v1", None, 5.0), Secret(KEY))
    assert "--model" in str(await failure(empty))
    nobody = Endpoint(DescribeOptions("http://127.0.0.1:9/v1", "m", 5.0), None)
    assert (await failure(nobody)).may_pass
    for made in (wrong, missing, empty, nobody):
        await made.close()


async def test_another_host_is_reached_by_the_proxy_and_this_machine_is_not(
    fake: VisionEndpoint, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        await endpoint.ask(QUESTION)
        assert proxy.asked == []
        port = fake.url.rpartition(":")[2]
        away = Endpoint(DescribeOptions(f"http://models.example:{port}/v1", "first-vl", 5.0), Secret(KEY))
        assert "hello" in await away.ask(QUESTION)
        assert proxy.asked == [f"POST http://models.example:{port}/v1/chat/completions"]
        await away.close()


async def test_the_certificates_of_a_company_are_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority()
    with VisionEndpoint(tls=authority.server_context("127.0.0.1")) as fake:
        options = DescribeOptions(fake.url + "/v1", "fake-vl", 5.0)
        stranger = Endpoint(options, None)
        assert "certificate" in str(await failure(stranger)).lower()
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.write_file(tmp_path / "ca.pem")))
        endpoint = Endpoint(options, None)
        assert "hello" in await endpoint.ask(QUESTION)
        for made in (stranger, endpoint):
            await made.close()

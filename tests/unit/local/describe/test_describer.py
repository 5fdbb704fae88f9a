"""Records in, described records out: against the fake endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest

from tests.fakes.vision_endpoint import VisionEndpoint, refused
from videodb_cli.local.analysis.base import AnalysisRecord
from videodb_cli.local.analysis.jpeg import jpeg_of
from videodb_cli.local.describe import endpoint as endpoint_module
from videodb_cli.local.describe.describer import Describer
from videodb_cli.local.describe.options import DescribeOptions
from videodb_cli.local.describe.prompts import RuleAnswer


def picture(shade: int) -> bytes:
    return jpeg_of(np.full((90, 160, 3), shade, np.uint8))


def seen(jpeg: bytes | None, text: str = "read text", **more: Any) -> AnalysisRecord:
    pictures = () if jpeg is None else (jpeg,)
    return AnalysisRecord(
        "visual_index", text, 1.0, 2.0, True, "ocr", detail={"lines": [text]}, pictures=pictures, **more
    )


def heard(said: str) -> AnalysisRecord:
    detail = {"transcript": said} if said else {"sound": "silence"}
    return AnalysisRecord("audio_index", f"Speech: {said}", 1.0, 2.0, True, "vad", detail=detail)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[VisionEndpoint]:
    monkeypatch.setattr(endpoint_module, "_PAUSE_S", 0.01)
    with VisionEndpoint() as made:
        yield made


@pytest.fixture
async def describer(fake: VisionEndpoint) -> AsyncIterator[Describer]:
    made = Describer(DescribeOptions(fake.url + "/v1", timeout_s=5.0))
    yield made
    await made.close()


class Told(list[Any]):
    """Collects what is told; `wait` until there are so many."""

    def __init__(self) -> None:
        super().__init__()
        self.came = asyncio.Event()

    def __call__(self, one: Any) -> None:
        self.append(one)
        self.came.set()

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self) < count:
                self.came.clear()
                await self.came.wait()


async def test_a_picture_gets_the_words_of_the_model(fake: VisionEndpoint, describer: Describer) -> None:
    told = Told()
    describer.describe("idx", "Count the cups", seen(picture(200)), told)
    await told.wait(1)
    assert (told[0].text, told[0].model, told[0].pictures) == ("Answer to: Count the cups", "fake-vl", ())
    assert told[0].detail == {"lines": ["read text"]}
    asked = fake.asked[0].picture
    assert asked is not None
    assert asked.shape == (90, 160, 3)
    assert abs(float(asked.mean()) - 200) < 4


async def test_the_same_picture_is_asked_about_once(fake: VisionEndpoint, describer: Describer) -> None:
    told, still = Told(), picture(10)
    for number, jpeg in enumerate((still, still, still, picture(20)), 1):
        describer.describe("idx", "Look", seen(jpeg), told)
        await told.wait(number)
    assert fake.requests == 2
    assert {record.text for record in told} == {"Answer to: Look"}
    describer.describe("another", "Look closer", seen(still), told)
    await told.wait(5)
    assert told[4].text == "Answer to: Look closer"


async def test_speech_is_summed_up_and_silence_is_not_asked_about(fake: VisionEndpoint, describer: Describer) -> None:
    told = Told()
    describer.describe("idx", "Sum up", heard("we ship on Friday"), told)
    describer.describe("idx", "Sum up", heard(""), told)
    await told.wait(2)
    assert told[0].model == "fake-vl"
    assert "we ship on Friday" in told[0].text
    assert (told[1].text, told[1].model) == ("Speech: ", "vad")
    assert fake.requests == 1
    assert fake.asked[0].picture is None


async def test_a_failure_leaves_the_record_as_it_was_and_a_minor_one_out(
    fake: VisionEndpoint, describer: Describer
) -> None:
    fake.always = refused(500)
    told = Told()
    describer.describe("idx", "Look", seen(picture(1)), told)
    await told.wait(1)
    describer.describe("idx", "Look", seen(picture(2), "The picture changed", is_minor=True), told)
    describer.describe("idx", "Look", seen(picture(3), "more"), told)
    await told.wait(2)
    assert [(record.text, record.model) for record in told] == [("read text", "ocr"), ("more", "ocr")]
    assert describer.as_json()["state"] == "failing"
    assert describer.as_json()["reason"] == "it answered 500"


async def test_a_rule_is_judged(fake: VisionEndpoint, describer: Describer) -> None:
    fake.answer = lambda asked: '{"answer": "yes", "confidence": 0.9, "explanation": "A dog is there."}'
    told = Told()
    describer.judge("alert", "a dog", "a dog sleeps", told, is_state=True)
    await told.wait(1)
    describer.judge("alert", "a dog", "a dog sleeps", told, is_state=True)
    await told.wait(2)
    assert fake.requests == 1, "the same state needs no second judgement"
    describer.judge("alert", "a dog", "a dog sleeps", told, is_state=False)
    await told.wait(3)
    assert fake.requests == 2
    fake.answer = lambda asked: "Yes, I think so!"
    describer.judge("alert", "a dog", "a cat", told, is_state=True)
    await told.wait(4)
    assert told == [RuleAnswer(True, 0.9, "A dog is there.")] * 3 + [None]
    assert describer.as_json()["state"] == "working"

from __future__ import annotations

import base64

import orjson
import pytest

from videodb_cli.local.describe.prompts import (
    MAX_TEXT,
    RuleAnswer,
    UnusableAnswerError,
    about_pictures,
    about_rule,
    about_speech,
    read_rule_answer,
    read_text,
)


def test_the_prompt_of_the_index_and_the_picture_are_in_the_question() -> None:
    messages = about_pictures("Count the cups", [b"\xff\xd8 picture"])
    text, image = messages[1]["content"]
    assert text == {"type": "text", "text": "Count the cups"}
    head, data = image["image_url"]["url"].split(",")
    assert head == "data:image/jpeg;base64"
    assert base64.b64decode(data) == b"\xff\xd8 picture"
    assert "one picture" in messages[0]["content"]


def test_several_pictures_are_asked_about_in_their_order() -> None:
    messages = about_pictures("What changes?", [b"one", b"two"])
    assert "in their order" in messages[0]["content"]
    shown = [part["image_url"]["url"].split(",")[1] for part in messages[1]["content"][1:]]
    assert [base64.b64decode(data) for data in shown] == [b"one", b"two"]


def test_speech_and_rules_are_asked_as_text() -> None:
    assert about_speech("Sum up", "hello there")[1]["content"] == "Sum up\n\nWhat was said:\nhello there"
    assert about_rule("a dog barks", "silence")[1]["content"] == "Rule: a dog barks\n\nObserved:\nsilence"
    assert len(about_speech("x", "word " * 100_000)[1]["content"]) < 10_000


def test_a_description_is_read() -> None:
    assert read_text("  Two cups.\n") == "Two cups."
    assert read_text("<think>\nhm\n</think>\n\nTwo cups.") == "Two cups."
    assert len(read_text("x" * 100_000)) < MAX_TEXT + 10
    for nothing in ("", " \n", "<think>only thought</think>"):
        with pytest.raises(UnusableAnswerError):
            read_text(nothing)


@pytest.mark.parametrize("answer", ["yes", "Yes", " YES ", True])
@pytest.mark.parametrize("form", ["{}", "```json\n{}\n```", "```\n{}```", "<think>hm</think>\n{}"])
def test_a_verdict_is_read(answer: object, form: str) -> None:
    content = orjson.dumps({"answer": answer, "confidence": 0.876, "explanation": " A dog is seen. "}).decode()
    assert read_rule_answer(form.replace("{}", content)) == RuleAnswer(True, 0.88, "A dog is seen.")


def test_no_is_a_verdict_too() -> None:
    assert read_rule_answer('{"answer": "no", "confidence": 1}') == RuleAnswer(False, 1.0, "")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "yes",
        "Sure! {}",
        "[]",
        "null",
        "{}",
        '{"answer": "maybe", "confidence": 0.5}',
        '{"answer": 1, "confidence": 0.5}',
        '{"answer": "yes"}',
        '{"answer": "yes", "confidence": "high"}',
        '{"answer": "yes", "confidence": 1.5}',
        '{"answer": "yes", "confidence": true}',
        '{"answer": "yes", "confidence": NaN}',
        '{"answer": "yes", "confidence": 0.5, "explanation": 4}',
    ],
)
def test_every_other_form_is_unusable(content: str) -> None:
    with pytest.raises(UnusableAnswerError):
        read_rule_answer(content)

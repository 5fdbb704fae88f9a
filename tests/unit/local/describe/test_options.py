from __future__ import annotations

import pytest

from videodb_cli.errors import UsageError
from videodb_cli.local.describe.options import KEY_NAME, DescribeOptions, checked_options, read_key


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:11434/", "http://127.0.0.1:11434/v1"),
        ("http://localhost:8080/v1", "http://localhost:8080/v1"),
        ("https://models.example/v1/", "https://models.example/v1"),
        ("https://models.example/openai", "https://models.example/openai/v1"),
        ("https://models.example/v1/chat/completions", "https://models.example/v1"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
    ],
)
def test_the_base_ends_in_v1(typed: str, base: str) -> None:
    assert checked_options(typed, None, None).url == base


@pytest.mark.parametrize("typed", ["", "127.0.0.1:11434", "ftp://host/v1", "http://", "http://h:99999", "http://[::1"])
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(UsageError, match="http or https address"):
        checked_options(typed, None, None)


@pytest.mark.parametrize(
    "typed", ["http://me:secret@h/v1", "http://me@h", "http://h/v1?key=secret", "http://h/v1#secret"]
)
def test_a_secret_in_the_address_is_refused_and_not_repeated(typed: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked_options(typed, None, None)
    assert KEY_NAME in str(caught.value.hint)
    assert "secret" not in f"{caught.value} {caught.value.hint}"


def test_a_time_limit_is_a_positive_number() -> None:
    for wrong in (float("nan"), 0.0, -1.0):
        with pytest.raises(UsageError, match="--describe-timeout"):
            checked_options("http://h", None, wrong)


def test_options_survive_the_request_to_a_background_process() -> None:
    options = checked_options("http://127.0.0.1:1", "qwen", 4.5)
    assert DescribeOptions(**options.to_json()) == options
    assert checked_options("http://127.0.0.1:1", "", None) == DescribeOptions("http://127.0.0.1:1/v1", None, 30.0)


def test_the_key_comes_from_the_environment() -> None:
    assert read_key({}) is None
    assert read_key({KEY_NAME: "  "}) is None
    key = read_key({KEY_NAME: " sk-abc\n"})
    assert key is not None
    assert key.reveal() == "sk-abc"
    for wrong in ("sk-\nabc", "schlüssel"):
        with pytest.raises(UsageError, match=KEY_NAME) as caught:
            read_key({KEY_NAME: wrong})
        assert wrong not in str(caught.value)

"""Which URLs are used, and what may be said about a failure: an attempt without a socket."""

from __future__ import annotations

import pytest

from videodb_cli.listener.connect import _without_secret, open_connection
from videodb_cli.listener.connection import AttemptFailedError, Timing

URL = "wss://events.example/socket/abc?token=secret-ticket"


@pytest.mark.parametrize("url", ["", "x", "http://a/", "ws://", "ws://example.com/", "wss://[::/", "wss:///path"])
async def test_urls_that_are_not_used(url: str) -> None:
    with pytest.raises(AttemptFailedError) as failed:
        await open_connection(url, Timing())
    assert "example" not in str(failed.value)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(f"{URL} isn't a valid URI"),
        ValueError("redirect to /socket/abc?token=secret-ticket"),
        ValueError("token=secret-ticket is wrong"),
        OSError(111, "Connection refused"),
        EOFError(),
    ],
    ids=repr,
)
def test_failures_are_told_without_the_url(error: Exception) -> None:
    text = _without_secret(error, URL)
    assert text
    assert "secret-ticket" not in text
    assert "/socket/abc" not in text

"""What is an id, what may be said about a failure: the parts of a connection without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.listener.connection import (
    AttemptFailedError,
    Timing,
    _without_secret,
    connection_id_in,
    open_connection,
)

URL = "wss://events.example/socket/abc?token=secret-ticket"


@pytest.mark.parametrize(
    ("raw", "alone", "found"),
    [
        (b'{"connection_id":"ws-1"}', True, ("ws-1", {})),
        (b'{"connection_id":"ws-1","region":"x"}', False, ("ws-1", {"region": "x"})),
        (b'{"connection_id":"ws-1","region":"x"}', True, None),
        (b'{"connection\\u005fid":"ws-1"}', False, ("ws-1", {})),
        ('{"connection_id":"ä-東"}'.encode(), False, ("ä-東", {})),
        (b'{"connection_id":null}', False, None),
        (b'{"connection_id":5}', False, None),
        (b'{"connection_id":""}', False, None),
        (b'{"connection_id":"a b"}', False, None),
        (b'{"connection_id":"a\\nWS_ID=b"}', False, None),
        (b'{"connection_id":"a\\u001b[2J"}', False, None),
        (b'["connection_id"]', False, None),
        (b'"connection_id"', False, None),
        (b'{"connection_id":', False, None),
        (b'{"data":{"connection_id":"x"}}', False, None),
        (b"\xff", False, None),
        (b"", False, None),
    ],
)
def test_ids(raw: bytes, alone: bool, found: object) -> None:
    assert connection_id_in(raw, alone=alone) == found


@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_are_looked_at_safely(raw: bytes, alone: bool) -> None:
    connection_id_in(raw, alone=alone)


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

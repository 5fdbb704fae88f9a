"""No secret survives redaction, in none of the forms that it has in a log; what is no secret stays readable."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.diagnostics import redact as redaction
from videodb_cli.diagnostics.redact import redact, remember
from videodb_cli.settings import Secret


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", set())
    redaction._known_pattern.cache_clear()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:p%40ss@proxy.test:3128/", "http://…@proxy.test:3128/"),
        ("http://me:pa/ss@proxy.test:3128", "http://…@proxy.test:3128"),
        ("http://me:pa#ss?x@proxy.test:3128 said no", "http://…@proxy.test:3128 said no"),
        ("socks5h://token-abc@p.test", "socks5h://…@p.test"),
        ("GET https://api.test/a/b?key=abc&x=1 failed", "GET https://api.test/a/b?… failed"),
        ("https://api.test/a#access=abc", "https://api.test/a#…"),
        ("wss://api.test/socket/abcdef?token=t", "wss://api.test/…?…"),
        ("rtsp://api.test:554/live/KEYKEYKEY", "rtsp://api.test:554/…"),
        ("rtmps://api.test/live/KEYKEYKEY", "rtmps://api.test/…"),
        ("Authorization: Basic bWU6cHc=", "Authorization: …"),
        ("'x-access-token': 'abc', 'b': 1", "'x-access-token': …"),
        ("Cookie: a=1; b=2\nHost: x", "Cookie: …\nHost: x"),
        ("with bearer abcdef.ghi", "with bearer …"),
        ("key sk-test-0123456789abcdef refused", "key sk-… refused"),
        ("sk_live_0123456789", "sk_…"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_d.", "token eyJ…"),
        ("?client_token=abc", "?client_token=…"),
        ('{"stream_key": "abc", "n": 1}', '{"stream_key": "…", "n": 1}'),
        ("VIDEO_DB_API_KEY=abc", "VIDEO_DB_API_KEY=…"),
        ("password: hunter2", "password: …"),
    ],
)
def test_forms_of_secrets(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact(shown) == shown, "what was redacted once is not changed again"


@pytest.mark.parametrize(
    "text",
    [
        "POST /capture/session/token answered HTTP 200 after 12 ms, attempt 1",
        "api.videodb.io:443 is reached by the proxy http://proxy.test:3128 (HTTPS_PROXY); trusts SSL_CERT_FILE=/ca.pem",
        "https://api.videodb.io/collection/default",
        "/home/me/videodb_events.jsonl",
        "12:13:26 connected to api.videodb.io as ws-1234 · a token of respect, and a secret",
        "authorization failed",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


_PRINTABLE = st.characters(exclude_categories=["C", "Z"], include_characters=" ")


@given(
    st.text(_PRINTABLE, min_size=8, max_size=40).filter(lambda text: text == text.strip()),
    st.sampled_from(["it is {}.", "x{}y", "http://u:{}@h/", "k={}&a=1", '"{}"', "{}"]),
)
def test_a_known_secret_stands_nowhere(secret: str, place: str) -> None:
    remember(secret)
    for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1]):
        assert form not in redact(place.format(form)) or form in redaction.MARK


def test_a_short_known_secret_is_removed_as_a_word_only() -> None:
    remember("cat")
    assert redact("cat concatenates (cat)") == "… concatenates (…)"


def test_every_secret_of_ours_is_known() -> None:
    Secret("correct horse battery")
    assert redact("the correct horse battery staple") == "the … staple"

"""Whose events a running listener would hear."""

import pytest

from videodb_cli.app.capture.start import hears_elsewhere


@pytest.mark.parametrize(
    ("listened", "wanted", "elsewhere"),
    [
        ("api.videodb.io", "api.videodb.io", False),
        ("api.videodb.io", "127.0.0.1:4000", True),
        ("127.0.0.1:4000", "api.videodb.io", True),
        ("127.0.0.1:4000", "127.0.0.1:5000", False),
        ("[::1]:4000", "localhost:5000", False),
    ],
)
def test_two_hosts(listened: str, wanted: str, elsewhere: bool) -> None:
    assert hears_elsewhere(listened, wanted) is elsewhere

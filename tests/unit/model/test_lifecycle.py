"""The life cycle of a session: what follows what, and what a status means."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from videodb_cli.local.state.records import SESSION_STATUSES, SESSION_TRANSITIONS
from videodb_cli.model import lifecycle


def test_the_embedded_service_has_the_same_statuses() -> None:
    """It keeps a table of its own, which is the independent judge of ours."""
    assert set(SESSION_STATUSES) == lifecycle.STATUSES
    for status, following in SESSION_TRANSITIONS.items():
        assert all(lifecycle.is_later(other, status) for other in following)
        assert (not following) is (status in lifecycle.FINAL)


def test_every_status_is_either_running_or_over() -> None:
    assert lifecycle.RUNNING | lifecycle.OVER == lifecycle.STATUSES
    assert not lifecycle.RUNNING & lifecycle.OVER
    assert lifecycle.FINAL < lifecycle.OVER < lifecycle.CLOSED


def test_the_order_has_no_way_back() -> None:
    for one, other in itertools.product(lifecycle.STATUSES, repeat=2):
        assert not (lifecycle.is_later(one, other) and lifecycle.is_later(other, one))
        assert lifecycle.is_later(one, None)


@pytest.mark.parametrize(
    ("status", "known", "expected"),
    [
        ("stopped", "active", True),
        ("active", "stopped", False),
        ("active", "active", False),
        ("failed", "created", True),
        ("failed", "exported", False),
        ("exported", "failed", False),
        ("on fire", "active", False),
        ("active", "on fire", True),
    ],
)
def test_what_comes_after_what(status: str, known: str, expected: bool) -> None:
    assert lifecycle.is_later(status, known) is expected


@pytest.mark.parametrize(
    ("event", "is_about_session", "status"),
    [
        ({"event": "capture_session.active", "status": "stopped"}, True, "active"),
        ({"channel": "capture_session", "status": "stopped"}, True, "stopped"),
        ({"channel": "capture_session", "event": 7, "status": 7}, True, None),
        ({"channel": "transcript", "event": "x"}, False, None),
    ],
)
def test_reading_an_event(event: dict[str, Any], is_about_session: bool, status: str | None) -> None:
    assert lifecycle.is_about_session(event) is is_about_session
    assert lifecycle.status_of(event) == status
    assert lifecycle.event_name("active") == "capture_session.active"

from typing import Any

import pytest

from videodb_cli.report import words


@pytest.mark.parametrize(
    ("event", "channel", "text"),
    [
        ({"data": {"label": "pager", "confidence": 0.9, "explanation": "It rang"}}, "alert", "pager (0.90) · It rang"),
        ({"data": {"event_label": "pager", "text": "It rang"}}, "alert", "pager · It rang"),
        ({"data": {"label": "pager", "confidence": True}}, "alert", "pager"),
        ({"data": {"label": "pager", "confidence": 1e400}}, "alert", "pager"),
        ({"data": ["no", "object"]}, "alert", ""),
        ({"event": "capture_session.active", "capture_session_id": "cap-1"}, "capture_session", "active · cap-1"),
        (
            {"event": "capture_session.failed", "data": {"error": {"message": "no mic"}}},
            "capture_session",
            "failed · no mic",
        ),
        (
            {"event": "capture_session.exported", "data": {"exported_video_id": "m-1"}},
            "capture_session",
            "exported · m-1",
        ),
        ({"status": "stopped"}, "capture_session", "stopped"),
        ({"event": "rtstream.disconnected"}, "rtstream", "rtstream.disconnected"),
        ({"raw": "not JSON"}, "other", "not JSON"),
        ({}, "other", ""),
    ],
)
def test_what_an_event_says(event: dict[str, Any], channel: str, text: str) -> None:
    assert words.of_event(event, channel) == text


def test_a_gap_says_why_and_what_is_lost() -> None:
    data = {"reason": "no_pong", "unrecoverable": ["alert"], "at_least": True}
    assert words.of_gap(data) == "no pong · at least so long · alerts of that time cannot be read back"
    assert words.of_gap({"reason": ["odd"]}) == ""


def test_own_lines_say_their_text_else_their_name() -> None:
    assert words.of_own({"event": "listener.connected", "data": {"text": "connected"}}) == "connected"
    assert words.of_own({"event": "log.rotated"}) == "log.rotated"


def test_clean_is_one_line_of_a_length() -> None:
    assert words.clean(" a\n b ", 10) == "a b"
    assert words.clean("abcdef", 4) == "abc…"

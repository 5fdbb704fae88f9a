"""What is meant by a name as it was typed."""

from __future__ import annotations

import pytest

from videodb_cli.errors import NotFoundError, UsageError
from videodb_cli.eventlog.names.choose import (
    find_channel,
    find_event,
    find_session,
    find_stream,
    is_position,
    newest_first,
    similar,
)
from videodb_cli.eventlog.names.tally import LineKind, Tally
from videodb_cli.rundir.capture_state import CaptureState


@pytest.fixture
def names() -> Tally:
    made = Tally()
    for number, (channel, event, session, stream, title) in enumerate(
        [
            ("visual_index", None, None, "rts-12", "display:1"),
            ("transcript", None, None, "rts-1", "mic:default"),
            ("alert", None, None, "rts-2", "display:2"),
            ("audio_index", None, None, "rts-3", "Team call"),
            ("capture_session", "capture_session.active", "cap-a1", None, None),
            ("capture_session", "capture_session.exported", "cap-b2", None, None),
            ("custom", None, None, None, None),
        ]
    ):
        made.count(LineKind(channel, event, session, stream, title), 1, float(number), float(number))
    return made


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("transcript", "transcript"), ("trans", "transcript"), ("scene_index", "scene_index"), ("cu", "custom")],
)
def test_channels(names: Tally, typed: str, meant: str) -> None:
    found = find_channel(typed, names)
    assert (found.name, found.missing, found.is_prefix) == (meant, None, typed not in {"transcript", "scene_index"})


def test_a_beginning_of_several_is_an_error_that_names_them(names: Tally) -> None:
    with pytest.raises(UsageError, match="several channels begin with 'a': alert, audio_index"):
        find_channel("a", names)
    with pytest.raises(UsageError, match="several streams begin with 'di'"):
        find_stream("di", names)
    with pytest.raises(UsageError, match="several sessions begin with 'cap-': cap-b2, cap-a1"):
        find_session("cap-", names, None)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("rts-1", "rts-1"),  # an exact id wins over rts-12, which begins so
        ("display", "display"),  # the short name of two
        ("mic", "mic"),
        ("mi", "mic:default"),
        ("Team", "Team call"),
        ("rts-3", "rts-3"),
    ],
)
def test_streams(names: Tally, typed: str, meant: str) -> None:
    found = find_stream(typed, names)
    assert (found.name, found.missing) == (meant, None)


@pytest.mark.parametrize(
    ("find", "typed", "meant", "may_come"),
    [
        (find_channel, "alrt", "alert", False),
        (find_channel, "zzz", None, False),
        (find_channel, "", None, False),
        (find_channel, "videodb_cli", None, True),
        (find_stream, "display:3", "display:2", False),
        (find_stream, "system_audio", None, True),
        (find_event, "exportd", "exported", False),
        (find_event, "stopped", "stopped", True),
        (find_event, "listener.gap", "listener.gap", True),
    ],
)
def test_what_is_missing_and_what_is_similar(
    names: Tally, find: object, typed: str, meant: str | None, may_come: bool
) -> None:
    missing = find(typed, names).missing  # type: ignore[operator]
    assert missing is not None
    assert missing.may_come is may_come
    if not may_come:
        assert missing.similar == meant


def test_events_by_full_name_and_last_word(names: Tally) -> None:
    assert find_event("exported", names).missing is None
    assert find_event("capture_session.exported", names).missing is None


def test_sessions(names: Tally) -> None:
    for typed, meant in {
        "last": "cap-b2",
        "-1": "cap-b2",
        "-2": "cap-a1",
        "cap-a": "cap-a1",
        "cap-b2": "cap-b2",
    }.items():
        assert find_session(typed, names, None).name == meant
    for typed in ("-3", "-0", "-00"):
        with pytest.raises(NotFoundError, match="the log has 2 sessions"):
            find_session(typed, names, None)
    with pytest.raises(NotFoundError, match="no session 'cap-a2' in this log; did you mean 'cap-"):
        find_session("cap-a2", names, None)
    assert find_session("cap-a2", names, None, may_come=True).missing is not None
    with pytest.raises(NotFoundError, match="no capture session"):
        find_session("last", Tally(), None)


def test_the_capture_of_the_directory_counts_too(names: Tally) -> None:
    state = CaptureState("cap-c3", started_at=100.0)
    names.learn("cap-b2", {"event": "capture_session.exported"}, 5.0)
    assert newest_first(names, state) == ["cap-c3", "cap-b2", "cap-a1"]
    assert newest_first(names, CaptureState("cap-0", started_at=None)) == ["cap-b2", "cap-a1", "cap-0"]
    assert newest_first(Tally(), state) == ["cap-c3"]
    assert find_session("cap-c", names, state).name == "cap-c3"


@pytest.mark.parametrize(
    ("typed", "expected"), [("last", True), ("-1", True), ("-12", True), ("-", False), ("1", False)]
)
def test_positions(typed: str, expected: bool) -> None:
    assert is_position(typed) is expected


def test_similar_ignores_case() -> None:
    assert similar("ALERT", ["alert", "transcript"]) == "alert"
    assert similar("qqq", ["alert"]) is None

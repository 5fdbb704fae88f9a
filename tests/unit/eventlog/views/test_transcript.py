"""Finals become paragraphs and subtitles, placed by when they were said."""

from __future__ import annotations

from typing import Any

from videodb_cli.eventlog.views import transcript as t

T0 = 1772446530


def _event(text: str, start: float, stream: str = "mic:default", **more: Any) -> dict[str, Any]:
    data = {"text": text, "is_final": True, "start": start * 1000, "end": (start + 1) * 1000}
    return {"channel": "transcript", "rtstream_name": stream, "unix_ts": start + 2, "data": {**data, **more}}


def _said(*events: dict[str, Any]) -> list[t.Said]:
    return t.in_order([said for event in events if (said := t.said_of(event)) is not None])


def test_interim_and_empty_ones_are_left_out_and_order_is_by_speech() -> None:
    late = _event("recovered", T0 - 50) | {"recovered": True, "unix_ts": T0 + 500}
    said = _said(_event("one", T0), _event("on", T0, is_final=False), _event("", T0 + 1), late, _event("one", T0))
    assert [one.text for one in said] == ["recovered", "one"]


def test_seconds_and_milliseconds_are_told_apart() -> None:
    event = _event("one", T0)
    event["data"] |= {"start": T0, "end": T0 + 1.5}
    assert t.said_of(event) == t.Said(T0, T0 + 1.5, "mic", "one")


def test_a_stream_is_one_paragraph_until_it_pauses() -> None:
    said = _said(
        _event("Hello", T0), _event("Yes?", T0 + 1, "display:1"), _event("there.", T0 + 2), _event("Later.", T0 + 9)
    )
    assert [(p.stream, p.text) for p in t.paragraphs(said)] == [
        ("mic", "Hello there."),
        ("display:1", "Yes?"),
        ("mic", "Later."),
    ]


def test_srt() -> None:
    assert t.as_subtitles(_said(_event("Hello --> you", T0), _event("Bye", T0 + 61.5)), "srt") == (
        "1\n00:00:00,000 --> 00:00:01,000\nHello → you\n\n2\n00:01:01,500 --> 00:01:02,500\nBye\n"
    )


def test_vtt_names_speakers_when_there_are_several() -> None:
    text = t.as_subtitles(_said(_event("a <b> & c", T0), _event("Bye", T0 + 1, "display:1")), "vtt")
    assert text == (
        "WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.000\n<v mic>a &lt;b&gt; &amp; c\n\n"
        "2\n00:00:01.000 --> 00:00:02.000\n<v display:1>Bye\n"
    )


def test_markdown_is_escaped_and_the_screen_is_quoted() -> None:
    screen = {
        "channel": "scene_index",
        "rtstream_name": "display:1",
        "data": {"text": "a\nterminal", "start": 5, "end": 6},
    }
    spoken = _event("*not* bold", 0)
    spoken["data"] |= {"start": 4, "end": 4.5}
    text = t.as_markdown(_said(spoken, screen))
    assert (
        text == "# Transcript\n\n**mic** · 00:00:04\n\n\\*not\\* bold\n\n> **display:1** · 00:00:05\n>\n> a terminal\n"
    )


def test_control_characters_do_not_get_through() -> None:
    assert "\x1b" not in t.as_text(_said(_event("a\x1b[31m b\u202e", T0)), lambda text, _: [text])


def test_times_that_no_calendar_has_are_replaced_by_those_of_receipt() -> None:
    said = []
    for start, end in ((1e300, 1e301), (-5, -3), ("12", True), (1e18, None), (float("nan"), float("inf"))):
        event = _event("one two", T0)
        event["data"] |= {"start": start, "end": end}
        said.append(t.said_of(event))
    assert said == [t.Said(T0 + 1.0, T0 + 2.0, "mic", "one two")] * 5
    ordered = t.in_order(one for one in said if one)
    assert "one two" in t.as_text(ordered, lambda text, _: [text])
    assert "one two" in t.as_markdown(ordered)


def test_cues_of_both_kinds_of_times_begin_at_zero() -> None:
    relative = _event("relative", 0)
    relative["data"] |= {"start": 1.5, "end": 2}
    cues = t.as_subtitles(_said(relative, _event("absolute", T0), _event("later", T0 + 2)), "srt").split("\n\n")
    assert [cue.splitlines()[1][:12] for cue in cues] == ["00:00:00,000", "00:00:01,500", "00:00:02,000"]

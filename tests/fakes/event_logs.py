"""Strategies for logs as services, proxies, old scripts and accidents write them."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import strategies as st

CHANNELS = ["transcript", "visual_index", "scene_index", "audio_index", "spoken_index", "alert", "capture_session"]
WORDS = ["Code", "code review", "quokka",
         "\u017ftraße STRASSE", "\u212aelvin", "\u0131stanbul \u0130", 'say "hi"', "a/b\\c", "line\nbreak",
         "transcript", "true", "\u2028", "é", "😀", "\x7f", "\x01", "cap-1", "", "12", "1e3"]  # fmt: skip
STREAMS = ["mic:default", "display:1", "Capture mic - cap-83e6", "Büro", "mic", "rts-1"]

STAMPS = ["2026-03-02T10:15:30.123Z", "2026-03-02T10:15:33.000001+00:00", "2026-03-02T10:15"]
NAMES = ["capture_session.active", "capture_session.exported", "listener.gap", "alert.x"]

texts = st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join)
odd_values = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10**20), st.floats(allow_nan=False), texts, st.just([]), st.just({"a": 1})
)


def mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The usual kind of value, and now and then any other."""
    return st.one_of(usual, usual, usual, usual, odd_values)


data_objects = st.fixed_dictionaries(
    {},
    optional={
        "text": mostly(texts),
        "is_final": mostly(st.sampled_from([True, False, "true", "false", "True"])),
        "label": mostly(texts),
        "event_label": mostly(texts),
        "error": mostly(st.fixed_dictionaries({}, optional={"message": mostly(texts)})),
        "rtstreams": mostly(st.lists(st.fixed_dictionaries({"rtstream_id": st.sampled_from(["rts-1", "rts-2"])}))),
        "channel": texts,
        "summary": mostly(texts),
        "explanation": mostly(texts),
        "isFinal": mostly(st.booleans()),
    },
)
# What some senders write in place of the usual members, or beside them.
other_shapes = st.fixed_dictionaries(
    {},
    optional={
        "type": mostly(st.sampled_from([*CHANNELS, *NAMES, "videodb_cli"])),
        "event_type": mostly(st.sampled_from([*CHANNELS, *NAMES])),
        "text": mostly(texts),
        "label": mostly(texts),
        "explanation": mostly(texts),
        "error": mostly(st.fixed_dictionaries({}, optional={"message": mostly(texts)})),
        "is_final": mostly(st.sampled_from([True, False, "true"])),
        "rtstreamId": mostly(st.sampled_from(["rts-1", "rts-2"])),
        "rtstreamName": mostly(st.sampled_from(STREAMS)),
        "captureSessionId": mostly(st.sampled_from(["cap-1", "cap-2"])),
    },
)
usual_events = st.fixed_dictionaries(
    {},
    optional={
        "ts": mostly(
            st.sampled_from(["2026-03-02T10:15:30.123Z", "2026-03-02T10:15:33.000001+00:00", "2026-03-02T10:15"])
        ),
        "unix_ts": mostly(st.sampled_from([1772446530.123, 1772446531, 1772446532.5, 1772446533.000])),
        "channel": mostly(st.sampled_from([*CHANNELS, "videodb_cli", "code"])),
        "event": mostly(
            st.sampled_from(["capture_session.active", "capture_session.exported", "listener.gap", "alert.x"])
        ),
        "rtstream_id": mostly(st.sampled_from(["rts-1", "rts-2"])),
        "rtstream_name": mostly(st.sampled_from(STREAMS)),
        "capture_session_id": mostly(st.sampled_from(["cap-1", "cap-2"])),
        "recovered": st.booleans(),
        "raw": mostly(texts),
        "data": mostly(data_objects),
    },
)
events = st.one_of(usual_events, st.builds(lambda usual, other: {**other, **usual}, usual_events, other_shapes))


def _escape_some(text: str, rng: random.Random) -> str:
    r"""The same JSON, which has no escapes yet, with some letters of its strings written as ``\u`` escapes."""
    out: list[str] = []
    inside = False
    for character in text:
        inside ^= character == '"'
        if inside and character.isalnum() and rng.random() < 0.3:
            out.extend(f"\\u{unit:04x}" for unit in _utf16(character))
        else:
            out.append(character)
    return "".join(out)


def _utf16(character: str) -> list[int]:
    raw = character.encode("utf-16-le")
    return [raw[i] | raw[i + 1] << 8 for i in range(0, len(raw), 2)]


def _write(value: Any, style: int, rng: random.Random) -> bytes:
    if style < 4:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    elif style == 4:
        text = json.dumps(value)
    elif style == 5:
        text = json.dumps(value, separators=(" , ", " : "), ensure_ascii=False)
    elif style == 6:
        text = json.dumps(value, ensure_ascii=False).replace("/", "\\/")
    else:
        plain = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
        text = plain if "\\" in plain else _escape_some(plain, rng)
    return text.encode("utf-8", "surrogatepass")


_BROKEN = [
    b"", b"  ", b"{", b"}", b"not json", b"5", b"null", b"[1]", b'"transcript"', b"\xff{}", b"{}{}", b"\x00\x00",
    b'{"channel":"transcript"', b'{"channel":"transcript"}{"channel":"transcript"}',
    b'{"channel":"transcript","x":"\xff"}',
    b'{"channel":"transcript","data":{"text":"\\ud800"}}', b'{"channel":"alert","channel":"transcript"}',
    b'{"channel":"transcript","x":NaN}', b'{"channel":"transcript","x":[1,]}', b"\xef\xbb\xbf{}", b'{"a":1}\r',
    b'{"channel":"transcript","data":{"is_final":-0}}', b'{"data":{"text":"code","is_final":1}}',
    b'{"channel":"transcript","data":{"is_final":true}} ', b'{"data":{"is_final":true,"text":1.50}}',
]  # fmt: skip


@st.composite
def logs(draw: st.DrawFn, damaged: bool = True) -> bytes:
    """A whole log of some lines."""
    rng = random.Random(draw(st.integers(0, 1 << 32)))
    plain = draw(st.booleans())
    made = draw(st.lists(events, max_size=8))
    lines = [_write(event, 0 if plain else rng.randrange(9), rng) for event in made]
    if damaged and draw(st.booleans()):
        for line in draw(st.lists(st.sampled_from(_BROKEN), max_size=3)):
            lines.insert(rng.randrange(len(lines) + 1), line)
    log = b"".join(line + b"\n" for line in lines)
    if damaged and log and rng.random() < 0.15:
        # Not in the first bytes: they may then say that the file is UTF-16, which is refused as a whole.
        at = rng.randrange(min(4, len(log) - 1), len(log))
        log = log[:at] + bytes([rng.randrange(256)]) + log[at + 1 :]
    if damaged and rng.random() < 0.1:
        log += b'{"channel":"transcript"}'  # without its newline: not a line yet
    return log

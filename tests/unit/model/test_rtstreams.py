"""The one reader of ``rtstreams``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.model.rtstreams import SessionStream, read_streams


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            {"rtstream_id": "rts-1", "name": "mic:default", "media_types": ["AUDIO"]},
            SessionStream("rts-1", "mic:default", ("audio",)),
        ),
        ({"id": "rts-1", "rtstream_name": "screen"}, SessionStream("rts-1", "screen")),
        (
            {"channel_id": "display:1", "type": "video", "rtstream_id": "rts-1", "name": None},
            SessionStream("rts-1", "", (), "display:1"),
        ),
        ({"rtstream_id": None, "id": "", "name": "x"}, None),
        ({"rtstream_id": 5, "id": "rts-2", "media_types": "audio"}, SessionStream("rts-2", "")),
    ],
)
def test_one_entry(entry: dict[str, Any], expected: SessionStream | None) -> None:
    assert read_streams([entry]) == (() if expected is None else (expected,))


@pytest.mark.parametrize(
    ("stream", "label"),
    [
        (SessionStream("rts-1", "Capture mic - cap-1", channel="mic:default"), "Capture mic - cap-1"),
        (SessionStream("rts-1", "", channel="mic:default"), "mic:default"),
        (SessionStream("rts-1", ""), None),
    ],
)
def test_its_label(stream: SessionStream, label: str | None) -> None:
    assert stream.label == label


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda c: st.lists(c) | st.dictionaries(st.sampled_from(["rtstream_id", "id", "name", "media_types"]), c),
    )
)
def test_any_shape_is_survived(value: Any) -> None:
    assert all(stream.id for stream in read_streams(value))
    assert all(stream.id for stream in read_streams([value]))

"""What comes over two sockets is one message; what comes over one is as many as came."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.listener.connection import connection_id_in
from videodb_cli.listener.intake import CrossSocketDuplicates


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_same_over_two_sockets_is_one() -> None:
    duplicates = CrossSocketDuplicates(Clock())
    assert [
        duplicates.is_duplicate(1, b"a"),
        duplicates.is_duplicate(2, b"a"),
        duplicates.is_duplicate(2, b"b"),
        duplicates.is_duplicate(1, b"b"),
    ] == [
        False,
        True,
        False,
        True,
    ]


def test_what_one_socket_brings_twice_is_two() -> None:
    duplicates = CrossSocketDuplicates(Clock())
    assert [duplicates.is_duplicate(1, b"a"), duplicates.is_duplicate(1, b"a")] == [False, False]
    assert [duplicates.is_duplicate(2, b"a"), duplicates.is_duplicate(2, b"a"), duplicates.is_duplicate(2, b"a")] == [
        True,
        True,
        False,
    ]


def test_minutes_later_it_is_another_message() -> None:
    clock = Clock()
    duplicates = CrossSocketDuplicates(clock)
    assert not duplicates.is_duplicate(1, b"a")
    clock.now = 1000.0
    assert not duplicates.is_duplicate(2, b"a")


FRAMES = st.binary(max_size=200) | st.builds(
    lambda value, more: json.dumps({"connection_id": value, **more}).encode(),
    st.text() | st.integers() | st.none() | st.lists(st.text()),
    st.dictionaries(st.text(), st.text(), max_size=2),
)


@given(FRAMES, st.booleans())
def test_any_first_frame_brings_a_plain_id_or_none(raw: bytes, alone: bool) -> None:
    found = connection_id_in(raw, alone=alone)
    if found is not None:
        assert found[0].isprintable()
        assert " " not in found[0]
        assert not (alone and found[1])

"""What is an id: the part of a connection without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.listener.connection import connection_id_in


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

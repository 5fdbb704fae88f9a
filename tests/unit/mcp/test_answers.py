"""What an answer may hold, whatever a log holds."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.mcp.answers import Bounded, fenced, json_line, presentable


@pytest.mark.parametrize(
    "raw",
    [
        b'{"data":{"text":"\\ud800"}}',
        b'{"unix_ts":NaN}',
        b'{"a":' + b"[" * 300 + b"]" * 300 + b"}",
        b"not JSON at all",
        b"\xff\xfe",
        b'{"data":{"text":"' + b"x" * 5000 + b'"}}',
    ],
    ids=["half a surrogate pair", "NaN", "deep", "no JSON", "no UTF-8", "long"],
)
def test_what_clients_cannot_read_is_cut(raw: bytes) -> None:
    value, size = presentable(raw, 2000)
    assert value["cut"] is True
    assert value["bytes"] == len(raw)
    assert len(json_line(value).encode()) == size <= 1000


def test_numbers_keep_their_digits() -> None:
    value, _ = presentable(b'{"a":123456789012345678901234567890}', 100)
    assert value == {"a": 123456789012345678901234567890}


@given(st.lists(st.binary(max_size=300).map(lambda text: json.dumps({"t": text.decode("latin-1")}).encode())))
def test_an_answer_keeps_its_bound_and_its_order(lines: list[bytes]) -> None:
    answer = Bounded(1000)
    taken = [line for line in lines if answer.add(line)]
    assert len(json.dumps(answer.items, ensure_ascii=False, separators=(",", ":")).encode()) <= 1000 + 2
    assert len(taken) == len(answer.items)
    if lines:
        assert answer.items


@given(st.lists(st.text()))
def test_nothing_inside_a_fence_ends_it(lines: list[str]) -> None:
    values: list[Any] = lines
    text = fenced([json.dumps(value, ensure_ascii=False) for value in values])
    mark = text[len("<untrusted ") :][:16]
    assert text.count(f"</untrusted {mark}>") == 1
    assert text.endswith(f"\n</untrusted {mark}>")
    assert text == fenced([json.dumps(value, ensure_ascii=False) for value in values])

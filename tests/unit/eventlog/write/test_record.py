"""What becomes of a received message: every line valid, nothing changed, nothing lost, nothing forged."""

from __future__ import annotations

import base64
import json
import re
import resource
import sys
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from videodb_cli.eventlog.write.record import MAX_DEPTH, compose, own_members, with_stamps

STAMPS = b'{"ts":"2026-03-02T10:15:30.123Z","unix_ts":1772446530.123'
TS = "2026-03-02T10:15:30.123Z"


def lined(raw: bytes) -> bytes:
    rest, _ = compose(raw)
    return with_stamps(STAMPS, rest)


def members(text: str | bytes) -> list[tuple[str, Any]]:
    """Members in order, repeated ones too; numbers as their digits."""
    found: Any = json.loads(text, object_pairs_hook=Pairs, parse_int=Digits, parse_float=Digits)
    assert isinstance(found, Pairs)
    return list(found)


class Pairs(list[tuple[str, Any]]):
    """An object with its order and its repetitions."""


class Digits(str):
    """A number exactly as it was written."""

    __slots__ = ()


def check_line(line: bytes) -> list[tuple[str, Any]]:
    """Hold a line to docs/contract.md §3, and return what follows the stamps."""
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    text = line.decode("utf-8")
    assert text.splitlines() == [text[:-1]]
    assert type(json.loads(text)) is dict
    found = members(text)
    assert [name for name, _ in found[:2]] == ["ts", "unix_ts"]
    assert found[0][1] == TS
    assert [name for name, _ in found[2:] if name in {"ts", "unix_ts"}] == []
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text[:-1])
    assert not re.search(r"\s", outside), "white space outside of strings"
    return found[2:]


# ---- any JSON text, written in any way ------------------------------------------------------------------------------

space = st.text(" \t\r\n", max_size=3)
number_texts = st.one_of(
    st.integers().map(str),
    st.integers(min_value=2**63, max_value=2**80).map(str),
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
)
characters = st.characters(exclude_categories=["Cs"])
escapes = st.sampled_from(
    ["\\n", '\\"', "\\\\", "\\/", "\\u0041", "\\u2028", "\\u0085", "\\ud83d\\ude00", "\x85", "\u2028", "\u2029"]
)


def as_written(character: str) -> str:
    return json.dumps(character, ensure_ascii=False)[1:-1]


string_texts = st.lists(st.one_of(characters.map(as_written), escapes), max_size=12).map(
    lambda c: '"' + "".join(c) + '"'
)
names = st.one_of(
    st.sampled_from(
        [
            '"ts"',
            '"unix_ts"',
            '"source_ts"',
            '"t\\u0073"',
            '"channel"',
            '"data"',
            '"event"',
            '"recovered"',
            '"text"',
            '""',
        ]
    ),
    string_texts,
)


def written_list(items: list[str], spaces: list[str], opening: str, closing: str) -> str:
    padded = [f"{spaces[n % len(spaces)]}{item}{spaces[(n + 1) % len(spaces)]}" for n, item in enumerate(items)]
    return opening + (",".join(padded) if padded else spaces[0]) + closing


def arrays(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda items, spaces: written_list(items, spaces, "[", "]"),
        st.lists(values, max_size=4),
        st.lists(space, min_size=1, max_size=4),
    )


def objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.builds(lambda name, gap, value: f"{name}{gap}:{gap}{value}", names, space, values)
    return st.builds(
        lambda items, spaces: written_list(items, spaces, "{", "}"),
        st.lists(pair, max_size=5),
        st.lists(space, min_size=1, max_size=4),
    )


scalars = st.one_of(
    number_texts, string_texts, st.sampled_from(["true", "false", "null", '"videodb_cli"', '"transcript"'])
)
values = st.recursive(scalars, lambda inner: arrays(inner) | objects(inner), max_leaves=8)
events = st.builds(lambda before, event, after: before + event + after, space, objects(values), space)


def renamed(found: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    taken = {name for name, _ in found}
    out = []
    for name, value in found:
        new = name
        if name in {"ts", "unix_ts"}:
            new = f"source_{name}"
            while new in taken:
                new = f"source_{new}"
        out.append((new, value))
    return out


def claims_to_be_ours(found: list[tuple[str, Any]]) -> bool:
    return any(name == "recovered" or (name == "channel" and value == "videodb_cli") for name, value in found)


@settings(max_examples=150, deadline=None)
@given(events)
@example('{"a":1}')
@example('{ "channel" : "videodb_cli" }')
@example('{"channel":"videodb_cli","channel":"x"}')
@example('{"ch\\u0061nnel":"videodb_cli","channel":"x"}')
@example('{"r\\u0065covered":false}')
@example('{"ts":1,"source_ts":2,"source_source_ts":3,"t\\u0073":4}')
@example('{"a":"\\\\\\" , \\\\", "b": [ 1 , 2 ]}')
def test_events_keep_their_members_in_order_with_all_digits(text: str) -> None:
    raw = text.encode()
    rest, event = compose(raw)
    kept = check_line(with_stamps(STAMPS, rest))
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:  # a number too large for it, or a lone surrogate
        assert event is None
        assert kept == [("raw", text)]
        return
    received = members(text)
    if claims_to_be_ours(received):
        assert event is None
        assert kept == [("raw", text)]
    elif event is None:
        name = dict(received).get("event")
        assert "channel" not in dict(received)
        assert isinstance(name, str)
        assert name.split(".")[0] == "videodb_cli"
    else:
        assert kept == renamed(received)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=60), values.map(str.encode), st.text(max_size=30).map(str.encode)))
@example(b"")
@example(b"null")
@example(b"[1]")
@example(b"\xef\xbb\xbf{}")
@example(b'{"a":NaN}')
@example(b'{"a":1}{"b":2}')
@example(b'{"a":"\xff"}')
@example(b'{"a":"\\ud800"}')
def test_whatever_comes_becomes_one_line_that_gives_it_back(raw: bytes) -> None:
    rest, event = compose(raw)
    kept = check_line(with_stamps(STAMPS, rest))
    if event is None:
        ((name, value),) = kept
        assert raw == (value.encode("utf-8") if name == "raw" else base64.b64decode(value))
        assert name == "raw" or "base64" in name


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"{}", b'{"ts":"2026-03-02T10:15:30.123Z","unix_ts":1772446530.123}\n'),
        (b" { } ", b'{"ts":"2026-03-02T10:15:30.123Z","unix_ts":1772446530.123}\n'),
        (b'{"a": 1E5, "b":-0 }', STAMPS + b',"a":1E5,"b":-0}\n'),
        (b'{"ts":"mine"}', STAMPS + b',"source_ts":"mine"}\n'),
        (b'{"unix_ts": 5, "channel":"alert"}', STAMPS + b',"source_unix_ts":5,"channel":"alert"}\n'),
        (b'{"data":{"ts":1}}', STAMPS + b',"data":{"ts":1}}\n'),
        (b'{"a":123456789012345678901234567890}', STAMPS + b',"a":123456789012345678901234567890}\n'),
        ('{"a":"\u2028x\u0085y\u2029"}'.encode(), STAMPS + b',"a":"\\u2028x\\u0085y\\u2029"}\n'),
        (b"null", STAMPS + b',"raw":"null"}\n'),
        (b"\xff\x00", STAMPS + b',"raw_base64":"/wA="}\n'),
        (b'{"channel":"videodb_cli"}', STAMPS + b',"raw":"{\\"channel\\":\\"videodb_cli\\"}"}\n'),
        (b'{"a": " 1 ", "b": [1, 2]}', STAMPS + b',"a":" 1 ","b":[1,2]}\n'),
        (b'{"a": 1, "a": 1}', STAMPS + b',"a":1,"a":1}\n'),
        (b'{"a": "\\u0041"}', STAMPS + b',"a":"\\u0041"}\n'),
        (b'{"data":{"recovered":true}}', STAMPS + b',"data":{"recovered":true}}\n'),
        (b'{"data":{"channel":"videodb_cli"},"channel":"x"}', None),
    ],
)
def test_examples(raw: bytes, line: bytes | None) -> None:
    assert lined(raw) == (line if line is not None else STAMPS + b"," + raw[1:] + b"\n")


@pytest.mark.parametrize("opening", [b'{"a":', b'{"recovere":1,"a":'])
def test_depth(opening: bytes) -> None:
    """500 levels are an event, with white space or without; one more is kept as raw; both are lines."""
    for depth, is_event in ((MAX_DEPTH, True), (MAX_DEPTH + 1, False), (3000, False), (200_000, False)):
        for gap in (b"", b" "):
            raw = opening + b"[" * (depth - 1) + gap + b"]" * (depth - 1) + b"}"
            rest, event = compose(raw)
            assert (event is not None) is is_event
            assert (json.loads(with_stamps(STAMPS, rest)).get("raw") is None) is is_event
    assert compose(b'{"a":"' + b"[" * 2000 + b'"}')[1] is not None, "brackets in strings are no depth"
    assert compose(b'{"recovered_at":' * 499 + b"{}" + b"}" * 499)[1] is not None, "and a name like ours no forgery"


@pytest.mark.parametrize("digits", [4299, 4300, 4301, 9000])
def test_long_runs_of_digits(digits: int) -> None:
    """What json.loads cannot read is raw; digits in a string or a fraction are none of its business."""
    run = b"1" * digits
    assert compose(b'{"a": "' + run + b'"}')[1] is not None
    check_line(lined(b'{"a": "' + run + b'"}'))
    assert compose(b'{"a":0.' + run + b"}")[1] is not None
    check_line(lined(b'{"a":' + run + b"}"))


def test_large_messages_cost_no_state_for_every_escape() -> None:
    raw = b'{"ts": 1, "text": "' + b'\\n[\\"' * (4 << 20) + b'"}'
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rest, event = compose(raw)
    assert event is not None
    assert rest.startswith(b'"source_ts":1,"text":"\\n[\\"\\n[')
    scale = 1024 if sys.platform == "darwin" else 1
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / scale < 400_000


def test_numbers_keep_their_digits_exactly() -> None:
    written = "[0.1000, 1e2, 12345678901234567890123, 3.141592653589793238462643383279]"
    kept = json.loads(lined(b'{"n":' + written.encode() + b"}"), parse_float=Decimal)["n"]
    assert [str(n) for n in kept] == ["0.1000", "1E+2", "12345678901234567890123", "3.141592653589793238462643383279"]


@given(
    st.text(max_size=20), st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(0, 2**53), max_size=3)
)
def test_own_lines_have_the_envelope(text: str, data: dict[str, Any]) -> None:
    data = {name: value for name, value in data.items() if name != "text"}
    kept = check_line(with_stamps(STAMPS, own_members("listener.gap", text, data)))
    assert kept[:2] == [("channel", "videodb_cli"), ("event", "listener.gap")]
    assert kept[2][1][0] == ("text", text)
    assert [name for name, _ in kept[2][1]] == ["text", *data]

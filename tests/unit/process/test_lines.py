"""Bounded lines out of bytes."""

from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.process.lines import LineSplitter


@given(st.lists(st.binary(max_size=40), max_size=30))
def test_the_same_lines_come_out_however_the_bytes_are_cut(chunks: list[bytes]) -> None:
    splitter = LineSplitter(10_000)
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    whole = b"".join(chunks).split(b"\n")
    assert lines == whole[:-1]
    assert (splitter.rest() or b"") == whole[-1]


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(1, 15))
def test_only_lines_above_the_limit_are_lost(chunks: list[bytes], limit: int) -> None:
    splitter = LineSplitter(limit)
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    whole = b"".join(chunks).split(b"\n")
    assert lines == [line for line in whole[:-1] if len(line) <= limit]
    assert splitter.too_long == sum(len(line) > limit for line in whole)

"""An iterator that blocks does not block its reader, and is asked only when the reader wants more."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from videodb_cli.app.polled import polled


def test_items_come_in_order_and_none_while_nothing_comes() -> None:
    go_on = threading.Event()

    def slow() -> Iterator[int]:
        yield 1
        assert go_on.wait(10)
        yield 2

    seen = []
    for item in polled(slow(), 0.001):
        if item is None:
            go_on.set()
        else:
            seen.append(item)
    assert seen == [1, 2]


def test_an_error_is_raised_where_items_are_taken() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    found = polled(broken(), 1.0)
    assert next(found) == 1
    with pytest.raises(ValueError, match="broken"):
        next(found)


def test_nothing_is_taken_ahead() -> None:
    taken: list[int] = []

    def counting() -> Iterator[int]:
        for number in range(3):
            taken.append(number)
            yield number

    for number in polled(counting(), 1.0):
        assert number is not None
        assert len(taken) == number + 1

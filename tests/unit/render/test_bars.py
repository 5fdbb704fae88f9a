"""Bars are in proportion, never wider than their room, and never hide that something is there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from videodb_cli import cells
from videodb_cli.render.bars import bar, with_bars


def test_a_bar_is_as_long_as_its_share() -> None:
    assert [bar(value, 8, 10) for value in (0, 1, 4, 8)] == ["", "█▎", "█████", "██████████"]
    assert bar(1, 1_000_000, 10) == "▏"


def test_rows_without_a_value_have_no_bar() -> None:
    assert with_bars(["name  count", "a  2", "b  1", "all  3"], [2, 1], 29) == [
        "name  count",
        "a  2         ████████████████",
        "b  1         ████████",
        "all  3",
    ]


def test_without_room_nothing_is_drawn() -> None:
    rows = ["name  count", "a  2"]
    assert with_bars(rows, [2], 20) == rows
    assert with_bars(rows, [], 80) == rows


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=20), st.integers(0, 120))
def test_no_row_is_wider_than_its_room(values: list[int], room: int) -> None:
    rows = ["heading", *("x" * (number % 7) for number in range(len(values))), "all"]
    drawn = with_bars(rows, values, room)
    assert len(drawn) == len(rows)
    assert all(cells.width(row) <= max(room, 7) for row in drawn)
    longest = max(range(len(values)), key=values.__getitem__)
    assert all(len(row) <= max(room, 7) for row in drawn[longest : longest + 1])

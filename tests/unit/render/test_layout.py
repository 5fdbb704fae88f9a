"""The columns by the width of the terminal and what is in them."""

from __future__ import annotations

import pytest

from videodb_cli.render.layout import ColumnWidths, Layout

LABELS = [("transcript", "mic"), ("visual", "display:1")]
LAYOUTS = [
    (None, Layout(None, 12, 10, 9)),
    (120, Layout(119, 12, 10, 9)),
    (80, Layout(79, 12, 10, 9)),
    (70, Layout(69, 8, 10, 9)),
    (50, Layout(49, 8, 10, 9, is_stacked=True)),
    (24, Layout(23, 8, 10, 9, is_stacked=True)),
    (5, Layout(19, 8, 10, 9, is_stacked=True)),
]


@pytest.mark.parametrize(("width", "layout"), LAYOUTS)
def test_layout(width: int | None, layout: Layout) -> None:
    columns = ColumnWidths(width)
    columns.measure(LABELS)
    assert columns.layout == layout


def test_columns_grow_and_never_shrink() -> None:
    columns = ColumnWidths(120, is_followed=True)
    assert columns.layout.stream == 12
    columns.measure([("x", "a" * 15)])
    columns.measure([("x", "b")])
    assert columns.layout.stream == 15
    columns.measure([("a_very_long_channel_name", "c" * 90)])
    assert (columns.layout.kind, columns.layout.stream) == (16, 19)

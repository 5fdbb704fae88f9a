"""Named values: one line in a pipe; beside or below their names on a terminal, and never wider than it."""

from __future__ import annotations

import pytest

from videodb_cli import cells, console
from videodb_cli.commands.fields import show_field

URL = "http://127.0.0.1:38211/play/fe7a04638840a11f"
# Columns of the terminal (None: a pipe), name, value, and the rows.
ROWS = [
    (None, "gaps", "1 (1.2 s)  ·  3 recovered", ["gaps        1 (1.2 s) · 3 recovered"]),
    (80, "gaps", "1 (1.2 s) · 3 recovered", ["gaps        1 (1.2 s) · 3 recovered"]),
    (33, "gaps", "1 (1.2 s) · 3 recovered", ["gaps        1 (1.2 s) · 3", "            recovered"]),
    (20, "gaps", "1 (1.2 s) · 3 recovered", ["gaps", "  1 (1.2 s) · 3", "  recovered"]),
    (20, "warning  system audio", "none", ["warning system", "audio", "  none"]),
    (20, "", "one more", ["  one more"]),
    (20, "player", URL, ["player", f"  {URL}"]),
    (33, "player", f"at {URL}", ["player      at", f"            {URL}"]),
    (80, "名前", "\x1b[2Jvalue", ["名前        \\x1b[2Jvalue"]),
]


@pytest.mark.parametrize(("columns", "name", "value", "rows"), ROWS)
def test_rows(
    columns: int | None,
    name: str,
    value: str,
    rows: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(console, "is_terminal", lambda: columns is not None)
    monkeypatch.setattr(console, "terminal_width", lambda: columns)
    show_field(name, value, 11)
    shown = capsys.readouterr().out.splitlines()
    assert shown == rows
    assert columns is None or all(cells.width(row) < columns for row in shown if URL not in row)

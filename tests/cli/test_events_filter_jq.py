"""The programs of jq's own manual give what the manual says, through the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from videodb_cli.main import main

MANUAL = Path(__file__).parent.parent / "data" / "jq_manual.test"


def cases() -> list[tuple[str, str, list[str]]]:
    """Program, input and expected outputs of each case."""
    found = []
    for paragraph in MANUAL.read_text(encoding="utf-8").split("\n\n"):
        lines = [line for line in paragraph.splitlines() if line and not line.startswith("#")]
        if len(lines) >= 2 and lines[0] != "%%FAIL":
            found.append((lines[0], lines[1], lines[2:]))
    return found


@pytest.mark.parametrize(("program", "given", "expected"), cases())
def test_the_manual_holds(
    program: str,
    given: str,
    expected: list[str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PAGER", "less")
    (tmp_path / "in").write_text(given + "\n", encoding="utf-8")
    status = main(["events", "filter", "-c", "--", program, str(tmp_path / "in")])
    out = capfd.readouterr().out
    assert status == 0
    assert [json.loads(line) for line in out.splitlines()] == [json.loads(line) for line in expected]


def test_the_manual_has_many_and_none_of_them_needs_more_input() -> None:
    assert len(cases()) > 200

"""docs/cli.md says what the commands say. `make docs` rewrites it."""

import os
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "make_cli_docs.py"))


def test_the_page_is_what_the_commands_say(script: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == script["render"](), "docs/cli.md and the commands differ: make docs"


@pytest.mark.parametrize("columns", ["40", "200", None])
def test_the_width_of_the_terminal_does_not_matter(
    script: dict[str, Any], columns: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", columns)
    page = script["render"]()
    assert max(map(len, page.partition("```text")[2].splitlines())) <= 80
    assert os.environ.get("COLUMNS") == columns


def test_hidden_commands_are_left_out(script: dict[str, Any]) -> None:
    page = script["render"]()
    assert "## videodb capture start\n" in page
    assert "## videodb capture run\n" not in page

"""Dotenv files are read as data; tests/unit/test_settings.py has the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from videodb_cli.config.env_file import read_env_file
from videodb_cli.errors import NotFoundError


def test_only_the_names_asked_for(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\nB=$A\nC=\nD=4\n")
    assert read_env_file(path, frozenset("ABC"), required=False) == {"A": "1", "B": "$A"}


def test_no_file(tmp_path: Path) -> None:
    assert read_env_file(tmp_path / "none", frozenset("A"), required=False) is None
    with pytest.raises(NotFoundError):
        read_env_file(tmp_path / "none", frozenset("A"), required=True)

"""A hint can be pasted: it names the directory that was given, and the command that was typed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from videodb_cli import hints


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    # Before as well: a command that another test ran in this process has named a directory.
    _forget()
    yield
    _forget()


def _forget() -> None:
    hints.use_directory(None)
    hints.use_command("videodb", takes_local=False)


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        ("videodb status", "videodb status --dir /d"),
        ("start one: videodb listen --detach", "start one: videodb listen --dir /d --detach"),
        ("videodb status · videodb stop", "videodb status --dir /d · videodb stop --dir /d"),
        ("tokens expire: videodb capture create makes one", "tokens expire: videodb capture create --dir /d makes one"),
        ("videodb events filter --around 30s … | videodb events stats -",
         "videodb events filter --dir /d --around 30s … | videodb events stats --dir /d -"),
        ("as often as you like (videodb capture start)", "as often as you like (videodb capture start --dir /d)"),
        ("videodb status --dir /other · videodb stop", "videodb status --dir /other · videodb stop --dir /d"),
        ("videodb listen --help", "videodb listen --help"),
        ("videodb local models install", "videodb local models install"),
        ("videodb capture channels", "videodb capture channels"),
        ("videodb demo --keep", "videodb demo --keep"),
        ("pip install --upgrade videodb-cli", "pip install --upgrade videodb-cli"),
        ("see /x/videodb_listener.log", "see /x/videodb_listener.log"),
    ],
)  # fmt: skip
def test_a_command_gets_the_directory(hint: str, expected: str) -> None:
    assert hints.placed(hint) == hint
    hints.use_directory(Path("/d"))
    assert hints.placed(hint) == expected


def test_a_name_with_spaces_is_quoted() -> None:
    hints.use_directory(Path("/my events"))
    assert hints.placed("videodb stop") == "videodb stop --dir '/my events'"


def test_the_directory_that_is_meant_anyway_is_not_named() -> None:
    hints.use_directory(Path("/d"), lambda: Path("/d"))
    assert hints.placed("videodb stop") == "videodb stop"
    hints.use_directory(Path("/d"), lambda: None)
    assert hints.placed("videodb stop") == "videodb stop --dir /d"


def test_without_a_key() -> None:
    hints.use_command("videodb capture start", takes_local=True)
    assert hints.without_key().endswith("or try everything without one: videodb capture start --local")
    hints.use_command("videodb capture stop", takes_local=False)
    assert hints.without_key() == "get a key at console.videodb.io"

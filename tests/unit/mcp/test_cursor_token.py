"""Tokens of a place in the log: given back as they came, and distrusted."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.errors import UsageError
from videodb_cli.mcp.cursor_token import ClientCursor, encoded


def test_a_token_comes_back_as_it_was(tmp_path: Path) -> None:
    token = encoded({"offset": 12, "head": "a" * 32, "recent": "b" * 32})
    assert ClientCursor(tmp_path, token).token() == token


def test_without_a_place_it_is_the_beginning(tmp_path: Path) -> None:
    cursor = ClientCursor(tmp_path, None)
    assert cursor.is_new
    (tmp_path / "again").mkdir()
    again = ClientCursor(tmp_path / "again", cursor.token())
    assert not again.is_new
    assert again.find([]) is None


@pytest.mark.parametrize("token", ["", "c1.", "c1.e30", "c1.bnVsbA", "c2.e30", "é", "c1." + "A" * 5000])
def test_what_is_no_token_is_refused(tmp_path: Path, token: str) -> None:
    with pytest.raises(UsageError) as error:
        ClientCursor(tmp_path, token)
    assert error.value.code == "bad_cursor"


@given(text=st.text())
def test_nothing_that_a_client_sends_is_a_bug(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    directory = tmp_path_factory.mktemp("cursor")
    for token in (text, f"c1.{text}"):
        try:
            ClientCursor(directory, token)
        except UsageError:
            pass

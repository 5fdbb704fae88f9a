"""Changing one key leaves everything else of the file as it was."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.config.edit import NotEditableError, with_value, without_key

FILE = """# my settings
directory = "/data#1"   # the big disk

  local=true
[later]
# of later
collection = "inner"
"""


def test_a_value_is_replaced_in_its_line() -> None:
    changed = with_value(FILE, "directory", "/other")
    assert changed == FILE.replace('"/data#1"', '"/other"')
    assert with_value(FILE, "local", False) == FILE.replace("  local=true", "local = false")


def test_a_new_key_goes_before_the_first_table() -> None:
    changed = with_value(FILE, "collection", "team")
    assert changed == FILE.replace("local=true\n", 'local=true\ncollection = "team"\n')
    assert with_value("", "local", True) == "local = true\n"
    assert with_value("# only this", "local", True) == "# only this\nlocal = true\n"
    assert with_value("[a]\nb = 1\n", "local", True) == "local = true\n[a]\nb = 1\n"


def test_a_key_is_taken_out() -> None:
    assert without_key(FILE, "local") == FILE.replace("  local=true\n", "")
    assert without_key(FILE, "pager") == FILE


def test_line_ends_of_windows_stay() -> None:
    assert with_value("local = true\r\npager = 'x'\r\n", "local", False) == "local = false\r\npager = 'x'\r\n"


@pytest.mark.parametrize("text", ['pager = """\nless\n"""\n', "pager = [\n1]\n", "pager.x = 1\n", "[pager]\nx = 1\n"])
def test_what_cannot_be_changed_by_line_is_left_alone(text: str) -> None:
    with pytest.raises(NotEditableError):
        with_value(text, "pager", "most")
    if not text.startswith("pager = "):
        with pytest.raises(NotEditableError):
            without_key(text, "pager")


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1), st.sampled_from(["directory", "pager"]))
def test_any_value_can_be_read_again(value: str, name: str) -> None:
    changed = with_value(FILE, name, value)
    assert tomllib.loads(changed) == {**tomllib.loads(FILE), name: value}
    assert "# my settings" in changed

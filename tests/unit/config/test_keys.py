"""Names and values of the configuration file, and what must never be in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from videodb_cli.config.keys import KEYS, checked, key_named, parsed
from videodb_cli.errors import UsageError


@pytest.mark.parametrize("name", ["end_user", "end-user", " collection "])
def test_names(name: str) -> None:
    assert key_named(name) is KEYS[name.strip().replace("-", "_")]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("collectoin", "did you mean 'collection'?"), ("colour", "did you mean 'color'?"), ("zzz", "the settings are: ")],
)
def test_a_name_that_does_not_exist(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match="there is no setting") as refused:
        key_named(name)
    assert (refused.value.hint or "").startswith(hint)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_key", "x"),
        ("api-key", "x"),
        ("VIDEO_DB_API_KEY", "x"),
        ("client_token", "x"),
        ("password", "x"),
        ("collection", "sk-abcdef123"),
        ("directory", " st-abcdef123"),
        ("sk-abcdef123", "x"),
    ],
)
def test_no_key_is_taken_and_none_is_repeated(name: str, value: str) -> None:
    with pytest.raises(UsageError) as refused:
        key_named(name, value)
    assert refused.value.code == "secret_in_config"
    assert "~/.videodb/.env" in (refused.value.hint or "")
    assert "abcdef123" not in f"{refused.value.message} {refused.value.hint}"


@pytest.mark.parametrize("name", ["base_url", "base-url", "VIDEO_DB_API", "api"])
def test_no_address_is_taken(name: str) -> None:
    with pytest.raises(UsageError, match="same place as the key") as refused:
        key_named(name, "https://example.org")
    assert refused.value.code == "base_url_in_config"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("local", "true", True),
        ("local", "Off", False),
        ("format", "md", "md"),
        ("collection", "team", "team"),
        ("directory", "/var/log/x", "/var/log/x"),
    ],
)
def test_typed_values(name: str, text: str, value: Any) -> None:
    assert parsed(KEYS[name], text) == value


def test_a_typed_directory_is_that_of_the_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    assert parsed(KEYS["directory"], "logs") == str(tmp_path / "logs")
    assert parsed(KEYS["directory"], "~/logs") == "/home/someone/logs"


@pytest.mark.parametrize(
    ("name", "text"), [("local", "maybe"), ("local", ""), ("format", "xml"), ("collection", " "), ("pager", "a\x1b[2J")]
)
def test_typed_values_that_are_refused(name: str, text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parsed(KEYS[name], text)
    assert refused.value.message.startswith((f"{name} ", f"the value of {name} "))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("local", "true", "local must be true or false, not the text 'true'"),
        ("local", 1, "local must be true or false, not the number 1"),
        ("collection", 7, "collection must be text in quotes, not the number 7"),
        ("collection", True, "collection must be text in quotes, not true"),
        ("collection", ["a"], "collection must be text in quotes, not a list"),
        ("collection", {}, "collection must be text in quotes, not a table"),
        ("format", "xml", "format must be pretty, json, csv, tsv or md, not 'xml'"),
        ("directory", "logs", "directory must be an absolute path, or begin with ~, not 'logs'"),
        ("pager", "", "pager must not be empty"),
    ],
)
def test_written_values_that_are_refused(name: str, value: object, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        checked(KEYS[name], value)
    assert refused.value.message.startswith(said)


def test_the_documents_list_every_key_and_its_values() -> None:
    docs = Path(__file__).parents[3] / "docs"
    running, contract = ((docs / name).read_text(encoding="utf-8") for name in ("running.md", "contract.md"))
    for key in KEYS.values():
        (row,) = (line for line in running.splitlines() if line.startswith(f"| `{key.name}` |"))
        assert all(f"`{choice}`" in row for choice in key.choices)
        assert f"| `{key.name}` | `{key.default}` |" in running
        assert f"`{key.name}`" in contract

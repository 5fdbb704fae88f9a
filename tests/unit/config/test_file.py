"""What the configuration file says, and how a bad one is reported."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from videodb_cli import userpaths
from videodb_cli.app import doctor
from videodb_cli.config import file as config_file
from videodb_cli.config.file import config_path, configured, configured_or_none, read_config
from videodb_cli.config.keys import KEYS
from videodb_cli.errors import NotFoundError, RefusedError, UsageError, VideodbError


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    found = tmp_path / "config.toml"
    monkeypatch.setenv("VIDEODB_CONFIG", str(found))
    config_file.forget()
    yield found
    config_file.forget()


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VIDEODB_CONFIG", "~/x.toml")
    assert config_path() == tmp_path / "x.toml"
    monkeypatch.setenv("VIDEODB_CONFIG", "")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/etc/xdg")
    assert config_path() == Path("/etc/xdg/videodb/config.toml")
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert config_path() == tmp_path / ".config/videodb/config.toml"


def test_no_file_and_no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VIDEODB_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert read_config().values == {}
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(userpaths, "home_directory", lambda: None)
    assert configured("local") is None


def test_a_file_that_is_named_must_exist(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFoundError, match="named by VIDEODB_CONFIG"):
        read_config()
    monkeypatch.setenv("VIDEODB_CONFIG", os.devnull)
    assert read_config().values == {}


def test_values(path: Path) -> None:
    path.write_text('directory = "~/x"\nlocal = true\nformat = "md"\n')
    assert dict(read_config().values) == {"directory": "~/x", "local": True, "format": "md"}
    assert configured("local") is True
    assert configured("pager") is None


def test_an_unknown_key_is_a_warning(path: Path) -> None:
    said: list[str] = []
    config_file.on_warning(said.append)
    path.write_text('# first\n"collectoin" = "x"\nlocal = true\n[other]\na = 1\n')
    assert configured("local") is True
    assert said == [
        f"{path}, line 2: unknown setting 'collectoin' is ignored; did you mean 'collection'?",
        f"{path}, line 4: unknown setting 'other' is ignored; the settings are: {', '.join(KEYS)}",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("local = true\ncollection = 5\n", ", line 2: collection must be text in quotes, not the number 5"),
        ("local = true\ncollection\n", ", line 2, column 11: not valid TOML: expected '=' after a key"),
        ("local = true\nlocal = false\n", ", line 2, column 14: not valid TOML: cannot overwrite a value"),
        ('collection = """x\n', ", line 1: not valid TOML: unterminated"),
        ("\n\napi_key = 'sk-abcdef'\n", ", line 3: api_key: an API key or token must not be in"),
        ("collection = 'sk-abcdef'\n", ", line 1: collection: an API key or token must not be in"),
        ("base_url = 'https://x'\n", ", line 1: base_url: the address of the service must come from the same place"),
        ("x = " + "[" * 5000, "it is nested too deeply"),
    ],
)
def test_a_bad_file_is_named_with_its_line(path: Path, text: str, said: str) -> None:
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        read_config()
    assert refused.value.message.startswith(str(path))
    assert said in refused.value.message
    assert refused.value.hint
    assert "abcdef" not in f"{refused.value.message}{refused.value.hint}"
    assert configured_or_none("local") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"pager = '\xff'", "is not UTF-8 text"), (b"#" * (1 << 20) + b"#", "is larger than 1 MB")],
)
def test_what_is_no_text(path: Path, content: bytes, said: str) -> None:
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read_config()


def test_a_directory_and_a_pipe(path: Path) -> None:
    path.mkdir()
    with pytest.raises(UsageError, match="is not a plain file"):
        read_config()
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(UsageError, match="is not a plain file"):
        read_config()


def test_a_file_that_everybody_may_write(path: Path) -> None:
    path.write_text("local = true\n")
    path.chmod(0o666)
    with pytest.raises(RefusedError, match="everybody may write") as refused:
        read_config()
    assert refused.value.hint == f"chmod o-w {path}"


def test_it_can_be_ignored(path: Path) -> None:
    path.write_text("nonsense")
    with pytest.raises(VideodbError):
        read_config()
    config_file.ignore_config()
    assert read_config().values == {}


@pytest.mark.parametrize("named", ["", "relative"])
def test_without_a_home_there_is_no_file(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.delenv("VIDEODB_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", named)
    monkeypatch.setattr(userpaths, "home_directory", lambda: None)
    config_file.forget()
    assert not config_file.read_config().values
    finding = doctor.examine_config()
    assert (finding.level, finding.name) == ("ok", "config")
    assert "without a home" in finding.text

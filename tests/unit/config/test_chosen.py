"""Which setting holds, and where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from videodb_cli import settings
from videodb_cli.config.chosen import Setting, chosen, configured_color, output_form, pager_setting


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    found = tmp_path / "videodb" / "config.toml"
    found.parent.mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("PAGER", "VIDEODB_PAGER", "VIDEODB_LOCAL", "VIDEODB_EVENTS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    settings.forget()
    yield found
    settings.forget()


def test_defaults() -> None:
    assert chosen("collection", default="default") == Setting("default", "the default")
    assert output_form() is None
    assert configured_color() is None
    assert pager_setting() == Setting("less", "the default")


def test_of_the_file(path: Path) -> None:
    path.write_text('collection = "team"\nformat = "csv"\ncolor = "never"\n')
    assert chosen("collection", default="default") == Setting("team", "config.toml")
    assert output_form() == "csv"
    assert configured_color() is False


def test_pagers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", "more")
    assert pager_setting() == Setting("more", "PAGER from the environment")
    path.write_text('pager = "most"\n')
    settings.forget()
    assert pager_setting() == Setting("most", "config.toml")
    monkeypatch.setenv("VIDEODB_PAGER", "cat")
    assert pager_setting() == Setting("", "VIDEODB_PAGER from the environment")


def test_order_of_local(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path.write_text("local = true\n")
    assert settings.wants_local(False)
    assert settings.local_setting() == Setting(True, "config.toml")
    (tmp_path / ".env").write_text("VIDEODB_LOCAL=0\n")
    settings.forget()
    assert not settings.wants_local(False)
    monkeypatch.setenv("VIDEODB_LOCAL", "1")
    assert settings.local_setting() == Setting(True, "VIDEODB_LOCAL from the environment")


def test_order_of_directories(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path.write_text('directory = "/from/config"\n')
    assert settings.resolve_directory() == settings.Directory(Path("/from/config"), "config.toml")
    assert not settings.resolve_directory().is_default
    (tmp_path / ".env").write_text("VIDEODB_EVENTS_DIR=/from/dotenv\n")
    settings.forget()
    assert settings.resolve_directory().path == Path("/from/dotenv")
    monkeypatch.setenv("VIDEODB_EVENTS_DIR", "/from/environment")
    assert settings.resolve_directory().path == Path("/from/environment")
    assert settings.resolve_directory(None, "/from/option").path == Path("/from/option")


def test_a_key_of_the_file_never_counts(path: Path) -> None:
    path.write_text('VIDEO_DB_API_KEY = "sk-x"\n')
    with pytest.raises(settings.VideodbError, match="must not be in the configuration file"):
        settings.resolve_directory()

"""Where key, URL and directory come from; and that a stranger's `.env` cannot send a key elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from videodb_cli import settings
from videodb_cli.errors import CredentialsError, NotFoundError, RefusedError, UsageError, VideodbError
from videodb_cli.settings import Secret, resolve_credentials, resolve_directory, wants_local

Write = Callable[..., None]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in settings._NAMES | {settings.CLIENT_TOKEN_NAME, "XDG_STATE_HOME"}:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / ".videodb").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    settings.forget()
    yield tmp_path
    settings.forget()


@pytest.fixture
def write(place: Path) -> Write:
    def do(**files: str) -> None:
        for name, content in files.items():
            path = {"work": place / "work/.env", "home": place / "home/.videodb/.env"}.get(name, place / name)
            path.write_text(content)
        settings.forget()

    return do


def test_order_of_places(write: Write, monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    write(home="VIDEO_DB_API_KEY=sk-home\n")
    assert resolve_credentials().token == Secret("sk-home")
    write(work="VIDEODB_API_KEY=sk-work\n")
    found = resolve_credentials()
    assert (found.token, found.token_source) == (Secret("sk-work"), "./.env")
    assert (found.base_url, found.base_url_source) == ("https://api.videodb.io", "the default")
    write(named="VIDEO_DB_API_KEY=sk-named\n")
    assert resolve_credentials(str(place / "named")).token == Secret("sk-named")
    monkeypatch.setenv("VIDEODB_API_KEY", "sk-environment")
    assert resolve_credentials(str(place / "named")).token == Secret("sk-environment")
    monkeypatch.setenv("VIDEO_DB_API_KEY", "  ")
    assert resolve_credentials().token == Secret("sk-environment")


def test_no_search_upwards_and_nothing_enters_the_environment(place: Path, write: Write) -> None:
    (place / ".env").write_text("VIDEO_DB_API_KEY=sk-above\n")
    with pytest.raises(CredentialsError, match=r"not set \(looked in the environment, \./\.env, ~/\.videodb/\.env\)"):
        resolve_credentials()
    before = dict(os.environ)
    write(work="VIDEO_DB_API_KEY=sk-work\nPATH=/evil\nLD_PRELOAD=x\n")
    resolve_credentials()
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    "content",
    [
        "VIDEO_DB_API_KEY=sk-1",
        "export VIDEO_DB_API_KEY='sk-1'\n",
        '\ufeffVIDEO_DB_API_KEY="sk-1"\r\n',
        "# comment\n\nOTHER=$(rm -rf /)\nVIDEO_DB_API_KEY=sk-1 # mine\n",
        "this is no setting\nVIDEO_DB_API_KEY=sk-1\n",
    ],
)
def test_dotenv_as_data(write: Write, content: str) -> None:
    write(work=content)
    assert resolve_credentials().token == Secret("sk-1")


def test_no_interpolation(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER", "leak")
    write(work="VIDEO_DB_API_KEY=a${OTHER}b\n")
    assert resolve_credentials().token == Secret("a${OTHER}b")


def test_mixed_sources(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write(work="VIDEO_DB_API=https://evil.example\n", home="VIDEO_DB_API_KEY=sk-home\n")
    with pytest.raises(UsageError, match=r"base URL comes from \./\.env but the key from ~/\.videodb/\.env"):
        resolve_credentials()
    write(work="VIDEO_DB_API=https://api.videodb.io/\n")
    assert resolve_credentials().base_url == "https://api.videodb.io"
    monkeypatch.setenv("VIDEO_DB_API", "https://mine.example/v1/")
    assert resolve_credentials().base_url == "https://mine.example/v1", "the environment may say where the key goes"


@pytest.mark.parametrize(
    ("url", "is_good"),
    [
        ("https://api.videodb.io", True),
        ("http://127.0.0.1:8080/", True),
        ("http://localhost", True),
        ("http://[::1]:1/x", True),
        ("http://127.0.0.1.evil.example", False),
        ("http://10.0.0.1", False),
        ("http://0.0.0.0", False),
        ("ftp://127.0.0.1", False),
        ("https://", False),
        ("api.videodb.io", False),
        ("https://user:password@api.videodb.io", False),
        ("https://api.videodb.io?x=1", False),
        ("https://api.videodb.io:port", False),
        ("https://[::", False),
        ("https://api.videodb.io/\udcff", False),
        ("https://api.videodb.io/a path", False),
        ("https://api.video\ndb.io", False),
    ],
)
def test_base_urls(url: str, is_good: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEO_DB_API_KEY", "sk-1")
    monkeypatch.setenv("VIDEO_DB_BASE_URL", url)
    if is_good:
        assert resolve_credentials().base_url == url.rstrip("/")
    else:
        with pytest.raises(UsageError) as refused:
            resolve_credentials()
        assert "password" not in str(refused.value)


@pytest.mark.parametrize("key", ["sk-\u00e9", "sk-1\nx-evil: 1", "sk-\x00"])
def test_keys_that_no_key_is(key: str, write: Write) -> None:
    write(work=f'VIDEO_DB_API_KEY="{key}"\n')
    with pytest.raises(CredentialsError) as refused:
        resolve_credentials()
    assert key not in str(refused.value)


def test_unusable_files(place: Path, write: Write) -> None:
    (place / "work/.env").mkdir()
    os.mkfifo(place / "home/.videodb/.env")
    for name, kind in (("missing", NotFoundError), (".", UsageError), (str(place / "home/.videodb/.env"), UsageError)):
        settings.forget()
        with pytest.raises(kind):
            resolve_credentials(name)
    settings.forget()
    with pytest.raises(CredentialsError):
        resolve_credentials()


def test_client_token_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEODB_CLIENT_TOKEN", "st-1")
    found = resolve_credentials(token_name=settings.CLIENT_TOKEN_NAME)
    assert found.token == Secret("st-1")
    with pytest.raises(CredentialsError):
        resolve_credentials()


def test_directories(place: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_directory().path == place / "home/.local/state/videodb"
    monkeypatch.setenv("XDG_STATE_HOME", str(place / "state"))
    assert resolve_directory() == (place / "state/videodb", "the default")
    write(work="VIDEODB_EVENTS_DIR=relative\n")
    assert resolve_directory() == (place / "work/relative", "VIDEODB_EVENTS_DIR from ./.env")
    monkeypatch.setenv("VIDEODB_EVENTS_DIR", "~/events")
    assert resolve_directory().path == place / "home/events"
    assert resolve_directory("d", None) == (place / "work/d", "the command line")
    assert resolve_directory("d", str(place / "work/d")).path == place / "work/d"
    for argument, option in (("d", "e"), ("", None)):
        with pytest.raises(VideodbError):
            resolve_directory(argument, option)


@pytest.mark.parametrize(("value", "wanted"), [("1", True), ("true", True), ("0", False), ("", False), ("no", False)])
def test_local(value: str, wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEODB_LOCAL", value)
    assert wants_local(False) is wanted
    assert wants_local(True)


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret("sk-0123456789abcdef")
    assert "0123" not in f"{secret} {secret!r} {[secret]}"
    assert secret.masked() == "sk-…ef"
    assert Secret("short").masked() == "…"
    assert len({secret, Secret("sk-0123456789abcdef")}) == 1


def test_an_unreadable_file_is_named(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    write(work="VIDEO_DB_API_KEY=sk-1\n")

    def denied(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(RefusedError, match=r"cannot read \.env: Permission denied"):
        resolve_credentials()

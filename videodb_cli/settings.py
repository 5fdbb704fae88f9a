"""Where key, base URL, directory and the other settings come from, and in which order.

The order of places: the command line, the environment, dotenv files, ``config.toml``, the default.

A `.env` is read as data: only six names count, nothing of it enters the environment, and a base URL from it counts only
beside a key from the same file, so that a stranger's `.env` cannot send a key elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from videodb_cli import hints
from videodb_cli.config import file as config_file
from videodb_cli.config.chosen import BY_DEFAULT, Setting, chosen, config_name
from videodb_cli.config.env_file import read_env_file
from videodb_cli.diagnostics.redact import remember
from videodb_cli.diagnostics.secret import Secret
from videodb_cli.errors import CredentialsError, UsageError, VideodbError
from videodb_cli.userpaths import absolute, expanded, home_directory, user_directory

DEFAULT_BASE_URL = "https://api.videodb.io"
KEY_NAMES = ("VIDEO_DB_API_KEY", "VIDEODB_API_KEY")
BASE_URL_NAMES = ("VIDEO_DB_API", "VIDEO_DB_BASE_URL")
EVENTS_DIR_NAME = "VIDEODB_EVENTS_DIR"
LOCAL_NAME = "VIDEODB_LOCAL"
RECORDER_SOURCE_NAME = "VIDEODB_RECORDER_SOURCE"
CLIENT_TOKEN_NAME = "VIDEODB_CLIENT_TOKEN"  # noqa: S105 - a variable's name
_NAMES = frozenset((*KEY_NAMES, *BASE_URL_NAMES, EVENTS_DIR_NAME, LOCAL_NAME))


class SettingSource(NamedTuple):
    """The values of one place, such as the environment or a file, and its name in messages."""

    name: str
    values: Mapping[str, str]
    is_file: bool

    def first(self, names: tuple[str, ...]) -> str | None:
        """Return the first of these names that has a value here; None if none has."""
        return next((value for name in names if (value := self.values.get(name, "").strip())), None)


class Directory(NamedTuple):
    """The directory of the listener and where the choice came from."""

    path: Path
    source: str

    @property
    def is_default(self) -> bool:
        """Whether nobody has named a directory."""
        return self.source == BY_DEFAULT


class Credentials(NamedTuple):
    """What is needed to speak to the service. ``base_url`` has no trailing slash."""

    token: Secret
    base_url: str
    token_source: str
    base_url_source: str

    @property
    def host(self) -> str:
        """The host of the base URL, with its port if one is given."""
        return urlsplit(self.base_url).netloc


@cache
def _sources(env_file: str | None) -> tuple[SettingSource, ...]:
    places = [SettingSource("the environment", os.environ, is_file=False)]
    candidates: list[tuple[Path, str, bool]] = []
    if env_file:
        candidates.append((expanded(env_file), env_file, True))
    candidates.append((Path(".env"), "./.env", False))
    home = home_directory()
    if home is not None:
        candidates.append((home / ".videodb" / ".env", "~/.videodb/.env", False))
    for path, name, required in candidates:
        values = read_env_file(path, _NAMES, required=required)
        if values is not None:
            places.append(SettingSource(name, values, is_file=True))
    return tuple(places)


def remember_secrets(env_file: str | None = None) -> None:
    """Let redaction know every key and token of the environment and of the dotenv files, used or not. Never raises."""
    remember(os.environ.get(CLIENT_TOKEN_NAME, "").strip())
    for path in (env_file, None):
        try:
            sources = _sources(path)
        except VideodbError:
            continue  # a file of --env-file that cannot be read: the others are still looked at
        for source in sources:
            for name in KEY_NAMES:
                remember(source.values.get(name, "").strip())


def forget() -> None:
    """Forget the dotenv and configuration files that were read; for tests, which change directory and environment."""
    _sources.cache_clear()
    config_file.forget()


def _find(names: tuple[str, ...], env_file: str | None) -> tuple[str, SettingSource] | None:
    for source in _sources(env_file):
        value = source.first(names)
        if value is not None:
            return value, source
    return None


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address of a URL is this machine's loopback."""
    from ipaddress import ip_address

    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def checked_base_url(url: str, source: str) -> str:
    """Return the URL without its trailing slash. Raises UsageError unless it is https, or http to loopback."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
        parts = urlsplit("")
    has_more = bool(parts.query or parts.fragment or parts.username is not None)
    # httpx fails on white space and on bytes that are not UTF-8 at each request, and each would be tried again.
    is_writable = url.isprintable() and " " not in url
    if not host or parts.scheme not in {"http", "https"} or has_more or not is_writable:
        raise UsageError(
            f"the base URL from {source} is not an http(s) address",
            code="bad_base_url",
            hint=f"write https://HOST or https://HOST:PORT, or leave it out: {DEFAULT_BASE_URL}",
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise UsageError(
            f"the base URL from {source} is plain http to {host}: the key would travel unencrypted",
            code="insecure_base_url",
            hint="use https://, or http:// to 127.0.0.1 only",
        )
    return url.rstrip("/")


def resolve_credentials(env_file: str | None = None, *, token_name: str | None = None) -> Credentials:
    """Find key and base URL.

    ``token_name`` names an environment variable that is looked at first (a client token instead of a key).
    Raises CredentialsError if there is no key, UsageError for a base URL that must not be used.
    """
    token = os.environ.get(token_name, "").strip() if token_name else ""
    found: tuple[str, SettingSource] | None
    if token:
        found = token, SettingSource(f"{token_name} from the environment", {}, is_file=False)
    else:
        found = _find(KEY_NAMES, env_file)
    base = _find(BASE_URL_NAMES, env_file)
    if found is None:
        looked = ", ".join(["the environment", *([env_file] if env_file else []), "./.env", "~/.videodb/.env"])
        raise CredentialsError(
            f"{KEY_NAMES[0]} is not set (looked in {looked})", code="no_key", hint=hints.without_key()
        )
    key, key_source = found
    if not key.isascii() or not key.isprintable():
        raise CredentialsError(
            f"the key from {key_source.name} has characters that no key has", code="bad_key", hint=hints.without_key()
        )
    if base is None:
        return Credentials(Secret(key), DEFAULT_BASE_URL, key_source.name, "the default")
    base_url, base_source = base
    if base_source.is_file and base_source is not key_source and base_url.rstrip("/") != DEFAULT_BASE_URL:
        raise UsageError(
            f"the base URL comes from {base_source.name} but the key from {key_source.name}: "
            "the key would go to an address that its owner did not choose",
            code="mixed_sources",
            hint=f"put both into one place, or: export {BASE_URL_NAMES[0]}=…",
        )
    return Credentials(Secret(key), checked_base_url(base_url, base_source.name), key_source.name, base_source.name)


def base_url(env_file: str | None = None) -> str:
    """Return the base URL, for requests that need no key. Raises UsageError for one that must not be used."""
    found = _find(BASE_URL_NAMES, env_file)
    if found is None or found[1].is_file:
        return DEFAULT_BASE_URL
    return checked_base_url(found[0], found[1].name)


def wants_local(flag: bool, env_file: str | None = None) -> bool:
    """Tell whether the embedded service is meant: ``--local``, ``VIDEODB_LOCAL``, or ``local`` in ``config.toml``.

    ``VIDEODB_LOCAL=0`` overrides the file.
    """
    return flag or local_setting(env_file).value is True


def local_setting(env_file: str | None = None) -> Setting:
    """Return whether the embedded service is meant without ``--local``."""
    found = _find((LOCAL_NAME,), env_file)
    if found is not None:
        return Setting(found[0].lower() in {"1", "true", "yes", "on"}, f"{LOCAL_NAME} from {found[1].name}")
    return chosen("local", default=False)


def default_directory() -> Path:
    """Return the user's state directory for VideoDB: XDG on every platform but Windows.

    Raises UsageError for a user without a home.
    """
    if os.name == "nt":
        from platformdirs.windows import Windows

        return Path(Windows("videodb", appauthor=False).user_state_dir)
    hint = f"name a directory: --dir DIR, or export {EVENTS_DIR_NAME}=DIR"
    return user_directory("XDG_STATE_HOME", ".local/state", hint=hint) / "videodb"


def resolve_directory(argument: str | None = None, option: str | None = None, env_file: str | None = None) -> Directory:
    """Find the directory: argument or ``--dir``, ``VIDEODB_EVENTS_DIR``, ``config.toml``, the user's state directory.

    The path is absolute and its ``~`` expanded; nothing is created. Raises UsageError if argument and option disagree,
    or if nothing is named and the user has no home.
    """
    if argument and option and absolute(Path(argument)) != absolute(Path(option)):
        raise UsageError(f"two directories are named: {argument} and --dir {option}", code="two_directories")
    given = option if argument is None else argument
    if given is not None:
        if not given:
            raise UsageError("the name of the directory is empty", code="bad_directory")
        named = absolute(expanded(given))
        hints.use_directory(named, lambda: _unnamed_path(env_file))
        return Directory(named, "the command line")
    hints.use_directory(None)
    return _unnamed(env_file)


def _unnamed(env_file: str | None) -> Directory:
    """Return the directory that is meant when the command line names none."""
    found = _find((EVENTS_DIR_NAME,), env_file)
    if found is not None:
        return Directory(absolute(expanded(found[0])), f"{EVENTS_DIR_NAME} from {found[1].name}")
    configured = config_file.configured("directory")
    if isinstance(configured, str):
        return Directory(absolute(expanded(configured)), config_name())
    return Directory(default_directory(), BY_DEFAULT)


def _unnamed_path(env_file: str | None) -> Path | None:
    """Return the path of `_unnamed`; None if there is none, because a directory was named anyway."""
    try:
        return _unnamed(env_file).path
    except VideodbError:
        return None


def directory_from_environment() -> Path | None:
    """Return what ``VIDEODB_EVENTS_DIR`` names, in the environment or a dotenv file; None if it names nothing."""
    found = _find((EVENTS_DIR_NAME,), None)
    return None if found is None else absolute(expanded(found[0]))

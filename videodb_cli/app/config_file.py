"""Shows and changes the configuration file for `videodb config`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from videodb_cli import settings
from videodb_cli.config import file as config_file
from videodb_cli.config.chosen import Setting, chosen, pager_setting
from videodb_cli.config.edit import NotEditableError, with_value, without_key
from videodb_cli.config.keys import KEYS, Key, Value
from videodb_cli.errors import NotFoundError, RefusedError, UsageError
from videodb_cli.rundir import private


class ShownSetting(NamedTuple):
    """One row of `videodb config list`: what holds now, where it came from, and what the file says."""

    key: Key
    value: Value
    source: str
    configured: Value | None


def list_settings(env_file: str | None = None) -> list[ShownSetting]:
    """Return what holds for every key when no option is given. Raises for a file that cannot be used."""
    return [ShownSetting(key, *_holding(key, env_file), config_file.configured(key.name)) for key in KEYS.values()]


def _holding(key: Key, env_file: str | None) -> Setting:
    match key.name:
        case "directory":
            found = settings.resolve_directory(None, None, env_file)
            return Setting(str(found.path), found.source)
        case "local":
            return settings.local_setting(env_file)
        case "pager":
            return pager_setting()
        case "color":
            for name, value in (("NO_COLOR", "never"), ("FORCE_COLOR", "always")):
                if os.environ.get(name):
                    return Setting(value, f"{name} from the environment")
    return chosen(key.name, default=key.default)


def set_value(key: Key, value: Value) -> Path:
    """Write a value into the file, which is made if there is none; return its path.

    Raises UsageError for a file that is not TOML or cannot be edited by line, and RefusedError for one that must not or
    cannot be written.
    """
    path = config_file.config_path()
    text = config_file.read_text(path) or ""
    config_file.parse(path, text)
    try:
        changed = with_value(text, key.name, value)
    except NotEditableError as error:
        raise _by_hand(path, text, key.name, error) from error
    _write(path, changed)
    return path


def unset(name: str) -> bool:
    """Take a key, also an unknown one, out of the file; tell whether it was there. Raises as `set_value` does."""
    path = config_file.config_path()
    text = config_file.read_text(path) or ""
    if name not in config_file.parse(path, text):
        return False
    try:
        changed = without_key(text, name)
    except NotEditableError as error:
        raise _by_hand(path, text, name, error) from error
    _write(path, changed)
    return True


def _by_hand(path: Path, text: str, name: str, error: NotEditableError) -> UsageError:
    return UsageError(
        f"{path}, {config_file.place(text, name)}: {name} was not changed: {error}",
        code="not_editable",
        hint=f"change it with an editor: {path}",
    )


def _write(path: Path, text: str) -> None:
    """Replace the file, readable by its owner only. A link, as those who manage their dotfiles have, stays a link."""
    target = Path(os.path.realpath(path))
    try:
        private.make_directories(target.parent)
        private.write_atomic(target, text.encode())
    except RefusedError as error:
        raise RefusedError(error.message, code=error.code, hint=f"ls -l {target}") from error
    except FileNotFoundError as error:
        raise NotFoundError(f"cannot write {target}: {error.strerror}", code="file") from error
    except OSError as error:
        raise RefusedError(f"cannot write {target}: {error.strerror}", code="file") from error
    config_file.forget()

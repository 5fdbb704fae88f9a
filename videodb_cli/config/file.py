"""Where the configuration file is, and what it says. It is read at most once, and only if it exists."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from videodb_cli.errors import NotFoundError, RefusedError, UsageError, VideodbError
from videodb_cli.userpaths import absolute, expanded, user_directory

if TYPE_CHECKING:
    from videodb_cli.config.keys import Value

PATH_NAME: Final = "VIDEODB_CONFIG"
_LIMIT: Final = 1 << 20
_warn: Callable[[str], None] | None = None
_is_ignored = False


class ConfigFile(NamedTuple):
    """What the file says. ``name`` is how messages call it; the values are checked."""

    name: str
    values: Mapping[str, Value]


_NOTHING: Final = ConfigFile("config.toml", {})


def config_path() -> Path:
    """Return where the file is, or would be: ``VIDEODB_CONFIG``, else in the user's configuration directory.

    Raises UsageError for a user without a home.
    """
    named = os.environ.get(PATH_NAME, "").strip()
    if named:
        return absolute(expanded(named))
    if os.name == "nt" and not os.environ.get("XDG_CONFIG_HOME"):
        import platformdirs

        return platformdirs.user_config_path("videodb", appauthor=False) / "config.toml"
    hint = f"export {PATH_NAME}=PATH"
    return user_directory("XDG_CONFIG_HOME", ".config", hint=hint) / "videodb" / "config.toml"


def read_config() -> ConfigFile:
    """Return what the file says; nothing if there is none.

    Raises UsageError that names file, line and key for what cannot be used, NotFoundError if ``VIDEODB_CONFIG`` names
    no file, and RefusedError for a file that cannot be read or that everybody may write to. Warns of unknown keys.
    """
    if _is_ignored:
        return _NOTHING
    is_named = bool(os.environ.get(PATH_NAME, "").strip())
    try:
        path = config_path()
    except UsageError:
        if is_named:
            raise
        return _NOTHING  # without a home there is no place for the file
    return _read(path, is_named)


def ignore_config() -> None:
    """Go on as if there were no file; for `videodb doctor`, which reports a broken one and goes on."""
    global _is_ignored
    _is_ignored = True


def on_warning(warn: Callable[[str], None]) -> None:
    """Set what is called with each warning, when the file is read."""
    global _warn
    _warn = warn


def forget() -> None:
    """Forget what was read; for tests, and after the file was changed."""
    global _is_ignored
    _is_ignored = False
    _read.cache_clear()


@cache
def _read(path: Path, is_named: bool) -> ConfigFile:
    text = read_text(path)
    if text is None:
        if is_named and str(path) != os.devnull:
            raise NotFoundError(
                f"no such file: {path} (named by {PATH_NAME})",
                code="config_not_found",
                hint=f"unset {PATH_NAME}, or create the file: videodb config set KEY VALUE",
            )
        return _NOTHING
    from videodb_cli.config.keys import KEYS, checked, refuse_private, suggestion

    values: dict[str, Value] = {}
    for name, value in parse(path, text).items():
        where = f"{path}, {place(text, name)}"
        try:
            refuse_private(name, value)
            if name in KEYS:
                values[name] = checked(KEYS[name], value)
            elif _warn is not None:
                _warn(f"{where}: unknown setting {name!r} is ignored; {suggestion(name)}")
        except UsageError as error:
            hint = error.hint or "videodb config list, or edit the file"
            raise UsageError(f"{where}: {error.message}", code=error.code, hint=hint) from None
    return ConfigFile("config.toml" if not is_named else str(path), values)


def read_text(path: Path) -> str | None:
    """Return the text of the file; None if there is none.

    Raises UsageError for what is no text file, RefusedError for one that cannot be read or that everybody may write to.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            if str(path) == os.devnull:
                return None
            raise UsageError(f"{path} is not a plain file", code="bad_config", hint=f"ls -ld {path}")
        if status.st_size > _LIMIT:
            raise UsageError(f"{path} is larger than 1 MB; it is no configuration file", code="bad_config")
        if os.name != "nt" and status.st_mode & stat.S_IWOTH:
            # Whoever may write it chooses the pager, which is a program that we run.
            raise RefusedError(
                f"everybody may write to {path}, so it is not used", code="unsafe_file", hint=f"chmod o-w {path}"
            )
        return path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text", code="bad_config", hint=_EDIT) from None
    except OSError as error:
        raise RefusedError(f"cannot read {path}: {error.strerror}", code="config_unreadable") from error
    except ValueError:
        raise UsageError(f"no file can be called {str(path)!r}", code="bad_config") from None


_EDIT: Final = "mend it with an editor; this prints its path: videodb config path"


def parse(path: Path, text: str) -> Mapping[str, Any]:
    """Return what the text of the file says, unchecked. Raises UsageError with the line if it is not TOML."""
    import re
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*?) \(at (.*)\)", str(error), re.DOTALL)
        said, where = (found[1], found[2]) if found else (str(error), "")
        if where == "end of document":
            where = f"line {text.count(chr(10), 0, len(text.rstrip())) + 1}"
        at = f", {where}" if where else ""
        what = f"not valid TOML: {said[:1].lower()}{said[1:]}"
    except RecursionError:
        at, what = "", "it is nested too deeply"
    raise UsageError(f"{path}{at}: {what}", code="bad_config", hint=_EDIT)


def place(text: str, name: str) -> str:
    """Return ``line N`` for a key or table of the first level."""
    import re

    written = rf"(?:{re.escape(name)}|\"{re.escape(name)}\"|'{re.escape(name)}')"
    pattern = re.compile(rf"[ \t]*(?:{written}[ \t]*[=.]|\[+[ \t]*{written}[ \t]*[\].])")
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.match(line):
            return f"line {number}"
    return f"key {name!r}"


def configured(name: str) -> Value | None:
    """Return the value of a key in the file; None if it has none. Raises as `read_config` does."""
    return read_config().values.get(name)


def configured_or_none(name: str) -> Value | None:
    """Return the value of a key; None also if the file cannot be used. For what must not fail because of it."""
    try:
        return configured(name)
    except VideodbError:
        return None

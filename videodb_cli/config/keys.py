"""The keys of the configuration file, and which values they take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from videodb_cli.errors import UsageError
from videodb_cli.userpaths import absolute, expanded

Value: TypeAlias = "str | bool"

OUTPUT_FORMS = ("pretty", "json", "csv", "tsv", "md")
COLORS = ("auto", "always", "never")
_SECRET_WORDS = ("key", "token", "secret", "passw", "credential")
_SECRET_PREFIXES = ("sk-", "st-")
_ADDRESS_NAMES = frozenset({"base_url", "url", "api", "api_url", "endpoint", "video_db_api", "video_db_base_url"})
_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


class Key(NamedTuple):
    """One key of the file.

    Attributes:
        name: As it is written in the file.
        default: What holds without it, in words.
        text: What it means, in one line.
        choices: The values that it takes; empty for any text.
        is_flag: Whether it is true or false.
        is_path: Whether it names a directory.
    """

    name: str
    default: str
    text: str
    choices: tuple[str, ...] = ()
    is_flag: bool = False
    is_path: bool = False


KEYS: Mapping[str, Key] = {
    key.name: key
    for key in (
        Key("directory", "~/.local/state/videodb", "Directory of the listener's files.", is_path=True),
        Key("collection", "default", "Collection for listen and capture."),
        Key("end_user", "videodb-cli", "End user of new capture sessions."),
        Key("local", "false", "Use the embedded service, as --local does.", is_flag=True),
        Key("format", "pretty", "Form of the output on a terminal.", OUTPUT_FORMS),
        Key("pager", "less", "Program that shows long output on a terminal."),
        Key("color", "auto", "When to use colour.", COLORS),
    )
}


def key_named(name: str, value: object = None) -> Key:
    """Return a key by its name; ``-`` and ``_`` mean the same.

    Raises UsageError for a name that does not exist, and for one, or a value, that must not be in the file.
    """
    refuse_private(name.strip(), value)
    normal = name.strip().replace("-", "_")
    if normal in KEYS:
        return KEYS[normal]
    raise UsageError(f"there is no setting {name!r}", code="unknown_setting", hint=suggestion(name))


def suggestion(name: str) -> str:
    """Return a hint for a name that does not exist: the one that is similar, else all of them."""
    from difflib import get_close_matches

    similar = get_close_matches(name.lower().replace("-", "_"), KEYS, 1)
    return f"did you mean {similar[0]!r}?" if similar else f"the settings are: {', '.join(KEYS)}"


def refuse_private(name: str, value: object) -> None:
    """Raise UsageError for an API key, a token or the address of a service: none of them belongs into the file.

    The message does not repeat the value.
    """
    if name.startswith(_SECRET_PREFIXES):
        name, value = "this name", name
    lowered = name.lower().replace("-", "_")
    is_known = lowered in KEYS
    is_secret_value = isinstance(value, str) and value.strip().startswith(_SECRET_PREFIXES)
    if is_secret_value or (not is_known and any(word in lowered for word in _SECRET_WORDS)):
        raise UsageError(
            f"{name}: an API key or token must not be in the configuration file",
            code="secret_in_config",
            hint="put it into ~/.videodb/.env as VIDEO_DB_API_KEY=…, or export VIDEO_DB_API_KEY=…",
        )
    if lowered in _ADDRESS_NAMES:
        raise UsageError(
            f"{name}: the address of the service must come from the same place as the key, "
            "so it must not be in the configuration file",
            code="base_url_in_config",
            hint="put it beside the key in ~/.videodb/.env as VIDEO_DB_API=…, or export VIDEO_DB_API=…",
        )


def parsed(key: Key, text: str) -> Value:
    """Return the value that a user typed for a key. Raises UsageError for one that it does not take."""
    if key.is_flag:
        lowered = text.strip().lower()
        if lowered in _TRUE | _FALSE:
            return lowered in _TRUE
        raise UsageError(f"{key.name} is true or false, not {text!r}", code="bad_setting")
    if not text.strip():
        raise UsageError(
            f"the value of {key.name} is empty", code="bad_setting", hint=f"videodb config unset {key.name}"
        )
    return checked(key, str(absolute(expanded(text))) if key.is_path else text)


def checked(key: Key, value: object) -> Value:
    """Return a value of the file if its key takes it. Raises UsageError, without a place, if it does not."""
    if key.is_flag:
        if isinstance(value, bool):
            return value
        raise UsageError(f"{key.name} must be true or false, not {_described(value)}", code="bad_setting")
    if not isinstance(value, str):
        raise UsageError(f"{key.name} must be text in quotes, not {_described(value)}", code="bad_setting")
    if not value.strip() or not value.isprintable():
        what = "must not be empty" if not value.strip() else "must not contain control characters"
        raise UsageError(f"{key.name} {what}", code="bad_setting")
    if key.choices and value not in key.choices:
        raise UsageError(f"{key.name} must be {_listed(key.choices)}, not {value!r}", code="bad_setting")
    if key.is_path and not value.startswith("~") and not Path(value).is_absolute():
        raise UsageError(
            f"{key.name} must be an absolute path, or begin with ~, not {value!r}: "
            "a relative path would mean another directory in each place",
            code="bad_setting",
        )
    return value


def _listed(choices: tuple[str, ...]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


def _described(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {value!r}"
    return "a list" if isinstance(value, list) else "a table" if isinstance(value, dict) else "a date or time"

"""Changes one key in the text of the configuration file, and nothing else: comments, order and blank lines stay."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

from videodb_cli.config.keys import Value


class NotEditableError(Exception):
    """The text cannot be changed safely; ``str(error)`` says why."""


def with_value(text: str, name: str, value: Value) -> str:
    """Return the text with this value for a key of the first level, in its line or a new one.

    Raises NotEditableError if the result would say anything else than that.
    """
    written = f"{name} = {_toml(value)}"
    lines = text.splitlines(keepends=True)
    at = _line_of(lines, name)
    if at is not None:
        ending = _ending(lines[at])
        lines[at] = written + _comment(lines[at], name) + ending
    else:
        at = _first_table(lines)
        before = lines[at - 1] if at else ""
        if before and not before.endswith("\n"):
            lines[at - 1] = before + "\n"
        lines.insert(at, written + "\n")
    return _verified("".join(lines), {**tomllib.loads(text), name: value})


def without_key(text: str, name: str) -> str:
    """Return the text without the line of a key. Raises NotEditableError as `with_value` does."""
    lines = text.splitlines(keepends=True)
    at = _line_of(lines, name)
    if at is not None:
        del lines[at]
    return _verified("".join(lines), {key: value for key, value in tomllib.loads(text).items() if key != name})


def _verified(text: str, wanted: dict[str, Any]) -> str:
    """Return the text if it says what is wanted: a value over several lines, for example, cannot be edited by line."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        said = None
    # By their form too: 1 == True.
    if said is None or repr(sorted(said.items())) != repr(sorted(wanted.items())):
        raise NotEditableError("the setting is written over several lines, or in an unusual way")
    return text


def _line_of(lines: list[str], name: str) -> int | None:
    written = rf"(?:{re.escape(name)}|\"{re.escape(name)}\"|'{re.escape(name)}')"
    pattern = re.compile(rf"[ \t]*{written}[ \t]*=")
    return next((at for at, line in enumerate(lines[: _first_table(lines)]) if pattern.match(line)), None)


def _first_table(lines: list[str]) -> int:
    """Return the place of the first table, before which a new key goes: its comments and blank lines stay with it."""
    at = next((at for at, line in enumerate(lines) if line.lstrip(" \t").startswith("[")), len(lines))
    if at == len(lines):
        return at
    while at and (not lines[at - 1].strip() or lines[at - 1].lstrip(" \t").startswith("#")):
        at -= 1
    return at


def _comment(line: str, name: str) -> str:
    """Return the comment that ends a line, with the white space before it; an empty text if there is none."""
    bare = line.rstrip("\r\n")
    for found in re.finditer(r"[ \t]*#", bare):
        try:
            if name in tomllib.loads(bare[: found.start()]):
                return bare[found.start() :]
        except tomllib.TOMLDecodeError:
            continue  # this # is within the value
    return ""


def _ending(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _toml(value: Value) -> str:
    """Return a value as TOML. JSON's escapes are TOML's, but for DEL, which no checked value has."""
    return json.dumps(value, ensure_ascii=False)

"""Cursors that a client keeps: a place in the log as one opaque word.

A cursor file (`eventlog.read.cursor`) holds the same members. The server keeps nothing between two calls, so a cursor
survives its restart.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import orjson

from videodb_cli.errors import UsageError
from videodb_cli.eventlog.read.cursor import Cursor
from videodb_cli.rundir import state

if TYPE_CHECKING:
    from pathlib import Path

_MARK = "c1."
# The name of the file that a cursor file also holds is for people only.
_MEMBERS = {"offset": int, "head": str, "recent": str}
_LONGEST = 4096
# The place before the first line of a log that does not exist yet.
_BEGINNING: dict[str, Any] = {"offset": 0, "head": "", "recent": ""}


class ClientCursor(Cursor):
    """A cursor that is read from a token and given back as one. Its file is in a directory that the caller removes."""

    def __init__(self, directory: Path, token: str | None) -> None:
        """Raises UsageError for a token that is none."""
        super().__init__(directory / "cursor")
        if token is not None:
            state.write(self.path, _decoded(token))

    def token(self) -> str:
        """Return the place that was saved last; that before the first line if none was."""
        saved = state.read(self.path) or {}
        return encoded({name: saved.get(name, empty) for name, empty in _BEGINNING.items()})


def encoded(place: dict[str, Any]) -> str:
    """Return the token of a place."""
    return _MARK + base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def _decoded(token: str) -> dict[str, Any]:
    place: Any = None
    body = token.removeprefix(_MARK)
    if body != token and len(token) <= _LONGEST and token.isascii():
        try:
            place = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        except (binascii.Error, ValueError):
            place = None
    if not isinstance(place, dict) or any(type(place.get(name)) is not kind for name, kind in _MEMBERS.items()):
        raise UsageError("the cursor is none of ours", code="bad_cursor", hint="pass one as an answer gave it, or none")
    return {name: place[name] for name in _MEMBERS}

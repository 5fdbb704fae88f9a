"""A cursor as a short word that a program can pass on: where a bounded answer ended, and the next one goes on.

Like a cursor file it knows the log by its first line and by the bytes before the place, so it survives a rotation.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from videodb_cli.errors import UsageError, VideodbError
from videodb_cli.eventlog.read.cursor import Cursor, Position
from videodb_cli.eventlog.read.sources import LogSource, open_source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PREFIX = "c1"
_HEAD = 4096
_RECENT = 64
_MARK = 8  # bytes of each fingerprint


def token_of(source: LogSource, offset: int) -> str | None:
    """Return the token of a place in a source; None for standard input, and where the place is gone."""
    if source.is_stream:
        return None
    marks = _marks(source, offset)
    if marks is None:
        return None
    number = offset.to_bytes(max((offset.bit_length() + 7) // 8, 1))
    return _PREFIX + base64.urlsafe_b64encode(marks + number).decode().rstrip("=")


class TokenCursor(Cursor):
    """A cursor that reads where a token says, and saves nothing.

    Raises:
        UsageError: It is no token.
    """

    def __init__(self, token: str) -> None:  # the file of the base class is not needed
        text = token.strip()
        try:
            found = base64.b64decode(text[2:] + "=" * (-len(text[2:]) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            found = b""
        if not text.startswith(_PREFIX) or not 2 * _MARK < len(found) <= 2 * _MARK + 8:
            raise UsageError(
                f"not a cursor: {token}", code="cursor", hint="--after takes the cursor that a bounded answer has named"
            )
        self._found, self._offset = found[: 2 * _MARK], int.from_bytes(found[2 * _MARK :])

    @property
    def path(self) -> Path:
        """A token has no file."""
        raise AssertionError

    @property
    def is_new(self) -> bool:
        """A token always names a place."""
        return False

    def find(self, sources: Sequence[LogSource]) -> Position:
        """Return the place. Raises UsageError if none of the sources holds it."""
        for number, source in enumerate(sources):
            if not source.is_stream and _marks(source, self._offset) == self._found:
                return Position(number, self._offset)
        raise UsageError(
            "the cursor is not one of this log, or what it stood at has been removed",
            code="cursor",
            hint="leave --after out to begin anew, or name the log: --dir DIR",
        )

    def save(self, source: LogSource, offset: int) -> None:
        """Save nothing."""


def _marks(source: LogSource, offset: int) -> bytes | None:
    """Return fingerprints of the first line and of the bytes before a place; None if the source does not reach it."""
    from hashlib import sha256

    try:
        with open_source(source) as file:
            head = file.read(_HEAD)
            if offset > len(head) and offset <= _HEAD + _RECENT:
                head += file.read(offset - len(head))
            if offset <= len(head):
                recent = head[max(offset - _RECENT, 0) : offset]
            else:
                file.seek(offset - _RECENT)
                recent = file.read(_RECENT)
            if len(recent) < min(offset, _RECENT):
                return None
    except (VideodbError, OSError):
        return None
    first = head[: head.find(b"\n") + 1] or head
    return sha256(first[:_HEAD]).digest()[:_MARK] + sha256(recent).digest()[:_MARK]

"""State files: small JSON objects with a version, replaced atomically, read with distrust."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from videodb_cli.errors import RefusedError
from videodb_cli.rundir import private

VERSION = 1
# What a small file takes on a disk anyway: so much can be written into it when the disk is full.
ROOM = 4096
_LOOKS = 3
_LOOK_AGAIN_S = 0.005


def write(path: Path, fields: Mapping[str, Any], *, room: int = 0) -> None:
    """Write a state file with ``"v": 1`` first. Raises RefusedError or OSError as `private.write_atomic` does.

    With ``room`` its size is a multiple of that, so that `rewrite` has some.
    """
    content = _content(fields)
    private.write_atomic(path, private.padded(content, -(-len(content) // room) * room) if room else content)


def rewrite(path: Path, fields: Mapping[str, Any]) -> None:
    """Write over a state file in its place, on a disk that has no room for another one.

    Raises FileNotFoundError, RefusedError or OSError.
    """
    private.overwrite(path, _content(fields))


def _content(fields: Mapping[str, Any]) -> bytes:
    return orjson.dumps({"v": VERSION, **fields}) + b"\n"


def read(path: Path) -> dict[str, Any] | None:
    """Return the fields of a state file; None if there is none or it holds nothing that we could have written.

    Raises RefusedError for a file of a newer version, and for a link or a stranger's file in its place.
    """
    for look in range(_LOOKS):
        content = private.read_bytes(path)
        if content is None:
            return None
        try:
            fields = orjson.loads(content)
            break
        except orjson.JSONDecodeError:
            # One that is written over in its place, because the disk is full, may be seen half way.
            if look + 1 < _LOOKS:
                time.sleep(_LOOK_AGAIN_S)
    else:
        return None
    if not isinstance(fields, dict):
        return None
    version = fields.get("v")
    if isinstance(version, int) and version > VERSION:
        raise RefusedError(
            f"{path} was written by a newer videodb (version {version} of the file, this one knows {VERSION})",
            code="newer_state",
            hint="pip install --upgrade videodb-cli",
        )
    return fields

"""State files: small JSON objects with a version, replaced atomically, read with distrust."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from videodb_cli.errors import RefusedError
from videodb_cli.rundir import private

VERSION = 1


def write(path: Path, fields: Mapping[str, Any]) -> None:
    """Write a state file with ``"v": 1`` first. Raises RefusedError or OSError as `private.write_atomic` does."""
    private.write_atomic(path, orjson.dumps({"v": VERSION, **fields}) + b"\n")


def read(path: Path) -> dict[str, Any] | None:
    """Return the fields of a state file; None if there is none or it holds nothing that we could have written.

    Raises RefusedError for a file of a newer version, and for a link or a stranger's file in its place.
    """
    content = private.read_bytes(path)
    if content is None:
        return None
    try:
        fields = orjson.loads(content)
    except orjson.JSONDecodeError:
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

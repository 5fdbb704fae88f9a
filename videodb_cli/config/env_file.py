"""Reads a dotenv file as data: nothing of it enters the environment, and no variable in it is replaced."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from videodb_cli.errors import NotFoundError, RefusedError, UsageError

_LIMIT = 1 << 20


def read_env_file(path: Path, names: frozenset[str], *, required: bool) -> Mapping[str, str] | None:
    """Return those names of a dotenv file that have a value; None if there is no file.

    Raises UsageError, NotFoundError or RefusedError if a required file cannot be used, and RefusedError if another one
    cannot be read.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) or path.stat().st_size > _LIMIT:
            # Some virtual environments are directories named .env; reading a FIFO would never end.
            if required:
                raise UsageError(f"{path} is not a file of settings", code="bad_env_file")
            return None
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        if required:
            raise NotFoundError(f"no such file: {path} (named by --env-file)", code="env_file_not_found") from None
        return None
    except OSError as error:
        if not required and not os.access(path.parent, os.X_OK):
            # In a directory that we may not enter (`sudo -u`, cron) there is no file for us.
            return None
        raise RefusedError(f"cannot read {path}: {error.strerror}", code="env_file_unreadable") from error

    from io import StringIO

    from dotenv import dotenv_values

    found = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in found.items() if name in names and value}

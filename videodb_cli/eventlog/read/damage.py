"""The error of a file that is damaged."""

from __future__ import annotations

from videodb_cli.errors import RefusedError


class DamagedError(RefusedError):
    """A file could be read only in part, or one of several not at all. Readers report it and go on."""

    default_code = "damaged"

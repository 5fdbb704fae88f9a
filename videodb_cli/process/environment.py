"""What foreign programs may inherit: everything but our credentials."""

from __future__ import annotations

import os

from videodb_cli.settings import CLIENT_TOKEN_NAME, KEY_NAMES

_SECRET_NAMES = frozenset((*KEY_NAMES, CLIENT_TOKEN_NAME))


def child_environment() -> dict[str, str]:
    """Return our environment without keys and tokens, for ffmpeg, the recorder and commands run for a user."""
    return {name: value for name, value in os.environ.items() if name not in _SECRET_NAMES}

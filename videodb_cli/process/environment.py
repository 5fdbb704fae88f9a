"""The environment that other programs inherit, without our credentials; and a umask that we can work with."""

from __future__ import annotations

import os

from videodb_cli.network.noproxy import sparing_this_machine
from videodb_cli.settings import CLIENT_TOKEN_NAME, KEY_NAMES

_SECRET_NAMES = frozenset((*KEY_NAMES, CLIENT_TOKEN_NAME, "VIDEODB_DESCRIBE_KEY"))


def tool_environment() -> dict[str, str]:
    """Return the environment of ffmpeg and the recorder. They reach this machine without a proxy."""
    return sparing_this_machine(child_environment())


def keep_own_files_usable() -> None:
    """Remove the owner's bits from the umask: under ``umask 0777`` we could not open our own files again."""
    umask = os.umask(0o077)
    os.umask(umask & 0o077)


def child_environment() -> dict[str, str]:
    """Return our environment without keys and tokens, for commands run for a user."""
    return {name: value for name, value in os.environ.items() if name not in _SECRET_NAMES}

"""What foreign programs may inherit: everything but our credentials. And what we ourselves cannot work with."""

from __future__ import annotations

import os

from videodb_cli.network.noproxy import sparing_this_machine
from videodb_cli.settings import CLIENT_TOKEN_NAME, KEY_NAMES

_SECRET_NAMES = frozenset((*KEY_NAMES, CLIENT_TOKEN_NAME))


def tool_environment() -> dict[str, str]:
    """Return the environment of ffmpeg and of the recorder, which speak to this machine too: never by a proxy."""
    return sparing_this_machine(child_environment())


def keep_own_files_usable() -> None:
    """Take the owner's bits out of the umask: under ``umask 0777`` nobody could open again what he has just made."""
    umask = os.umask(0o077)
    os.umask(umask & 0o077)


def child_environment() -> dict[str, str]:
    """Return our environment without keys and tokens, for commands run for a user."""
    return {name: value for name, value in os.environ.items() if name not in _SECRET_NAMES}

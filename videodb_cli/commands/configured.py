"""Lets the configuration file change the defaults of options."""

from __future__ import annotations

from functools import partial
from typing import Any

from videodb_cli.config.file import configured
from videodb_cli.errors import VideodbError

# Parameters whose default ``config.toml`` can change.
_CONFIGURABLE = ("collection", "end_user")


def use_configured(ctx: Any, command: Any) -> None:
    """Let ``config.toml`` set defaults of the command.

    A file that cannot be used is reported only when a default of it is needed, so that ``--help`` still works.
    """
    defaults: dict[str, Any] = {}
    for parameter in command.params if not ctx.resilient_parsing else ():
        if parameter.name in _CONFIGURABLE:
            try:
                value = configured(parameter.name)
            except VideodbError as error:
                value = partial(_raise, error)  # type: ignore[assignment]
            if value is not None:
                defaults[parameter.name] = value
    if defaults:
        ctx.default_map = defaults


def _raise(error: VideodbError) -> None:
    raise error

"""The settings that only the configuration file, and perhaps a variable, can have; with where each came from."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from videodb_cli.config.file import configured, configured_or_none, read_config

BY_DEFAULT: Final = "the default"


class Setting(NamedTuple):
    """A value and where it came from, as messages say it."""

    value: str | bool
    source: str


def chosen(name: str, *, default: str | bool) -> Setting:
    """Return a setting that only ``config.toml`` can have. Raises UsageError for a file that cannot be used."""
    value = configured(name)
    return Setting(default, BY_DEFAULT) if value is None else Setting(value, config_name())


def output_form() -> str | None:
    """Return the form of output that ``config.toml`` wants on a terminal; None if it wants none.

    It never counts in a pipe: a program that reads our output must get the same on every machine.
    """
    value = configured("format")
    return value if isinstance(value, str) else None


def pager_setting() -> Setting:
    """Return the command of the pager: ``VIDEODB_PAGER``, ``config.toml``, ``PAGER``, else ``less``.

    As in git, the setting of this program comes before ``PAGER``, which is meant for all programs. An empty variable
    and ``cat`` mean no pager: the value is empty then.
    """
    own = os.environ.get("VIDEODB_PAGER")
    if own is not None:
        return Setting(_pager(own), "VIDEODB_PAGER from the environment")
    value = configured("pager")
    if isinstance(value, str):
        return Setting(_pager(value), config_name())
    general = os.environ.get("PAGER")
    if general is not None:
        return Setting(_pager(general), "PAGER from the environment")
    return Setting("less", BY_DEFAULT)


def _pager(command: str) -> str:
    return "" if command.strip() == "cat" else command.strip()


def configured_color() -> bool | None:
    """Return whether ``config.toml`` wants colour always or never; None if the terminal decides. Never raises."""
    return {"always": True, "never": False}.get(str(configured_or_none("color")))


def config_name() -> str:
    """Return how messages call the configuration file."""
    return read_config().name

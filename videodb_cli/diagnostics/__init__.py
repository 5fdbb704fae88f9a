"""Log records for finding faults: not shown by default, shown on stderr by ``-v`` or ``VIDEODB_DEBUG=1``.

`Logger` writes through the standard `logging` under the names ``videodb_cli.*``. A light command
can do without the 2 ms that importing `logging` takes, so it is not imported here: as long as nobody else has
imported it, nobody can have asked for records, and a call returns at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

DEBUG_NAME = "VIDEODB_DEBUG"
_ON = frozenset({"1", "true", "yes", "on"})
_is_shown = False


class Logger:
    """Writes records of one package, e.g. ``videodb_cli.api``. What is logged must hold no secret.

    Args:
        name: The name of the `logging.Logger`.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def is_enabled(self) -> bool:
        """Whether a record would be shown; for values that cost something to find out."""
        if "logging" not in sys.modules:
            return False
        import logging

        return logging.getLogger(self._name).isEnabledFor(logging.DEBUG)

    def debug(self, message: str, *values: object) -> None:
        """Write a record of level DEBUG.

        Args:
            message: The sentence, with a ``%`` placeholder for each value.
            values: Formatted into the sentence only if the record is shown.
        """
        if self.is_enabled:
            import logging

            logging.getLogger(self._name).debug(message, *values)


def is_wanted() -> bool:
    """Tell whether the environment asks for records."""
    return os.environ.get(DEBUG_NAME, "").strip().lower() in _ON


def is_shown() -> bool:
    """Tell whether `show` was called, so that processes that we start show theirs too."""
    return _is_shown


def show(write: Callable[[str], bool]) -> None:
    """Show all records of ours from now on. Later calls are ignored until `hide`.

    Args:
        write: Gets each record as one line without its newline; returns False if it could not be written now. It must
            neither wait nor raise.
    """
    global _is_shown
    if not _is_shown:
        from videodb_cli.diagnostics.handler import install

        install(write)
        _is_shown = True


def hide() -> None:
    """Show no more records."""
    global _is_shown
    if _is_shown:
        from videodb_cli.diagnostics.handler import uninstall

        uninstall()
        _is_shown = False

"""The `logging.Handler` that shows our records: one line each, redacted, never waiting."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from videodb_cli.diagnostics.redact import redact

ROOT_NAME = "videodb_cli"


class LineFormatter(logging.Formatter):
    """Makes ``2026-03-02T10:15:30.123Z DEBUG videodb_cli.api: message`` of a record, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; what a traceback has in several follows in the same one."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        text = record.getMessage()
        if record.exc_info:
            text += " · " + self.formatException(record.exc_info)
        shown = " ".join(redact(text).split())
        return f"{at}Z {record.levelname} {record.name}: {shown}"


class LineHandler(logging.Handler):
    """Hands lines to ``write``. Lines that it does not take are counted, and the next one says how many."""

    def __init__(self, write: Callable[[str], bool]) -> None:
        super().__init__(logging.DEBUG)
        self._write = write
        self._dropped = 0
        self.setFormatter(LineFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record. Never raises: a fault in a diagnosis must not end the work."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - a value that cannot be formatted
            line = f"a record of {record.name} could not be formatted"
        if self._dropped:
            line += f" ({self._dropped} records before it could not be written)"
        self._dropped = 0 if self._write(line) else self._dropped + 1


def install(write: Callable[[str], bool]) -> None:
    """Show the records of all our packages, of every level."""
    logger = logging.getLogger(ROOT_NAME)
    uninstall()
    logger.addHandler(LineHandler(write))
    logger.setLevel(logging.DEBUG)
    # The embedded service gives the root logger a handler: nothing is to be shown twice.
    logger.propagate = False


def uninstall() -> None:
    """Undo `install`."""
    logger = logging.getLogger(ROOT_NAME)
    for handler in [each for each in logger.handlers if isinstance(each, LineHandler)]:
        logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)
    logger.propagate = True

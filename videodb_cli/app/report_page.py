"""Writes the page of a report where it was asked for, and destroys nothing that is not such a page."""

from __future__ import annotations

import errno
import os
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from videodb_cli.errors import RefusedError
from videodb_cli.page.document import MARK
from videodb_cli.rundir import private

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videodb_cli.page.content import PageContent

_ELSEWHERE: Final = "name another file: -o FILE, or -o - for standard output"


def default_name(sessions: Sequence[str], first: float | None) -> str:
    """Return the name of a page: of its session if there is one, else of the day of its first event."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", sessions[0])[:60].strip("-") if len(sessions) == 1 else ""
    if not name and first is not None:
        try:
            name = datetime.fromtimestamp(first).strftime("%Y-%m-%d")  # noqa: DTZ006 - local time is meant
        except (OverflowError, ValueError, OSError):
            name = ""
    return f"videodb-report-{name or 'events'}.html"


def check_target(path: Path) -> None:
    """Raise RefusedError if something stands at this path that is not a page of ours."""
    if path.is_dir():
        raise RefusedError(f"{path} is a directory", code="file", hint=f"name a file in it: -o {path / 'report.html'}")
    if not os.path.lexists(path):
        return
    try:
        begins = private.read_bytes(path, 256)
    except RefusedError as error:
        error.hint = _ELSEWHERE
        raise
    # An empty file is what `mktemp` makes for a page.
    if begins and MARK not in begins:
        raise RefusedError(
            f"{path} exists and is no page of videodb; it is left as it is", code="exists", hint=_ELSEWHERE
        )


def write_page(path: Path, pieces: Sequence[bytes]) -> None:
    """Write a page in one step, readable by its owner only. Raises RefusedError."""
    check_target(path)
    try:
        private.write_atomic(path, b"".join(pieces))
    except OSError as error:
        missing = error.errno == errno.ENOENT
        reason = f"there is no directory {path.parent}" if missing else error.strerror
        raise RefusedError(f"cannot write {path}: {reason}", code="file", hint=_ELSEWHERE) from error
    except RefusedError as error:
        error.hint = _ELSEWHERE
        raise


def summary(content: PageContent, size: int, path: Path | None, sessions: Sequence[str]) -> dict[str, object]:
    """Return what ``--json`` says of a page."""
    times = [entry.at for entry in (content.entries[:1] + content.entries[-1:])]
    return {
        "path": None if path is None else str(path),
        "bytes": size,
        "events": content.events,
        "listed": len(content.entries),
        "interim": content.interim,
        "recovered": sum(lane.recovered for lane in content.lanes),
        "gaps": len(content.gaps),
        "sessions": list(sessions),
        "first": times[0] if times else None,
        "last": times[-1] if times else None,
        "notes": list(content.notes),
    }

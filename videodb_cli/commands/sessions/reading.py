"""Finds the sessions of a log, and the one that the command line names."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from videodb_cli import console
from videodb_cli.commands.options import reading_run_dir
from videodb_cli.errors import UsageError
from videodb_cli.eventlog.names import choose
from videodb_cli.eventlog.names.index import read_names
from videodb_cli.eventlog.read.log_files import resolve_sources
from videodb_cli.eventlog.read.sources import open_source
from videodb_cli.eventlog.views.session_list import SessionSummary, sessions_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videodb_cli.eventlog.names.tally import Tally
    from videodb_cli.rundir.capture_state import CaptureState
    from videodb_cli.rundir.paths import RunDir

STYLES = {"active": "green", "failed": "red", "starting": "yellow", "created": "yellow"}
_DAY_S, _WEEK_S = 86400.0, 7 * 86400.0


class Sessions:
    """The sessions of a directory's log, or of named files."""

    def __init__(self, files: Sequence[str] | None, directory: str | None, env_file: str | None) -> None:
        """Raises NotFoundError without a log, RefusedError for what cannot be read."""
        run_dir = reading_run_dir(directory, env_file, files)
        sources = resolve_sources(files or (), run_dir)
        for source in sources:
            if not source.is_rotated and not source.is_stream:
                open_source(source).close()
        self._names: Tally = read_names(sources, reads_streams=True).tally
        self._capture, is_running = (None, False) if files else _capture_of(run_dir)
        self.all = sessions_of(self._names, self._capture, is_running=is_running)

    def one(self, wanted: str) -> SessionSummary:
        """Return the session that is meant. Raises as `choose.find_session` does."""
        ident = choose.find_session(wanted, self._names, self._capture).name
        return next(session for session in self.all if session.id == ident)


def check_arguments(session: str, files: Sequence[str] | None) -> None:
    """Raise UsageError for an option that does not exist. Click leaves that to us, because ``-2`` is a session."""
    for argument in (session, *(files or ())):
        if argument.startswith("-") and argument != "-" and not (argument is session and choose.is_position(argument)):
            raise UsageError(f"No such option: {argument}", hint="videodb sessions --help")


def _capture_of(run_dir: RunDir) -> tuple[CaptureState | None, bool]:
    """Return the latest capture of a directory, and whether it runs."""
    if not run_dir.capture_info.exists():
        return None, False
    from videodb_cli.app.capture.status import capture_status

    found = capture_status(run_dir)
    return (None, False) if found is None else (found.state, found.running)


def when(at: float | None, now: float) -> str:
    """Return a time as people say it: ``3 min ago``; one of another week with its date."""
    if at is None:
        return "?"
    age = now - at
    try:
        local = time.localtime(at)
    except (OverflowError, ValueError, OSError):
        return "?"
    if age < 0 or age >= _WEEK_S:
        return time.strftime("%Y-%m-%d %H:%M", local)
    if age >= _DAY_S:
        return time.strftime("%a %H:%M", local)
    return f"{age // 3600:.0f} h ago" if age >= 3600 else f"{span(age)} ago"


def span(seconds: float | None) -> str:
    """Return a length of time in at most two units."""
    if seconds is None:
        return "?"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def iso(at: float | None) -> str:
    """Return a time as it stands in the log (UTC); empty if it is not known or outside of the calendar."""
    from datetime import UTC, datetime

    try:
        moment = None if at is None else datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        moment = None
    return "" if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stream_names(session: SessionSummary) -> list[str]:
    """Return the streams of a session as people call them."""
    return [console.one_line(stream.name or stream.id) for stream in session.streams]

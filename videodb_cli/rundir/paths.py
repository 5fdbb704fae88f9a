"""The files of one listener's directory, by name; and the rules for the directory itself."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from videodb_cli.errors import NotFoundError, RefusedError
from videodb_cli.rundir import private

LOG_NAME = "videodb_events.jsonl"
_LEGACY_DIRECTORY = Path("/tmp")  # noqa: S108 - where the script in use today keeps its log


_ANOTHER = "name another one: --dir DIR, or export VIDEODB_EVENTS_DIR=DIR"


class RunDir(NamedTuple):
    """One directory: log, id, pid, lock and state files of a listener and of a capture."""

    path: Path

    @property
    def log(self) -> Path:
        """The event log."""
        return self.path / LOG_NAME

    @property
    def ws_id(self) -> Path:
        """The id of the connection that is open now."""
        return self.path / "videodb_ws_id"

    @property
    def pid(self) -> Path:
        """The process id of the listener, a bare number."""
        return self.path / "videodb_ws_pid"

    @property
    def lock(self) -> Path:
        """Held means that a listener runs."""
        return self.path / "videodb.lock"

    @property
    def listener_state(self) -> Path:
        """The state of the listener."""
        return self.path / "videodb_listener.json"

    @property
    def capture_pid(self) -> Path:
        """The process id of a capture that runs, a bare number."""
        return self.path / "videodb_capture_pid"

    @property
    def capture_lock(self) -> Path:
        """Held means that a capture runs."""
        return self.path / "videodb_capture.lock"

    @property
    def capture_start_lock(self) -> Path:
        """Held means that somebody starts a capture."""
        return self.path / ".videodb_capture_start.lock"

    @property
    def capture_control(self) -> Path:
        """What the running capture is asked to pause or resume."""
        return self.path / ".videodb_capture_control.json"

    @property
    def capture_info(self) -> Path:
        """The state of the latest capture."""
        return self.path / "videodb_capture_info.json"

    @property
    def listener_log(self) -> Path:
        """What a background listener prints."""
        return self.path / "videodb_listener.log"

    @property
    def capture_log(self) -> Path:
        """What a background capture prints."""
        return self.path / "videodb_capture.log"

    @property
    def local(self) -> Path:
        """Directory of the embedded service."""
        return self.path / "local"


def create(path: Path, on_created: Callable[[list[Path]], None] = lambda _: None) -> RunDir:
    """Make the directory if it is not there (0700, its parents too) and check it.

    ``on_created`` is told which were made, the upper ones first, if any: a typing error must not become a log in
    silence. Raises RefusedError.
    """
    _check_name(path)
    try:
        made = private.make_directories(path)
    except NotADirectoryError:
        made = []  # the check says what stands in its place
    except OSError as error:
        raise RefusedError(
            f"cannot create the directory {path}: {error.strerror}",
            code="directory",
            hint=_ANOTHER,
        ) from error
    if made:
        on_created(made)
    return check(path)


def check(path: Path) -> RunDir:
    """Check a directory that must be there. Raises NotFoundError, or RefusedError if it cannot be trusted."""
    _check_name(path)
    hint = _ANOTHER
    try:
        status = path.stat()
    except FileNotFoundError:
        raise NotFoundError(f"no such directory: {path}", code="no_directory", hint="videodb listen") from None
    except OSError as error:
        raise RefusedError(f"cannot use {path}: {error.strerror}", code="directory", hint=hint) from error
    if not stat.S_ISDIR(status.st_mode):
        raise RefusedError(f"{path} is not a directory", code="directory", hint=hint)
    if not os.access(path, os.X_OK):
        raise RefusedError(f"cannot look into {path}: Permission denied", code="directory", hint=hint)
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        raise RefusedError(
            f"everybody may write to {path} and nothing protects your files there (no sticky bit)",
            code="unsafe_directory",
            hint=f"chmod o-w {path}",
        )
    return RunDir(path)


def _check_name(path: Path) -> None:
    """Refuse a name that no state file, answer or request to a background process could hold."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        raise RefusedError(f"the name of the directory {shown} is not UTF-8", code="directory", hint=_ANOTHER) from None


def legacy_log() -> Path | None:
    """Return the log of the script in use today, if it is there and ours: people look for their events in it."""
    candidate = _LEGACY_DIRECTORY / LOG_NAME
    try:
        status = candidate.lstat()
    except OSError:
        return None
    return candidate if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() else None


def no_log_error(run_dir: RunDir) -> NotFoundError:
    """Return the error for a directory without a log; it names the legacy log if that one exists."""
    old = legacy_log()
    if old is not None and old != run_dir.log:
        hint = f"there is a log at {old}: add --dir {old.parent}"
    else:
        hint = "start one: videodb listen --detach"
    return NotFoundError(f"no log in {run_dir.path}", code="no_log", hint=hint)

"""Finds every directory in which this user's listeners and captures run."""

from __future__ import annotations

import os
from pathlib import Path

from videodb_cli.errors import VideodbError
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import default_directory, directory_from_environment

_PROC = Path("/proc")


def can_see_all() -> bool:
    """Tell whether open files of processes can be looked at here (Linux); otherwise only the usual places are known."""
    return (_PROC / "self" / "fd").is_dir()


def all_directories() -> list[RunDir]:
    """Return the directories, in the order of their paths.

    They are the user's own, the one that `VIDEODB_EVENTS_DIR` names, and every one whose lock a process of this user
    has open. No list is kept in a file: it would name what is gone, and miss what an older release has started.
    """
    found: set[Path] = set()
    for usual in (default_directory, directory_from_environment):
        try:
            path = usual()
        except VideodbError:
            continue  # a user without a home
        if path is not None and path.is_dir():
            found.add(path.resolve())
    names = {RunDir(Path()).lock.name, RunDir(Path()).capture_lock.name}
    for process in _PROC.glob("[0-9]*") if can_see_all() else ():
        found.update(_directories_of(process, names))
    return [RunDir(path) for path in sorted(found)]


def _directories_of(process: Path, names: set[str]) -> set[Path]:
    """Return the directories of the locks that a process has open; none if it is not ours, or has just ended."""
    try:
        if process.stat().st_uid != os.geteuid():
            return set()
        links = [os.readlink(entry) for entry in os.scandir(process / "fd")]  # noqa: PTH115 - the text of the link
    except OSError:
        return set()
    # A lock that was removed reads "… (deleted)", and so has another name.
    return {Path(link).parent for link in links if os.path.basename(link) in names}  # noqa: PTH119 - for speed

"""`videodb status --all`: every listener and capture of this user."""

from __future__ import annotations

from typing import Any

from videodb_cli import console
from videodb_cli.app.all_directories import all_directories, can_see_all
from videodb_cli.app.listener_status import ListenerStatus, listener_status
from videodb_cli.commands import status_rows as one
from videodb_cli.errors import UnreachableError, VideodbError
from videodb_cli.rundir import paths
from videodb_cli.rundir.paths import RunDir


def show_all(*, as_json: bool) -> int:
    """Print what runs, directory by directory. Returns 0 if all of it is well, 5 if not, 4 if nothing runs."""
    answers: list[dict[str, Any]] = []
    states: list[bool] = []
    for run_dir in all_directories():
        try:
            found, capture = _look(paths.check(run_dir.path))
        except VideodbError as error:
            states.append(False)
            answers.append({"dir": str(run_dir.path), **error.as_json()})
            if not as_json:
                console.talk(console.one_line(f"{run_dir.path}: {error.message}"))
            continue
        if found.state == "stopped" and capture is None:
            continue
        states.append(found.is_healthy or (found.state == "stopped" and capture is not None and capture.running))
        shown = None if capture is None else one.capture_json(capture)
        answers.append({"dir": str(run_dir.path), **one.as_json_of(found), "capture": shown})
        if not as_json:
            console.data(console.one_line(str(run_dir.path)))
            one.show(found, capture, run_dir.log)
    if not can_see_all():
        console.talk("only the usual directories are known here: processes of others cannot be looked at")
    if as_json:
        console.data_json({"directories": answers})
    elif not answers:
        console.talk("no listener and no capture of this user runs")
    return 4 if not answers else 0 if all(states) else UnreachableError.exit_status


def _look(run_dir: RunDir) -> tuple[ListenerStatus, Any]:
    return listener_status(run_dir), one.capture_of(run_dir)

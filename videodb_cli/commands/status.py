"""`videodb status`: whether the listener runs and receives, and what it has received."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from videodb_cli import console, hints
from videodb_cli.commands.fields import show_field
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption, existing_run_dir
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import NotFoundError, TimedOutError, UnreachableError, UsageError, VideodbError
from videodb_cli.eventlog.views.log_size import log_size
from videodb_cli.quantities import ago, count_of, size, span
from videodb_cli.rundir.paths import RunDir

if TYPE_CHECKING:
    from pathlib import Path

    from videodb_cli.app.capture.status import CaptureStatus
    from videodb_cli.app.listener_status import ListenerStatus
    from videodb_cli.rundir.listener_state import ListenerState

app = new_app()
_LOOK_S = 0.05
_MAX_DEAD_ROWS = 5
# A rate needs some time, and some events.
_RATE_FROM_S = 10.0
_LEAST_RATE = 0.05
_STYLES = {"listening": "green", "connecting": "yellow", "deaf": "red", "died": "red", "not written": "red"}
# The members of the state file that a program has no use for, or finds under another name.
_OWN_MEMBERS = frozenset(("pid", "start_token", "state", "boot_id", "uptime_s", "connection_id", "last_bytes_at"))
_AGES = ("last_message_at", "last_pong_at", "connected_since", "started_at")


@app.command(cls=PanelCommand)
def status(
    directory_argument: Annotated[
        str | None, typer.Argument(metavar="[DIR]", help="The same as --dir DIR.", show_default=False)
    ] = None,
    directory: DirectoryOption = None,
    ws_id: Annotated[bool, typer.Option("--ws-id", help="Print only the id of the open connection.")] = False,
    wait: Annotated[
        float | None, typer.Option("--wait", metavar="S", min=0, help="With --ws-id: wait up to S seconds for it.")
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Every listener and capture of this user.")] = False,
    as_json: JsonOption = False,
    env_file: EnvFileOption = None,
) -> int:
    """Tell whether the listener is alive and hearing, and can write.

    Exit 0: listening; 5: connecting, deaf, died, or the log cannot be written; 4: not running.
    """
    if wait is not None and not ws_id:
        raise UsageError("--wait goes with --ws-id", hint="videodb status --ws-id --wait 10")

    if show_all:
        if ws_id or directory is not None or directory_argument is not None:
            raise UsageError("--all looks at every directory, and at more than an id")
        from videodb_cli.commands.status_all import show_all as show_every_one

        return show_every_one(as_json=as_json)

    def look() -> ListenerStatus:
        from videodb_cli.app.listener_status import listener_status

        return listener_status(existing_run_dir(directory, env_file, directory_argument, clean=False))

    if ws_id:
        console_id = _wait_for_id(look, wait)
        if as_json:
            console.data_json({"ws_id": console_id})
        else:
            console.data(console_id)
        return 0
    found = look()
    run_dir = existing_run_dir(directory, env_file, directory_argument, clean=False)
    capture = capture_of(run_dir)
    if as_json:
        console.data_json({**as_json_of(found), "capture": None if capture is None else capture_json(capture)})
    else:
        show(found, capture, None if run_dir is None else run_dir.log)
    return 0 if found.is_healthy else 4 if found.state == "stopped" else 5


def _wait_for_id(look: Any, wait_s: float | None) -> str:
    deadline = time.monotonic() + (wait_s or 0)
    while True:
        found: ListenerStatus = look()
        if found.connection_id is not None and found.state == "listening":
            return found.connection_id
        if time.monotonic() >= deadline:
            raise _no_id(found, wait_s)
        time.sleep(_LOOK_S)


def _no_id(found: ListenerStatus, wait_s: float | None) -> VideodbError:
    if wait_s:
        return TimedOutError(f"no open connection within {wait_s:g} s: {found.why}", hint="videodb status")
    if found.state == "stopped":
        return NotFoundError("no listener runs here", code="not_running", hint="videodb listen --detach")
    if found.state == "died":
        return UnreachableError(found.why, code="died", hint="videodb listen --detach")
    return UnreachableError(f"the listener is {found.state}: {found.why}", code=found.state, hint="videodb status")


def capture_of(run_dir: RunDir | None) -> CaptureStatus | None:
    """Return the capture that runs here or has failed; None if it ended without a failure."""
    # Without the file the code for captures is not imported.
    if run_dir is None or not run_dir.capture_info.exists():
        return None
    from videodb_cli.app.capture.status import capture_status

    found = capture_status(run_dir)
    if found is None or not (found.running or found.status == "failed"):
        return None
    return found


def capture_json(capture: CaptureStatus) -> dict[str, Any]:
    """Return a capture as JSON."""
    return {"running": capture.running, "why": capture.why, **capture.for_users()}


def _capture_rows(capture: CaptureStatus) -> list[str]:
    """Return a row for the capture, and one for each channel while it runs."""
    state = capture.state
    if state is None:
        return [capture.status]
    parts = [f"{state.session_id} {state.status}"]
    if capture.running and state.started_at is not None:
        parts[0] += f" {span(capture.now - state.started_at)}"
    if state.error is not None:
        parts.append(state.error.message)
    rows = [" · ".join([*parts, *([capture.why] if capture.why else [])])]
    if capture.running:
        rows += [f"{one.channel_id} {' · '.join(capture.channel_words(one))}" for one in state.channels]
    return rows


def as_json_of(found: ListenerStatus) -> dict[str, Any]:
    """Every key in every state, null where nothing is known: programs rely on them."""
    from videodb_cli.rundir.listener_state import ListenerState

    ages = {f"{name.removesuffix('_at').removesuffix('_since')}_age_s": found.age(name) for name in _AGES}
    return {
        "state": found.state,
        "why": found.why or None,
        "pid": found.pid,
        "connection_id": found.connection_id,
        **{name: None if age is None else round(age, 3) for name, age in ages.items()},
        **{
            name: getattr(found.listener, name, None)
            for name in ListenerState.__struct_fields__
            if name not in _OWN_MEMBERS
        },
    }


def show(found: ListenerStatus, capture: CaptureStatus | None, log: Path | None) -> None:
    """Print the status of a listener, of its log and of a capture as rows."""
    _show(found, log)
    if capture is not None:
        for number, row in enumerate(_capture_rows(capture)):
            _row("" if number else "capture", row)


def _show(found: ListenerStatus, log: Path | None) -> None:
    if found.state == "died":
        _row("died", hints.placed(f"{found.why} · start another: videodb listen --detach"))
        return
    listener = found.listener
    if listener is None:
        _row("stopped", hints.placed("no listener runs here · start one: videodb listen --detach"))
        return
    if found.state == "listening":
        parts = [str(found.connection_id), span(found.age("connected_since"))]
        parts.append(f"last pong {ago(found.age('last_pong_at'))}")
        parts.append(f"last event {ago(found.age('last_message_at'))}")
    else:
        parts = [found.why, f"pid {found.pid}"]
        if listener.retry_at is not None and listener.retry_at > found.now:
            parts.append(f"next try in {listener.retry_at - found.now:.0f} s")
    rows = [(found.state, " · ".join(parts))]
    if listener.written_at is not None:
        rows.append(("log", _log_row(found, listener, log)))
        if found.trouble is not None:
            rows.append(("not written", f"{found.trouble} · {size(listener.pending_bytes)} of events wait in memory"))
        gaps = f"{listener.gaps} ({listener.gap_s:.1f} s)" if listener.gaps else "none"
        unknown = f" · alerts of {listener.gap_s:.1f} s unknown" if listener.gaps else ""
        rows.append(("gaps", f"{gaps} · {listener.recovered} recovered{unknown}"))
        if listener.redacted:
            counted = (f"{name} {count:,}" for name, count in sorted(listener.redacted.items()))
            rows.append(("redacted", " · ".join(counted)))
    rows += [("pipelines" if not number else "", row) for number, row in enumerate(_dead_rows(listener.dead_pipelines))]
    for name, text in rows:
        _row(name, text)


def _row(name: str, text: str) -> None:
    show_field(name, text, 11, _STYLES.get(name, "dim"))


def _log_row(found: ListenerStatus, listener: ListenerState, path: Path | None) -> str:
    """Return what this run has logged, and what stands in the log."""
    row = f"this run: {count_of(listener.events, 'event')}"
    if listener.events_per_s >= _LEAST_RATE and (found.age("started_at") or 0) >= _RATE_FROM_S:
        row += f", {listener.events_per_s:.1f}/s in the last minute"
    log = None if path is None else log_size(path)
    if log is None:
        row += f" · log: {size(listener.log_bytes)}"
    else:
        row += f" · log: {'' if log.is_exact else 'about '}{count_of(log.events, 'event')}, {size(log.bytes)}"
    if listener.output_dropped:
        row += f" · {count_of(listener.output_dropped, 'line')} not printed"
    return row


def _dead_rows(dead: list[dict[str, Any]]) -> list[str]:
    """Pipelines whose events go to a connection that is gone."""
    rows = [
        f"{item.get('channel')} of {item.get('rtstream_name') or item.get('rtstream_id')} speaks to a dead connection: "
        "read back every few seconds"
        for item in dead[:_MAX_DEAD_ROWS]
    ]
    return rows + ([f"and {len(dead) - _MAX_DEAD_ROWS} more"] if len(dead) > _MAX_DEAD_ROWS else [])

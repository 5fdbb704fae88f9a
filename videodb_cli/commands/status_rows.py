"""What `videodb status` says of a listener, its log and a capture: as rows and as JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from videodb_cli import hints
from videodb_cli.commands.fields import show_field
from videodb_cli.eventlog.views.log_size import log_size
from videodb_cli.quantities import ago, count_of, size, span
from videodb_cli.rundir.paths import RunDir

if TYPE_CHECKING:
    from pathlib import Path

    from videodb_cli.app.capture.status import CaptureStatus
    from videodb_cli.app.listener_status import ListenerStatus
    from videodb_cli.rundir.listener_state import ListenerState

_MAX_DEAD_ROWS = 5
# A rate needs some time, and some events.
_RATE_FROM_S = 10.0
_LEAST_RATE = 0.05
_STYLES = {"listening": "green", "connecting": "yellow", "deaf": "red", "died": "red", "not written": "red"}
# The members of the state file that a program has no use for, or finds under another name.
_OWN_MEMBERS = frozenset(("pid", "start_token", "state", "boot_id", "uptime_s", "connection_id", "last_bytes_at"))
_AGES = ("last_message_at", "last_pong_at", "connected_since", "started_at")


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

"""`capture stop`: ends the capture of a directory, whatever state it is in, and waits for its export."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import Any, Final

from videodb_cli.api.control_plane import ControlPlane
from videodb_cli.api.failures import NoSuchThingError
from videodb_cli.capture import info as capture_info
from videodb_cli.capture.info import CaptureInfo
from videodb_cli.capture.session import SessionState
from videodb_cli.capture.watch import SessionWatch
from videodb_cli.errors import (
    CredentialsError,
    NotFoundError,
    RefusedError,
    TimedOutError,
    UnreachableError,
    VideodbError,
)
from videodb_cli.flows.capture_end import stop_at_service, wait_for_export
from videodb_cli.flows.stop_listener import stop_own_listener
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import Credentials

_LOOK_S: Final = 0.1
_HIDDEN: Final = {"v", "pid", "start_token", "control", "written_at", "listener_started", "listener_pid"}


def stop_capture(
    run_dir: RunDir,
    *,
    timeout_s: float,
    credentials: Callable[[], Credentials],
    tell: Callable[[str], None] = lambda _status: None,
) -> dict[str, Any] | None:
    """Stop the capture and wait until it is over. Returns its last state, or None if there never was one.

    ``credentials`` are asked for only if the background process is dead and the session must be ended from here;
    ``tell`` gets each new status. Raises TimedOutError (the rest goes on without us), and RefusedError if the capture
    failed while it ended.
    """
    fields = capture_info.read(run_dir)
    if capture_info.is_running(run_dir):
        return _stop_running(run_dir, timeout_s, tell)
    if fields is None:
        return None
    died = capture_info.mark_crashed(run_dir) or fields
    if capture_info.has_died(died):
        tell("stopping")
        try:
            died = _end_dead(run_dir, died, credentials, timeout_s)
        except TimedOutError:
            raise  # the session is ending: its listener hears how, until the next `stop`
        except VideodbError:
            _let_listener_go(run_dir, died)
            raise
    return _let_listener_go(run_dir, died)


def _stop_running(run_dir: RunDir, timeout_s: float, tell: Callable[[str], None]) -> dict[str, Any]:
    found = capture_info.runner(run_dir)
    if found is None:
        raise RefusedError(
            "a capture runs here, but not in a process that this tool can name",
            code="unknown_holder",
            hint=f"fuser {capture_info.lock_path(run_dir)}",
        )
    pid, _ = found
    deadline = time.monotonic() + timeout_s
    # A second signal would tell it not to wait for the export, which is what the user is here for.
    if (capture_info.read(run_dir) or {}).get("status") not in {"stopping", "stopped"}:
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        except PermissionError:
            raise RefusedError(f"pid {pid} belongs to somebody else", code="not_ours") from None
    told = None
    while capture_info.runner(run_dir) == found:
        fields = capture_info.read(run_dir) or {}
        status = fields.get("status")
        if status not in {told, "active"}:
            told = status
            tell(str(status))
        if time.monotonic() >= deadline:
            raise TimedOutError(
                f"the capture is {status} after {timeout_s:g} s; pid {pid} goes on finishing it",
                code="stop_timeout",
                hint="videodb capture status · videodb capture stop --timeout 600",
            )
        time.sleep(_LOOK_S)
    fields = capture_info.mark_crashed(run_dir) or {}
    if fields.get("status") != told:
        tell(str(fields.get("status")))
    fields = _let_listener_go(run_dir, fields)
    if fields.get("status") == "failed":
        error = fields.get("error") or {}
        raise RefusedError(
            str(error.get("message", "the capture failed")),
            code=str(error.get("code", "failed")),
            hint=f"see {run_dir.capture_log}",
        )
    return fields


def _let_listener_go(run_dir: RunDir, fields: dict[str, Any]) -> dict[str, Any]:
    """End a listener that `start` had started and nothing has ended yet."""
    if fields.get("listener_started"):
        stop_own_listener(run_dir, fields.get("listener_pid"))
        fields = {**fields, "listener_started": False}
        capture_info.write(run_dir, {name: value for name, value in fields.items() if name != "v"})
    return fields


def _end_dead(
    run_dir: RunDir, fields: dict[str, Any], credentials: Callable[[], Credentials], timeout_s: float
) -> dict[str, Any]:
    """End the session of a capture whose process died, and collect its export. Returns the new state."""
    state = SessionState(fields["session_id"])
    try:
        found = credentials()
    except NotFoundError:
        pass  # the embedded service is gone, and the session with it
    else:
        _stop_at_service(run_dir, fields, state, found, timeout_s)
    return _add_outcome(run_dir, fields, state)


def _stop_at_service(
    run_dir: RunDir, fields: dict[str, Any], state: SessionState, credentials: Credentials, timeout_s: float
) -> None:
    info = CaptureInfo(
        fields["session_id"], str(fields.get("collection_id") or "default"), fields.get("ws_connection_id"), "", ()
    )
    stored = any(c.get("store") for c in fields.get("channels", []) if isinstance(c, dict))
    streaming_id = fields.get("streaming_session_id") or info.session_id

    async def end() -> None:
        async with ControlPlane(credentials) as key:
            watch = SessionWatch(state, run_dir.log, info.collection_id, by_key=key, by_token=key)
            watch.streaming_id = streaming_id
            watch.start()
            try:
                async with asyncio.timeout(timeout_s):
                    await watch.ask()
                    if not state.is_over:
                        why = await stop_at_service(streaming_id, key, None)
                        if isinstance(why, NoSuchThingError):
                            return  # nothing is left of it
                        if why is not None:
                            raise _not_stopped(why)
                    while not state.is_finished and not watch.is_gone:
                        await watch.changed.wait()
                        watch.changed.clear()
                    if stored and not watch.is_gone and not state.has_failed:
                        await wait_for_export(watch, key, info, timeout_s, asyncio.Event())
            finally:
                await watch.close()

    try:
        asyncio.run(end())
    except TimeoutError:
        raise TimedOutError(
            f"the session is {state.status} after {timeout_s:g} s", code="stop_timeout", hint="videodb capture stop"
        ) from None


def _add_outcome(run_dir: RunDir, fields: dict[str, Any], state: SessionState) -> dict[str, Any]:
    """The capture failed and stays so; what was saved of it is added."""
    fields = {
        **fields,
        "session_status": state.status,
        "exported_video_id": state.export.video_id,
        "stream_url": state.export.stream_url,
        "player_url": state.export.player_url,
    }
    if not state.has_failed:
        fields["error"] = {**fields["error"], "code": "capture_died_and_was_stopped"}
        if state.status == "exported":
            fields["status"] = "exported"
    with contextlib.suppress(VideodbError, OSError):
        capture_info.write(run_dir, {name: value for name, value in fields.items() if name != "v"})
    return fields


def _not_stopped(why: VideodbError) -> VideodbError:
    kind = next((k for k in (UnreachableError, CredentialsError) if isinstance(why, k)), RefusedError)
    return kind(
        f"the service did not stop the session: {why.message}", code="stop_refused", hint="videodb capture stop"
    )


def shown(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a state that are for users."""
    return {name: value for name, value in fields.items() if name not in _HIDDEN}

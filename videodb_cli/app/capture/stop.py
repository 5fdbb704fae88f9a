"""`capture stop`: ends the capture of a directory, whatever state it is in, and waits for its export."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from videodb_cli.api.control_plane import ControlPlane
from videodb_cli.api.failures import NoSuchThingError
from videodb_cli.app.capture.end import NOTHING_AFTER_S, stop_at_service, wait_for_export
from videodb_cli.app.stop_listener import stop_own_listener
from videodb_cli.capture import info as capture_info
from videodb_cli.capture.info import CaptureInfo
from videodb_cli.capture.session import SessionState
from videodb_cli.capture.session_watch import SessionWatch
from videodb_cli.errors import (
    CredentialsError,
    NotFoundError,
    RefusedError,
    TimedOutError,
    UnreachableError,
    VideodbError,
)
from videodb_cli.rundir import lock
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import Credentials

_LOOK_S: Final = 0.1
_LAST_EVENT_S: Final = 3.0
# A capture that failed has said so already: a service that does not answer keeps nobody who ends it.
_REACH_S: Final = 15.0
# A session that was over before we came, and of which the service still says that nothing was recorded.
_NOTHING_AFTER_S: Final = 5.0
_HIDDEN: Final = {
    *("v", "pid", "start_token", "control", "written_at", "listener_started", "listener_pid", "left_at_service"),
    *("boot_id", "uptime_s", "outcome_due"),
}  # fmt: skip


def stop_capture(
    run_dir: RunDir,
    *,
    timeout_s: float,
    credentials: Callable[[], Credentials],
    tell: Callable[[str], None] = lambda _status: None,
    note: Callable[[str], None] = lambda _sentence: None,
) -> dict[str, Any] | None:
    """Stop the capture and wait until it is over. Returns its last state, or None if there is nothing to stop.

    A capture that ended by itself, or whose end an earlier `stop` has told, is nothing to stop: whoever asks would take
    its export for one of his own.

    ``credentials`` are asked for only if the background process is dead and the session must be ended from here;
    ``tell`` gets each new status. Raises TimedOutError (the rest goes on without us), and RefusedError if the capture
    failed while it ended.

    Of a capture that had failed by itself what was recorded until then is fetched, once; it stays ``failed``. What
    stands in the way of that is no error: ``note`` gets it as a sentence.
    """
    deadline = time.monotonic() + timeout_s
    _until_started(run_dir, deadline, timeout_s)
    fields = capture_info.read(run_dir)
    is_failing = False
    if capture_info.is_running(run_dir):
        is_failing = fields is not None and fields.get("status") == "stopping" and fields.get("error") is not None
        fields = _stop_running(run_dir, timeout_s, tell, failing=is_failing)
        if not is_failing:
            return fields or None
    if not fields:
        return None
    died = capture_info.mark_crashed(run_dir) or fields
    if capture_info.has_died(died):
        tell("stopping")
        try:
            died = _end_dead(run_dir, died, credentials, timeout_s, tell)
        except TimedOutError:
            raise  # the session is ending: its listener hears how, until the next `stop`
        except VideodbError:
            _let_listener_go(run_dir, died)
            raise
    elif capture_info.left_at_service(died) is not None:
        remaining_s = max(0.1, deadline - time.monotonic())
        died = _end_failed(run_dir, died, credentials, remaining_s, tell, note)
    else:
        is_news = is_failing or capture_info.is_outcome_due(died)
        died = _let_listener_go(run_dir, died)
        return died if is_news else None
    return _let_listener_go(run_dir, died)


def _until_started(run_dir: RunDir, deadline: float, timeout_s: float) -> None:
    """Wait while somebody starts a capture: it has no process yet that could be stopped, and will have one soon."""
    while not capture_info.is_running(run_dir) and lock.is_held(capture_info.start_lock_path(run_dir)):
        if time.monotonic() >= deadline:
            raise TimedOutError(
                f"a capture is still being started after {timeout_s:g} s",
                code="stop_timeout",
                hint="videodb capture status · videodb capture stop",
            )
        time.sleep(_LOOK_S)


def _stop_running(run_dir: RunDir, timeout_s: float, tell: Callable[[str], None], *, failing: bool) -> dict[str, Any]:
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
    if _state_of(run_dir, pid).get("status") not in {"stopping", "stopped"}:
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        except PermissionError:
            raise RefusedError(f"pid {pid} belongs to somebody else", code="not_ours") from None
    told = None
    seen: dict[str, Any] = {}
    while capture_info.runner(run_dir) == found:
        fields = seen = _state_of(run_dir, pid)
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
    capture_info.mark_crashed(run_dir)
    fields = _state_of(run_dir, pid)
    if not fields:
        return seen  # somebody has started another one since: neither it nor its listener is ours to end
    if failing:
        return fields  # it failed before anybody stopped it: no failure of the stop
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


def _state_of(run_dir: RunDir, pid: int) -> dict[str, Any]:
    """Return the state that this process has written; empty if the file is of another capture, before it or after."""
    fields = capture_info.read(run_dir) or {}
    return fields if fields.get("pid", pid) == pid else {}


def _let_listener_go(run_dir: RunDir, fields: dict[str, Any]) -> dict[str, Any]:
    """End a listener that `start` had started and nothing has ended yet; the outcome is told now."""
    fields = capture_info.outcome_told(run_dir, fields)
    if fields.get("listener_started"):
        stop_own_listener(run_dir, fields.get("listener_pid"))
        fields = {**fields, "listener_started": False}
        capture_info.write(run_dir, {name: value for name, value in fields.items() if name != "v"})
    return fields


def _end_dead(
    run_dir: RunDir,
    fields: dict[str, Any],
    credentials: Callable[[], Credentials],
    timeout_s: float,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """End the session of a capture whose process died, and collect its export. Returns the new state."""
    state = SessionState(fields["session_id"])
    try:
        found = credentials()
    except NotFoundError:
        pass  # the embedded service is gone, and the session with it
    else:
        stored = any(c.get("store") for c in fields.get("channels", []) if isinstance(c, dict))
        _stop_at_service(run_dir, fields, state, found, timeout_s, tell, wants_export=stored, reach_s=None)
    return _add_outcome(run_dir, fields, state)


def _end_failed(
    run_dir: RunDir,
    fields: dict[str, Any],
    credentials: Callable[[], Credentials],
    timeout_s: float,
    tell: Callable[[str], None],
    note: Callable[[str], None],
) -> dict[str, Any]:
    """See to what a capture that failed has left at the service. Returns the new state; raises TimedOutError only.

    What is settled is not asked again by the next `stop`; what could not be reached is.
    """
    state = SessionState(fields["session_id"])
    wants_export = capture_info.left_at_service(fields) == "export"
    is_settled = False
    if fields.get("session_status") == "failed":
        note("the service says that the session failed: there is no export of it")
        is_settled = True
    else:
        tell("stopping")
        try:
            found = credentials()
            _stop_at_service(
                run_dir, fields, state, found, timeout_s, tell, wants_export=wants_export, reach_s=_REACH_S
            )
        except TimedOutError:
            raise
        except VideodbError as why:
            is_settled = state.has_failed or why.code == "no_export"
            again = "" if is_settled else " · videodb capture stop"
            what = "what was recorded is not fetched" if wants_export else "the session is perhaps not ended"
            note(f"{what}: {why.message}{again}")
        else:
            is_settled = state.status == "exported" or state.has_failed or (state.is_finished and not wants_export)
            if state.has_failed:
                _, message = state.error or ("", "it does not say why")
                note(f"the service says that the session failed ({message}): there is no export of it")
            elif not state.is_over:
                note("the service does not know the session any more: there is no export of it")
            elif wants_export and state.export.video_id is None:
                note("the service has not exported what was recorded · videodb capture stop")
    if is_settled:
        fields = {**fields, "left_at_service": None}
    return _with_outcome(run_dir, fields, state)


def _stop_at_service(
    run_dir: RunDir,
    fields: dict[str, Any],
    state: SessionState,
    credentials: Credentials,
    timeout_s: float,
    tell: Callable[[str], None],
    *,
    wants_export: bool,
    reach_s: float | None,
) -> None:
    """Stop the session and wait for its end and its export. ``reach_s``: the service is to answer within this time."""
    info = CaptureInfo(
        fields["session_id"], str(fields.get("collection_id") or "default"), fields.get("ws_connection_id"), "", ()
    )
    streaming_id = fields.get("streaming_session_id") or info.session_id

    async def end() -> None:
        async with ControlPlane(credentials) as key:
            watch = SessionWatch(state, run_dir.log, info.collection_id, by_key=key, by_token=key)
            watch.streaming_id = streaming_id
            watch.start()
            try:
                async with asyncio.timeout(timeout_s):
                    async with _reached_within(reach_s):
                        await watch.ask()
                        status_before = state.status
                        why = None if state.is_over else await _stop_by_either_name(streaming_id, info.session_id, key)
                    if isinstance(why, NoSuchThingError):
                        return  # nothing is left of it
                    if why is not None:
                        raise _not_stopped(why)
                    nothing_after_s = _NOTHING_AFTER_S if status_before == "stopped" else NOTHING_AFTER_S
                    while not state.is_finished and not watch.is_gone:
                        await watch.changed.wait()
                        watch.changed.clear()
                    if wants_export and not watch.is_gone and not state.has_failed:
                        tell("stopped")
                        await wait_for_export(
                            watch, key, info, timeout_s, asyncio.Event(), nothing_after_s=nothing_after_s
                        )
                    if fields.get("listener_started") and state.status != status_before:
                        await _until_logged(watch)
            finally:
                await watch.close()

    try:
        asyncio.run(end())
    except TimeoutError:
        stands = "nothing is known of the session" if state.status == "created" else f"the session is {state.status}"
        raise TimedOutError(
            f"{stands} after {timeout_s:g} s", code="stop_timeout", hint="videodb capture stop"
        ) from None


@contextlib.asynccontextmanager
async def _reached_within(limit_s: float | None) -> AsyncIterator[None]:
    """Raise UnreachableError if the block takes longer."""
    try:
        async with asyncio.timeout(limit_s) as limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise UnreachableError(f"the service did not answer within {limit_s:g} s", code="no_answer") from None


async def _stop_by_either_name(streaming_id: str, session_id: str, key: ControlPlane) -> VideodbError | None:
    why = await stop_at_service(streaming_id, key, None)
    if isinstance(why, NoSuchThingError) and streaming_id != session_id:
        why = await stop_at_service(session_id, key, None)
    return why


async def _until_logged(watch: SessionWatch) -> None:
    """Give the last event the time to reach the log: our listener ends next."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_EVENT_S):
            while watch.logged_status != watch.state.status:
                await watch.changed.wait()
                watch.changed.clear()


def _add_outcome(run_dir: RunDir, fields: dict[str, Any], state: SessionState) -> dict[str, Any]:
    """The capture failed and stays so; what was saved of it is added."""
    if not state.has_failed:
        fields = {**fields, "error": {**fields["error"], "code": "capture_died_and_was_stopped"}}
        if state.status == "exported":
            fields["status"] = "exported"
    return _with_outcome(run_dir, fields, state)


def _with_outcome(run_dir: RunDir, fields: dict[str, Any], state: SessionState) -> dict[str, Any]:
    """Write down what the service said of the session; where it said nothing, what was known before stays."""
    export = state.export
    if state.status != "created":
        fields = {**fields, "session_status": state.status}
    for name, value in (
        ("exported_video_id", export.video_id),
        ("stream_url", export.stream_url),
        ("player_url", export.player_url),
    ):
        fields = {**fields, name: value or fields.get(name)}
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

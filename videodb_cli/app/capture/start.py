"""`capture start`, up to its recorder: listener, session and token. `start_background` goes on from there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from videodb_cli.api.control_plane import ControlPlane
from videodb_cli.app.background_listener import BackgroundListener, ensure_listener
from videodb_cli.app.listen_options import ListenOptions
from videodb_cli.app.stop_listener import stop_listener
from videodb_cli.capture import running
from videodb_cli.capture.request import CaptureRequest, OpenedSession
from videodb_cli.capture.session_end import stop_at_service
from videodb_cli.errors import ConflictError, RefusedError, TimedOutError
from videodb_cli.process.signals import deferred_interrupts, run_until_interrupted
from videodb_cli.process.start_token import current_start_token
from videodb_cli.rundir import capture_state
from videodb_cli.rundir.capture_state import CaptureState
from videodb_cli.rundir.listener_state import running_listener
from videodb_cli.rundir.lock import DirectoryLock, LockHeldError, holder
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import Credentials, is_loopback

_LISTENER_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class ListenerReady:
    """Events of the session go to this connection."""

    connection_id: str
    started: bool


@dataclass(frozen=True, slots=True)
class LeftoverEnded:
    """The session of an earlier capture, whose process had died, is ended."""

    session_id: str


@dataclass(frozen=True, slots=True)
class SessionMade:
    """The session exists."""

    session_id: str


@dataclass(frozen=True, slots=True)
class ChannelsFlow:
    """Media of all these channels reach the service."""

    channel_ids: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class StillWaiting:
    """Not there yet: the state of each channel by its id, and of the session as far as it is known."""

    channels: tuple[tuple[str, str], ...]
    session: str
    seconds: float


StartUpdate = ListenerReady | LeftoverEnded | SessionMade | ChannelsFlow | StillWaiting


@contextlib.contextmanager
def sole_start(run_dir: RunDir) -> Iterator[CaptureState | None]:
    """Within the block nobody else starts a capture in this directory: of two at once, one makes no session at all.

    The lock of the capture itself is taken by the background process, and that begins only after the session is made.
    Yields the state of a capture that died here and whose session nobody has ended since. Raises ConflictError.
    """
    starting = DirectoryLock(run_dir.capture_start_lock)
    try:
        starting.acquire(current_start_token())
    except LockHeldError:
        found = holder(run_dir.capture_start_lock)
        by = f" by pid {found[0]}" if found is not None else ""
        raise ConflictError(
            f"a capture is just being started in {run_dir.path}{by}",
            code="already_running",
            hint="videodb capture status · videodb capture stop",
        ) from None
    try:
        yield _refuse_second(run_dir)
    finally:
        starting.release()


def _refuse_second(run_dir: RunDir) -> CaptureState | None:
    """Raise ConflictError if a capture runs in this directory; clean up after one that crashed."""
    if running.is_running(run_dir):
        found = capture_state.read(run_dir)
        raise ConflictError(
            f"a capture already runs in {run_dir.path}: {'it is starting' if found is None else found.session_id}",
            code="already_running",
            hint="videodb capture status · videodb capture stop",
        )
    found = running.mark_crashed(run_dir)
    if found is None:
        return None
    # From here on `stop` is about the capture that begins, even if nothing comes of it.
    running.outcome_told(run_dir, found)
    return found if found.has_died else None


def open_session(
    run_dir: RunDir,
    request: CaptureRequest,
    *,
    key: Credentials | None,
    token: Credentials | None,
    crashed: CaptureState | None,
    tell: Callable[[StartUpdate], None],
) -> OpenedSession:
    """Make listener, session and token as far as they are not given. What was started is ended if a later step fails.

    Args:
        run_dir: The directory of the capture.
        request: What is asked for.
        key: The service as reached with a key, if there is one.
        token: The service as reached with a client token that was given.
        crashed: The state of a capture that died here: its session is ended, and its own listener taken over.
        tell: Gets each step.

    Raises:
        VideodbError: A step failed.
        KeyboardInterrupt: The user gave up.
    """
    connection_id, started, listener_pid = request.ws_id, False, None
    if connection_id is None and key is not None:
        found = _listener(run_dir, request, key)
        connection_id, listener_pid = found.connection_id, found.pid
        started = not found.was_running or _is_left_over(crashed, found.pid)
    try:
        if connection_id is not None and request.ws_id is None:
            tell(ListenerReady(connection_id, started))
        session_id, collection_id, token = run_until_interrupted(
            _session(request, key, token, connection_id, crashed, tell)
        )
        tell(SessionMade(session_id))
    except BaseException:
        if started:
            stop_listener(run_dir)
        raise
    return OpenedSession(session_id, collection_id, connection_id, token, key, started, listener_pid)


def hears_elsewhere(listened: str, wanted: str) -> bool:
    """Tell whether a listener of one host is of no use to a session at another.

    The embedded service comes back at another port, and its listener finds it there: two of this machine may be one.
    """
    names = [urlsplit(f"//{host}").hostname or "" for host in (listened, wanted)]
    return listened != wanted and not all(is_loopback(name) for name in names)


def _listener(run_dir: RunDir, request: CaptureRequest, key: Credentials) -> BackgroundListener:
    """Return the listener of the directory, started if there is none; an interrupt leaves none behind."""
    listening = running_listener(run_dir)
    was_running = listening is not None
    host = listening.host if listening is not None else None
    if host is not None and hears_elsewhere(host, key.host):
        # Its id means nothing to the other service: no event of the session would ever arrive.
        raise ConflictError(
            f"the listener of {run_dir.path} hears {host}, and the capture would go to {key.host}",
            code="other_service",
            hint="videodb stop, or another directory: --dir DIR",
        )
    patience_s = min(request.start_timeout_s, _LISTENER_S)
    with deferred_interrupts() as is_interrupted:
        try:
            found = ensure_listener(
                run_dir, credentials=key, options=ListenOptions(collection=request.collection), timeout_s=patience_s
            )
        except TimedOutError:
            if was_running:
                raise
            # It would go on trying behind a command that has failed.
            stop_listener(run_dir)
            raise TimedOutError(
                f"no connection to {key.host} within {patience_s:g} s", code="not_connected", hint="videodb doctor"
            ) from None
        if is_interrupted():
            if not was_running:
                stop_listener(run_dir)
            raise KeyboardInterrupt
    return found


def _is_left_over(crashed: CaptureState | None, pid: int | None) -> bool:
    """Tell whether this listener was started by the capture that died: it ends with the one that follows."""
    return crashed is not None and crashed.listener_started and crashed.listener_pid == pid


async def _session(
    request: CaptureRequest,
    key: Credentials | None,
    token: Credentials | None,
    connection_id: str | None,
    crashed: CaptureState | None,
    tell: Callable[[StartUpdate], None],
) -> tuple[str, str, Credentials]:
    """Return session, collection and client token, made where they are not given."""
    session_id, collection_id = request.session_id, request.collection
    if key is not None:
        async with ControlPlane(key) as service:
            if crashed is not None:
                await _end_leftover(service, crashed, session_id, tell)
            # The session comes last: if anything else fails, none is left behind that nobody will ever start.
            if token is None:
                made = await service.create_client_token()
                token = Credentials(made.token, key.base_url, "the session's client token", "the key's")
            if session_id is None:
                session = await service.create_session(
                    request.collection,
                    end_user_id=request.end_user,
                    ws_connection_id=connection_id,
                    metadata=request.metadata,
                )
                session_id, collection_id = session.id, session.collection_id or request.collection
    if session_id is None or token is None:
        raise RefusedError("there is neither a key nor a client token", code="no_key")
    return session_id, collection_id, token


async def _end_leftover(
    service: ControlPlane, crashed: CaptureState, wanted: str | None, tell: Callable[[StartUpdate], None]
) -> None:
    """End the session of a capture that died: nobody records it, and it would be active, and paid for, for ever."""
    left = crashed.streaming_session_id or crashed.session_id
    if left != wanted and await stop_at_service(left, None, service) is None:
        tell(LeftoverEnded(crashed.session_id))

"""`capture start`: channels, listener, session, token, and the background process that keeps the recorder alive."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from videodb_cli import settings
from videodb_cli.api.control_plane import ControlPlane
from videodb_cli.capture import info as capture_info
from videodb_cli.capture.arguments import Playback, Quality
from videodb_cli.capture.channels import Channel
from videodb_cli.capture.pipelines import Wish
from videodb_cli.capture.request import CaptureRequest
from videodb_cli.errors import ConflictError, RefusedError, TimedOutError, VideodbError
from videodb_cli.flows.ensure_listener import ensure_listener, failure_of
from videodb_cli.flows.run_capture import Access
from videodb_cli.flows.stop_listener import stop_listener
from videodb_cli.process.daemon import Spawned, spawn_detached
from videodb_cli.process.start_token import is_same_process
from videodb_cli.rundir import process_log
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import Credentials

_LOOK_S: Final = 0.1
# What the end of a failed start may take: session, recorder and publishers are stopped.
_END_S: Final = 60.0
_LISTENER_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class ListenerReady:
    """Events of the session go to this connection."""

    connection_id: str
    started: bool


@dataclass(frozen=True, slots=True)
class SessionMade:
    """The session exists."""

    session_id: str


@dataclass(frozen=True, slots=True)
class ChannelsFlow:
    """Media of all these channels reach the service."""

    channel_ids: tuple[str, ...]
    seconds: float


Update = ListenerReady | SessionMade | ChannelsFlow


@dataclass(frozen=True, slots=True)
class StartOrder:
    """What `capture start` was asked for, with its channels chosen. ``session_id`` given: one that exists is taken."""

    run_dir: RunDir
    channels: tuple[Channel, ...]
    recorder: str
    collection: str = "default"
    end_user: str = "videodb-cli"
    metadata: Mapping[str, str] = field(default_factory=dict)
    quality: Quality = field(default_factory=Quality)
    playback: Playback | None = None
    pipelines: Wish = field(default_factory=Wish)
    duration_s: float | None = None
    timeout_s: float = 60.0
    session_id: str | None = None
    ws_id: str | None = None
    give_up_s: float = 45.0


def refuse_second(run_dir: RunDir) -> None:
    """Raise ConflictError if a capture runs in this directory; clean up after one that crashed."""
    if capture_info.is_running(run_dir):
        fields = capture_info.read(run_dir) or {}
        raise ConflictError(
            f"a capture already runs in {run_dir.path}: {fields.get('session_id', 'it is starting')}",
            code="already_running",
            hint="videodb capture status · videodb capture stop",
        )
    fields = capture_info.mark_crashed(run_dir) or {}
    for pid, _ in capture_info.leftover_children(fields):
        with contextlib.suppress(OSError):
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A session that waits for its recorder."""

    request: CaptureRequest
    access: Access


def prepare(
    order: StartOrder, key: Credentials | None, token: Credentials | None, tell: Callable[[Update], None]
) -> Prepared:
    """Make listener, session and token as far as they are not given. What was started is ended if a later step fails.

    Raises what these steps raise.
    """
    connection_id, started = order.ws_id, False
    if connection_id is None and key is not None:
        found = ensure_listener(
            order.run_dir,
            credentials=key,
            arguments=["--collection", order.collection],
            timeout_s=min(order.timeout_s, _LISTENER_S),
        )
        connection_id, started = found.connection_id, not found.was_running
        tell(ListenerReady(connection_id, started))
    try:
        session_id, collection_id, token = _session(order, key, token, connection_id)
    except BaseException:
        if started:
            stop_listener(order.run_dir)
        raise
    tell(SessionMade(session_id))
    request = CaptureRequest(
        session_id=session_id,
        collection_id=collection_id,
        ws_connection_id=connection_id,
        recorder=order.recorder,
        channels=order.channels,
        quality=order.quality,
        playback=order.playback,
        pipelines=order.pipelines,
        duration_s=order.duration_s,
        start_timeout_s=order.timeout_s,
        listener_started=started,
        give_up_s=order.give_up_s,
    )
    return Prepared(request, Access(token, key))


def _session(
    order: StartOrder, key: Credentials | None, token: Credentials | None, connection_id: str | None
) -> tuple[str, str, Credentials]:
    import asyncio

    async def make() -> tuple[str, str, Credentials]:
        session_id, collection_id, recorder_token = order.session_id, order.collection, token
        if key is not None:
            async with ControlPlane(key) as service:
                if session_id is None:
                    session = await service.create_session(
                        order.collection,
                        end_user_id=order.end_user,
                        ws_connection_id=connection_id,
                        metadata=order.metadata,
                    )
                    session_id, collection_id = session.id, session.collection_id or order.collection
                if recorder_token is None:
                    made = await service.create_client_token()
                    recorder_token = Credentials(made.token, key.base_url, "the session's client token", "the key's")
        if session_id is None or recorder_token is None:
            raise RefusedError("there is neither a key nor a client token", code="no_key")
        return session_id, collection_id, recorder_token

    return asyncio.run(make())


def start_in_background(prepared: Prepared, run_dir: RunDir, tell: Callable[[Update], None]) -> dict[str, Any]:
    """Start the background process and wait until media flow. Returns the state.

    Raises what made it fail, after it has ended everything; on an interrupt the capture is ended too.
    """
    request = prepared.request
    answers: list[Spawned | BaseException] = []

    def spawn() -> None:
        try:
            answers.append(_spawn(prepared, run_dir))
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            answers.append(error)

    thread = threading.Thread(target=spawn, name="capture start", daemon=True)
    thread.start()
    try:
        _show_progress(thread, run_dir, request, tell)
    except BaseException:
        end_background(run_dir, request)
        raise
    outcome = answers[0]
    if isinstance(outcome, BaseException):
        end_background(run_dir, request)
        raise outcome
    return _judge(outcome, run_dir, request)


def _judge(spawned: Spawned, run_dir: RunDir, request: CaptureRequest) -> dict[str, Any]:
    message = spawned.message
    if message is not None and isinstance(message.get("capture"), dict):
        return dict(message["capture"])
    end_background(run_dir, request)
    if message is not None:
        raise failure_of(spawned)
    if spawned.exit_status is None:
        raise TimedOutError(
            f"the capture did not begin within {request.start_timeout_s:g} s", hint=f"see {run_dir.capture_log}"
        )
    raise RefusedError(
        f"the background process ended at once with status {spawned.exit_status}",
        code="capture_died",
        hint=f"see {run_dir.capture_log}",
    )


def _spawn(prepared: Prepared, run_dir: RunDir) -> Spawned:
    # Secrets travel by environment: an argument list is readable by everybody.
    hidden = {*settings.KEY_NAMES, *settings.BASE_URL_NAMES, settings.CLIENT_TOKEN_NAME, settings.LOCAL_NAME}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["VIDEODB_CAPTURE_DETACHED"] = "1"
    environment[settings.CLIENT_TOKEN_NAME] = prepared.access.token.token.reveal()
    environment[settings.BASE_URL_NAMES[0]] = prepared.access.token.base_url
    if prepared.access.key is not None:
        environment[settings.KEY_NAMES[0]] = prepared.access.key.token.reveal()
    log_fd = process_log.open_log(run_dir.capture_log)
    try:
        return spawn_detached(
            ["capture", "run", "--dir", str(run_dir.path), "--request", json.dumps(prepared.request.as_json())],
            log_fd=log_fd,
            directory=run_dir.path,
            timeout_s=prepared.request.start_timeout_s + _END_S,
            environment=environment,
        )
    finally:
        os.close(log_fd)


def _show_progress(
    thread: threading.Thread, run_dir: RunDir, request: CaptureRequest, tell: Callable[[Update], None]
) -> None:
    began, told = time.monotonic(), False
    wanted = {channel.id for channel in request.channels}
    while thread.is_alive():
        thread.join(_LOOK_S)
        fields = None
        with contextlib.suppress(VideodbError):
            fields = capture_info.read(run_dir)
        if told or fields is None or fields["session_id"] != request.session_id:
            continue
        states = {c["channel_id"]: c.get("state") for c in fields.get("channels", []) if isinstance(c, dict)}
        if {name for name, state in states.items() if state in {"flowing", "finished"}} >= wanted:
            told = True
            tell(ChannelsFlow(tuple(states), time.monotonic() - began))


def end_background(run_dir: RunDir, request: CaptureRequest) -> None:
    """End a background process that is of no use, and what was started for it. Waits until it is gone."""
    deadline = time.monotonic() + _END_S
    asked: set[tuple[int, str]] = set()
    while (found := capture_info.runner(run_dir)) is not None:
        if found not in asked:
            asked.add(found)
            with contextlib.suppress(OSError):
                os.kill(found[0], signal.SIGTERM)
        if time.monotonic() > deadline:
            with contextlib.suppress(OSError):
                os.kill(found[0], getattr(signal, "SIGKILL", signal.SIGTERM))
            break
        time.sleep(_LOOK_S)
    fields = capture_info.mark_crashed(run_dir) or {}
    for pid, token in capture_info.leftover_children(fields):
        if is_same_process(pid, token):
            with contextlib.suppress(OSError):
                os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    if request.listener_started:
        stop_listener(run_dir)

"""The official recorder ``videodb-capture-bin`` (macOS, Windows), driven so that its death or silence cannot hang us.

Every command has a time limit; all waiters fail at the end of its stdout; it is never killed first, because it needs up
to nine seconds to finish a recording after its stdin is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from videodb_cli.capture.channels import Channel, Channels
from videodb_cli.capture.recorders.base import (
    Availability,
    Began,
    ChannelFailed,
    Flowing,
    Recorder,
    RecorderFailed,
)
from videodb_cli.capture.recorders.ipc import (
    MessageReader,
    RecorderEvent,
    Response,
    channel_id_in,
    encode_command,
    error_of,
    permission_name,
    permission_state,
    text_in,
)
from videodb_cli.capture.recorders.official_answers import channels_from, error_from, permission_denied
from videodb_cli.capture.recorders.official_media import recording, take_progress
from videodb_cli.capture.request import CaptureRequest, OpenedSession
from videodb_cli.errors import RefusedError, VideodbError
from videodb_cli.process.child import Child, Ladder
from videodb_cli.process.clock import uptime_s
from videodb_cli.rundir.capture_state import ChannelState

log = logging.getLogger("videodb_cli.capture")
# Measured by nobody but the SDK's authors: it finishes within nine seconds of the end of its stdin.
_LADDER: Final = Ladder(ask_s=10.0, interrupt_s=3.0, terminate_s=3.0)
_COMMAND_S: Final = 15.0
_START_S: Final = 45.0
_STOP_S: Final = 20.0
_PERMISSION_S: Final = 60.0
_INSTALL_HINT = "pip install 'videodb[capture]'"
_PERMISSIONS = {"mic": ("microphone", "Microphone"), "display": ("screen-capture", "Screen & System Audio Recording")}
_TRACKS = {"mic": "mic", "system_audio": "system_audio", "display": "screen", "camera": "screen"}


def binary_path() -> str | None:
    """Return the path of the recorder if its package is installed and has a program for this platform."""
    try:
        import videodb_capture_bin

        # `videodb local run` puts our own recorder in its place.
        if getattr(videodb_capture_bin, "IS_VIDEODB_CLI", False):
            return None
        path = str(videodb_capture_bin.get_binary_path())
    except Exception:  # noqa: BLE001 - the package raises what it likes where it has no binary
        return None
    return path if Path(path).is_file() else None


def availability() -> Availability:
    """Say whether the official recorder can work here."""
    path = binary_path()
    if path is not None:
        return Availability(True, f"videodb-capture-bin is installed ({path})")
    return Availability(False, "videodb-capture-bin is not installed", _INSTALL_HINT)


class OfficialRecorder(Recorder):
    """Drives one process of the official recorder. ``log`` gets what it says on stderr."""

    settle_s: ClassVar[float] = 2.0

    def __init__(
        self,
        binary: str,
        api_url: str,
        log: Callable[[str], None],
        *,
        command_s: float = _COMMAND_S,
        ladder: Ladder = _LADDER,
    ) -> None:
        super().__init__()
        self._binary = binary
        self._api_url = api_url
        self._log = log
        self._command_s = command_s
        self._ladder = ladder
        self._child: Child | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._channels: tuple[Channel, ...] = ()
        self._session_id: str | None = None
        self._health: dict[str, ChannelState] = {}
        self._granted: dict[str, asyncio.Event] = {}
        self._denied: set[str] = set()
        self._stopping = False
        self._died: VideodbError | None = None

    # ---- commands ------------------------------------------------------------------------------------------------

    async def list_channels(self) -> Channels:
        """Ask the recorder. Ids decide the kind, as in the SDK."""
        answer = await self._command("getChannels")
        return channels_from(answer.get("channels"))

    async def request_permission(self, kind: str) -> None:
        """Ask, and when the system asks the user, wait for what the user decides. Raises RefusedError."""
        permission, _ = _PERMISSIONS.get(kind, (None, None))
        if permission is None:
            return
        granted = self._granted.setdefault(permission, asyncio.Event())
        answer = await self._command("requestPermission", {"permission": permission})
        state = permission_state(answer)
        if state == "granted":
            return
        if state == "denied":
            raise permission_denied(permission)
        if state is None:
            raise RefusedError(f"the recorder does not say whether {permission} is granted", code="permission")
        # Asked, and not yet answered: the recorder tells later, or the start of the recording will.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PERMISSION_S if permission in self._denied else self._command_s):
                await granted.wait()
        if permission in self._denied:
            raise permission_denied(permission)

    async def start(self, request: CaptureRequest, session: OpenedSession) -> None:
        """Begin; `recording-started` marks every channel as flowing."""
        self._channels, self._session_id = request.channels, session.session_id
        self._health = {channel.id: channel.new_state() for channel in request.channels}
        for health in self._health.values():
            health.stall_after_s = None  # the recorder may never tell of media
        token = session.token.token.reveal()
        await self._command("startRecording", recording(session.session_id, token, request.channels), _START_S)
        self._tell(Began(session.session_id))

    async def pause(self, channels: Sequence[Channel]) -> None:
        """Pause the tracks of these channels, by each channel's own kind."""
        await self._tracks("pauseTracks", channels, paused=True)

    async def resume(self, channels: Sequence[Channel]) -> None:
        """Resume them."""
        await self._tracks("resumeTracks", channels, paused=False)

    async def _tracks(self, command: str, channels: Sequence[Channel], *, paused: bool) -> None:
        # The SDK derives the track from "mic" being a part of the id, and so pauses the wrong one for some names.
        tracks = sorted({_TRACKS[channel.type] for channel in channels})
        await self._command(command, {"tracks": tracks})
        for channel in self._channels:
            if _TRACKS[channel.type] in tracks:
                self._health[channel.id].note_paused(paused, uptime_s())

    async def stop(self) -> None:
        """Stop the recording, then the process: stdin is closed, and signals come only after its nine seconds."""
        self._stopping = True
        child = self._child
        if child is None:
            self._tell(None)
            return
        if self._session_id is not None and child.exit_status is None:
            with contextlib.suppress(VideodbError):
                await self._command("stopRecording", {"sessionId": self._session_id}, _STOP_S)
        if child.exit_status is None:
            with contextlib.suppress(VideodbError):
                await self._command("shutdown", None, 3.0)

        async def close() -> None:
            child.close_stdin()

        await child.stop(close, self._ladder)
        if self._reading is not None:
            self._reading.cancel()
        self._fail_waiters(RefusedError("the recorder was stopped", code="recorder_stopped"))
        for health in self._health.values():
            health.state = "stopped"
        self._tell(None)

    def health(self) -> dict[str, ChannelState]:
        """How each channel does, by its id. Media are known to arrive only if the recorder tells of its uploads."""
        return self._health

    # ---- the process ---------------------------------------------------------------------------------------------

    async def _ensure_child(self) -> Child:
        if self._died is not None:
            raise self._died
        if self._child is None:
            self._child = await Child.spawn([self._binary], on_error_line=self._log, dies_with_us=False)
            self._reading = asyncio.create_task(self._read(self._child), name="recorder")
            await self._command("init", {"apiUrl": self._api_url})
        return self._child

    async def _command(
        self, command: str, params: dict[str, Any] | None = None, timeout_s: float | None = None
    ) -> dict[str, Any]:
        """Send one command and return its result. Raises what the recorder answers, or RefusedError for silence."""
        child = await self._ensure_child()
        limit = self._command_s if timeout_s is None else timeout_s
        command_id = str(uuid.uuid4())
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[command_id] = future
        began = time.monotonic()
        try:
            if not await child.write(encode_command(command, command_id, params or {}), limit):
                raise self._died or self._gone()
            async with asyncio.timeout(limit):
                return await future
        except TimeoutError:
            raise RefusedError(
                f"the recorder did not answer {command} within {limit:g} s", code="recorder_silent"
            ) from None
        finally:
            log.debug("recorder: %s took %.1f s", command, time.monotonic() - began)
            self._waiting.pop(command_id, None)

    async def _read(self, child: Child) -> None:
        reader = MessageReader()
        while chunk := await child.read():
            for message in reader.feed(chunk):
                if isinstance(message, Response):
                    self._answer(message)
                else:
                    self._take_event(message)
        # Its end: a closed stdout with a living process is as dead as an ended one.
        await child.wait(2.0)
        self._died = self._gone()
        log.debug("the recorder, pid %d, is gone: status %s", child.pid, child.exit_status)
        self._fail_waiters(self._died)
        if not self._stopping:
            self._tell(RecorderFailed("recorder_died", self._died.message))

    def _gone(self) -> RefusedError:
        child = self._child
        status = child.exit_status if child is not None else None
        last = child.last_lines[-1][:200] if child is not None and child.last_lines else "it said nothing"
        what = "closed its output" if status is None else f"ended with status {status}"
        return RefusedError(f"the recorder {what} ({last})", code="recorder_died", hint="see videodb_capture.log")

    def _fail_waiters(self, error: VideodbError) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
                future.exception()  # nobody may be waiting any more

    def _answer(self, response: Response) -> None:
        future = self._waiting.get(response.command_id)
        if future is None or future.done():
            return
        if response.error is None:
            future.set_result(response.result)
        else:
            future.set_exception(error_from(*response.error))

    def _take_event(self, event: RecorderEvent) -> None:
        now = uptime_s()
        match event.name:
            case "recording-started":
                for channel_id, health in self._health.items():
                    health.state, health.last_progress_at = "flowing", now
                    self._tell(Flowing(channel_id))
            case "upload-progress":
                take_progress(self._health.get(channel_id_in(event.payload) or ""), now)
            case "recording-complete" if not self._stopping:
                self._tell(RecorderFailed("recording_ended", "the recorder ended the recording by itself"))
            case "permissions-granted":
                for waiting in self._granted.values():
                    waiting.set()
            case "permission-status":
                self._permission(event.payload)
            case "error":
                code, message = error_of(event.payload)
                self._log(f"the recorder reports {code}: {message}")
                named = channel_id_in(event.payload)
                if named is not None and named in self._health:
                    self._health[named].state = "failed"
                    self._tell(ChannelFailed(named, code.lower(), message))
                elif event.payload.get("fatal") is not False and self._session_id is not None:
                    self._tell(RecorderFailed(code.lower(), message))

    def _permission(self, payload: dict[str, Any]) -> None:
        said, state = text_in(payload, "permission", "type", "kind"), permission_state(payload)
        if said is None:
            return
        name = permission_name(said)
        if state == "denied":
            self._denied.add(name)
        if state in {"granted", "denied"}:
            self._granted.setdefault(name, asyncio.Event()).set()

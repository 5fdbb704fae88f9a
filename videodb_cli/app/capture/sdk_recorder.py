"""A recorder for programs of the official SDK: it answers `CaptureClient` as ``videodb-capture-bin`` does.

The official recorder exists for macOS and Windows only. This one publishes by our recorder for Linux, or plays a file
in place of devices. One object serves one process of the SDK, and one session at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from videodb_cli.api.control_plane import ControlPlane
from videodb_cli.api.failures import NoSuchThingError
from videodb_cli.app.capture.channels import list_channels
from videodb_cli.app.capture.recorder_reports import RecorderReports
from videodb_cli.capture.channels import Channel
from videodb_cli.capture.ffmpeg.arguments import Playback
from videodb_cli.capture.ffmpeg.certificates import Certificates
from videodb_cli.capture.recorders.base import Began, ChannelFailed, Recorder
from videodb_cli.capture.recorders.ipc import permission_name
from videodb_cli.capture.recorders.ipc_server import Command, encode_error, encode_event, encode_result
from videodb_cli.capture.recorders.streaming import StreamingRecorder
from videodb_cli.capture.request import CaptureRequest, OpenedSession
from videodb_cli.capture.session_end import stop_at_service
from videodb_cli.errors import ConflictError, UsageError, VideodbError
from videodb_cli.settings import Credentials, Secret, checked_base_url

# The session is stopped first, but a service that does not answer must not keep the microphone open.
_RECORDER_WAITS_S: Final = 4.0
_PERMISSIONS: Final = frozenset(("microphone", "screen-capture"))
_TRACKS: Final = {"mic": ("mic",), "system_audio": ("system_audio",), "screen": ("display", "camera")}


class _ChosenChannel(msgspec.Struct):
    """One channel of ``startRecording``."""

    channel_id: str
    store: bool = False
    is_primary: bool = False


class _StartParams(msgspec.Struct, rename="camel"):
    """What comes with ``startRecording``."""

    session_id: str
    upload_token: str
    channels: list[_ChosenChannel]


@dataclass(slots=True)
class _Recording:
    """The session that is recorded. ``streaming_id`` is its name at the service once that has taken it up."""

    session_id: str
    recorder: Recorder
    service: ControlPlane
    channels: tuple[Channel, ...]
    resources: contextlib.AsyncExitStack
    streaming_id: str | None = None
    following: asyncio.Task[None] | None = None
    ending: asyncio.Task[VideodbError | None] | None = None


class SdkRecorder:
    """Does what the commands of one SDK process say.

    Args:
        send: Writes bytes to the SDK.
        log: Gets one line for each thing that happens.
        source: A file that is played in place of devices.
        loop: Repeat the file.
    """

    def __init__(
        self,
        send: Callable[[bytes], None],
        log: Callable[[str], None],
        *,
        source: Path | None = None,
        loop: bool = False,
    ) -> None:
        self._send = send
        self._log = log
        self._playback = None if source is None else Playback(source, loop)
        self._base_url: str | None = None
        self._recording: _Recording | None = None
        self._actions: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "init": self._init,
            "requestPermission": self._permit,
            "getChannels": self._list,
            "startRecording": self._start,
            "pauseTracks": self._pause,
            "resumeTracks": self._resume,
            "stopRecording": self._stop,
            "shutdown": self._stop,
        }

    async def take(self, command: Command) -> None:
        """Do one command and answer it. Raises nothing but what ``send`` raises."""
        action = self._actions.get(command.name)
        if action is None:
            self._send(encode_error(command, "UNKNOWN_COMMAND", f"no command is called {command.name!r}"))
            return
        try:
            answer = encode_result(command, await action(command.params))
        except VideodbError as error:
            hint = f" ({error.hint})" if error.hint else ""
            self._log(f"{command.name}: {error.message}")
            answer = encode_error(command, error.code, error.message + hint)
        self._send(answer)

    async def close(self) -> None:
        """End the recording, if there is one."""
        if self._recording is not None:
            await self._ending(self._recording)

    # ---- commands ------------------------------------------------------------------------------------------------

    async def _init(self, params: dict[str, Any]) -> dict[str, Any]:
        self._base_url = checked_base_url(str(params.get("apiUrl", "")), "apiUrl")
        return {}

    async def _permit(self, params: dict[str, Any]) -> dict[str, Any]:
        name = permission_name(str(params.get("permission", "")))
        if name not in _PERMISSIONS:
            raise UsageError(f"no permission is called {name!r}", code="invalid_permission")
        # Linux asks nobody: a channel that is not there is not listed.
        return {"status": "granted"}

    async def _list(self, _params: dict[str, Any]) -> dict[str, Any]:
        found = await self._channels()
        return {"channels": [{"channel_id": c.id, "type": c.media, "name": c.name} for c in found]}

    async def _channels(self) -> list[Channel]:
        """Return what can be captured, of each kind the default first: the SDK takes the first for the default."""
        source = None if self._playback is None else self._playback.path
        listing = await asyncio.to_thread(list_channels, source, "linux")
        found = (channel for kind in ("mic", "display", "system_audio") for channel in listing.channels.of(kind))
        return [channel for channel in found if channel.capturable]

    async def _start(self, params: dict[str, Any]) -> dict[str, Any]:
        if self._recording is not None:
            raise ConflictError("a session is being recorded", code="instance_already_running")
        try:
            wanted = msgspec.convert(params, _StartParams)
        except msgspec.ValidationError as error:
            raise UsageError(f"startRecording: {error}", code="invalid_parameters") from None
        if self._base_url is None:
            raise UsageError("init has not told the address of the service", code="not_initialized")
        channels = _chosen(await self._channels(), wanted.channels)
        request = CaptureRequest(
            channels=channels, recorder="file" if self._playback is not None else "linux", playback=self._playback
        )
        credentials = Credentials(Secret(wanted.upload_token), self._base_url, "uploadToken", "apiUrl")
        opened = OpenedSession(wanted.session_id, "default", None, credentials)
        async with contextlib.AsyncExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="videodb-recorder-")))
            service = await stack.enter_async_context(ControlPlane(credentials))
            recorder = StreamingRecorder(service, Certificates(directory), self._log)
            self._recording = _Recording(wanted.session_id, recorder, service, channels, stack.pop_all())
        self._recording.following = asyncio.create_task(self._follow(self._recording, request), name="recorder updates")
        try:
            await recorder.start(request, opened)
        except BaseException:
            await asyncio.shield(self._ending(self._recording))
            raise
        return {"started": True}

    async def _pause(self, params: dict[str, Any]) -> dict[str, Any]:
        if self._recording is not None:
            await self._recording.recorder.pause(self._of_tracks(self._recording, params))
        return {}

    async def _resume(self, params: dict[str, Any]) -> dict[str, Any]:
        if self._recording is not None:
            await self._recording.recorder.resume(self._of_tracks(self._recording, params))
        return {}

    @staticmethod
    def _of_tracks(recording: _Recording, params: dict[str, Any]) -> list[Channel]:
        tracks = params.get("tracks")
        named = [track for track in tracks if isinstance(track, str)] if isinstance(tracks, list) else []
        kinds = {kind for track in named for kind in _TRACKS.get(track, ())}
        return [channel for channel in recording.channels if channel.type in kinds]

    async def _stop(self, _params: dict[str, Any]) -> dict[str, Any]:
        """Stop what is recorded. What has ended by itself is no error: the program may not know it yet."""
        # Shielded: a signal that ends the program must not leave an ffmpeg behind.
        refused = None if self._recording is None else await asyncio.shield(self._ending(self._recording))
        if refused is not None:
            raise refused
        return {"stopped": True}

    # ---- the recording -------------------------------------------------------------------------------------------

    async def _follow(self, recording: _Recording, request: CaptureRequest) -> None:
        """Tell the SDK what becomes of the recording, and end it when no channel is left."""
        reports = RecorderReports(request, Path("the program's log"))
        started = False
        async for update in recording.recorder.updates():
            self._log(reports.take(update))
            if isinstance(update, Began):
                recording.streaming_id = update.streaming_id
            elif isinstance(update, ChannelFailed):
                payload = {"code": update.code.upper(), "message": update.reason, "channelId": update.channel_id}
                self._send(encode_event("error", payload))
            if not started and not reports.silent:
                started = True
                self._send(encode_event("recording-started", {"sessionId": recording.session_id}))
            if reports.nothing_is_left:
                self._ending(recording)

    def _ending(self, recording: _Recording) -> asyncio.Task[VideodbError | None]:
        """Return the task that ends a recording, which is begun only once."""
        if recording.ending is None:
            recording.ending = asyncio.create_task(self._end(recording), name="end of the recording")
        return recording.ending

    async def _end(self, recording: _Recording) -> VideodbError | None:
        """Stop session, then recorder. Returns what the service has against it."""
        async with recording.resources:
            name = recording.streaming_id or recording.session_id
            asking = asyncio.create_task(stop_at_service(name, recording.service, None), name="session stop")
            try:
                await asyncio.wait({asking}, timeout=_RECORDER_WAITS_S)
                await recording.recorder.stop()
                refused = await asking
            finally:
                asking.cancel()
            if recording.following is not None:
                await recording.following
        self._recording = None
        self._send(encode_event("recording-complete", {"sessionId": recording.session_id}))
        if refused is None or isinstance(refused, NoSuchThingError):
            return None
        self._log(f"the session was not stopped at the service: {refused.message}")
        return refused


def _chosen(found: list[Channel], wanted: list[_ChosenChannel]) -> tuple[Channel, ...]:
    """Return the channels that the SDK names. Raises UsageError for none, or one that is not there."""
    by_id = {channel.id: channel for channel in found}
    missing = [choice.channel_id for choice in wanted if choice.channel_id not in by_id]
    if missing or not wanted:
        what = f"no channel is called {', '.join(missing)}" if missing else "no channel is chosen"
        raise UsageError(what, code="invalid_channels", hint=f"there are: {', '.join(by_id) or 'none'}")
    return tuple(replace(by_id[choice.channel_id], store=choice.store, primary=choice.is_primary) for choice in wanted)

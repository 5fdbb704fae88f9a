"""What one capture is asked to do, and the session that was opened for it: what travels to the process that captures.

The command resolves the request once, and nobody changes it. What is found out on the way to the recorder stands beside
it. Neither puts a secret on the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from videodb_cli.capture.channels import Channel
from videodb_cli.capture.ffmpeg.arguments import Playback, Quality
from videodb_cli.capture.pipelines import PipelineRequest
from videodb_cli.settings import Credentials


class CaptureRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One capture, as `capture start` was asked for it, with its channels chosen.

    Attributes:
        channels: What is captured.
        recorder: The name of the recorder that captures it.
        session_id: A session that exists already; None makes one with ``collection``, ``end_user`` and ``metadata``.
        ws_id: The connection that hears its events; None means the listener of the directory.
        playback: The file that is played in place of devices.
        duration_s: After so long it stops by itself.
        start_timeout_s: Within so long media must flow.
        give_up_s: A channel without media for so long is given up.
    """

    channels: tuple[Channel, ...]
    recorder: str
    session_id: str | None = None
    ws_id: str | None = None
    collection: str = "default"
    end_user: str = "videodb-cli"
    metadata: dict[str, str] = {}
    quality: Quality = Quality()
    playback: Playback | None = None
    pipelines: PipelineRequest = PipelineRequest()
    duration_s: float | None = None
    start_timeout_s: float = 60.0
    give_up_s: float = 45.0

    @property
    def is_stored(self) -> bool:
        """Whether an export is to be expected."""
        return any(channel.store for channel in self.channels)

    def to_wire(self) -> dict[str, Any]:
        """Return it as JSON values."""
        fields: dict[str, Any] = msgspec.to_builtins(self, enc_hook=str)
        return fields

    @classmethod
    def from_wire(cls, fields: Mapping[str, Any]) -> CaptureRequest:
        """Read what `to_wire` gave. Raises TypeError for anything else."""
        try:
            return msgspec.convert(fields, cls, dec_hook=lambda kind, value: kind(value))
        except msgspec.ValidationError as error:
            raise TypeError(str(error)) from None


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """The session that waits for its recorder, as `capture start` found or made it.

    Attributes:
        session_id: Its name at the service.
        collection_id: Where the service keeps it.
        ws_connection_id: The connection that its events go to, if there is one.
        token: The service as reached with the session's client token.
        key: The service as reached with a key, where there is one.
        listener_started: Whether the listener ``listener_pid`` was started for this capture, and ends with it.
    """

    session_id: str
    collection_id: str
    ws_connection_id: str | None
    token: Credentials
    key: Credentials | None = None
    listener_started: bool = False
    listener_pid: int | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return it as JSON values, without token and key: these travel by environment."""
        return {name: getattr(self, name) for name in self.__slots__ if name not in {"token", "key"}}

    @classmethod
    def from_wire(cls, fields: Mapping[str, Any], token: Credentials, key: Credentials | None) -> OpenedSession:
        """Read what `to_wire` gave. Raises TypeError for anything else."""
        return cls(**fields, token=token, key=key)

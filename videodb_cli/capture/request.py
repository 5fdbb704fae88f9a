"""What one capture is asked to do, as it travels from the command to the background process. Holds no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from videodb_cli.capture.channels import Channel
from videodb_cli.capture.ffmpeg.arguments import Playback, Quality
from videodb_cli.capture.pipelines import PipelineRequest


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """One capture of one session. Times are seconds; ``ws_connection_id`` is where its events go."""

    session_id: str
    collection_id: str
    ws_connection_id: str | None
    recorder: str
    channels: tuple[Channel, ...]
    quality: Quality = field(default_factory=Quality)
    playback: Playback | None = None
    pipelines: PipelineRequest = field(default_factory=PipelineRequest)
    duration_s: float | None = None
    start_timeout_s: float = 60.0
    listener_started: bool = False
    listener_pid: int | None = None
    give_up_s: float = 45.0

    @property
    def is_stored(self) -> bool:
        """Whether an export is to be expected."""
        return any(channel.store for channel in self.channels)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        fields = asdict(self)
        if self.playback is not None:
            fields["playback"]["path"] = str(self.playback.path)
        return fields

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Read what `as_json` gave."""
        quality, playback, wish = fields["quality"], fields["playback"], fields["pipelines"]
        return cls(
            **{
                **fields,
                "channels": tuple(Channel(**channel) for channel in fields["channels"]),
                "quality": Quality(**{**quality, "size": tuple(quality["size"]) if quality["size"] else None}),
                "playback": Playback(**{**playback, "path": Path(playback["path"])}) if playback else None,
                "pipelines": PipelineRequest(
                    **{**wish, "alerts": tuple((label, prompt) for label, prompt in wish["alerts"])}
                ),
            }
        )

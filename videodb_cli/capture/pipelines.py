"""What is made of a session's streams: which indexes, transcripts and alerts, planned first and then started.

Alerts exist only on indexes: a rule is attached to every index of the session, and an audio stream that has none gets
an audio index for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from videodb_cli.api.control_plane import ControlPlane
from videodb_cli.capture.channels import Channel, kind_of
from videodb_cli.errors import CredentialsError, NotFoundError, RefusedError, UnreachableError, UsageError, VideodbError
from videodb_cli.model.rtstreams import SessionStream
from videodb_cli.rundir.capture_state import PipelineState

DEFAULT_AUDIO_PROMPT: Final = "Summarise what is said."
_AUDIO_WINDOW_S: Final = 5
_CATEGORIES: Final = {"mic": "mic", "display": "screen", "system_audio": "system_audio", "camera": "screen"}


@dataclass(frozen=True, slots=True)
class PipelineRequest:
    """What the command line asks for. ``alerts`` are pairs of label and prompt."""

    transcribe: bool = False
    audio_prompt: str | None = None
    visual_prompt: str | None = None
    visual_window_s: float = 5.0
    frames: int = 3
    model: str | None = None
    alerts: tuple[tuple[str, str], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for."""
        return not (self.transcribe or self.audio_prompt or self.visual_prompt or self.alerts)


@dataclass(frozen=True, slots=True)
class PipelineStep:
    """One thing to start on one stream: ``transcript``, ``audio_index`` or ``visual_index``."""

    kind: str
    stream: SessionStream


@dataclass(slots=True)
class PipelinePlan:
    """What to start, and what was asked for and cannot be: ``unmet`` has one sentence for each."""

    steps: list[PipelineStep] = field(default_factory=list)
    unmet: list[str] = field(default_factory=list)


def media_of(stream: SessionStream) -> frozenset[str]:
    """Return ``audio`` and ``video`` as far as a stream has them: by its media types, else by its name."""
    known = {media for media in stream.media_types if media in {"audio", "video"}}
    if known:
        return frozenset(known)
    kind = kind_of(stream.name or stream.channel or "")
    return frozenset({"video" if kind in {"display", "camera"} else "audio"})


def plan(streams: Iterable[SessionStream], request: PipelineRequest) -> PipelinePlan:
    """Decide what to start on which stream."""
    found = PipelinePlan()
    listed = list(streams)
    audio = [stream for stream in listed if "audio" in media_of(stream)]
    video = [stream for stream in listed if "video" in media_of(stream)]
    if request.transcribe:
        found.steps += [PipelineStep("transcript", stream) for stream in audio]
        if not audio:
            found.unmet.append("--transcribe: the session has no audio stream")
    if request.audio_prompt or request.alerts:
        found.steps += [PipelineStep("audio_index", stream) for stream in audio]
        if request.audio_prompt and not audio:
            found.unmet.append("--index-audio: the session has no audio stream")
    if request.visual_prompt:
        found.steps += [PipelineStep("visual_index", stream) for stream in video]
        if not video:
            found.unmet.append("--index-visuals: the session has no video stream")
    if request.alerts and not any(step.kind != "transcript" for step in found.steps):
        found.unmet.append("--alert: the session has no index that a rule could watch (add --index-visuals PROMPT)")
    return found


def check_request(channels: Sequence[Channel], request: PipelineRequest) -> None:
    """Raise UsageError for what these channels cannot give, before a session is made for them."""
    unmet = plan([SessionStream(c.id, c.id, (c.media,)) for c in channels], request).unmet
    if unmet:
        raise UsageError("; ".join(unmet), code="pipeline", hint="videodb capture channels")


def stream_of(channel: Channel, streams: Mapping[str, SessionStream], channels: Sequence[Channel]) -> str | None:
    """Return the id of the rtstream of a channel: by name, by the service's own category, else if only one fits."""
    for stream in streams.values():
        if channel.id in {stream.name, stream.channel}:
            return stream.id
    category = _CATEGORIES[channel.type]
    by_category = [s for s in streams.values() if s.channel == category or kind_of(s.name, "?") == channel.type]
    same_kind = [other for other in channels if other.type == channel.type]
    if len(same_kind) == 1 and len(by_category) == 1:
        return by_category[0].id
    same_media = [other for other in channels if other.media == channel.media]
    by_media = [s for s in streams.values() if channel.media in media_of(s)]
    return by_media[0].id if len(same_media) == 1 and len(by_media) == 1 else None


def index_body(step: PipelineStep, request: PipelineRequest, connection_id: str | None) -> dict[str, Any]:
    """Return the body with which the SDK's ``index_visuals`` and ``index_audio`` create an index."""
    is_visual = step.kind == "visual_index"
    config: dict[str, Any] = (
        {"time": request.visual_window_s, "frame_count": request.frames}
        if is_visual
        else {"segmenter": "time", "segmentation_value": _AUDIO_WINDOW_S}
    )
    body: dict[str, Any] = {
        "extraction_type": "time" if is_visual else "transcript",
        "extraction_config": config,
        "prompt": request.visual_prompt if is_visual else (request.audio_prompt or DEFAULT_AUDIO_PROMPT),
        "name": f"{step.kind} {step.stream.name}".strip(),
        "model_config": {},
    }
    if request.model is not None and is_visual:
        body["model_name"] = request.model
    if connection_id is not None:
        body["ws_connection_id"] = connection_id
    return body


async def start_pipelines(
    service: ControlPlane,
    request: PipelineRequest,
    steps: Sequence[PipelineStep],
    connection_id: str | None,
    started: Callable[[PipelineState], None],
) -> None:
    """Start the steps and attach every rule to every index; ``started`` is told of each at once.

    The service makes an audio index only of a stream that is transcribed. Where no transcript was asked for, its events
    are sent nowhere. Raises the service's refusal with the name of what could not be started before it.
    """
    indexes = []
    transcribed = {step.stream.id for step in steps if step.kind == "transcript"}
    for step in steps:
        stream_id = step.stream.id
        index_id = None
        try:
            if step.kind == "transcript":
                await service.start_transcription(stream_id, ws_connection_id=connection_id)
            else:
                if step.kind == "audio_index" and stream_id not in transcribed:
                    await service.start_transcription(stream_id, ws_connection_id=None)
                index_id = await service.create_index(stream_id, index_body(step, request, connection_id))
                indexes.append((stream_id, index_id))
        except VideodbError as error:
            raise _named(error, f"{step.kind} of {step.stream.name or stream_id}") from None
        started(PipelineState(step.kind, stream_id, index_id, None, connection_id))
    for label, prompt in request.alerts:
        try:
            event_id = await service.create_event(prompt, label)
            for stream_id, index_id in indexes:
                alert_id = await service.create_alert(stream_id, index_id, event_id, connection_id)
                started(PipelineState("alert", stream_id, index_id, alert_id, connection_id, label))
        except VideodbError as error:
            raise _named(error, f"alert {label}") from None


def _named(error: VideodbError, what: str) -> VideodbError:
    """Return the refusal with the name of what it refuses."""
    message = f"cannot start {what}: {error.message}"
    kind = type(error)
    if not issubclass(kind, CredentialsError | NotFoundError | RefusedError):
        return UnreachableError(message, code=error.code, hint=error.hint)
    return kind(message, code=error.code, hint=error.hint)

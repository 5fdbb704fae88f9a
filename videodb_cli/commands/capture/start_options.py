"""The options of `capture start`, and the request that they mean. Some are those of `capture create` too."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, get_type_hints

import typer

from videodb_cli.commands.capture.channels import RecorderOption, SourceOption, named_source
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption, LocalOption
from videodb_cli.errors import UsageError
from videodb_cli.settings import CLIENT_TOKEN_NAME
from videodb_cli.userpaths import absolute

if TYPE_CHECKING:
    from videodb_cli.capture.channels import Channel, ChannelRequest
    from videodb_cli.capture.ffmpeg.arguments import Quality
    from videodb_cli.capture.pipelines import PipelineRequest
    from videodb_cli.capture.request import CaptureRequest


def _option(name: str, help_text: str, metavar: str | None = None, panel: str | None = None, **more: Any) -> Any:
    return typer.Option(name, help=help_text, metavar=metavar, rich_help_panel=panel, **more)


_pipeline = partial(_option, panel="Pipelines")
_media = partial(_option, panel="Media")
_elsewhere = partial(_option, panel="A session made elsewhere")

EndUserOption = Annotated[str, _option("--end-user", "End user of the session.", "ID")]
CollectionOption = Annotated[str, _option("--collection", "Collection of the session.", "ID")]
MetadataOption = Annotated[list[str] | None, _option("--metadata", "Metadata of the session. Repeatable.", "KEY=VALUE")]


@dataclass(frozen=True, slots=True)
class StartOptions:
    """What was typed, in the order of the help."""

    channel: Annotated[list[str] | None, _option("--channel", "Capture this channel. Repeatable.", "ID")] = None
    mic: Annotated[bool | None, _option("--mic/--no-mic", "Capture the default microphone, or not.")] = None
    display: Annotated[str | None, _option("--display", "Displays to capture.", "N|all|none")] = None
    system_audio: Annotated[
        bool | None, _option("--system-audio/--no-system-audio", "Capture what the system plays, or not.")
    ] = None
    source: SourceOption = None
    store: Annotated[bool, _option("--store/--no-store", "Store the recording and export it, or not.")] = True
    store_only: Annotated[list[str] | None, _option("--store-only", "Store only this channel. Repeatable.", "ID")] = (
        None
    )
    primary: Annotated[str | None, _option("--primary", "Display whose picture is exported.", "ID")] = None
    transcribe: Annotated[bool, _pipeline("--transcribe", "Transcribe speech.")] = False
    index_audio: Annotated[str | None, _pipeline("--index-audio", "Describe what is heard.", "PROMPT")] = None
    index_visuals: Annotated[str | None, _pipeline("--index-visuals", "Describe what is seen.", "PROMPT")] = None
    visual_window: Annotated[float, _pipeline("--visual-window", "Seconds per description.", "S", min=0.1)] = 5.0
    frames: Annotated[int, _pipeline("--frames", "Frames per description.", "N", min=1)] = 3
    model: Annotated[str | None, _pipeline("--model", "Model for visual descriptions.", "NAME")] = None
    alert: Annotated[
        list[str] | None, _pipeline("--alert", "Raise this alert on every index. Repeatable.", "LABEL=PROMPT")
    ] = None
    end_user: EndUserOption = "videodb-cli"
    collection: CollectionOption = "default"
    metadata: MetadataOption = None
    duration: Annotated[float | None, _option("--duration", "Stop after S seconds.", "S", min=0.1)] = None
    timeout: Annotated[float, _option("--timeout", "Wait at most S seconds until media flows.", "S", min=0.1)] = 60.0
    foreground: Annotated[bool, _option("--foreground", "Stay in the foreground until stopped.")] = False
    as_json: JsonOption = False
    local: LocalOption = False
    directory: DirectoryOption = None
    env_file: EnvFileOption = None
    session: Annotated[
        str | None,
        _elsewhere("--session", f"Record this session; {CLIENT_TOKEN_NAME} is enough, no key is needed.", "ID"),
    ] = None
    ws_id: Annotated[str | None, _elsewhere("--ws-id", "Connection that receives the events.", "ID")] = None
    fps: Annotated[float, _media("--fps", "Frames per second.", "N", min=0.5, max=60.0)] = 10.0
    size: Annotated[str | None, _media("--size", "Scale to fit.  [default: the display's own, up to 1080p]", "WxH")] = (
        None
    )
    video_kbps: Annotated[int, _media("--video-kbps", "Maximum video bit rate.", "N", min=50, max=100_000)] = 3000
    audio_kbps: Annotated[int, _media("--audio-kbps", "Audio bit rate.", "N", min=16, max=512)] = 64
    loop: Annotated[bool, _media("--loop", "Repeat the file.")] = False
    speed: Annotated[float, _media("--speed", "Playback speed of the file.", "X", min=0.5, max=8.0)] = 1.0
    recorder: RecorderOption = "auto"
    give_up: Annotated[float, typer.Option("--give-up", hidden=True, min=0.1)] = 45.0

    def check(self) -> None:
        """Refuse what makes no sense together. Raises UsageError."""
        pipelines = self.pipeline_request()
        self.file()
        if not self.store and not self.store_only and pipelines.is_empty and self.session is None:
            raise UsageError(
                "with --no-store and no pipeline nothing would be kept",
                code="nothing_kept",
                hint="add --transcribe, --index-audio PROMPT or --index-visuals PROMPT, or leave --no-store out",
            )
        if self.source is None and (self.loop or self.speed != 1.0):
            raise UsageError("--loop and --speed go with --source FILE")

    def file(self) -> Path | None:
        """Return the file of ``--source``. Raises UsageError."""
        return named_source(self.source)

    def channel_request(self) -> ChannelRequest:
        """Return which channels are wanted."""
        from videodb_cli.capture.channels import ChannelRequest

        return ChannelRequest(
            ids=tuple(self.channel or ()),
            mic=self.mic,
            system_audio=self.system_audio,
            display=self.display,
            store=self.store,
            store_only=tuple(self.store_only or ()),
            primary=self.primary,
        )

    def pipeline_request(self) -> PipelineRequest:
        """Return what is to be made of the streams. Raises UsageError."""
        from videodb_cli.capture.pipelines import PipelineRequest

        return PipelineRequest(
            transcribe=self.transcribe,
            audio_prompt=self.index_audio,
            visual_prompt=self.index_visuals,
            visual_window_s=self.visual_window,
            frames=self.frames,
            model=self.model,
            alerts=tuple(pairs(self.alert, "--alert LABEL=PROMPT")),
        )

    def quality(self) -> Quality:
        """Return how channels are to be encoded. Raises UsageError for a size that is none."""
        from videodb_cli.capture.ffmpeg.arguments import Quality

        found = None
        if self.size is not None:
            width, _, height = self.size.lower().replace("\N{MULTIPLICATION SIGN}", "x").partition("x")
            is_size = width.isdecimal() and height.isdecimal()
            if not (is_size and 16 <= int(width) <= 7680 and 16 <= int(height) <= 4320):
                raise UsageError(f"{self.size!r} is not a size", hint="--size 1280x720")
            found = (int(width), int(height))
        return Quality(self.fps, found, self.video_kbps, self.audio_kbps)

    def request(self, quality: Quality, channels: tuple[Channel, ...], recorder: str) -> CaptureRequest:
        """Return the request, given what was found for the channels. Raises UsageError."""
        from videodb_cli.capture.ffmpeg.arguments import Playback
        from videodb_cli.capture.request import CaptureRequest

        file = self.file()
        return CaptureRequest(
            channels=channels,
            recorder=recorder,
            session_id=self.session,
            ws_id=self.ws_id,
            collection=self.collection,
            end_user=self.end_user,
            metadata=dict(pairs(self.metadata, "--metadata KEY=VALUE")),
            quality=quality,
            playback=Playback(absolute(file), self.loop, self.speed) if file is not None else None,
            pipelines=self.pipeline_request(),
            duration_s=self.duration,
            start_timeout_s=self.timeout,
            give_up_s=self.give_up,
        )


def pairs(given: list[str] | None, form: str) -> list[tuple[str, str]]:
    """Return options of the form NAME=VALUE as pairs. Raises UsageError."""
    found = []
    for item in given or ():
        name, separator, value = item.partition("=")
        if not separator or not name.strip() or not value.strip():
            raise UsageError(f"{item!r} is not of the form {form}")
        found.append((name.strip(), value.strip()))
    return found


OPTIONS: Final[dict[str, Any]] = get_type_hints(StartOptions, include_extras=True)

"""Options of `capture start` and `capture create`, and what their texts become."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from videodb_cli.errors import UsageError
from videodb_cli.settings import CLIENT_TOKEN_NAME

if TYPE_CHECKING:
    from videodb_cli.capture.ffmpeg.arguments import Quality

_PIPELINES = "Pipelines"
_MEDIA = "Media"
_ELSEWHERE = "A session made elsewhere"

ChannelOption = Annotated[
    list[str] | None,
    typer.Option("--channel", metavar="ID", help="Capture this channel; repeatable.", show_default=False),
]
MicOption = Annotated[bool | None, typer.Option("--mic/--no-mic", help="The default microphone.", show_default=False)]
DisplayOption = Annotated[
    str | None, typer.Option("--display", metavar="N|all|none", help="Which displays.", show_default=False)
]
SystemAudioOption = Annotated[
    bool | None, typer.Option("--system-audio/--no-system-audio", help="What the system plays.", show_default=False)
]
StoreOption = Annotated[bool, typer.Option("--store/--no-store", help="Keep the recording and export it.")]
StoreOnlyOption = Annotated[
    list[str] | None,
    typer.Option("--store-only", metavar="ID", help="Keep only this channel; repeatable.", show_default=False),
]
PrimaryOption = Annotated[
    str | None, typer.Option("--primary", metavar="ID", help="The display of the export.", show_default=False)
]
EndUserOption = Annotated[str, typer.Option("--end-user", metavar="ID", help="Whose session it is.")]
CollectionOption = Annotated[str, typer.Option("--collection", metavar="ID", help="Collection of the session.")]
MetadataOption = Annotated[
    list[str] | None,
    typer.Option("--metadata", metavar="KEY=VALUE", help="Kept with the session; repeatable.", show_default=False),
]
DurationOption = Annotated[
    float | None,
    typer.Option("--duration", metavar="S", min=0.1, help="Stop by itself after so long.", show_default=False),
]
StartTimeoutOption = Annotated[
    float, typer.Option("--timeout", metavar="S", min=0.1, help="Wait so long for the media to flow.")
]
ForegroundOption = Annotated[bool, typer.Option("--foreground", help="Stay, and capture until told to stop.")]

TranscribeOption = Annotated[bool, typer.Option("--transcribe", help="Recognise speech.", rich_help_panel=_PIPELINES)]
IndexAudioOption = Annotated[
    str | None,
    typer.Option("--index-audio", metavar="PROMPT", help="Describe what is heard.", rich_help_panel=_PIPELINES),
]
IndexVisualsOption = Annotated[
    str | None,
    typer.Option("--index-visuals", metavar="PROMPT", help="Describe what is seen.", rich_help_panel=_PIPELINES),
]
VisualWindowOption = Annotated[
    float,
    typer.Option("--visual-window", metavar="S", min=0.1, help="Seconds a description.", rich_help_panel=_PIPELINES),
]
FramesOption = Annotated[
    int, typer.Option("--frames", metavar="N", min=1, help="Frames a description.", rich_help_panel=_PIPELINES)
]
ModelOption = Annotated[
    str | None, typer.Option("--model", metavar="NAME", help="Model for pictures.", rich_help_panel=_PIPELINES)
]
AlertOption = Annotated[
    list[str] | None,
    typer.Option(
        "--alert",
        metavar="LABEL=PROMPT",
        help="Watch every index for this; repeatable.",
        rich_help_panel=_PIPELINES,
    ),
]

SessionOption = Annotated[
    str | None,
    typer.Option(
        "--session",
        metavar="ID",
        help=f"Record this session; {CLIENT_TOKEN_NAME} is enough, no key is needed.",
        rich_help_panel=_ELSEWHERE,
    ),
]
WsIdOption = Annotated[
    str | None,
    typer.Option("--ws-id", metavar="ID", help="Connection that hears the events.", rich_help_panel=_ELSEWHERE),
]

FpsOption = Annotated[
    float, typer.Option("--fps", metavar="N", min=0.5, max=60.0, help="Frames a second.", rich_help_panel=_MEDIA)
]
SizeOption = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="WxH",
        help="Scale to fit.  [default: the display's own, up to 1080p]",
        rich_help_panel=_MEDIA,
    ),
]
VideoRateOption = Annotated[
    int,
    typer.Option(
        "--video-kbps",
        metavar="N",
        min=50,
        max=100_000,
        help="Bit rate of the picture, at most.",
        rich_help_panel=_MEDIA,
    ),
]
AudioRateOption = Annotated[
    int,
    typer.Option("--audio-kbps", metavar="N", min=16, max=512, help="Bit rate of the sound.", rich_help_panel=_MEDIA),
]
LoopOption = Annotated[bool, typer.Option("--loop", help="Play the file again and again.", rich_help_panel=_MEDIA)]
SpeedOption = Annotated[
    float, typer.Option("--speed", metavar="X", min=0.5, max=8.0, help="Play the file so fast.", rich_help_panel=_MEDIA)
]
GiveUpOption = Annotated[float, typer.Option("--give-up", hidden=True, min=0.1)]


def pairs(given: list[str] | None, form: str) -> list[tuple[str, str]]:
    """Return options of the form NAME=VALUE as pairs. Raises UsageError."""
    found = []
    for item in given or ():
        name, separator, value = item.partition("=")
        if not separator or not name.strip() or not value.strip():
            raise UsageError(f"{item!r} is not of the form {form}")
        found.append((name.strip(), value.strip()))
    return found


def quality_of(fps: float, size: str | None, video_kbps: int, audio_kbps: int) -> Quality:
    """Return how channels are to be encoded. Raises UsageError for a size that is none."""
    from videodb_cli.capture.ffmpeg.arguments import Quality

    found = None
    if size is not None:
        width, _, height = size.lower().replace("\N{MULTIPLICATION SIGN}", "x").partition("x")
        if not (width.isdecimal() and height.isdecimal() and 16 <= int(width) <= 7680 and 16 <= int(height) <= 4320):
            raise UsageError(f"{size!r} is not a size", hint="--size 1280x720")
        found = (int(width), int(height))
    return Quality(fps=fps, size=found, video_kbps=video_kbps, audio_kbps=audio_kbps)

"""`videodb capture start`: one capture session, left in the background once its media flow."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

from videodb_cli import console, hints
from videodb_cli.commands.capture import flags
from videodb_cli.commands.capture.channels import RecorderOption, SourceOption, named_source
from videodb_cli.commands.options import (
    DirectoryOption,
    EnvFileOption,
    JsonOption,
    LocalOption,
    made_run_dir,
    service_credentials,
)
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import CredentialsError, UsageError
from videodb_cli.rundir.paths import RunDir
from videodb_cli.rundir.stale import remove_stale
from videodb_cli.settings import CLIENT_TOKEN_NAME, Credentials, resolve_credentials
from videodb_cli.userpaths import absolute

if TYPE_CHECKING:
    from videodb_cli.app.capture.start import StartOrder, StartUpdate
    from videodb_cli.capture.channels import Channel, ChannelRequest
    from videodb_cli.capture.pipelines import PipelineRequest
    from videodb_cli.rundir.capture_state import CaptureState

app = new_app()


@app.command(cls=PanelCommand)
def start(
    channel: flags.ChannelOption = None,
    mic: flags.MicOption = None,
    display: flags.DisplayOption = None,
    system_audio: flags.SystemAudioOption = None,
    source: SourceOption = None,
    store: flags.StoreOption = True,
    store_only: flags.StoreOnlyOption = None,
    primary: flags.PrimaryOption = None,
    transcribe: flags.TranscribeOption = False,
    index_audio: flags.IndexAudioOption = None,
    index_visuals: flags.IndexVisualsOption = None,
    visual_window: flags.VisualWindowOption = 5.0,
    frames: flags.FramesOption = 3,
    model: flags.ModelOption = None,
    alert: flags.AlertOption = None,
    end_user: flags.EndUserOption = "videodb-cli",
    collection: flags.CollectionOption = "default",
    metadata: flags.MetadataOption = None,
    duration: flags.DurationOption = None,
    timeout: flags.StartTimeoutOption = 60.0,
    foreground: flags.ForegroundOption = False,
    as_json: JsonOption = False,
    local: LocalOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
    session: flags.SessionOption = None,
    ws_id: flags.WsIdOption = None,
    fps: flags.FpsOption = 10.0,
    size: flags.SizeOption = None,
    video_kbps: flags.VideoRateOption = 3000,
    audio_kbps: flags.AudioRateOption = 64,
    loop: flags.LoopOption = False,
    speed: flags.SpeedOption = 1.0,
    recorder: RecorderOption = "auto",
    give_up: flags.GiveUpOption = 45.0,
) -> None:
    """Start a capture and leave it in the background. Exit status 0 means that media flow on every channel.

    A listener is started in the directory if none runs. Without options: the default display, microphone and system
    audio that exist, stored. What failed leaves nothing running.
    """
    from videodb_cli.app.capture.start import StartOrder, sole_start
    from videodb_cli.capture.channels import ChannelRequest
    from videodb_cli.capture.ffmpeg.arguments import Playback
    from videodb_cli.capture.pipelines import PipelineRequest, check_request

    wish = ChannelRequest(
        ids=tuple(channel or ()),
        mic=mic,
        system_audio=system_audio,
        display=display,
        store=store,
        store_only=tuple(store_only or ()),
        primary=primary,
    )
    pipelines = PipelineRequest(
        transcribe=transcribe,
        audio_prompt=index_audio,
        visual_prompt=index_visuals,
        visual_window_s=visual_window,
        frames=frames,
        model=model,
        alerts=tuple(flags.pairs(alert, "--alert LABEL=PROMPT")),
    )
    file = named_source(source)
    _check(wish, pipelines, file, session=session, loop=loop, speed=speed)
    run_dir = made_run_dir(directory, env_file)
    remove_stale(run_dir)
    with sole_start(run_dir) as crashed:
        quality = flags.quality_of(fps, size, video_kbps, audio_kbps)
        chosen, recorder_name = _channels(wish, file, recorder, env_file)
        check_request(chosen, pipelines)
        key, token = _access(run_dir, session=session, local=local, env_file=env_file)
        if key is None and not pipelines.is_empty:
            raise CredentialsError(
                "pipelines are started with an API key, and there is only a client token",
                code="no_key",
                hint="start them where the key is, on the session's rtstreams",
            )
        order = StartOrder(
            run_dir=run_dir,
            channels=chosen,
            recorder=recorder_name,
            collection=collection,
            end_user=end_user,
            metadata=dict(flags.pairs(metadata, "--metadata KEY=VALUE")),
            quality=quality,
            playback=Playback(absolute(file), loop, speed) if file is not None else None,
            pipelines=pipelines,
            duration_s=duration,
            timeout_s=timeout,
            session_id=session,
            ws_id=ws_id,
            give_up_s=give_up,
            crashed=crashed,
        )
        _run(order, key, token, foreground=foreground, as_json=as_json)


def _run(
    order: StartOrder, key: Credentials | None, token: Credentials | None, *, foreground: bool, as_json: bool
) -> None:
    from videodb_cli.app.capture.background import start_in_background
    from videodb_cli.app.capture.start import prepare

    _end_on_signals()
    prepared = prepare(order, key, token, _tell)
    if foreground:
        from videodb_cli.commands.capture.run import run_here

        run_here(order.run_dir, prepared.request, prepared.access, as_json=as_json)
        return
    state = start_in_background(prepared, order.run_dir, _tell)
    _show(state, as_json=as_json)


def _end_on_signals() -> None:
    """Take TERM and HUP for an interrupt: a start that somebody gives up must not go on behind his back."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, interrupt)


def _check(
    wish: ChannelRequest,
    pipelines: PipelineRequest,
    source: Path | None,
    *,
    session: str | None,
    loop: bool,
    speed: float,
) -> None:
    if not wish.store and not wish.store_only and pipelines.is_empty and session is None:
        raise UsageError(
            "with --no-store and no pipeline nothing would be kept",
            code="nothing_kept",
            hint="add --transcribe, --index-audio PROMPT or --index-visuals PROMPT, or leave --no-store out",
        )
    if source is None and (loop or speed != 1.0):
        raise UsageError("--loop and --speed go with --source FILE")


def _channels(
    wish: ChannelRequest, source: Path | None, recorder: str, env_file: str | None
) -> tuple[tuple[Channel, ...], str]:
    from videodb_cli.app.capture.channels import list_channels
    from videodb_cli.capture.channels import choose
    from videodb_cli.capture.ffmpeg.program import find_ffmpeg
    from videodb_cli.capture.recorders.choose import choose_recorder
    from videodb_cli.settings import base_url

    # Raises what is missing; the listing alone would only say so.
    if choose_recorder(recorder, from_file=source is not None).name != "official":
        find_ffmpeg()
    listing = list_channels(source, recorder, api_url=base_url(env_file), log=lambda line: None)
    return choose(listing.channels, wish), listing.recorder.name


def _access(
    run_dir: RunDir, *, session: str | None, local: bool, env_file: str | None
) -> tuple[Credentials | None, Credentials | None]:
    """Return key and token credentials: a session made elsewhere needs only its token."""
    token: Credentials | None = None
    if session is not None:
        import os

        if os.environ.get(CLIENT_TOKEN_NAME, "").strip():
            token = resolve_credentials(env_file, token_name=CLIENT_TOKEN_NAME)
    if token is None:
        return service_credentials(run_dir, local=local, env_file=env_file), None
    try:
        return resolve_credentials(env_file), token
    except CredentialsError:
        return None, token


def _tell(update: StartUpdate) -> None:
    from videodb_cli.app.capture.start import ChannelsFlow, LeftoverEnded, ListenerReady, SessionMade, StillWaiting

    match update:
        case ListenerReady(connection_id, started):
            console.talk(f"listener        {connection_id}{' (started for this capture)' if started else ''}")
        case LeftoverEnded(session_id):
            console.talk(f"stopped         {session_id}, whose capture had died")
        case SessionMade(session_id):
            console.talk(f"session         {session_id}")
        case ChannelsFlow(channel_ids, seconds):
            names = "  ".join(f"{console.one_line(name)} ✓" for name in channel_ids)
            console.talk(f"channels        {names}        {seconds:.1f} s")
        case StillWaiting(channels, session, seconds):
            states = "  ".join(f"{console.one_line(name)} {state}" for name, state in channels)
            console.talk(f"waiting         {states}  session {console.one_line(session)}        {seconds:.0f} s")


def _show(state: CaptureState, *, as_json: bool) -> None:
    pipelines = [item.label or item.kind for item in state.pipelines]
    if pipelines:
        counted = {name: pipelines.count(name) for name in dict.fromkeys(pipelines)}
        console.talk("pipelines       " + "  ".join(f"{name} ×{count} ✓" for name, count in counted.items()))
    if as_json:
        console.data_json(state.for_users())
    else:
        console.data(hints.placed(f"{state.session_id} active · stop with: videodb capture stop"))

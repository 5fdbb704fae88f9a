"""`videodb capture start`: one capture session, left in the background once its media flow."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from videodb_cli import console, hints
from videodb_cli.commands.capture.start_options import OPTIONS, StartOptions
from videodb_cli.commands.options import made_run_dir, option_group, service_credentials
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import CredentialsError
from videodb_cli.rundir.paths import RunDir
from videodb_cli.rundir.stale import remove_stale
from videodb_cli.settings import CLIENT_TOKEN_NAME, Credentials, resolve_credentials

if TYPE_CHECKING:
    from videodb_cli.app.capture.start import StartUpdate
    from videodb_cli.capture.channels import Channel
    from videodb_cli.rundir.capture_state import CaptureState

app = new_app()


@app.command(cls=PanelCommand)
@option_group(StartOptions, OPTIONS, "options", first=True)
def start(options: StartOptions) -> None:
    """Start a capture and leave it in the background. Exit status 0 means that media flow on every channel.

    A listener is started in the directory if none runs. Without options: the default display, microphone and system
    audio that exist, stored. What failed leaves nothing running.
    """
    # All of it now: an interrupt within an import, once there is a session, would leave that behind.
    from videodb_cli.app.capture.background import start_in_background
    from videodb_cli.app.capture.start import open_session, sole_start
    from videodb_cli.capture.pipelines import check_request
    from videodb_cli.commands.capture.run import run_here

    options.check()
    run_dir = made_run_dir(options.directory, options.env_file)
    remove_stale(run_dir)
    with sole_start(run_dir) as crashed:
        quality = options.quality()
        request = options.request(quality, *_channels(options))
        check_request(request.channels, request.pipelines)
        key, token = _access(run_dir, options)
        if key is None and not request.pipelines.is_empty:
            raise CredentialsError(
                "pipelines are started with an API key, and there is only a client token",
                code="no_key",
                hint="start them where the key is, on the session's rtstreams",
            )
        _end_on_signals()
        opened = open_session(run_dir, request, key=key, token=token, crashed=crashed, tell=_tell)
        if options.foreground:
            run_here(run_dir, request, opened, as_json=options.as_json)
        else:
            _show(start_in_background(run_dir, request, opened, _tell), as_json=options.as_json)


def _end_on_signals() -> None:
    """Take TERM and HUP for an interrupt: a start that somebody gives up must not go on behind his back."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, interrupt)


def _channels(options: StartOptions) -> tuple[tuple[Channel, ...], str]:
    """Return the channels of the session, and the name of the recorder that captures them."""
    from videodb_cli.app.capture.channels import list_channels
    from videodb_cli.capture.channels import choose
    from videodb_cli.capture.ffmpeg.program import find_ffmpeg
    from videodb_cli.capture.recorders.choose import choose_recorder
    from videodb_cli.settings import base_url

    file = options.file()
    # Raises what is missing; the listing alone would only say so.
    if choose_recorder(options.recorder, from_file=file is not None).name != "official":
        find_ffmpeg()
    listing = list_channels(file, options.recorder, api_url=base_url(options.env_file), log=lambda line: None)
    return choose(listing.channels, options.channel_request()), listing.recorder.name


def _access(run_dir: RunDir, options: StartOptions) -> tuple[Credentials | None, Credentials | None]:
    """Return key and token credentials: a session made elsewhere needs only its token."""
    token: Credentials | None = None
    if options.session is not None:
        import os

        if os.environ.get(CLIENT_TOKEN_NAME, "").strip():
            token = resolve_credentials(options.env_file, token_name=CLIENT_TOKEN_NAME)
    if token is None:
        return service_credentials(run_dir, local=options.local, env_file=options.env_file), None
    try:
        return resolve_credentials(options.env_file), token
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

"""`videodb listen`: connect, print the connection id, and append every event to the log until stopped."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from videodb_cli import console
from videodb_cli.app.listen_options import ListenOptions
from videodb_cli.commands.options import (
    DirectoryOption,
    EnvFileOption,
    LocalOption,
    made_run_dir,
    option_group,
    parse_size,
    service_credentials,
)
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.eventlog.query.times import parse_duration
from videodb_cli.rundir.stale import remove_stale
from videodb_cli.settings import wants_local

if TYPE_CHECKING:
    from videodb_cli.app.listen import ListenRequest
    from videodb_cli.commands.listen_view import ListenView
    from videodb_cli.listener.updates import ListenerUpdate
    from videodb_cli.process.background import ReadyPipe
    from videodb_cli.rundir.paths import RunDir
    from videodb_cli.settings import Credentials

EXIT_FORCED = 130
app = new_app()


class SyncMode(StrEnum):
    """The values of --sync."""

    NONE = "none"
    INTERVAL = "interval"
    ALWAYS = "always"


def _advanced(name: str, help_text: str, **settings: Any) -> Any:
    return typer.Option(name, help=help_text, rich_help_panel="Advanced", **settings)


def _hidden(name: str, minimum: float, **settings: Any) -> Any:
    return Annotated[float, typer.Option(name, hidden=True, min=minimum, **settings)]


_OPTIONS: dict[str, Any] = {
    "clear": Annotated[bool, typer.Option("--clear", help="Clear the log after the first connection succeeds.")],
    "collection": Annotated[str, typer.Option("--collection", metavar="ID", help="Collection to listen in.")],
    "local": LocalOption,
    "max_retries": Annotated[
        int | None,
        _advanced(
            "--max-retries",
            "Give up after N consecutive retries (0: at the first disconnection).  [default: never]",
            metavar="N",
            min=0,
            show_default=False,
        ),
    ],
    "sync": Annotated[
        SyncMode,
        _advanced("--sync", "When lines are synced to disk: left to the system, every 50 ms, or after each write."),
    ],
    "max_size": Annotated[
        int | None,
        _advanced(
            "--max-size",
            "Rotate the log at this size: 100M, 2G.  [default: never]",
            metavar="SIZE",
            parser=parse_size,
            show_default=False,
        ),
    ],
    "keep": Annotated[int, _advanced("--keep", "With --max-size: keep N rotated logs.", metavar="N", min=1)],
    "max_age_s": Annotated[
        float,
        _advanced(
            "--max-age",
            "Replace a connection at this age without losing events; 0: never.",
            metavar="TIME",
            parser=parse_duration,
        ),
    ],
    "recover_window_s": Annotated[
        float,
        _advanced(
            "--recover-window",
            "After a gap, recover events up to this far back.",
            metavar="TIME",
            parser=parse_duration,
        ),
    ],
    "max_seconds": Annotated[
        float | None,
        typer.Option(
            "--max-seconds", metavar="S", min=0.1, help="Stop after S seconds with exit status 0.", show_default=False
        ),
    ],
    "max_bytes": Annotated[
        int | None,
        typer.Option(
            "--max-bytes",
            metavar="SIZE",
            parser=parse_size,
            help="Stop with exit status 0 after logging this much.",
            show_default=False,
        ),
    ],
    "redact": Annotated[
        str | None,
        typer.Option(
            "--redact",
            metavar="KINDS",
            help="Redact before anything is written: secrets, cards, email, phone, all; also RULES.toml.",
            show_default=False,
        ),
    ],
    "no_recover": Annotated[bool, _advanced("--no-recover", "Recover nothing after a gap.")],
    "poll_interval_s": _hidden("--poll-interval", 0.001),
    "settle_s": _hidden("--settle", 0.0),
    "hold_s": _hidden("--hold", 0.0),
    "overlap_s": _hidden("--overlap", 0.0, max=120.0),
    "first_retry_s": _hidden("--first-retry", 0.0),
    "ping_interval_s": _hidden("--ping-interval", 0.001),
    "ping_timeout_s": _hidden("--ping-timeout", 0.001),
    "healthy_after_s": _hidden("--healthy-after", 0.0),
    "id_timeout_s": _hidden("--id-timeout", 0.001),
}
_TYPED_DEFAULTS = {"max_age_s": "110m", "recover_window_s": "24h", "sync": SyncMode.INTERVAL}


@app.command(cls=PanelCommand)
@option_group(ListenOptions, _OPTIONS, "options", typed_defaults=_TYPED_DEFAULTS, first=True)
def listen(
    options: ListenOptions,
    directory_argument: Annotated[
        str | None, typer.Argument(metavar="[DIR]", help="The same as --dir DIR.", show_default=False)
    ] = None,
    directory: DirectoryOption = None,
    print_events: Annotated[
        bool, typer.Option("--print", help="Print events even if stdout is a pipe or a file.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print every line as logged; no WS_ID= line.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no status messages.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Run in the background once connected.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Stop the listener that runs here first.")] = False,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", metavar="S", min=0.1, help="With --detach: wait at most S seconds for the connection."
        ),
    ] = 30.0,
    env_file: EnvFileOption = None,
) -> None:
    """Connect, print WS_ID=…, and append every event to the log until stopped.

    The id is also in the file that `videodb path ws-id` names. SIGINT, SIGTERM and SIGHUP end it gracefully.
    """
    from videodb_cli.process.signals import ignore_terminal_output_stop

    # A terminal with `stty tostop` must not stop a background job because it writes a message.
    ignore_terminal_output_stop()
    options = options.replaced(redact=_with_absolute_files(options.redact))
    options.redaction()  # what is wrong with it is told before anything starts
    options = options.replaced(local=wants_local(options.local, env_file))
    run_dir = made_run_dir(directory, env_file, directory_argument, quiet=quiet)
    remove_stale(run_dir)
    credentials = service_credentials(run_dir, local=options.local, env_file=env_file)
    if detach:
        _detach(run_dir, credentials, options, replace=replace, timeout_s=timeout, as_json=as_json)
        return
    if replace:
        from videodb_cli.app.stop_listener import stop_listener

        stop_listener(run_dir)

    from videodb_cli.process.background import ReadyPipe

    request = _request(run_dir, credentials, options, env_file)
    view = _view(request, as_json=as_json, print_events=print_events, quiet=quiet)
    _run(request, view, ReadyPipe())


def _with_absolute_files(kinds: str | None) -> str | None:
    """Return the value of --redact with the paths of its files absolute: a background process has another directory."""
    if kinds is None:
        return None
    names = [name.strip() for name in kinds.split(",")]
    return ",".join(os.path.abspath(name) if name.endswith(".toml") else name for name in names)  # noqa: PTH100


def run_in_background(run_dir: RunDir, fields: dict[str, Any], ready: ReadyPipe) -> None:
    """Runs the listener of `videodb listen --detach`; its messages go to the process log."""
    options = ListenOptions.from_json(fields)
    remove_stale(run_dir)
    credentials = service_credentials(run_dir, local=options.local, env_file=None)
    request = _request(run_dir, credentials, options, None, detached=True)
    _run(request, _view(request, as_json=False, print_events=False, quiet=False), ready)


def _request(
    run_dir: RunDir, credentials: Credentials, options: ListenOptions, env_file: str | None, *, detached: bool = False
) -> ListenRequest:
    from videodb_cli.app.listen import ListenRequest

    def find_again() -> Credentials:
        return service_credentials(run_dir, local=True, env_file=env_file, start=False)

    return ListenRequest(run_dir, credentials, options, detached, find_again if options.local else None)


def _view(request: ListenRequest, *, as_json: bool, print_events: bool, quiet: bool) -> ListenView:
    from videodb_cli.commands.listen_view import ListenView

    host, log = request.credentials.host, request.run_dir.log
    return ListenView(host=host, log=log, as_json=as_json, print_events=print_events, quiet=quiet)


def _detach(
    run_dir: RunDir, credentials: Credentials, options: ListenOptions, *, replace: bool, timeout_s: float, as_json: bool
) -> None:
    from videodb_cli.app.background_listener import ensure_listener

    found = ensure_listener(run_dir, credentials=credentials, options=options, replace=replace, timeout_s=timeout_s)
    if as_json:
        console.data_json({"ws_id": found.connection_id, "pid": found.pid, "dir": str(run_dir.path)})
    else:
        console.data(f"WS_ID={found.connection_id}")


def _run(request: ListenRequest, view: ListenView, ready: ReadyPipe) -> None:
    """Listen in this process until it ends, and report changes to the view, the parent and systemd."""
    import asyncio

    from videodb_cli.app import listen as listening
    from videodb_cli.listener.updates import Connected, IdReplaced, Lost, Renewed, Retrying, Stopping
    from videodb_cli.process.notify import Notifier

    notifier = Notifier()

    def on_update(update: ListenerUpdate) -> None:
        view.on_update(update)
        match update:
            case Connected(connection_id) | IdReplaced(connection_id) | Renewed(connection_id):
                ready.say({"connection_id": connection_id})
                notifier.ready(f"listening as {connection_id}")
            case Lost(detail):
                notifier.status(f"lost: {detail}")
            case Retrying(reason, delay_s) if reason is not None:
                notifier.status(f"not connected: {reason}; next try in {delay_s:.0f} s")
            case Stopping():
                notifier.stopping()

    def force() -> None:
        os._exit(EXIT_FORCED)

    audience = listening.Audience(
        on_update=on_update,
        on_line=view.on_line if view.wants_lines else None,
        output_dropped=view.dropped,
        forced=force,
    )
    try:
        view.say_statement(asyncio.run(listening.listen(request, audience)))
    finally:
        view.close()

"""`videodb listen`: connect, say the id, write every event down until stopped."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from videodb_cli import console
from videodb_cli.commands.options import (
    DirectoryOption,
    EnvFileOption,
    LocalOption,
    made_run_dir,
    parse_size,
    service_credentials,
)
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import VideodbError
from videodb_cli.eventlog.query.times import parse_duration
from videodb_cli.rundir.paths import RunDir
from videodb_cli.rundir.stale import remove_stale
from videodb_cli.settings import Credentials, wants_local

if TYPE_CHECKING:
    from videodb_cli.app.listen import ListenRequest
    from videodb_cli.commands.listen_view import ListenView
    from videodb_cli.listener.updates import ListenerUpdate
    from videodb_cli.process.daemon import ReadyPipe

EXIT_FORCED = 130
app = new_app()


class SyncMode(StrEnum):
    """The values of --sync."""

    NONE = "none"
    INTERVAL = "interval"
    ALWAYS = "always"


_ADVANCED = "Advanced"


@app.command(cls=PanelCommand)
def listen(
    directory_argument: Annotated[
        str | None, typer.Argument(metavar="[DIR]", help="The same as --dir DIR.", show_default=False)
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Empty the log once the first connection stands.")] = False,
    directory: DirectoryOption = None,
    collection: Annotated[str, typer.Option("--collection", metavar="ID", help="Collection to listen in.")] = "default",
    print_events: Annotated[bool, typer.Option("--print", help="Print events also into a pipe or file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print every line as it is logged, no WS_ID= line.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No talk on stderr.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Go to the background once connected.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Stop the listener that runs here first.")] = False,
    timeout: Annotated[
        float,
        typer.Option("--timeout", metavar="S", min=0.1, help="With --detach: wait so long for the connection."),
    ] = 30.0,
    local: LocalOption = False,
    env_file: EnvFileOption = None,
    max_retries: Annotated[
        int | None,
        typer.Option(
            "--max-retries",
            metavar="N",
            min=0,
            help="Give up after N retries in a row (0: at the first drop).  [default: never]",
            show_default=False,
            rich_help_panel=_ADVANCED,
        ),
    ] = None,
    sync: Annotated[
        SyncMode,
        typer.Option(
            "--sync",
            help="When lines are brought to the disk: left to the system, in groups of 50 ms, or each write.",
            rich_help_panel=_ADVANCED,
        ),
    ] = SyncMode.INTERVAL,
    max_size: Annotated[
        str | None,
        typer.Option(
            "--max-size",
            metavar="SIZE",
            help="Begin a new log when one is so large: 100M, 2G.  [default: never]",
            show_default=False,
            rich_help_panel=_ADVANCED,
        ),
    ] = None,
    keep: Annotated[
        int,
        typer.Option(
            "--keep", metavar="N", min=1, help="With --max-size: keep so many older logs.", rich_help_panel=_ADVANCED
        ),
    ] = 5,
    max_age: Annotated[
        str,
        typer.Option(
            "--max-age",
            metavar="TIME",
            help="Open the next connection when one is so old, and read the old one to its end; 0: never.",
            rich_help_panel=_ADVANCED,
        ),
    ] = "110m",
    recover_window: Annotated[
        str,
        typer.Option(
            "--recover-window",
            metavar="TIME",
            help="After a gap read back what was missed, so far back at most.",
            rich_help_panel=_ADVANCED,
        ),
    ] = "24h",
    no_recover: Annotated[
        bool, typer.Option("--no-recover", help="Read nothing back after a gap.", rich_help_panel=_ADVANCED)
    ] = False,
    poll_interval: Annotated[float, typer.Option("--poll-interval", hidden=True, min=0.001)] = 5.0,
    settle: Annotated[float, typer.Option("--settle", hidden=True, min=0.0)] = 60.0,
    hold: Annotated[float, typer.Option("--hold", hidden=True, min=0.0)] = 5.0,
    overlap: Annotated[float, typer.Option("--overlap", hidden=True, min=0.0, max=120.0)] = 120.0,
    first_retry: Annotated[float, typer.Option("--first-retry", hidden=True, min=0.0)] = 1.0,
    ping_interval: Annotated[float, typer.Option("--ping-interval", hidden=True, min=0.001)] = 15.0,
    ping_timeout: Annotated[float, typer.Option("--ping-timeout", hidden=True, min=0.001)] = 15.0,
    healthy_after: Annotated[float, typer.Option("--healthy-after", hidden=True, min=0.0)] = 30.0,
    id_timeout: Annotated[float, typer.Option("--id-timeout", hidden=True, min=0.001)] = 10.0,
    ready_fd: Annotated[int | None, typer.Option("--ready-fd", hidden=True)] = None,
) -> None:
    """Connect, print WS_ID=…, and append every event to the log until stopped.

    The id is also in the file that `videodb path ws-id` names. SIGINT, SIGTERM and SIGHUP end it gracefully.
    """
    max_age_s, window_s = parse_duration(max_age), parse_duration(recover_window)
    max_bytes = None if max_size is None else parse_size(max_size)
    run_dir = made_run_dir(directory, env_file, directory_argument, quiet=quiet)
    remove_stale(run_dir)
    is_local = wants_local(local, env_file)
    credentials = service_credentials(run_dir, local=is_local, env_file=env_file)
    if detach:
        passed = _as_arguments(
            {
                "--collection": collection,
                "--clear": clear,
                "--local": is_local,
                "--max-retries": max_retries,
                "--max-age": max_age,
                "--recover-window": recover_window,
                "--no-recover": no_recover,
                "--sync": sync.value,
                "--max-size": max_size,
                "--keep": keep if max_size is not None else None,
                "--ping-interval": ping_interval,
                "--ping-timeout": ping_timeout,
                "--healthy-after": healthy_after,
                "--id-timeout": id_timeout,
                "--poll-interval": poll_interval,
                "--settle": settle,
                "--first-retry": first_retry,
                "--hold": hold,
                "--overlap": overlap,
            }
        )
        _detach(run_dir, credentials, passed, clear=clear, replace=replace, timeout_s=timeout, as_json=as_json)
        return
    if replace:
        from videodb_cli.app.stop_listener import stop_listener

        stop_listener(run_dir)

    from videodb_cli.app.listen import ListenRequest
    from videodb_cli.commands.listen_view import ListenView
    from videodb_cli.eventlog.write.store import Keeping
    from videodb_cli.listener.connection import Timing
    from videodb_cli.listener.recovery.recoverer import RecoveryPolicy
    from videodb_cli.listener.supervisor import ListenerPolicy
    from videodb_cli.process.daemon import ReadyPipe

    policy = ListenerPolicy(
        clear=clear,
        max_retries=max_retries,
        healthy_after_s=healthy_after,
        max_age_s=max_age_s or None,
        first_retry_s=first_retry,
        timing=Timing(id_timeout_s=id_timeout, ping_interval_s=ping_interval, ping_timeout_s=ping_timeout),
    )
    recovery = (
        None if no_recover else RecoveryPolicy(window_s, poll_interval, settle, hold, min(2.0, hold / 2.5), overlap)
    )
    keeping = Keeping(sync.value, max_bytes, keep if max_bytes is not None else None)
    request = ListenRequest(
        run_dir,
        credentials,
        collection,
        policy,
        recovery,
        keeping,
        detached=ready_fd is not None,
        find_again=(lambda: service_credentials(run_dir, local=True, env_file=env_file, start=False))
        if is_local
        else None,
    )
    view = ListenView(host=credentials.host, log=run_dir.log, as_json=as_json, print_events=print_events, quiet=quiet)
    _run(request, view, ReadyPipe(ready_fd))


def _as_arguments(options: Mapping[str, object]) -> list[str]:
    """Write options as they are typed: what is None or False is left out, what is True stands alone."""
    arguments: list[str] = []
    for name, value in options.items():
        if value is True:
            arguments.append(name)
        elif value is not None and value is not False:
            arguments += [name, str(value)]
    return arguments


def _detach(
    run_dir: RunDir,
    credentials: Credentials,
    arguments: list[str],
    *,
    clear: bool,
    replace: bool,
    timeout_s: float,
    as_json: bool,
) -> None:
    from videodb_cli.app.background_listener import ensure_listener

    found = ensure_listener(
        run_dir, credentials=credentials, arguments=arguments, clear=clear, replace=replace, timeout_s=timeout_s
    )
    if as_json:
        console.data_json({"ws_id": found.connection_id, "pid": found.pid, "dir": str(run_dir.path)})
    else:
        console.data(f"WS_ID={found.connection_id}")


def _run(request: ListenRequest, view: ListenView, ready: ReadyPipe) -> None:
    """Listen in this process until it ends, and tell everybody how."""
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
    except VideodbError as error:
        ready.say({"error": {**error.as_json()["error"], "exit_status": error.exit_status}})
        raise
    finally:
        view.close()

"""`videodb local`: the embedded VideoDB-compatible service."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from videodb_cli import console, hints
from videodb_cli.commands import local_environment, local_models
from videodb_cli.commands.fields import show_field
from videodb_cli.commands.local_options import (
    DescribeOption,
    DescribeTimeoutOption,
    DialectChoice,
    DialectOption,
    ModelOption,
    describe_options,
    require_same,
)
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption, made_run_dir
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import NotFoundError, RefusedError, UsageError
from videodb_cli.quantities import size
from videodb_cli.settings import KEY_NAMES, resolve_directory

if TYPE_CHECKING:
    from videodb_cli.local.host import HostOptions
    from videodb_cli.process.background import ReadyPipe
    from videodb_cli.rundir.paths import RunDir

_HELP = """The embedded VideoDB-compatible service, for development, demos and tests. It is not the VideoDB service.

Anything that speaks to VideoDB speaks to it: set VIDEO_DB_API and VIDEO_DB_API_KEY as `local start` prints them, or add
--local to a command of this tool.
"""
_BANNER = "embedded stand-in for development, demos and tests: this is not the VideoDB service"

_BLOCK_BYTES = 256 * 1024

app = new_app(help=_HELP)
app.add_typer(local_models.app, name="models")

HostOption = Annotated[
    str,
    typer.Option(
        "--host",
        metavar="ADDRESS",
        help="Address to listen on. Streams may name local files only if this is a loopback address.",
    ),
]


@app.command(cls=PanelCommand)
def start(
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port; 0 is a free one.")] = 0,
    host: HostOption = "127.0.0.1",
    detach: Annotated[bool, typer.Option("--detach", help="Run in the background.")] = False,
    faults: Annotated[
        Path | None,
        typer.Option("--faults", metavar="FILE", help="Inject the faults of this plan (JSON), to test clients."),
    ] = None,
    rtsps: Annotated[
        bool, typer.Option("--rtsps", help="Accept encrypted RTSP (rtsps) with a self-signed certificate.")
    ] = False,
    describe: DescribeOption = None,
    model: ModelOption = None,
    describe_timeout: DescribeTimeoutOption = None,
    dialect: DialectOption = DialectChoice.SERVICE,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
    idle_exit: Annotated[float | None, typer.Option("--idle-exit", hidden=True)] = None,
) -> None:
    """Start the service of the directory and print its URL and key, in the form of a .env file.

    With --detach, one that runs already is printed as it is.
    """
    from videodb_cli.local.faults.plan import read_plan_file
    from videodb_cli.local.host import HostOptions, run_here

    wanted = HostOptions(
        host,
        port,
        idle_exit,
        faults=[] if faults is None else read_plan_file(faults),
        rtsps=rtsps,
        describe=describe_options(describe, model, describe_timeout),
        dialect=dialect.value,
    )
    if detach:
        _start_detached(made_run_dir(directory, env_file), wanted, as_json=as_json)
        return
    from videodb_cli.app.local_service import place_of
    from videodb_cli.local.service_directory import ServiceAddress

    def announce(address: ServiceAddress) -> None:
        _print_address(address, as_json=as_json)
        console.flush()
        console.talk(hints.placed(f"{_BANNER} · stop with: Ctrl-C, or videodb local stop"))

    run_here(place_of(made_run_dir(directory, env_file)), wanted, on_ready=announce)


def run_in_background(run_dir: RunDir, fields: dict[str, Any], ready: ReadyPipe) -> None:
    """Runs the service that `videodb local start --detach` or ``--local`` asked for."""
    from videodb_cli.app.local_service import place_of
    from videodb_cli.local.host import HostOptions, run_here

    wanted = HostOptions.from_json(fields)
    run_here(place_of(run_dir), wanted, on_ready=lambda address: ready.say({"url": address.url, "pid": address.pid}))


def _start_detached(run_dir: RunDir, wanted: HostOptions, *, as_json: bool) -> None:
    from urllib.parse import urlsplit

    from videodb_cli.app.local_service import ensure_local, place_of
    from videodb_cli.local.host import already_running
    from videodb_cli.local.http.client import ControlClient

    service = ensure_local(
        run_dir.path,
        host=wanted.host,
        port=wanted.port,
        idle_exit_s=None,
        started_by="local start --detach",
        rtsps=wanted.rtsps,
        describe=wanted.describe,
        dialect=wanted.dialect,
    )
    if not service.started:
        if wanted.port not in {0, urlsplit(service.url).port}:
            raise already_running(place_of(run_dir))
        require_same(ControlClient(service.address).status(), wanted.describe, wanted.dialect)
        ControlClient(service.address).stay()  # a service of --local would end when it is idle
        console.talk(f"already running: pid {service.address.pid}")
    if wanted.faults:
        ControlClient(service.address).set_faults([fault.as_json() for fault in wanted.faults])
    _print_address(service.address, as_json=as_json)
    console.talk(hints.placed(f"{_BANNER} · stop with: videodb local stop"))


def _print_address(address: Any, *, as_json: bool) -> None:
    if as_json:
        console.data_json({"url": address.url, "key": address.key, "pid": address.pid})
    else:
        console.data(f"VIDEO_DB_API={address.url}")
        console.data(f"{KEY_NAMES[0]}={address.key}")


@app.command(cls=PanelCommand)
def stop(
    keep: Annotated[bool, typer.Option("--keep", help="Keep the recordings on disk.")] = False,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> None:
    """Stop the service and remove its recordings. Exit 0 when none runs."""
    from videodb_cli.app.local_service import stop_local

    meant = resolve_directory(None, directory, env_file)
    stopped = stop_local(meant.path, keep=keep, own_only=not meant.is_default)
    pid, kept = (stopped[0].pid, stopped[1]) if stopped is not None else (None, None)
    if as_json:
        console.data_json({"stopped": stopped is not None, "pid": pid, "kept": kept})
    elif stopped is None:
        console.talk("the embedded service does not run")
    else:
        console.talk(f"stopped: pid {pid}" + (f" · recordings kept in {kept}" if kept else ""))


@app.command(cls=PanelCommand)
def status(as_json: JsonOption = False, directory: DirectoryOption = None, env_file: EnvFileOption = None) -> None:
    """Whether the service runs, where, and what it does. Exit 4 when it does not run."""
    from videodb_cli.app.local_service import not_running, visible_address
    from videodb_cli.local.http.client import ControlClient

    meant = resolve_directory(None, directory, env_file)
    path = meant.path
    address = visible_address(path, own_only=not meant.is_default)
    if address is None:
        if as_json:
            console.data_json({"running": False})
            raise typer.Exit(NotFoundError.exit_status)
        raise not_running(path)
    found = ControlClient(address).status()
    if as_json:
        console.data_json({"running": True, **found, "key": address.key})
        return
    show_field("running", f"{address.url} · pid {address.pid} · {_BANNER}", 9)
    show_field("key", address.key, 9)
    names = ", ".join(item["connection_id"] for item in found["connections"])
    show_field("sockets", f"{found['sockets']}" + (f" · {names}" if names else ""), 9)
    playing = [item["name"] for item in found["rtstreams"] if item["status"] == "connected"]
    shown = " · " + ", ".join(playing) if playing else ""
    show_field("streams", f"{found['streams']} playing of {len(found['rtstreams'])}{shown}", 9)
    show_field("media", f"{size(found['media_bytes'])} in {found['media_dir']}", 9)
    if (described := found.get("describe")) is not None:
        why = f" · {described['reason']}" if described["reason"] else ""
        show_field("describes", f"{described['url']} · {described['state']}{why}", 9)
    if found["idle_exit_s"] is not None:
        show_field("ends", f"{found['idle_exit_s']:g} s after its last socket and stream", 9)


@app.command(cls=PanelCommand)
def trigger(
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help="transcript, visual_index, audio_index, alert or capture_session.STATUS"),
    ],
    text: Annotated[str | None, typer.Option("--text", metavar="T", help="Text of the event.")] = None,
    count: Annotated[int, typer.Option("--count", metavar="N", min=1, help="Number of events.")] = 1,
    rate: Annotated[
        float | None, typer.Option("--rate", metavar="R", help="Events per second.  [default: as fast as possible]")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="CONNECTION", help="Send only to this connection id.")
    ] = None,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> None:
    """Send made-up events to the listeners that are connected. Several of one call are numbered in data.sequence."""
    if rate is not None and not rate > 0:
        raise UsageError("--rate must be above 0")
    from videodb_cli.app.local_service import require_local
    from videodb_cli.local.events import TRIGGER_KINDS
    from videodb_cli.local.http.client import ControlClient

    if kind not in TRIGGER_KINDS:
        raise UsageError(f"no event is called {kind!r}", hint=f"one of: {', '.join(TRIGGER_KINDS)}")
    service = require_local(resolve_directory(None, directory, env_file).path)
    done = ControlClient(service.address).trigger(kind, text=text, count=count, rate=rate, to=to)
    _tell_sent(done, kind, as_json=as_json)
    if done["sent"] < count:
        raise NotFoundError(f"the listener left after {done['sent']} of {count} events", code="listener_left")


@app.command(cls=PanelCommand)
def replay(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A log; - is stdin.")],
    speed: Annotated[
        float, typer.Option("--speed", metavar="X", min=0.0, help="Speed factor; 0 sends without waiting.")
    ] = 1.0,
    to: Annotated[
        str | None, typer.Option("--to", metavar="CONNECTION", help="Send only to this connection id.")
    ] = None,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> None:
    """Send the events of a log to the listeners that are connected, with the timing that they had."""
    from videodb_cli.app.local_service import require_local
    from videodb_cli.local.http.client import ControlClient

    with _open_log(file) as log:  # before the service is looked for, so that a wrong name is reported first
        service = require_local(resolve_directory(None, directory, env_file).path)
        blocks = iter(lambda: log.read(_BLOCK_BYTES), b"")
        done = ControlClient(service.address).replay(blocks, speed=speed, to=to)
    _tell_sent(done, "replayed", as_json=as_json)


def _open_log(file: str) -> BinaryIO:
    if file == "-":
        return sys.stdin.buffer
    try:
        return Path(file).open("rb")
    except FileNotFoundError:
        raise NotFoundError(f"no such file: {file}", code="no_file") from None
    except OSError as error:
        raise RefusedError(f"cannot read {file}: {error.strerror}", code="file") from error


def _tell_sent(done: dict[str, Any], kind: str, *, as_json: bool) -> None:
    if as_json:
        console.data_json(done)
        return
    pace = f" ({done['sent'] / done['seconds']:,.0f} a second)" if done["sent"] > 1 and done["seconds"] > 0 else ""
    listeners = len(done["connections"])
    skipped = f" · {done['skipped']} lines passed over" if done.get("skipped") else ""
    events = f"{done['sent']:,} {kind} event{'s' * (done['sent'] != 1)}"
    receivers = f"{listeners} listener{'s' * (listeners != 1)}"
    console.talk(f"sent {events} to {receivers} in {done['seconds']:.2f} s{pace}{skipped}")


app.command(cls=PanelCommand)(local_environment.env)
app.command(cls=PanelCommand, context_settings={"allow_interspersed_args": False})(local_environment.run)

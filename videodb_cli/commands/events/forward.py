"""`videodb events forward`: forwards events of the log to a URL or a command, with a cursor."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from videodb_cli import console
from videodb_cli.commands.events.flags import Refusals, SelectingCommand, with_selection
from videodb_cli.commands.events.reading import open_log, tell_broken
from videodb_cli.commands.events.selectors import CommandLog
from videodb_cli.commands.events.shell_signs import shell_sign
from videodb_cli.commands.events.unread_input import hints_before_it_follows
from videodb_cli.commands.options import DirectoryOption, EnvFileOption
from videodb_cli.commands.tree import new_app
from videodb_cli.errors import UsageError
from videodb_cli.eventlog.query.criteria import Criteria
from videodb_cli.eventlog.read.cursor import Cursor
from videodb_cli.quantities import count_of
from videodb_cli.userpaths import absolute

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from videodb_cli.app.forward.forwarder import Accepted, Delivery
    from videodb_cli.eventlog.read.broken import BrokenLines
    from videodb_cli.process.background import ReadyPipe
    from videodb_cli.rundir.paths import RunDir

app = new_app()

_TIMEOUT_S = 30.0


class ForwardCommand(SelectingCommand):
    """The command `forward`, which refuses flags that make no sense for it."""

    without: ClassVar[Refusals] = {
        "--around": (
            "forward hands on what is selected, and nothing around it",
            "videodb events filter --follow --around 30s …",
        )
    }


@app.command(cls=ForwardCommand)
@with_selection
@hints_before_it_follows
def forward(
    criteria: Criteria,
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-]", help="Use - to forward events from standard input until it ends.", show_default=False
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="URL", help="POST each event to this URL.", show_default=False)
    ] = None,
    command: Annotated[
        str | None,
        typer.Option("--exec", metavar="CMD", help="Run CMD for each event, without a shell.", show_default=False),
    ] = None,
    routes_file: Annotated[
        Path | None,
        typer.Option("--route", metavar="FILE", help="Several at once: the [[route]] tables of FILE (TOML)."),
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option("--secret-file", metavar="FILE", help="Sign each POST (Standard Webhooks); FILE is mode 0600."),
    ] = None,
    template: Annotated[
        str, typer.Option("--template", metavar="json|slack|discord|FILE", help="The body of each POST.")
    ] = "json",
    dead_letters: Annotated[
        Path | None,
        typer.Option("--dead-letters", metavar="FILE", help="Record what is refused there, not beside the cursor."),
    ] = None,
    cursor_file: Annotated[
        Path | None,
        typer.Option(
            "--cursor-file",
            metavar="PATH",
            help="Resume where the previous run stopped, at first from the start of the log. Without it: from now on.",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        int,
        typer.Option(
            "--batch", metavar="N", min=1, max=10_000, help="Deliver up to N events at once, as a JSON array."
        ),
    ] = 1,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, help="Stop after delivering N events.", show_default=False),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="S", min=0.1, help="How long one call or command may take.")
    ] = _TIMEOUT_S,
    recovered: Annotated[
        bool, typer.Option("--recovered", help="Also deliver recovered events that are more than a minute old.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print no status messages: neither deliveries nor totals.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Run in the background. Needs --cursor-file.")] = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Follow the log and hand each event on, in order, again until it is taken.

    An endpoint that was away gets everything once it is back. 4xx (but 408, 425, 429) and a command that fails mean
    that the event is wrong: it is recorded (beside the cursor, .refused) and passed over.
    """
    if routes_file is not None:
        given = {
            "--to": to,
            "--exec": command,
            "--cursor-file": cursor_file,
            "--secret-file": secret_file,
            "--dead-letters": dead_letters,
            "--limit": limit,
            "--template": None if template == "json" else template,
            "--batch": None if batch == 1 else batch,
            "--timeout": None if timeout == _TIMEOUT_S else timeout,
            "--recovered": recovered or None,
            "--detach": detach or None,
            "-": files or None,
        }
        _refuse_beside_routes(given, criteria)
        return _run_routes(routes_file, open_log(None, directory, env_file).run_dir, quiet=quiet)
    if (to is None) == (command is None):
        raise UsageError(
            "forward needs either --to URL or --exec CMD", hint="videodb events forward --to https://… --cursor-file F"
        )
    _check_input(files or [], cursor_file, detach=detach)
    log = open_log(files, directory, env_file)
    if cursor_file is not None:
        cursor_file = absolute(cursor_file)
        Cursor(cursor_file)  # fails early if no file can be created there
    if to is None and (secret_file is not None or template != "json"):
        raise UsageError("--secret-file and --template are for --to URL")
    if template not in {"json", "slack", "discord"}:
        template = str(absolute(Path(template)))
    from videodb_cli.app.forward.run import ForwardRequest, forward_in_background, run_forward

    if command is not None:
        _tell_no_shell(command)
    request = ForwardRequest(
        to,
        command,
        criteria,
        cursor_file,
        batch,
        limit,
        timeout,
        recovered,
        secret_file=None if secret_file is None else absolute(secret_file),
        template=template,
        dead_letters=None if dead_letters is None else absolute(dead_letters),
    )
    if not detach:
        talk = _Talk(quiet=quiet)
        try:
            run_forward(log, request, talk, follow=not files)
        finally:
            talk.totals()
        return 0
    if cursor_file is None:
        hint = f"--cursor-file {shlex.quote(str(log.run_dir.path / 'forward.cursor'))}"
        raise UsageError("--detach needs --cursor-file", hint=hint)
    console.data(f"PID={forward_in_background(log.run_dir, request) or ''}")
    return 0


def _refuse_beside_routes(given: Mapping[str, object], criteria: Criteria) -> None:
    """Raises UsageError for what each route says itself."""
    named = [option for option, value in given.items() if value is not None]
    if not named and criteria != Criteria():
        named = ["a selection"]
    if named:
        raise UsageError(
            f"{named[0]} and --route exclude each other", hint="routes are described in docs/deliveries.md"
        )


def _run_routes(path: Path, run_dir: RunDir, *, quiet: bool) -> int:
    from videodb_cli.app.forward.routes import read_routes
    from videodb_cli.app.forward.run_routes import run_routes

    routes = read_routes(absolute(path), run_dir.path)
    talks = {route.name: _Talk(quiet=quiet, name=route.name) for route in routes}
    try:
        run_routes(lambda: CommandLog(run_dir), routes, lambda route: talks[route.name])
    finally:
        for talk in talks.values():
            talk.totals()
    return 0


def run_in_background(run_dir: RunDir, fields: dict[str, Any], ready: ReadyPipe) -> None:
    """Runs the forwarder of `videodb events forward --detach`."""
    from videodb_cli.app.forward.run import ForwardRequest, run_forward

    run_forward(
        CommandLog(run_dir), ForwardRequest.from_json(fields), _Talk(lambda pid: ready.say({"pid": pid}), quiet=True)
    )


def _check_input(files: list[str], cursor_file: Path | None, *, detach: bool) -> None:
    """Raises UsageError for files, and for what standard input cannot have."""
    if files and files != ["-"]:
        raise UsageError(
            "forward takes the log, or - for standard input",
            hint=f"videodb events filter . {shlex.join(files)} | videodb events forward --to URL -",
        )
    if files and (cursor_file is not None or detach):
        option = "--detach" if detach else "--cursor-file"
        raise UsageError(f"{option} is for the log: standard input is read once, from here to its end")


def _tell_no_shell(command: str) -> None:
    """Print a hint if a command seems to be written for a shell."""
    sign = shell_sign(command)
    if sign is not None:
        console.talk(console.escape_controls(f"--exec starts the command without a shell, which gets {sign} as it is"))
        # Quotes in quotes are hard to read, so such a command is left for the user to place.
        shown = "…" if set(command) & set("\"'$`\\!") else command
        console.talk(console.escape_controls(f"hint: --exec \"sh -c '{shown}'\""))


def _delivery_line(delivery: Delivery, accepted: Accepted) -> str:
    """Return the line for a delivery: ``→ alert  10:15:35  200  4 ms``."""
    from videodb_cli.model import event as ev
    from videodb_cli.render.words import clock_text

    count, event = len(delivery.lines), delivery.events[0]
    what = ev.channel_of(event) or "event" if count == 1 else f"{count:,} events"
    at = clock_text(ev.received_at(event), 8)
    parts = (console.one_line(what), at, accepted.answer, f"{accepted.took_s * 1000:.0f} ms")
    return "→ " + "  ".join(filter(None, parts))


class _Talk:
    """The messages of a forwarder: on stderr, and to the parent process in the background."""

    def __init__(self, on_ready: Callable[[int], None] | None = None, *, quiet: bool, name: str = "") -> None:
        self.on_ready = on_ready
        self._prefix = f"{name}: " if name else ""
        self._quiet = quiet
        self._accepted = self._refused = self._deliveries = 0

    def accepted(self, delivery: Delivery, accepted: Accepted) -> None:
        """A delivery was accepted."""
        self._accepted += len(delivery.lines)
        self._deliveries += 1
        if not self._quiet:
            # There may be many of these, and somebody may start this with a stderr that is never read.
            console.talk_if_ready(self._prefix + _delivery_line(delivery, accepted), is_safe=True)

    def totals(self) -> None:
        """Print how much was handed on."""
        if self._quiet:
            return
        said = f"{self._prefix}{count_of(self._accepted, 'event')} handed on"
        if self._deliveries != self._accepted:
            said += f" in {count_of(self._deliveries, 'delivery', 'deliveries')}"
        console.talk(f"{said} · {self._refused:,} refused" if self._refused else said)

    def trouble(self, sentence: str) -> None:
        """An endpoint does not take events for now, or takes them again."""
        console.talk(self._prefix + sentence)

    def refused(self, delivery: Delivery, why: str) -> None:
        """A delivery was refused for good and is passed over."""
        count = len(delivery.lines)
        self._refused += count
        what = f"{count} events passed over" if count > 1 else "event passed over"
        console.talk(
            f"{self._prefix}{what} ({why}): {delivery.events[0].get('ts')} {delivery.events[0].get('channel')}"
        )

    def broken(self, broken: BrokenLines) -> None:
        """Lines of the log could not be read."""
        tell_broken(broken)

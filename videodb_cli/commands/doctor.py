"""`videodb doctor`: what works on this machine, what is missing, and the command that mends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from videodb_cli import console, hints
from videodb_cli.commands.fields import show_field
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption, LocalOption
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import UsageError
from videodb_cli.settings import resolve_credentials, resolve_directory, wants_local
from videodb_cli.userpaths import absolute, expanded

if TYPE_CHECKING:
    from videodb_cli.app.findings import Finding
    from videodb_cli.settings import Credentials, Directory

app = new_app()
_STYLES = {"ok": "green", "warning": "yellow", "failing": "red"}


class DoctorCommand(PanelCommand):
    """Takes ``--report=FILE`` as well as ``--report FILE``; the file may be left out."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line, with a file that is joined to its option as an argument of its own."""
        parted: list[str] = []
        for argument in args:
            name, is_joined, file = argument.partition("=")
            parted += [name, file] if name == "--report" and is_joined else [argument]
        return super().parse_args(ctx, parted)


@app.command(cls=DoctorCommand)
def doctor(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]",
            help="With --report: where to write it; - for stdout.  [default: videodb-report-<time>.txt]",
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Write a file for a bug report, without keys, passwords or events.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="With --report: overwrite the file.")] = False,
    as_json: JsonOption = False,
    local: LocalOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Check the setup on this machine: key, service, socket, log, recorder, devices, models.

    Exit status 0 if listening would work; else the status that `videodb listen` would end with.
    """
    from videodb_cli.app.doctor import ESSENTIAL, examine_config
    from videodb_cli.app.local_service import require_local

    _check(file, report=report, force=force, as_json=as_json)
    config = examine_config()
    place = resolve_directory(None, directory, env_file)
    target = None if not report or file == "-" else _target(file, force=force)
    is_local = wants_local(local, env_file)

    def credentials() -> Credentials:
        return require_local(place.path).credentials if is_local else resolve_credentials(env_file)

    findings = _examine(config, place, credentials, is_local=is_local, is_shown=not as_json and file != "-")
    status = next((f.exit_status for f in findings if f.level == "failing" and f.name in ESSENTIAL), 0)
    if as_json:
        console.data_json({"ok": status == 0, "checks": [finding.as_json() for finding in findings]})
    if report:
        from videodb_cli.app.report import ReportRequest, build_report

        _give(build_report(ReportRequest(place, findings, credentials, env_file, is_local)), target, force=force)
    return status


def _check(file: str | None, *, report: bool, force: bool, as_json: bool) -> None:
    if not report and (file is not None or force):
        what = "a file" if file is not None else "--force"
        raise UsageError(f"{what} goes with --report only", hint="videodb doctor --report")
    if as_json and file == "-":
        raise UsageError("--json and --report - both write to stdout", hint="videodb doctor --json --report FILE")


def _target(file: str | None, *, force: bool) -> Path:
    """Return where the report goes. Raises ConflictError before anything is examined if something stands there."""
    from videodb_cli.app.report import check_absent, default_name

    if file is not None and not file:
        raise UsageError("the name of the file is empty", code="bad_file")
    path = absolute(expanded(file)) if file is not None else Path.cwd() / default_name()
    if not force:
        check_absent(path)
    return path


def _examine(
    config: Finding, place: Directory, credentials: Callable[[], Credentials], *, is_local: bool, is_shown: bool
) -> list[Finding]:
    from videodb_cli.app.doctor import diagnose

    findings = []
    for finding in diagnose(config, place, credentials, local=is_local):
        placed = None if finding.hint is None else hints.placed(finding.hint)
        findings.append(replace(finding, hint=placed))
        if is_shown:
            hint = f" → {placed}" if placed else ""
            show_field(f"{finding.level:<8} {finding.name}", finding.text + hint, 22, _STYLES[finding.level])
            console.flush()
    return findings


def _give(text: str, target: Path | None, *, force: bool) -> None:
    """Write the report, and say what to look at before it is sent."""
    from videodb_cli.app.report import write_report

    if target is None:
        console.data_text(text)
    else:
        write_report(target, text, overwrite=force)
        console.talk(console.one_line(f"report written to {target}"))
    console.talk(
        "read it before you send it: keys, passwords and events are left out, but it names your paths, hosts, devices "
        "and sessions, and ends with what background processes printed"
    )

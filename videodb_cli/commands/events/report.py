"""`videodb events report`: writes one HTML page of a session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from videodb_cli import console
from videodb_cli.commands.events.flags import Refusals, SelectingCommand, with_selection
from videodb_cli.commands.events.reading import open_log, tell_broken
from videodb_cli.commands.events.unread_input import hints_at_unread_input
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption
from videodb_cli.commands.tree import new_app
from videodb_cli.errors import NoMatchError, UsageError
from videodb_cli.eventlog.matches import ReadOptions
from videodb_cli.eventlog.query.criteria import Criteria
from videodb_cli.eventlog.query.times import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from videodb_cli.eventlog.log import Reading
    from videodb_cli.report.builder import ReportBuilder

app = new_app()


class ReportCommand(SelectingCommand):
    """The command `report`, which refuses flags that make no sense for it."""

    without: ClassVar[Refusals] = {
        "--cursor-file": (
            "a page is written as a whole, and has no place to go on from",
            "--since TIME, or: videodb events filter --cursor-file PATH … | videodb events report -",
        ),
    }


@app.command(cls=ReportCommand)
@with_selection
@hints_at_unread_input
def report(
    criteria: Criteria,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Files, directories, or - for standard input.", show_default=False),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to this file; - means stdout.  [default: videodb-report-SESSION.html]",
            show_default=False,
        ),
    ] = None,
    opens: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Use only the first N events.")
    ] = None,
    around: Annotated[
        str | None,
        typer.Option("--around", metavar="TIME", help="Also show events within this time of each match: 30s."),
    ] = None,
    no_redact: Annotated[
        bool, typer.Option("--no-redact", help="Show secrets, card numbers, e-mail addresses and telephone numbers.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 2 at the first line that is not JSON.")] = False,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Write one HTML page of a session: time line, transcript, screens, alerts, gaps, video. It needs no network.

    videodb events report --session last --open
    """
    from videodb_cli.app import report_page
    from videodb_cli.report.builder import ReportBuilder

    if output == "-" and (as_json or opens):
        raise UsageError(
            f"-o - cannot be combined with {'--json' if as_json else '--open'}", hint="name a file: -o report.html"
        )
    target = None if output in {None, "-"} else Path(str(output)).expanduser()
    if target is not None:
        report_page.check_target(target)  # before a large log is read
    builder = ReportBuilder(lists_interim=criteria.interim, redact=None if no_redact else _redactor())
    around_s = None if around is None else parse_duration(around)
    options = ReadOptions(limit=limit, around_s=around_s, strict=strict)
    with open_log(files, directory, env_file).read(criteria, options) as reading:
        _take(reading, builder)
        notes = _notes(reading)
        tell_broken(reading.matches.broken, strict=strict)
    if not builder.events:
        raise NoMatchError(
            "nothing matched: no page was written", hint="what the log holds: videodb events stats --by stream"
        )
    content, pieces = builder.page(notes=notes)
    if output == "-":
        for piece in pieces:
            console.data_bytes(piece)
        return 0
    first = content.entries[0].at if content.entries else None
    path = target or Path(report_page.default_name(builder.sessions, first))
    report_page.write_page(path, pieces)
    if as_json:
        console.data_json(report_page.summary(content, sum(map(len, pieces)), path, builder.sessions))
    else:
        console.data(console.one_line(str(path)))
    if opens:
        _open(path)
    return 0


def _redactor() -> Callable[[str], str]:
    """Return what hides secrets and personal data: a page is made to be passed on."""
    from videodb_cli.eventlog.query.redact import Redactor

    redactor = Redactor.from_names("all")
    return lambda text: str(redactor.text(text).text)


def _take(reading: Reading, builder: ReportBuilder) -> None:
    import gc

    add = builder.add
    # Events have no circles, and looking for some again and again takes a fifth of the time.
    gc.disable()
    try:
        for batch in reading.matches.batches():
            for line in batch.lines:
                try:
                    event = line.decode()
                except ValueError:
                    continue  # it is context, not a match, and told as broken
                if isinstance(event, dict):
                    add(event)
    finally:
        gc.enable()


def _notes(reading: Reading) -> tuple[str, ...]:
    """Return where the page comes from, and what could not be read."""
    from datetime import datetime

    names = [source.path.name if source.path is not None else "standard input" for source in reading.sources]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
    notes = [f"Made from {shown} on {datetime.now().astimezone():%Y-%m-%d %H:%M %Z}. It loads nothing from elsewhere."]
    if broken := reading.matches.broken.count:
        notes.append(f"{broken:,} {'line is' if broken == 1 else 'lines are'} not JSON and not shown.")
    return tuple(notes)


def _open(path: Path) -> None:
    import webbrowser

    if not webbrowser.open(path.resolve().as_uri()):
        console.talk(f"no browser could be opened here; open {console.one_line(str(path))} yourself")

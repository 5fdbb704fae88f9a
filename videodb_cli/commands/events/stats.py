"""`videodb events stats`: counts, rates, first and last, gaps."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from videodb_cli import console
from videodb_cli.commands.events.flags import Refusals, SelectingCommand, SelectionFlags, with_selection
from videodb_cli.commands.events.output import tell_broken
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption, reading_run_dir
from videodb_cli.commands.tree import new_app
from videodb_cli.errors import UsageError
from videodb_cli.eventlog.counting import count_parts
from videodb_cli.eventlog.groupcount import BY
from videodb_cli.eventlog.query import parts_of
from videodb_cli.eventlog.scan import plan_of
from videodb_cli.eventlog.sources import resolve_sources
from videodb_cli.eventlog.stats import Tally
from videodb_cli.eventlog.streaming import Limit

if TYPE_CHECKING:
    from collections.abc import Mapping

app = new_app()


class StatsCommand(SelectingCommand):
    """What stats has no use for."""

    without: ClassVar[Refusals] = {
        "--around": (
            "stats counts what is selected, and nothing around it",
            "videodb events filter --around 30s … | videodb events stats -",
        ),
        "--cursor-file": (
            "stats counts all that is selected, and has no place to go on from",
            "--since TIME, or: videodb events filter --cursor-file PATH … | videodb events stats -",
        ),
    }


@app.command(cls=StatsCommand)
@with_selection
def stats(
    flags: SelectionFlags,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Files, directories, or - for standard input.", show_default=False),
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar="|".join(BY), help="What to count by.")] = "channel",
    full: Annotated[
        bool, typer.Option("--full", help="Text volume and latencies too; reads every event whole.")
    ] = False,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="Of the first N events.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 2 when a line is not JSON.")] = False,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Count events: how many a minute, from when to when, what was missed. Recovered ones count when they were.

    videodb events stats --since 1h --by minute
    """
    if by not in BY:
        raise UsageError(f"cannot count by {by}", hint=f"--by takes one of: {', '.join(BY)}")
    run_dir = reading_run_dir(directory, env_file, files)
    sources = resolve_sources(files or [], run_dir)
    selection = flags.selection(sources, run_dir)
    tally = Tally(by, full=full)
    parts = parts_of(sources, selection)
    counted = None if limit is None else Limit(limit)
    broken = count_parts(parts, plan_of(selection), tally, limit=counted, strict=strict)
    tell_broken(broken, strict=strict)
    report = tally.report(broken.count, broken.damaged)
    if as_json:
        console.data_json(report)
        return 0
    for row in _table(report, full=full):
        console.data(row)
    return 0


def _table(report: Mapping[str, Any], *, full: bool) -> list[str]:
    """The report as aligned rows."""
    total = report["count"]
    days = report["first"] is not None and _day(report["first"]) != _day(report["last"])
    header = [report["by"], "events", "share", "per min", "first", "last"]
    if full:
        header += ["words", "late p50", "late p95"]
    rows = [header]
    for group in [*report["groups"], {**report, "name": "all"}]:
        cells = [
            console.one_line(group["name"]),
            f"{group['count']:,}",
            f"{100 * group['count'] / total:.1f} %" if total else "",
            "" if group["rate"] is None else f"{group['rate'] * 60:,.1f}",
            _clock(group["first"], days=days),
            _clock(group["last"], days=days),
        ]
        if full:
            cells += [f"{group['words']:,}", _late(group["latency_p50_s"]), _late(group["latency_p95_s"])]
        rows.append(cells)
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    # Names stand left, numbers right.
    lines = [
        "  ".join(
            console.pad(cell, width) if column in {0, 4, 5} else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    gaps = report["gaps"]
    lost = f"{gaps['count']} ({gaps['seconds']:g} s)" if gaps["count"] else "none"
    damaged = report["damaged"]
    unread = f" · {damaged:,} file{'' if damaged == 1 else 's'} not read to the end" if damaged else ""
    return [*lines, f"gaps {lost} · {report['recovered']:,} recovered · {report['broken']:,} not JSON{unread}"]


def _clock(at: float | None, *, days: bool) -> str:
    if at is None:
        return ""
    try:
        moment = datetime.fromtimestamp(at)  # noqa: DTZ006 - local time is meant
    except (OverflowError, ValueError, OSError):
        return "?"
    return moment.strftime("%Y-%m-%d %H:%M:%S" if days else "%H:%M:%S")


def _day(at: float) -> str:
    return _clock(at, days=True)[:10]


def _late(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s"

"""`videodb events stats`: counts, rates, first and last, gaps."""

from __future__ import annotations

import math
import sys
from datetime import datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from videodb_cli import cells, console
from videodb_cli.commands.events.bounds import Bounds, with_answer_bounds
from videodb_cli.commands.events.flags import Refusals, SelectingCommand, with_selection
from videodb_cli.commands.events.reading import open_log, tell_broken
from videodb_cli.commands.events.unread_input import hints_at_unread_input
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption
from videodb_cli.commands.output_options import OutputOptions, with_output
from videodb_cli.commands.tree import new_app
from videodb_cli.errors import UsageError
from videodb_cli.eventlog.matches import ReadOptions
from videodb_cli.eventlog.query.criteria import Criteria
from videodb_cli.eventlog.query.fast.group_count import BY
from videodb_cli.eventlog.views.stats import EventCounts
from videodb_cli.render.bars import with_bars

if TYPE_CHECKING:
    from collections.abc import Mapping

app = new_app()

_TODAY, _LONG, _SHORT = "%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%m-%d %H:%M"
_LONG_FROM = 32  # columns of a terminal


class StatsCommand(SelectingCommand):
    """The command `stats`, which refuses flags that make no sense for it."""

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
@with_output
@with_answer_bounds
@hints_at_unread_input
def stats(
    criteria: Criteria,
    output: OutputOptions,
    bounds: Bounds,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Files, directories, or - for standard input.", show_default=False),
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar="|".join(BY), help="What to count by.")] = "channel",
    full: Annotated[
        bool,
        typer.Option("--full", help="Also measure text volume and latency; slower, because it decodes every event."),
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Use only the first N events.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 2 if a line is not JSON.")] = False,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Count events: how many a minute, from when to when, what was missed. Recovered ones count when they were.

    videodb events stats --since 1h --by minute
    """
    if by not in BY:
        raise UsageError(f"cannot count by {by}", hint=f"--by takes one of: {', '.join(BY)}")
    counts = EventCounts(by, full=full)
    with output.destination(is_paged=True):
        form = output.chosen(as_json=as_json, default="pretty")
        log = open_log(files, directory, env_file)
        with log.read(criteria, ReadOptions(limit=limit, strict=strict)) as reading:
            output.check(reading.sources)
            reading.matches.count(counts)
            broken = reading.matches.broken
            tell_broken(broken, strict=strict)
        report = counts.report(broken.count, broken.damaged)
        report["groups"] = [{**group, "name": bounds.text(group["name"])} for group in report["groups"]]
        if not report["count"]:
            log.tell_unmatched()
        _print(report, form, bounds, full=full)
    return 0


def _print(report: dict[str, Any], form: str, bounds: Bounds, *, full: bool) -> None:
    if form == "json":
        bounds.write_json(_finite(report), "groups")
    elif form == "pretty":
        bounds.write_text("".join(f"{row}\n" for row in _fitting(report, full=full)))
    else:
        from videodb_cli.commands.events.table_output import print_table

        groups = [{report["by"]: group["name"], **_finite(group)} for group in report["groups"]]
        columns = [
            name for name in (groups[0] if groups else (report["by"], "count", "first", "last")) if name != "name"
        ]
        print_table(form, columns, groups)


def _finite(value: Any) -> Any:
    """Return the report without infinite numbers, which JSON does not have: a stamp may be 1e400."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _fitting(report: Mapping[str, Any], *, full: bool) -> list[str]:
    """Return the report as aligned rows; on a narrow terminal with shorter times, or with one group below the other."""
    width = console.row_width() if console.is_terminal() else None
    room = sys.maxsize if width is None else width - 1
    days = report["first"] is not None and _day(report["first"]) != _day(report["last"])
    for stamps in (_LONG, _SHORT) if days else (_TODAY,):
        table = _aligned(_rows(report, stamps, full=full))
        if all(cells.width(row) <= room for row in table):
            if width is not None:
                table = with_bars(table, [group["count"] for group in report["groups"]], room)
            break
    else:
        stamps = _TODAY if not days else _LONG if room > _LONG_FROM else _SHORT
        table = _stacked(_rows(report, stamps, full=full), room)
    gaps = report["gaps"]
    lost = f"{gaps['count']} ({gaps['seconds']:g} s)" if gaps["count"] else "none"
    damaged = report["damaged"]
    unread = f" · {damaged:,} file{'' if damaged == 1 else 's'} not read to the end" if damaged else ""
    said = f"gaps {lost} · {report['recovered']:,} recovered · {report['broken']:,} not JSON{unread}"
    return table + (cells.wrap(said, room) if cells.width(said) > room else [said])


def _rows(report: Mapping[str, Any], stamps: str, *, full: bool) -> list[list[str]]:
    """Return the names of the columns, then the values of each group and of all."""
    total = report["count"]
    header = [report["by"], "events", "share", "per min", "first", "last"]
    if full:
        header += ["words", "late p50", "late p95"]
    rows = [header]
    for group in [*report["groups"], {**report, "name": "all"}]:
        row = [
            console.one_line(group["name"]),
            f"{group['count']:,}",
            f"{100 * group['count'] / total:.1f} %" if total else "",
            _per_minute(group, is_minute=report["by"] == "minute" and "groups" not in group),
            _clock(group["first"], stamps),
            _clock(group["last"], stamps),
        ]
        if full:
            row += [f"{group['words']:,}", _late(group["latency_p50_s"]), _late(group["latency_p95_s"])]
        rows.append(row)
    return rows


def _per_minute(group: Mapping[str, Any], *, is_minute: bool) -> str:
    """Return events a minute: of one minute their number, over a short time nothing."""
    if is_minute:
        return f"{group['count']:,}"
    return "" if group["rate"] is None else f"{group['rate'] * 60:,.1f}"


def _aligned(rows: list[list[str]]) -> list[str]:
    """Return rows with names and times aligned left, and numbers right."""
    widths = [max(cells.width(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cells.pad(cell, width) if column in {0, 4, 5} else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _stacked(rows: list[list[str]], room: int) -> list[str]:
    """Return for each group its name and, below it, a row for each of its values."""
    (_, *names), *groups = rows
    column = max(len(name) for name in names)
    lines: list[str] = []
    for name, *values in groups:
        lines += cells.wrap(name, room)
        for label, value in zip(names, values, strict=True):
            parts = cells.wrap(value, room - column - 3)
            lines += [
                f"  {title:<{column}} {part}".rstrip() for title, part in zip_longest([label], parts, fillvalue="")
            ]
    return lines


def _clock(at: float | None, stamps: str) -> str:
    if at is None:
        return ""
    try:
        moment = datetime.fromtimestamp(at)  # noqa: DTZ006 - local time is meant
    except (OverflowError, ValueError, OSError):
        return "?"
    return moment.strftime(stamps)


def _day(at: float) -> str:
    return _clock(at, _LONG)[:10]


def _late(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s"

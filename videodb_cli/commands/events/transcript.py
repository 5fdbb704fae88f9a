"""`videodb events transcript`: prints what was said as readable text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

import typer

from videodb_cli import cells, console
from videodb_cli.commands.events.bounds import Bounds, with_answer_bounds
from videodb_cli.commands.events.flags import Refusals, SelectingCommand, with_selection
from videodb_cli.commands.events.reading import open_log, tell_broken
from videodb_cli.commands.events.unread_input import hints_at_unread_input
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption
from videodb_cli.commands.output_options import OutputOptions, with_forms
from videodb_cli.commands.tree import new_app
from videodb_cli.errors import NoMatchError, UsageError
from videodb_cli.eventlog.matches import ReadOptions
from videodb_cli.eventlog.query.criteria import Criteria
from videodb_cli.eventlog.query.scan import Line
from videodb_cli.eventlog.query.times import parse_duration
from videodb_cli.eventlog.views import transcript as spoken
from videodb_cli.model import event as ev

app = new_app()

_FORMATS = ("text", "srt", "vtt", "md", "pretty", "json", "csv", "tsv")
_COLUMNS = ("stream", "start", "end", "text", "visual")
_WIDTH = 98  # of text in a pipe


class TranscriptCommand(SelectingCommand):
    """The command `transcript`, which refuses flags that make no sense for it."""

    without: ClassVar[Refusals] = {
        "--cursor-file": (
            "a transcript is written as a whole, and has no place to go on from",
            "videodb events filter --cursor-file PATH --channel transcript | videodb events transcript -",
        ),
        "--interim": (
            "a transcript is made of what is final",
            "videodb events filter --channel transcript --interim -r .data.text",
        ),
    }


@app.command(cls=TranscriptCommand)
@with_selection
@with_forms(*_FORMATS, default="text")
@with_answer_bounds
@hints_at_unread_input
def transcript(
    criteria: Criteria,
    output: OutputOptions,
    bounds: Bounds,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Files, directories, or - for standard input.", show_default=False),
    ] = None,
    visuals: Annotated[bool, typer.Option("--visuals", help="Include what was on the screen.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Use only the first N events.")
    ] = None,
    around: Annotated[
        str | None,
        typer.Option("--around", metavar="TIME", help="Also show what was said within this time of each match: 30s."),
    ] = None,
    must_match: Annotated[bool, typer.Option("-e", help="Exit 1 if nothing was said.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 2 at the first line that is not JSON.")] = False,
    front_matter: Annotated[
        bool, typer.Option("--front-matter", help="With --format md and -o DIR: write one note for each session there.")
    ] = False,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Print what was said: final transcripts, by stream, in paragraphs, with the times at which they were said.

    videodb events transcript --session last --format md > notes.md
    """
    if front_matter:
        if output.form != "md" or output.file in {None, "-"} or as_json or visuals or limit or around:
            raise UsageError(
                "--front-matter writes notes: it needs --format md and -o DIR, and takes no other form",
                hint="videodb events transcript --format md --front-matter -o DIR",
            )
        if "-" in (files or ()):
            raise UsageError("notes are made of files, which are read twice; standard input can be read once")
        from videodb_cli.commands.events.notes import write_notes

        return write_notes(open_log(files, directory, env_file), criteria, Path(str(output.file)))
    around_s = None if around is None else parse_duration(around)
    options = ReadOptions(limit=limit, around_s=around_s, strict=strict, without_own=True)
    channels = ("transcript", "visual_index") if visuals else ("transcript",)
    with output.destination(is_paged=True):
        form = output.chosen(as_json=as_json, forms=_FORMATS, default="text")
        found: list[spoken.Said] = []
        log = open_log(files, directory, env_file)
        with log.read(_spoken(criteria, channels), options) as reading:
            output.check(reading.sources)
            for batch in reading.matches.batches():
                for line in batch.lines:
                    one = _said_of(line)
                    if one is not None and (visuals or not one.is_visual):
                        found.append(one._replace(text=bounds.text(one.text), stream=bounds.text(one.stream)))
            tell_broken(reading.matches.broken, strict=strict)
        if not found:
            log.tell_unmatched()
        _print(spoken.in_order(found), form, bounds)
    return NoMatchError.exit_status if must_match and not found else 0


def _print(said: list[spoken.Said], form: str, bounds: Bounds) -> None:
    if form == "json":
        bounds.write_json(spoken.as_json(said), "paragraphs")
        return
    if not said:
        console.talk("nothing final was said in what was selected")
    if form in {"csv", "tsv"}:
        from videodb_cli.commands.events.table_output import print_table

        print_table(form, _COLUMNS, spoken.as_json(said)["paragraphs"])
        return
    if form in {"text", "pretty"}:
        width = (console.row_width() if console.is_terminal() or form == "pretty" else None) or _WIDTH + 1
        text = spoken.as_text(said, lambda words, indent: cells.wrap(words, min(width - 1, _WIDTH) - indent))
    else:
        text = spoken.as_markdown(said) if form == "md" else spoken.as_subtitles(said, form)
    bounds.write_text(text)


def _spoken(criteria: Criteria, channels: tuple[str, ...]) -> Criteria:
    return criteria._replace(channel=criteria.channel or channels, final=True, interim=False)


def _said_of(line: Line) -> spoken.Said | None:
    try:
        event = line.decode()
    except ValueError:
        return None  # it is context, not a match
    return spoken.said_of(event) if isinstance(event, dict) and not ev.is_own(event) else None

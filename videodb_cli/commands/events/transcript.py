"""`videodb events transcript`: what was said, readable."""

from __future__ import annotations

from typing import Annotated, ClassVar

import typer

from videodb_cli import console
from videodb_cli.commands.events.flags import Refusals, SelectingCommand, SelectionFlags, widened, with_selection
from videodb_cli.commands.events.output import tell_broken
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption, reading_run_dir
from videodb_cli.commands.tree import new_app
from videodb_cli.errors import UsageError
from videodb_cli.eventlog.query.context import TimeContext
from videodb_cli.eventlog.query.run import THOROUGH, iter_ranges, ranges_of
from videodb_cli.eventlog.query.scan import Line, Scanner, plan_of
from videodb_cli.eventlog.query.streaming import Limit
from videodb_cli.eventlog.query.times import parse_duration
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.sources import resolve_sources
from videodb_cli.eventlog.views import transcript as spoken
from videodb_cli.model import event as ev

app = new_app()

_FORMATS = ("text", "srt", "vtt", "md")


class TranscriptCommand(SelectingCommand):
    """What a transcript has no use for."""

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
def transcript(
    flags: SelectionFlags,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Files, directories, or - for standard input.", show_default=False),
    ] = None,
    kind: Annotated[str, typer.Option("--format", metavar="|".join(_FORMATS), help="How it is written.")] = "text",
    visuals: Annotated[bool, typer.Option("--visuals", help="What was on screen beside it.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="Of the first N events.")] = None,
    around: Annotated[
        str | None, typer.Option("--around", metavar="TIME", help="With each, what was said within this time: 30s.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 2 at a line that is not JSON.")] = False,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Print what was said: final transcripts, by stream, in paragraphs, with the times at which they were said.

    videodb events transcript --session last --format md > notes.md
    """
    if kind not in _FORMATS:
        raise UsageError(f"no format is called {kind}", hint=f"--format takes one of: {', '.join(_FORMATS)}")
    run_dir = reading_run_dir(directory, env_file, files)
    sources = resolve_sources(files or [], run_dir)
    channels = ("transcript", "visual_index") if visuals else ("transcript",)
    selection = flags.selection(sources, run_dir, without_own=True)
    if not selection.channels:
        selection = selection._replace(channels=channels)
    selection = selection._replace(final=True, interim=False)
    context = None if around is None else TimeContext(parse_duration(around))
    parts = ranges_of(sources, widened(selection, None if context is None else context.seconds))
    broken = BrokenLines()
    scanner = Scanner(plan_of(selection), broken, thorough=sum(part.size for part in parts) <= THOROUGH)
    counted = Limit(limit)
    found: list[spoken.Said] = []
    for source, block in iter_ranges(parts, broken):
        lines = counted.take(scanner.lines(source, block))
        for line in lines if context is None else context.lines(block, [line.offset for line in lines]):
            one = _said_of(line)
            if one is not None and (visuals or not one.is_visual):
                found.append(one)
        if counted.is_reached and (context is None or context.is_settled):
            break
    tell_broken(broken, strict=strict)
    said = spoken.in_order(found)
    if as_json:
        console.data_json(spoken.as_json(said))
        return 0
    if not said:
        console.talk("nothing final was said in what was selected")
    renderers = {"text": spoken.as_text, "md": spoken.as_markdown}
    text = renderers[kind](said) if kind in renderers else spoken.as_subtitles(said, kind)
    console.data_bytes(text.encode("utf-8", "replace"))
    return 0


def _said_of(line: Line) -> spoken.Said | None:
    try:
        event = line.decode()
    except ValueError:
        return None  # it came along with what stands around it
    return spoken.said_of(event) if isinstance(event, dict) and not ev.is_own(event) else None

"""`videodb events transcript`: what was said, readable."""

from __future__ import annotations

from typing import Annotated

import typer

from videodb_cli import console
from videodb_cli.commands.events.flags import SelectionFlags, with_selection
from videodb_cli.commands.events.output import tell_broken
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption, existing_run_dir
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import UsageError
from videodb_cli.eventlog import transcript as spoken
from videodb_cli.eventlog.query import THOROUGH, iter_parts, parts_of
from videodb_cli.eventlog.scan import BrokenLines, Scanner, plan_of
from videodb_cli.eventlog.sources import resolve_sources
from videodb_cli.eventlog.streaming import Limit
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import resolve_directory

app = new_app()

_FORMATS = ("text", "srt", "vtt", "md")


@app.command(cls=PanelCommand)
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
    run_dir = existing_run_dir(directory, env_file) or RunDir(resolve_directory(None, directory, env_file).path)
    sources = resolve_sources(files or [], run_dir)
    channels = ("transcript", "visual_index") if visuals else ("transcript",)
    selection = flags.selection(sources, run_dir, without_own=True)
    if not selection.channels:
        selection = selection._replace(channels=channels)
    selection = selection._replace(final=True, interim=False)
    parts = parts_of(sources, selection)
    broken = BrokenLines()
    scanner = Scanner(plan_of(selection), broken, thorough=sum(part.size for part in parts) <= THOROUGH)
    counted = Limit(limit)
    found: list[spoken.Said] = []
    for source, block in iter_parts(parts):
        for line in counted.take(scanner.lines(source, block)):
            one = spoken.said_of(line.decode())
            if one is not None and (visuals or not one.is_visual):
                found.append(one)
        if counted.is_reached:
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

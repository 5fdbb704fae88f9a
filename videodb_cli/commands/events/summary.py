"""`videodb events summary`: what happened, in a bounded answer."""

from __future__ import annotations

from typing import Annotated, ClassVar

import typer

from videodb_cli import console
from videodb_cli.commands.events.bounds import Bounds, with_answer_bounds
from videodb_cli.commands.events.flags import Refusals, SelectingCommand, with_selection
from videodb_cli.commands.events.reading import open_log, tell_broken
from videodb_cli.commands.events.unread_input import hints_at_unread_input
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption
from videodb_cli.commands.tree import new_app
from videodb_cli.errors import UsageError
from videodb_cli.eventlog.matches import ReadOptions
from videodb_cli.eventlog.query.criteria import Criteria

app = new_app()


class SummaryCommand(SelectingCommand):
    """The command `summary`, which refuses flags that make no sense for it."""

    without: ClassVar[Refusals] = {
        "--around": (
            "summary tells of what is selected, and of nothing around it",
            "videodb events filter --around 30s … | videodb events summary -",
        ),
        "--cursor-file": (
            "summary tells of all that is selected, and has no place to go on from",
            "--since TIME, or: videodb events filter --cursor-file PATH … | videodb events summary -",
        ),
    }


@app.command(cls=SummaryCommand)
@with_selection
@with_answer_bounds
@hints_at_unread_input
def summary(
    criteria: Criteria,
    bounds: Bounds,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Files, directories, or - for standard input.", show_default=False),
    ] = None,
    budget: Annotated[
        int,
        typer.Option("--budget", metavar="TOKENS", min=60, help="How long the answer may be; a token is four bytes."),
    ] = 400,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Use only the first N events.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 2 at the first line that is not JSON.")] = False,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Tell what happened: what was said, screens by share of time, alerts, sessions, gaps, errors, and what shows more.

    Nothing is reworded: sentences stand as they were said, chosen by the weight of their words.

    videodb events summary --since 30m --budget 300
    """
    from videodb_cli.eventlog.query.budget import BYTES_A_TOKEN
    from videodb_cli.eventlog.read.decode import decode
    from videodb_cli.eventlog.views.happenings import Happenings
    from videodb_cli.eventlog.views.next_commands import Origin
    from videodb_cli.eventlog.views.summary import LEAST_TOKENS, summarize_seen

    if bounds.limit is not None:
        budget = bounds.limit // BYTES_A_TOKEN
        if budget < LEAST_TOKENS:
            raise UsageError(f"a summary needs at least {LEAST_TOKENS * BYTES_A_TOKEN} bytes ({LEAST_TOKENS} tokens)")
    seen = Happenings()
    with open_log(files, directory, env_file).read(criteria, ReadOptions(limit=limit, strict=strict)) as reading:
        for batch in reading.matches.batches():
            for line in batch.lines:
                event = decode(line.raw)
                seen.add(bounds.event(event) if isinstance(event, dict) else {})
        tell_broken(reading.matches.broken, strict=strict)
    origin = Origin(_flags(criteria, directory, env_file), tuple(files or ()))
    found = summarize_seen(seen, budget, form="json" if as_json else "text", origin=origin)
    if as_json:
        console.data_json(found.to_json(), indent=False)
    else:
        console.data_text(console.escape_controls(found.text()))
    return 0


def _flags(criteria: Criteria, directory: str | None, env_file: str | None) -> tuple[str, ...]:
    """Return the flags that the commands which show more need as well."""
    flags: list[str] = []
    for name, value in (("--dir", directory), ("--env-file", env_file), ("--session", criteria.session)):
        flags += [name, value] if value is not None else []
    for stream in criteria.stream or ():
        flags += ["--stream", stream]
    return tuple(flags)

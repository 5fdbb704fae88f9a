"""`videodb events filter`: select events with flags, reshape them with jq programs."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from videodb_cli import console
from videodb_cli.commands.events.bounds import Bounds, with_bounds
from videodb_cli.commands.events.filter_output import JqFlags, chosen, sink
from videodb_cli.commands.events.flags import CursorOption, with_selection
from videodb_cli.commands.events.jq_options import FilterCommand, variables_of
from videodb_cli.commands.events.reading import Failures, open_log, tell_broken, tell_skipped
from videodb_cli.commands.events.unread_input import hints_at_unread_input
from videodb_cli.commands.options import DirectoryOption, EnvFileOption
from videodb_cli.commands.output_options import OutputOptions, with_output
from videodb_cli.commands.tree import new_app
from videodb_cli.errors import NotFoundError, RefusedError, UsageError
from videodb_cli.eventlog.matches import ReadOptions
from videodb_cli.eventlog.query.criteria import Criteria
from videodb_cli.eventlog.query.jq_plan import prepared
from videodb_cli.eventlog.query.times import parse_duration
from videodb_cli.eventlog.read.cursor import Cursor
from videodb_cli.userpaths import absolute

if TYPE_CHECKING:
    from collections.abc import Iterable

    from videodb_cli.commands.events.filter_output import Sink
    from videodb_cli.eventlog.matches import Batch, Matches
    from videodb_cli.eventlog.query.jq_run import Halt
    from videodb_cli.eventlog.query.output import Shaped, Shaper
    from videodb_cli.eventlog.read.broken import LinePlace

app = new_app()

_OUTPUT = "Output (as in jq)"


def _output(*names: str, text: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=_OUTPUT)


@app.command(
    cls=FilterCommand,
    epilog="--arg NAME VALUE, --argjson NAME JSON and --slurpfile NAME FILE set $NAME, each as often as needed.",
)
@with_selection
@with_output
@with_bounds
@hints_at_unread_input
def filter_events(
    ctx: typer.Context,
    criteria: Criteria,
    output: OutputOptions,
    bounds: Bounds,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROGRAM] [FILE]...",
            help="A jq program, then files, directories, or - for standard input.",
            show_default=False,
        ),
    ] = None,
    raw: Annotated[bool, _output("-r", "--raw-output", text="Print strings as they are, not as JSON.")] = False,
    join: Annotated[bool, _output("-j", "--join-output", text="As -r, without a newline after each.")] = False,
    compact: Annotated[bool, _output("-c", "--compact-output", text="One line each, on a terminal too.")] = False,
    sort_keys: Annotated[bool, _output("-S", "--sort-keys", text="Sort the keys of objects.")] = False,
    tab: Annotated[bool, _output("--tab", text="Indent by tabs.")] = False,
    indent: Annotated[
        int | None,
        typer.Option("--indent", metavar="N", min=0, max=7, help="Indent by N spaces.", rich_help_panel=_OUTPUT),
    ] = None,
    color: Annotated[bool, _output("-C", "--color-output", text="Colour, in a pipe too.")] = False,
    monochrome: Annotated[bool, _output("-M", "--monochrome-output", text="No colour.")] = False,
    slurp: Annotated[bool, _output("-s", "--slurp", text="Give the program all events as one array.")] = False,
    null_input: Annotated[bool, _output("-n", "--null-input", text="Give the program null, and read nothing.")] = False,
    exit_status: Annotated[
        bool, _output("-e", "--exit-status", text="Exit 1 if the last result is false or null, 4 if there was none.")
    ] = False,
    from_file: Annotated[
        str | None,
        typer.Option(
            "-f", "--from-file", metavar="FILE", help="Read the jq program from a file.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("-F", "--follow", help="Keep following the log, as tail -F does.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=0, help="Use only the first N events.")
    ] = None,
    around: Annotated[
        str | None,
        typer.Option("--around", metavar="TIME", help="Also show events within this time of each match: 30s."),
    ] = None,
    cursor_file: CursorOption = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 2 at the first line that is damaged or fails.")
    ] = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Select events with flags and reshape them with a jq program; without one, lines pass exactly as logged.

    videodb events filter --since 10m --channel transcript --final -r .data.text
    """
    program, files = _program_and_files(arguments or [], from_file)
    if slurp and (follow or cursor_file is not None or around is not None):
        raise UsageError("-s takes all events at once: it goes with neither --follow, --around nor --cursor-file")
    cursor = None if cursor_file is None else Cursor(absolute(cursor_file))
    if slurp and bounds.limit is not None:
        raise UsageError("-s gives one answer of all events: --max-bytes cannot end it", hint="--limit N")
    start = bounds.cursor(cursor)
    around_s = None if around is None else parse_duration(around)
    flags = JqFlags(raw, join, compact, sort_keys, tab, indent, color, monochrome)
    whole = slurp or null_input
    with output.destination(is_followed=follow or cursor is not None, is_paged=not follow) as is_continued:
        printing = chosen(output, flags, is_identity=program.strip() in {"", "."} and not whole)
        plan, shaper = prepared(program, printing.form, variables_of(ctx), strict=strict, whole=whole)
        redraws = follow and not criteria.interim
        results = partial(sink, printing, redraws=redraws, is_followed=follow, is_continued=is_continued)
        if null_input:
            return _run_whole(shaper, b"null", results(None)).status(exit_status=exit_status)
        options = ReadOptions(limit=limit, around_s=around_s, cursor=start, strict=strict, plan=plan)
        log = open_log(files, directory, env_file)
        with log.read(criteria, options, follow=follow) as reading:
            output.check(reading.sources)
            with closing(results(cursor)) as put:
                if slurp:
                    ended = _slurped(reading.matches, shaper, put, bounds, strict)
                else:
                    ended = _each(reading.matches, shaper, put, bounds, strict=strict, follow=follow)
        if ended.last is None:
            log.tell_unmatched()
        return ended.status(exit_status=exit_status)


def _each(matches: Matches, shaper: Shaper, put: Sink, bounds: Bounds, *, strict: bool, follow: bool) -> _Ended:
    console.flush()
    if matches.is_whole and bounds.limit is None:
        return _whole(matches, bounds.shaper(shaper), put, strict)
    return _streamed(matches, bounds.shaped(matches, shaper, follow=follow), put, strict)


class _Ended(NamedTuple):
    """How filtering ended: the last result (None: there was none), whether some line failed, and a halt."""

    last: bool | None
    has_failed: bool
    halt: Halt | None

    def status(self, *, exit_status: bool) -> int:
        """Returns the exit status; ``exit_status`` is jq's ``-e``. Writes the last words of a program that halted."""
        if self.halt is not None:
            console.pass_on(self.halt.message.encode())
            return self.halt.status
        if self.has_failed:
            return UsageError.exit_status
        if not exit_status or self.last:
            return 0
        return 4 if self.last is None else 1


def _whole(matches: Matches, shaper: Shaper, put: Sink, strict: bool) -> _Ended:
    """Writes the output for all matches, in two processes if that is faster."""
    outcome = matches.shape_all(shaper, put.put, console.pass_on)
    tell_skipped(outcome.broken, outcome.broken_count, outcome.damage, strict=strict)
    failures = Failures()
    failures.tell(outcome.failures, outcome.failure_count, strict=strict)
    failures.close()
    return _Ended(outcome.last, outcome.failure_count > 0, outcome.halt)


def _streamed(matches: Matches, shaped: Iterable[tuple[Batch, Shaped]], put: Sink, strict: bool) -> _Ended:
    """Writes the output for every batch, in order."""
    failures = Failures()
    last: bool | None = None
    halt: Halt | None = None
    for batch, done in shaped:
        tell_broken(matches.broken, strict=strict)
        console.pass_on(done.told)
        failures.tell([(_place(matches, batch, one.place), one.message) for one in done.failures], strict=strict)
        last = last if done.last is None else done.last
        halt = done.halt
        # Lines after a halt were not read: the cursor stays before them.
        put.put(done.output, batch if halt is None else batch.up_to(halt.place))
        if halt is not None:
            break
    tell_broken(matches.broken, strict=strict)
    failures.close()
    return _Ended(last, failures.count > 0, halt)


def _place(matches: Matches, batch: Batch, number: int) -> LinePlace:
    assert batch.source is not None  # noqa: S101 - for the type checker: lines have a source
    return matches.broken.place(batch.source, batch.lines[number].offset)


def _slurped(matches: Matches, shaper: Shaper, put: Sink, bounds: Bounds, strict: bool) -> _Ended:
    collected = [bounds.line(line.raw) for batch in matches.batches() for line in batch.lines]
    tell_broken(matches.broken, strict=strict)
    return _run_whole(shaper, b"[" + b",".join(collected) + b"]", put)


def _program_and_files(arguments: list[str], from_file: str | None) -> tuple[str, list[str]]:
    if from_file is not None:
        try:
            with Path(from_file).open(
                encoding="utf-8-sig", newline=""
            ) as file:  # a lone \r does not end a comment of jq's
                return file.read(), arguments
        except FileNotFoundError:
            raise NotFoundError(f"no such file: {from_file} (named by -f)", code="no_file") from None
        except OSError as error:
            raise RefusedError(f"cannot read the program in {from_file}: {error.strerror}", code="file") from None
        except UnicodeDecodeError as error:
            raise UsageError(f"cannot read the program in {from_file}: {error}") from None
    if not arguments:
        return ".", []
    program, *files = arguments
    if program not in {"", ".", ".."} and _exists(program):
        raise UsageError(
            f"{program} is a file, but the first argument is the jq program, as in jq",
            code="file_as_program",
            hint=f"videodb events filter . {program}",
        )
    return program or ".", files


def _exists(name: str) -> bool:
    if name == "-":
        return True
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False


def _run_whole(shaper: Shaper, text: bytes, put: Sink) -> _Ended:
    done = shaper.shape([text])
    console.pass_on(done.told)
    put.put(done.output)
    if done.failures:
        # There is only one input, so its failure is a failure of the command.
        raise UsageError(done.failures[0].message, code="jq_failed")
    return _Ended(done.last, has_failed=False, halt=done.halt)

"""`videodb events search`: ranked full-text search."""

from __future__ import annotations

import itertools
import re
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import typer

from videodb_cli import cells, console
from videodb_cli.commands.events.flags import Refusals, SelectingCommand, with_selection
from videodb_cli.commands.events.output import event_output
from videodb_cli.commands.events.progress import ProgressBar
from videodb_cli.commands.events.reading import open_log, tell_broken
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption
from videodb_cli.commands.output_options import OutputOptions, with_output
from videodb_cli.commands.tree import new_app, places_of_values
from videodb_cli.errors import NoMatchError, RefusedError, UsageError
from videodb_cli.eventlog.matches import ReadOptions
from videodb_cli.eventlog.query.criteria import Criteria
from videodb_cli.eventlog.query.scan import Line
from videodb_cli.eventlog.query.times import parse_duration
from videodb_cli.eventlog.read.decode import decode
from videodb_cli.eventlog.read.sources import open_source
from videodb_cli.eventlog.views.lookup import lines_at
from videodb_cli.eventlog.views.search_db import IndexUnusableError
from videodb_cli.eventlog.views.search_index import Found, SearchIndex
from videodb_cli.eventlog.views.search_words import Term, found_spans, fts5_query, parse_terms, snippet
from videodb_cli.eventlog.write.rotation import log_name_of
from videodb_cli.model import event as ev

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from videodb_cli.eventlog.query.selection import Selection
    from videodb_cli.eventlog.read.sources import LogSource

app = new_app()

_META = "videodb_cli.unwanted_words"
_FEW = 20
_LEAST_SNIPPET = 8
_BATCH = 32  # lines, of up to a megabyte each
_HELD_BYTES = 16 << 20
# The index of a log up to this size may be in memory; it needs a third of that.
_IN_MEMORY_BYTES = 512 << 20


class SearchCommand(SelectingCommand):
    """A command that takes ``-word`` as a word that must not occur."""

    without: ClassVar[Refusals] = {
        "--cursor-file": (
            "search ranks all that is selected, and has no place to go on from",
            "videodb events filter --cursor-file PATH --grep REGEX",
        )
    }

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line, with unwanted words (``-word``) taken out of it first."""
        self.check_values(ctx, args)
        rest: list[str] = []
        unwanted: list[str] = []
        names = self.option_names(ctx)
        values = {place for _, place in places_of_values(args, names)}
        for number, argument in enumerate(args):
            if argument == "--":
                rest += args[number:]
                break
            is_unwanted = re.match(r'-["\w]', argument) and argument not in {"-h", *names} and number not in values
            (unwanted if is_unwanted else rest).append(argument)
        ctx.meta[_META] = unwanted
        left: list[str] = super().parse_args(ctx, rest)
        return left


class _Hit(NamedTuple):
    source: LogSource
    line: Line
    event: Any
    rank: float


@app.command(cls=SearchCommand)
@with_selection
@with_output
def search(
    ctx: typer.Context,
    criteria: Criteria,
    output: OutputOptions,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORDS...", help="Words, '\"exact phrases\"', prefix*, -not.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="The best N.  [default: 20 on a terminal]")
    ] = None,
    around: Annotated[
        str | None, typer.Option("--around", metavar="TIME", help="With each, what came within this time: 30s.")
    ] = None,
    no_index: Annotated[bool, typer.Option("--no-index", help="Read everything instead of keeping an index.")] = False,
    files: Annotated[
        list[str] | None,
        typer.Option("--file", metavar="FILE", help="Search this file or directory instead.", show_default=False),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 2 when a line is not JSON.")] = False,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Search what was said and seen, best first. Exit 1 when nothing matches.

    videodb events search '"access keys"' rotat* -draft --around 30s
    """
    terms = parse_terms(" ".join(_as_typed(word) for word in _utf8([*(words or []), *ctx.meta[_META]])))
    around_s = None if around is None else parse_duration(around)
    with output.destination(is_paged=True):
        form = output.chosen(as_json=as_json)
        is_object = as_json or output.form == "json"
        wanted = _FEW if limit is None and console.is_terminal() and form == "pretty" else limit
        with open_log(files, directory, env_file).read(criteria, ReadOptions(without_own=True)) as reading:
            sources = reading.sources
            output.check(sources)
            _check_sources(sources)
            index, found = _searched(sources, fts5_query(terms), no_index=no_index)
            try:
                tell_broken(index.faults(), strict=strict)
                hits = _hits(found, reading.matches.selection)
                best = hits if wanted is None else itertools.islice(hits, wanted)
                count = _print_json(best, terms) if is_object else _print(best, terms, sources, around_s, form)
                more = count == wanted and next(hits, None) is not None
            finally:
                index.close()
        if not count:
            if is_object:
                return 1
            raise NoMatchError("nothing matched")
        if more:
            console.talk(f"the best {count}; there are more: --limit")
    return 0


def _check_sources(sources: list[LogSource]) -> None:
    """Raise an error of the log itself, which is no fault of the index; UsageError for what can be read only once."""
    if any(source.is_stream for source in sources):
        raise UsageError(
            "search reads more than once, which standard input and pipes do not allow",
            hint="videodb events filter --grep REGEX . -",
        )
    for source in sources:
        if not source.is_rotated:
            open_source(source).close()


def _utf8(words: list[str]) -> list[str]:
    """Return the words. Raises UsageError for bytes that are no text: SQLite takes none, and no event has any."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise UsageError(f"the word {word} is not UTF-8", hint="use a terminal with UTF-8") from None
    return words


def _as_typed(word: str) -> str:
    """Quote an argument with spaces: it is one phrase, although the shell has removed the quotes."""
    is_query = '"' in word or any(part.startswith("-") or part.endswith("*") for part in word.split())
    return f'"{word}"' if " " in word.strip() and not is_query else word


def _searched(sources: list[LogSource], query: str, *, no_index: bool) -> tuple[SearchIndex, Iterator[Found]]:
    """Return the results and the open index, which the caller closes.

    The index is stored beside the log. If that is not possible or not wanted, it is built for this run only. Raises
    RefusedError if there is no room for it anywhere.
    """
    last = sources[-1].path if sources else None
    if not no_index and last is not None:
        path = _beside(last)
        try:
            return _ask(SearchIndex(path), sources, query)
        except (IndexUnusableError, OSError) as error:
            console.talk(f"no index can be kept at {path} ({error}); reading everything")
    try:
        return _ask(SearchIndex(None), sources, query)
    except IndexUnusableError as error:
        if sum(source.path.stat().st_size for source in sources if source.path is not None) > _IN_MEMORY_BYTES:
            raise RefusedError(
                f"there is no room for the search in the directory of temporary files: {error}",
                code="no_room",
                hint="export TMPDIR=DIR, one with room, or: videodb events filter --grep REGEX",
            ) from error
        return _ask(SearchIndex(None, in_memory=True), sources, query)


def _ask(index: SearchIndex, sources: list[LogSource], query: str) -> tuple[SearchIndex, Iterator[Found]]:
    try:
        with ProgressBar() as bar:
            index.update(sources, bar.show)
        return index, index.search(query)
    except BaseException:
        index.close()
        raise


def _beside(log: Path) -> Path:
    return log.with_name(f"{log_name_of(log.name)}.index")


def _hits(found: Iterator[Found], selection: Selection) -> Iterator[_Hit]:
    tests = selection.tests()
    while batch := list(itertools.islice(found, _BATCH)):
        places: dict[LogSource, list[int]] = {}
        for one in batch:
            places.setdefault(one.source, []).append(one.offset)
        lines = {source: lines_at(source, offsets) for source, offsets in places.items()}
        for one in batch:
            raw = lines[one.source].get(one.offset)
            event = None if raw is None else _event(raw)
            if raw is not None and event is not None and all(test(event) for test in tests):
                yield _Hit(one.source, Line(one.offset, raw), event, one.rank)


def _event(raw: bytes) -> ev.Event | None:
    try:
        event = decode(raw)
    except ValueError:
        return None  # the log was truncated during the search
    return event if isinstance(event, dict) else None


def _result(hit: _Hit, terms: list[Term]) -> dict[str, Any]:
    text = ev.text_of(hit.event) or ""
    shown, _ = snippet(text, found_spans(text, terms), 160)
    return {"score": round(-hit.rank, 4), "snippet": shown, "event": hit.event}


def _print_json(hits: Iterator[_Hit], terms: list[Term]) -> int:
    """Print one object. It begins with the count, so results are first collected in a temporary file."""
    if console.is_terminal():
        results = [_result(hit, terms) for hit in hits]
        console.data_json({"count": len(results), "results": results})
        return len(results)
    import tempfile

    count = 0
    with tempfile.SpooledTemporaryFile(_HELD_BYTES) as waiting:
        for hit in hits:
            text = console.json_text(_result(hit, terms)).encode(errors="replace")
            try:
                waiting.write(b"," + text if count else text)
            except OSError as error:
                raise RefusedError(
                    f"the results have no room in the directory of temporary files: {error.strerror}",
                    code="no_room",
                    hint="export TMPDIR=DIR, one with room, or ask for fewer: --limit N",
                ) from error
            count += 1
        waiting.seek(0)
        console.data_bytes(b'{"count":%d,"results":[' % count)
        while chunk := waiting.read(1 << 16):
            console.data_bytes(chunk)
    console.data_bytes(b"]}\n")
    console.flush()
    return count


def _print(hits: Iterator[_Hit], terms: list[Term], sources: list[LogSource], around_s: float | None, form: str) -> int:
    """Print results as they come. Returns their number."""
    if around_s is not None:
        return _print_around(hits, terms, sources, around_s, form)
    output = None if form == "pretty" else event_output(form)
    count = 0
    while some := list(itertools.islice(hits, _BATCH)):
        count += len(some)
        if output is None:
            _print_rows(some, terms)
        else:
            output.write([hit.line for hit in some])
    console.flush()
    return count


def _print_rows(hits: list[_Hit], terms: list[Term]) -> None:
    from videodb_cli.commands.events.row_output import event_rows

    rows = event_rows()
    rows.measure(hit.event for hit in hits)
    for hit in hits:
        for row in rows.excerpt(hit.event, partial(_excerpt, hit.event, terms)):
            console.data(row)


def _excerpt(event: ev.Event, terms: list[Term], room: int | None) -> tuple[str, list[tuple[int, int]]]:
    """Return a piece of the words of an event, of at most so many cells around the found words, and their places."""
    from videodb_cli.render.words import safe

    text = safe(ev.text_of(event) or "")
    spans = found_spans(text, terms)
    if room is None:
        return text, spans
    characters = room
    while True:
        shown, moved = snippet(text, spans, characters)
        over = cells.width(shown) - room
        if over <= 0:
            return shown, moved
        if characters <= _LEAST_SNIPPET:
            break
        characters = max(characters - (over + 1) // 2, _LEAST_SNIPPET)
    # A found word is longer than the available width.
    shown = cells.cut(shown, room)
    return shown, [(begin, min(end, len(shown))) for begin, end in moved if begin < len(shown)]


def _print_around(hits: Iterator[_Hit], terms: list[Term], sources: list[LogSource], seconds: float, form: str) -> int:
    from videodb_cli.commands.events.row_output import RowOutput
    from videodb_cli.eventlog.query.context import TimeContext
    from videodb_cli.eventlog.query.last_events import MatchPosition, with_surroundings
    from videodb_cli.eventlog.read.time_range import stamp_of

    matches = [MatchPosition(hit.source, hit.line.offset, stamp_of(hit.line.raw)) for hit in hits]
    output = RowOutput(found=partial(found_spans, terms=terms)) if form == "pretty" else event_output(form)
    for lines in with_surroundings(TimeContext(seconds), sources, matches, lambda _: None):
        if lines:
            output.write(lines)
    output.close()
    return len(matches)

"""`videodb events search`: ranked full-text search."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from videodb_cli import cells, console
from videodb_cli.commands.events.bounds import Bounds, with_shown_bounds
from videodb_cli.commands.events.flags import with_selection
from videodb_cli.commands.events.output import LineOutput, event_output
from videodb_cli.commands.events.progress import ProgressBar
from videodb_cli.commands.events.reading import open_log, tell_broken
from videodb_cli.commands.events.search_query import SearchCommand, typed_terms
from videodb_cli.commands.events.unread_input import hints_at_unread_input
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption
from videodb_cli.commands.output_options import OutputOptions, with_output
from videodb_cli.commands.tree import new_app
from videodb_cli.errors import NoMatchError, RefusedError, UsageError
from videodb_cli.eventlog.matches import ReadOptions
from videodb_cli.eventlog.query.criteria import Criteria
from videodb_cli.eventlog.query.scan import Line
from videodb_cli.eventlog.query.times import parse_duration
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.decode import decode
from videodb_cli.eventlog.read.sources import open_source
from videodb_cli.eventlog.read.spool import Spool
from videodb_cli.eventlog.views.lookup import lines_at
from videodb_cli.eventlog.views.search_db import IndexUnusableError
from videodb_cli.eventlog.views.search_index import Found, SearchIndex
from videodb_cli.eventlog.views.search_words import Term, found_spans, fts5_query, snippet
from videodb_cli.eventlog.write.rotation import log_name_of
from videodb_cli.model import event as ev

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from videodb_cli.eventlog.log import EventLog
    from videodb_cli.eventlog.query.selection import Selection
    from videodb_cli.eventlog.read.sources import LogSource

app = new_app()

_FEW = 20
_LEAST_SNIPPET = 8
_JSON_FRAME = 80  # bytes of an answer around its results
_BATCH = 32  # lines, of up to a megabyte each
_HELD_BYTES = 16 << 20
# The index of a log up to this size may be in memory; it needs a third of that.
_IN_MEMORY_BYTES = 512 << 20


class _Hit(NamedTuple):
    source: LogSource
    line: Line
    event: Any
    rank: float


@app.command(cls=SearchCommand)
@with_selection
@with_output
@with_shown_bounds
@hints_at_unread_input
def search(
    ctx: typer.Context,
    criteria: Criteria,
    output: OutputOptions,
    bounds: Bounds,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORDS...", help="Words, '\"exact phrases\"', prefix*, this OR that, -not; after --: as they are."
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, help="Show the N best matches.  [default: 20 on a terminal]"),
    ] = None,
    around: Annotated[
        str | None,
        typer.Option("--around", metavar="TIME", help="Also show events within this time of each match: 30s."),
    ] = None,
    no_index: Annotated[bool, typer.Option("--no-index", help="Scan the whole log instead of using an index.")] = False,
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--file",
            metavar="FILE",
            help="Search this file or directory instead, or - for standard input. Repeatable.",
            show_default=False,
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 2 if a line is not JSON.")] = False,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Search what was said and seen, best first. Exit 1 when nothing matches.

    videodb events search '"access keys"' rotat* -draft --around 30s
    """
    # A dash is no word, so it names standard input here too.
    files = [*(files or ()), *(word for word in words or () if word == "-")]
    terms = typed_terms(ctx, [word for word in words or () if word != "-"])
    around_s = None if around is None else parse_duration(around)
    is_object = as_json or output.form == "json"
    if is_object and around_s is not None:
        raise UsageError(
            "one JSON object has no place for what came around", hint="without it, lines are as logged: … | jq -s ."
        )
    log = open_log(files, directory, env_file)
    with output.destination(is_paged=True), Spool() as spool:
        form = output.chosen(as_json=as_json)
        wanted = _FEW if limit is None and console.is_terminal() and form == "pretty" else limit
        sources, selection = _opened(log, criteria, spool, output, strict=strict)
        keeps_index = not no_index and not any(source.fd is not None for source in sources)
        index, found = _searched(sources, fts5_query(terms), no_index=not keeps_index)
        try:
            tell_broken(index.faults(), strict=strict)
            hits = _hits(found, selection)
            best = hits if wanted is None else itertools.islice(hits, wanted)
            if is_object:
                count = _print_json(best, terms, bounds)
            else:
                count = _print(best, terms, sources, around_s, form, bounds)
            more = count == wanted and next(hits, None) is not None
        finally:
            index.close()
        if not count:
            log.tell_unmatched()
            if is_object:
                return 1
            raise NoMatchError("nothing matched")
        if more:
            console.talk(f"the best {count}; there are more: --limit")
    return 0


def _opened(
    log: EventLog, criteria: Criteria, spool: Spool, output: OutputOptions, *, strict: bool
) -> tuple[list[LogSource], Selection]:
    """Return what is searched, standard input and pipes as copies that can be read more than once, and what to select.

    Raises the errors of opening a file of the log; one that was rotated is reported instead.
    """
    with log.read(Criteria(), ReadOptions(without_own=True)) as reading:
        output.check(reading.sources)
        broken = BrokenLines()
        sources = spool.seekable(reading.sources, broken)
        tell_broken(broken, strict=strict)
    selection = log.selection_of(criteria, sources)._replace(without_own=True)
    for source in sources:
        if not source.is_rotated:
            open_source(source).close()  # an error of the log itself is no fault of the index
    return sources, selection


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


def _result(hit: _Hit, terms: list[Term], bounds: Bounds) -> dict[str, Any]:
    text = bounds.text(ev.text_of(hit.event) or "")
    shown, _ = snippet(text, found_spans(text, terms), 160)
    return {"score": round(-hit.rank, 4), "snippet": shown, "event": bounds.event(hit.event)}


def _print_json(hits: Iterator[_Hit], terms: list[Term], bounds: Bounds) -> int:
    """Print one object. It begins with the count, so results are first collected in a temporary file."""
    if console.is_terminal() and bounds.limit is None:
        results = [_result(hit, terms, bounds) for hit in hits]
        console.data_json({"count": len(results), "results": results})
        return len(results)
    import tempfile

    count = left = 0
    bounds.budget.takes(_JSON_FRAME)
    with tempfile.SpooledTemporaryFile(_HELD_BYTES) as waiting:
        for hit in hits:
            text = console.json_text(_result(hit, terms, bounds)).encode(errors="replace")
            if not bounds.budget.takes(len(text) + 1):
                left += 1
                continue
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
    console.data_bytes(b'],"truncated":{"left":%d,"of":"results"}}\n' % left if left else b"]}\n")
    console.flush()
    return count


def _print(
    hits: Iterator[_Hit], terms: list[Term], sources: list[LogSource], around_s: float | None, form: str, bounds: Bounds
) -> int:
    """Print results as they come. Returns their number."""
    if around_s is not None:
        return _print_around(hits, terms, sources, around_s, form, bounds)
    output = None if form == "pretty" else event_output(form, shown=bounds.shown)
    count = left = 0
    while some := list(itertools.islice(hits, _BATCH)):
        count += len(some)
        fitting = bounds.fitting([hit.line for hit in some])
        left += len(some) - fitting
        if output is None:
            _print_rows(some[:fitting], terms, bounds)
        elif fitting:
            output.write([hit.line for hit in some[:fitting]])
    console.flush()
    bounds.tell_cut(left, "results")
    return count


def _print_rows(hits: list[_Hit], terms: list[Term], bounds: Bounds) -> None:
    from videodb_cli.commands.events.row_output import event_rows

    rows = event_rows()
    rows.measure(hit.event for hit in hits)
    for hit in hits:
        text = bounds.text(ev.text_of(hit.event) or "")
        for row in rows.excerpt(bounds.event(hit.event), partial(_excerpt, text, terms)):
            console.data(row)


def _excerpt(text: str, terms: list[Term], room: int | None) -> tuple[str, list[tuple[int, int]]]:
    """Return a piece of a text, of at most so many cells around the found words, and their places."""
    from videodb_cli.render.words import safe

    text = safe(text)
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


def _print_around(
    hits: Iterator[_Hit], terms: list[Term], sources: list[LogSource], seconds: float, form: str, bounds: Bounds
) -> int:
    from videodb_cli.commands.events.search_around import AroundRows
    from videodb_cli.eventlog.query.context import TimeContext
    from videodb_cli.eventlog.query.last_events import MatchPosition, with_surroundings
    from videodb_cli.eventlog.read.time_range import stamp_of

    best = list(hits)
    matches = [MatchPosition(hit.source, hit.line.offset, stamp_of(hit.line.raw)) for hit in best]
    if form == "pretty":
        output: LineOutput = AroundRows({hit.line.raw for hit in best}, terms, bounds.shown)
    else:
        output = event_output(form, shown=bounds.shown)
    left = 0
    for lines in with_surroundings(TimeContext(seconds), sources, matches, lambda _: None):
        fitting = bounds.fitting(lines)
        left += len(lines) - fitting
        if fitting:
            output.write(lines[:fitting])
    output.close()
    bounds.tell_cut(left, "events")
    return len(matches)

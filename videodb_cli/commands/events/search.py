"""`videodb events search`: ranked full-text search."""

from __future__ import annotations

import itertools
import re
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Self

import typer

from videodb_cli import console
from videodb_cli.commands.events.flags import SelectionFlags, with_selection
from videodb_cli.commands.events.output import RawOutput
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption, existing_run_dir
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import NoMatchError, RefusedError
from videodb_cli.eventlog import event as ev
from videodb_cli.eventlog.decode import decode
from videodb_cli.eventlog.scan import Line
from videodb_cli.eventlog.searchindex import SearchIndex, lines_at
from videodb_cli.eventlog.searchwords import Term, found_spans, fts5_query, parse_terms, snippet
from videodb_cli.eventlog.sources import resolve_sources
from videodb_cli.eventlog.times import parse_duration
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import resolve_directory

if TYPE_CHECKING:
    from pathlib import Path

    from videodb_cli.eventlog.selection import Selection
    from videodb_cli.eventlog.sources import Source

app = new_app()

_META = "videodb_cli.unwanted_words"
_FEW = 20
_BAR_WIDTH = 24
_BAR_AFTER_S = 0.4


class SearchCommand(PanelCommand):
    """A command that takes ``-word`` for a word that must not be there."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        rest: list[str] = []
        unwanted: list[str] = []
        for number, argument in enumerate(args):
            if argument == "--":
                rest += args[number:]
                break
            is_unwanted = re.match(r'-["\w]', argument) and argument != "-h"
            (unwanted if is_unwanted else rest).append(argument)
        ctx.meta[_META] = unwanted
        left: list[str] = super().parse_args(ctx, rest)
        return left


class _Hit(NamedTuple):
    source: Source
    line: Line
    event: Any
    rank: float


@app.command(cls=SearchCommand)
@with_selection
def search(
    ctx: typer.Context,
    flags: SelectionFlags,
    words: Annotated[list[str], typer.Argument(metavar="WORDS...", help="Words, '\"exact phrases\"', prefix*, -not.")],
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
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Search what was said and seen, best first. Exit 1 when nothing matches.

    videodb events search '"access keys"' rotat* -draft --around 30s
    """
    run_dir = existing_run_dir(directory, env_file) or RunDir(resolve_directory(None, directory, env_file).path)
    terms = parse_terms(" ".join(_as_typed(word) for word in [*words, *ctx.meta[_META]]))
    sources = [source for source in resolve_sources(files or [], run_dir) if not source.is_stream]
    selection = flags.selection(sources, run_dir, without_own=True)
    index = _open_index(sources, no_index=no_index)
    try:
        with _Bar() as bar:
            index.update(sources, bar.show)
        wanted = _FEW if limit is None and console.is_terminal() and not as_json else limit
        hits, more = _hits(index, fts5_query(terms), selection, wanted)
    finally:
        index.close()
    if as_json:
        console.data_json({"count": len(hits), "results": [_result(hit, terms) for hit in hits]})
    if not hits:
        if as_json:
            return 1
        raise NoMatchError("nothing matched")
    if not as_json:
        _print(hits, terms, sources, around)
    if more:
        console.talk(f"the best {len(hits)}; there are more: --limit")
    return 0


def _as_typed(word: str) -> str:
    """A phrase that the shell has taken the quotes of is still one phrase."""
    return f'"{word}"' if " " in word.strip() and '"' not in word else word


def _open_index(sources: list[Source], *, no_index: bool) -> SearchIndex:
    last = sources[-1].path if sources else None
    if no_index or last is None:
        return SearchIndex(None)
    path = _beside(last)
    try:
        return SearchIndex(path)
    except (RefusedError, OSError) as error:
        console.talk(f"no index can be kept at {path} ({error}); reading everything")
        return SearchIndex(None)


def _beside(log: Path) -> Path:
    name = re.sub(r"\.\d+(\.gz)?$", "", log.name)
    return log.with_name(f"{name}.index")


def _hits(index: SearchIndex, query: str, selection: Selection, wanted: int | None) -> tuple[list[_Hit], bool]:
    tests = selection.tests()
    hits: list[_Hit] = []
    found = index.search(query)
    while batch := list(itertools.islice(found, 256)):
        places: dict[Source, list[int]] = {}
        for one in batch:
            places.setdefault(one.source, []).append(one.offset)
        lines = {source: lines_at(source, offsets) for source, offsets in places.items()}
        for one in batch:
            raw = lines[one.source].get(one.offset)
            event = None if raw is None else _event(raw)
            if raw is None or event is None or not all(test(event) for test in tests):
                continue
            if wanted is not None and len(hits) == wanted:
                return hits, True
            hits.append(_Hit(one.source, Line(one.offset, raw), event, one.rank))
    return hits, False


def _event(raw: bytes) -> ev.Event | None:
    try:
        event = decode(raw)
    except ValueError:
        return None  # the log was cut while we searched
    return event if isinstance(event, dict) else None


def _result(hit: _Hit, terms: list[Term]) -> dict[str, Any]:
    text = ev.text_of(hit.event) or ""
    shown, _ = snippet(text, found_spans(text, terms), 160)
    return {"score": round(-hit.rank, 4), "snippet": shown, "event": hit.event}


def _print(hits: list[_Hit], terms: list[Term], sources: list[Source], around: str | None) -> None:
    if around is not None:
        _print_around(hits, sources, parse_duration(around))
    elif not console.is_terminal():
        RawOutput().write([hit.line for hit in hits])
    else:
        from videodb_cli.commands.events.view import Rows

        rows = Rows(console.terminal_width(), color=console.wants_color(sys.stdout))
        for hit in hits:
            console.data(rows.found(hit.event, *_shown(hit, terms)))
    console.flush()


def _shown(hit: _Hit, terms: list[Term]) -> tuple[str, list[tuple[int, int]]]:
    text = console.one_line(ev.text_of(hit.event) or "")
    return snippet(text, found_spans(text, terms), max(console.terminal_width() - 40, 30))


def _print_around(hits: list[_Hit], sources: list[Source], seconds: float) -> None:
    from videodb_cli.eventlog.around import Around
    from videodb_cli.eventlog.backlog import with_surroundings

    matches = sorted(((hit.source, hit.line) for hit in hits), key=lambda m: (sources.index(m[0]), m[1].offset))
    output: Any = RawOutput()
    if console.is_terminal():
        from videodb_cli.commands.events.rows import RowOutput

        output = RowOutput()
    for lines in with_surroundings(Around(seconds), sources, matches, lambda _: None):
        if lines:
            output.write(lines)
    output.close()


class _Bar:
    """A progress bar on stderr, shown when indexing takes a while and somebody looks."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def show(self, done: int, total: int) -> None:
        """Draw it."""
        if not sys.stderr.isatty() or time.monotonic() - self._begin < _BAR_AFTER_S or not total:
            return
        filled = _BAR_WIDTH * done // total
        sys.stderr.write(f"\rindexing {'━' * filled}{' ' * (_BAR_WIDTH - filled)} {100 * done // total:3d} %")
        sys.stderr.flush()
        self._drawn = True

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

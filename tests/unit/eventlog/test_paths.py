"""Every way through a file gives the same lines, with and without a byte order mark, its last newline, compression.

One process and two, forwards and backwards, block by block, by columns, by the index, by binary search on the stamps:
what a plain loop over the contract gives is the truth.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.fakes.event_logs import logs
from tests.unit.eventlog.query.test_scan import narrow, wanted
from videodb_cli.eventlog.query.fast import parallel
from videodb_cli.eventlog.query.fast.counting import count_parts
from videodb_cli.eventlog.query.jq_plan import prepared
from videodb_cli.eventlog.query.last_events import last_lines
from videodb_cli.eventlog.query.output import Form
from videodb_cli.eventlog.query.run import Query, iter_ranges, ranges_of
from videodb_cli.eventlog.query.scan import Scanner, SelectionPlan, plan_of
from videodb_cli.eventlog.query.selection import Selection
from videodb_cli.eventlog.read import time_range
from videodb_cli.eventlog.read.block import iter_lines
from videodb_cli.eventlog.read.blocks import line_numbers
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.cursor import Cursor
from videodb_cli.eventlog.read.sources import BOM, LogSource
from videodb_cli.eventlog.views.lookup import lines_at
from videodb_cli.eventlog.views.search_index import SearchIndex
from videodb_cli.eventlog.views.stats import EventCounts
from videodb_cli.model import event as ev

MARKS = st.sampled_from([b"", BOM])
ENDINGS = st.sampled_from(
    [
        b"",
        b"",
        b'{"channel":"transcript","data":{"text":"code","is_final":true}}',
        b"12",
        b'{"channel":"tra',
        b"  ",
        b"\0\0",
    ]
)
COMPRESS: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, bz2.compress, lzma.compress]


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A whole file as editors, other systems and crashes leave it."""
    content = draw(MARKS) + draw(logs()) + draw(ENDINGS)
    # Taken for another encoding, which is named and not read.
    assume(not content.startswith((b"\xff\xfe", b"\xfe\xff")))
    return content


def expected(content: bytes, selection: Selection) -> tuple[list[tuple[int, bytes]], list[int]]:
    """Selected lines with their offsets, and the numbers of broken ones: the contract, spelt out anew."""
    kept: list[tuple[int, bytes]] = []
    broken: list[int] = []
    offset = len(BOM) if content.startswith(BOM) else 0
    for number, line in enumerate(content[offset:].split(b"\n"), 1):
        if line.strip():
            try:
                if wanted(json.loads(line.decode()), selection):
                    kept.append((offset, line))
            except (ValueError, RecursionError):
                broken.append(number)
        offset += len(line) + 1
    return kept, broken


@contextmanager
def small_chunks() -> Iterator[None]:
    """Two processes over a few lines each, whatever the size."""
    chunks_of = parallel.chunks_of
    with (
        mock.patch.object(parallel, "can_fork", side_effect=bool),
        mock.patch.object(parallel, "chunks_of", lambda source, a, b, size=0: chunks_of(source, a, b, 256)),
        mock.patch.object(parallel, "chunk_size", return_value=256),
    ):
        yield


def written(directory: Path, content: bytes, compress: Callable[[bytes], bytes]) -> LogSource:
    path = directory / "log"
    path.write_bytes(compress(content))
    return LogSource(path)


def run(source: LogSource, selection: Selection, *, thorough: bool = True) -> tuple[bytes, list[int], int]:
    """Output, numbers of broken lines, and how many lines failed."""
    assert source.path is not None
    plan, shaper = prepared(".", Form(), {}, strict=False, whole=False)
    query = Query(plan_of(selection).and_(plan), shaper, thorough=thorough)
    out = source.path.with_name("out")
    with out.open("wb", buffering=0) as file:
        outcome = query.run(ranges_of([source], selection), file.write)
    found = BrokenLines()
    for place in outcome.broken:
        found.add(place.source, place.offset)
    return out.read_bytes(), [number or 0 for _, number in line_numbers(found.take_places())], outcome.broken_count


@given(content=files(), selection=narrow, compress=st.sampled_from(COMPRESS))
def test_one_process_two_and_block_by_block(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, selection: Selection, compress: Callable[[bytes], bytes]
) -> None:
    source = written(tmp_path_factory.mktemp("log"), content, compress)
    untimed = selection._replace(since=None, until=None)
    kept, broken = expected(content, untimed)
    output = b"".join(line + b"\n" for _, line in kept)
    assert run(source, untimed) == (output, broken, len(broken))
    assert run(source, untimed, thorough=False)[0] == output
    with small_chunks():
        assert run(source, untimed) == (output, broken, len(broken))
    noted = BrokenLines()
    scanner = Scanner(plan_of(untimed), noted)
    lines = [line for read in iter_ranges(ranges_of([source], untimed), noted) for line in scanner.lines(*read)]
    assert [tuple(line) for line in lines] == kept
    assert [number for _, number in line_numbers(noted.take_places())] == broken
    backwards = last_lines(scanner, [source], 1 << 30)
    assert [tuple(line) for _, line in backwards] == kept
    assert [line for _, line in last_lines(scanner, [source], 2)] == [line for _, line in backwards][-2:]
    found = lines_at(source, [offset for offset, _ in kept])
    assert found == dict(kept)


@given(content=files(), selection=narrow)
def test_a_pipe(content: bytes, selection: Selection) -> None:
    assume(len(content) < 60_000)
    read_end, write_end = os.pipe()
    os.write(write_end, content)
    os.close(write_end)
    try:
        kept, broken = expected(content, selection)
        noted = BrokenLines()
        scanner = Scanner(plan_of(selection), noted)
        source = LogSource(Path(f"/dev/fd/{read_end}"))
        parts = ranges_of([source], selection)
        assert [tuple(line) for read in iter_ranges(parts, noted) for line in scanner.lines(*read)] == kept
        assert [number for _, number in line_numbers(noted.take_places())] == broken
    finally:
        os.close(read_end)


@given(content=files(), compress=st.sampled_from(COMPRESS))
def test_counts(tmp_path_factory: pytest.TempPathFactory, content: bytes, compress: Callable[[bytes], bytes]) -> None:
    source = written(tmp_path_factory.mktemp("log"), content, compress)
    kept, broken = expected(content, Selection())
    parts = ranges_of([source], Selection())
    one, two = EventCounts("channel"), EventCounts("channel")
    noted = count_parts(parts, SelectionPlan(), one)
    assert one.report(noted.count)["count"] == len(kept)
    assert [number for _, number in line_numbers(noted.take_places())] == broken
    with small_chunks():
        again = count_parts(parts, SelectionPlan(), two)
    # Compared as text: a log may hold NaN, which equals nothing.
    assert json.dumps(two.report(again.count)) == json.dumps(one.report(noted.count))
    assert [number for _, number in line_numbers(again.take_places())] == broken


@given(content=files(), more=logs(), compress=st.sampled_from(COMPRESS))
def test_the_search_index(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, more: bytes, compress: Callable[[bytes], bytes]
) -> None:
    source = written(tmp_path_factory.mktemp("log"), content, compress)
    assert source.path is not None
    grown = content + (b"" if content.endswith(b"\n") else b"\n") + more
    for now in (content, content, grown) if compress is bytes else (content, content):
        with source.path.open("r+b") as file:
            file.write(compress(now))
        # What was found before stays; the index goes on behind it.
        index = SearchIndex(source.path.with_name("index"))
        try:
            index.update([source], lambda _done, _total: None)
            found = sorted(one.offset for one in index.search('"code"'))
            faults = index.faults()
        finally:
            index.close()
        kept, broken = expected(now, Selection())
        events = [(offset, json.loads(line.decode())) for offset, line in kept]
        heard = [(at, event) for at, event in events if isinstance(event, dict) and not ev.is_own(event)]
        texts = [(at, ev.text_of(event) or "") for at, event in heard]
        assert found == [at for at, text in texts if "code" in re.findall(r"\w+", text.lower())]
        assert [number for _, number in line_numbers(faults.take_places())] == broken
        assert faults.count == len(broken)


@given(
    mark=MARKS,
    stamps=st.lists(st.integers(0, 4000), max_size=60).map(sorted),
    between=st.sampled_from([b"", b"\n", b"no stamp\n", b'{"channel":"alert"}\n']),
    ending=st.sampled_from([b"\n", b"", b'\n{"ts":"2026-', b"\n \n"]),
    since=st.none() | st.integers(-10, 4200),
    until=st.none() | st.integers(-10, 4200),
)
def test_binary_search_on_the_stamps(
    tmp_path_factory: pytest.TempPathFactory,
    mark: bytes,
    stamps: list[int],
    between: bytes,
    ending: bytes,
    since: int | None,
    until: int | None,
) -> None:
    lines = [
        b'{"ts":"2026-03-02T10:15:30.123Z","unix_ts":%d.5,"n":%d,"x":"%s"}' % (at, n, b"x" * (at % 90))
        for n, at in enumerate(stamps)
    ]
    content = mark + (b"\n" + between).join(lines) + ending
    source = written(tmp_path_factory.mktemp("log"), content, bytes)
    selection = Selection(since=since, until=until)
    noted = BrokenLines()
    scanner = Scanner(plan_of(selection), noted)
    with (
        mock.patch.object(time_range, "SMALL", 0),
        mock.patch.object(time_range, "_CHUNK", 64),
        mock.patch.object(time_range, "SLACK_S", 0.0),
    ):
        got = [line.raw for read in iter_ranges(ranges_of([source], selection), noted) for line in scanner.lines(*read)]
    low, high = -1 if since is None else since, 1 << 40 if until is None else until
    wanted_lines = [line for line, at in zip(lines, stamps, strict=True) if low <= at + 0.5 <= high]
    assert [raw for raw in got if b'"n":' in raw] == wanted_lines


@given(content=files(), more=logs(), at=st.integers(0, 2000))
def test_a_cursor_gives_each_line_once_while_the_file_grows(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, more: bytes, at: int
) -> None:
    """A file that is written in pieces, read after each of them by a run of its own."""
    directory = tmp_path_factory.mktemp("log")
    whole = content + more
    # The first bytes tell what a file is: they are there from the beginning.
    cut = min(max(at, len(BOM)), len(whole))
    # What is JSON counts as a whole line. If it goes on all the same, as 1 becomes 12, or {} becomes {}{}, no reader
    # can know it, and takes the rest for another line.
    unfinished = whole[:cut].rpartition(b"\n")[2].removeprefix(BOM)
    assume(not _is_json(unfinished) or whole[cut : cut + 1] in {b"", b"\n"})
    got: list[bytes] = []
    for now in (whole[:cut], whole):
        source = written(directory, now, bytes)
        cursor = Cursor(directory / "cursor")
        found = cursor.find([source])
        assert found is None or found.offset >= 0
        start = 0 if found is None else found.offset
        broken = BrokenLines()
        (part,) = ranges_of([source], Selection())
        for _, block in iter_ranges([part._replace(start=max(part.start, start))], broken):
            got += [raw for _, raw in iter_lines(block) if _is_json(raw)]
            cursor.save(source, block.offset + len(block.data))
    objects = [line for line in got if _is_container(line)]
    assert objects == [line for _, line in expected(whole, Selection())[0] if _is_container(line)]


def _is_container(line: bytes) -> bool:
    return line.strip()[:1] in {b"{", b"["}


def _is_json(raw: bytes) -> bool:
    try:
        json.loads(raw.decode())
    except (ValueError, RecursionError):
        return False
    return True

"""Two processes give what one gives: the same bytes in the same order, the same reports, the same errors."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from videodb_cli.errors import OutputError, ReaderGoneError
from videodb_cli.eventlog.query.fast import parallel
from videodb_cli.eventlog.query.jq_plan import prepared
from videodb_cli.eventlog.query.output import Form
from videodb_cli.eventlog.query.run import Outcome, Query, SourceRange, ranges_of
from videodb_cli.eventlog.query.scan import plan_of
from videodb_cli.eventlog.query.selection import Selection
from videodb_cli.eventlog.read.sources import LogSource
from videodb_cli.eventlog.read.time_range import byte_range


def _line(number: int) -> bytes:
    channel = "transcript" if number % 3 else "alert"
    event = {"ts": "2026-03-02T10:15:30.123Z", "unix_ts": 1772446530.5 + number, "channel": channel, "n": number}
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


@pytest.fixture
def parts(tmp_path: Path) -> list[SourceRange]:
    first, second = tmp_path / "log.1", tmp_path / "log"
    first.write_bytes(b"".join(map(_line, range(500))) + b"broken\n" + _line(500))
    second.write_bytes(b"".join(map(_line, range(501, 3000))) + b"torn")
    return ranges_of([LogSource(first), LogSource(second)], Selection())


def _run(parts: list[SourceRange], program: str, *, strict: bool = False) -> tuple[list[bytes], Outcome]:
    """What is written to standard output and to standard error, and how the run ended."""
    plan, shaper = prepared(program, Form(), {}, strict=strict, whole=False)
    plan = plan_of(Selection(channels=("transcript",))).and_(plan)
    target = parts[0].source.path
    assert target is not None
    out, err = target.with_name("out"), target.with_name("err")
    with out.open("wb", buffering=0) as file, err.open("wb", buffering=0) as said:
        # Both processes write to the same file description, as they do to standard output.
        outcome = Query(plan, shaper, thorough=True).run(parts, file.write, tell=said.write, strict=strict)
    return [out.read_bytes(), err.read_bytes()], outcome


@pytest.mark.parametrize(
    "program",
    [
        ".",
        ".n",
        'select(.channel == "transcript")',
        ".n + 1",
        ".n.x",
        ".n | debug",
        "if .n > 2000 then halt else .n end",
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_two_processes_give_what_one_gives(
    parts: list[SourceRange], program: str, strict: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, outcome = _run(parts, program, strict=strict)
    monkeypatch.setattr(parallel, "can_fork", lambda _total: True)
    monkeypatch.setattr(parallel, "chunks_of", lambda s, a, b, of=parallel.chunks_of: of(s, a, b, 1 << 13))
    two, of_two = _run(parts, program, strict=strict)
    assert two == one
    assert (of_two.last, of_two.broken, of_two.broken_count) == (outcome.last, outcome.broken, outcome.broken_count)
    assert of_two.halt == outcome.halt or (of_two.halt and outcome.halt)  # a place is one in a block
    if not strict:
        assert of_two.failure_count == outcome.failure_count


def test_chunks_cover_everything_at_lines(parts: list[SourceRange]) -> None:
    path = parts[1].source.path
    assert path is not None
    content = path.read_bytes()
    chunks = parallel.chunks_of(parts[1].source, 0, len(content), 1000)
    assert len(chunks) > 100
    assert b"".join(content[chunk.start : chunk.end] for chunk in chunks) == content
    assert all(content[chunk.start - 1 : chunk.start] == b"\n" for chunk in chunks[1:])


def test_what_the_second_process_raises_is_raised(parts: list[SourceRange], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "can_fork", lambda _total: True)
    chunks = parallel.chunks_of(parts[1].source, 0, 100_000, 1000)

    def work(chunk: parallel.Chunk) -> int:
        if chunk == chunks[7]:
            raise ReaderGoneError("Broken pipe")
        return 0

    with pytest.raises(ReaderGoneError):
        parallel.run_in_order(chunks, work, lambda _done, _state: None, {})


def test_in_any_order_each_chunk_is_done_once(parts: list[SourceRange]) -> None:
    chunks = parallel.chunks_of(parts[1].source, 0, 100_000, 1000)
    done: list[int] = []

    def keep() -> parallel.State:
        return {"done": done}

    second = parallel.run_in_any_order(chunks, lambda chunk: done.append(chunk.start), keep)
    assert sorted(done + second["done"]) == [chunk.start for chunk in chunks]


def test_a_queue_of_chunks_never_fills_the_pipe() -> None:
    for total in (1, 40 << 20, 3 << 30, 10 << 40):
        assert total / parallel.chunk_size(total) + 20 <= parallel.MOST_CHUNKS
    assert parallel.MOST_CHUNKS * 4 == 4096


@pytest.mark.parametrize("error", [ReaderGoneError, OutputError, KeyboardInterrupt, ZeroDivisionError])
def test_in_any_order_what_either_process_raises_is_raised(
    parts: list[SourceRange], error: type[BaseException]
) -> None:
    chunks = parallel.chunks_of(parts[1].source, 0, 100_000, 1000)
    first = os.getpid()
    reached = multiprocessing.get_context("fork").Event()

    def work(_chunk: parallel.Chunk) -> None:
        if os.getpid() != first:
            reached.set()
            raise error
        assert reached.wait(60)

    with pytest.raises(RuntimeError if error is ZeroDivisionError else error):
        parallel.run_in_any_order(chunks, work, dict)


def test_in_any_order_a_second_process_that_dies_is_no_answer(parts: list[SourceRange]) -> None:
    chunks = parallel.chunks_of(parts[1].source, 0, 100_000, 1000)
    first = os.getpid()
    reached = multiprocessing.get_context("fork").Event()

    def work(_chunk: parallel.Chunk) -> None:
        if os.getpid() != first:
            reached.set()
            os.kill(os.getpid(), signal.SIGKILL)
        assert reached.wait(60)

    with pytest.raises(RuntimeError, match="died"):
        parallel.run_in_any_order(chunks, work, dict)


def test_times_become_byte_ranges(tmp_path: Path) -> None:
    path = tmp_path / "log"
    padded = [_line(n)[:-2] + b',"x":"' + b"x" * 2000 + b'"}\n' for n in range(2000)]
    path.write_bytes(b"".join(padded))
    offset = sum(map(len, padded[:1000]))
    found = byte_range(LogSource(path), 1772446530.5 + 1000, 1772446530.5 + 1000)
    assert found.is_ordered
    # The slack of two minutes on both sides, at one line a second.
    assert found.start == sum(map(len, padded[:880])) <= offset < found.end == sum(map(len, padded[:1121]))
    path.write_bytes(b"".join(padded[1000:] + padded[:1000]))
    assert byte_range(LogSource(path), 1772446530.5 + 1000, None) == (0, path.stat().st_size, False)

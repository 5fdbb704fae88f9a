"""The names beside a log are those of the log, whatever happened to either of them."""

from __future__ import annotations

import gzip
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from videodb_cli.eventlog.names import counting, index
from videodb_cli.eventlog.names.index import LogNames, read_names
from videodb_cli.eventlog.query.fast import parallel
from videodb_cli.eventlog.read.block import Block
from videodb_cli.eventlog.read.log_files import log_sources
from videodb_cli.eventlog.read.sources import LogSource
from videodb_cli.rundir.paths import RunDir


def line(channel: str, at: float = 1.0, text: str = "x") -> str:
    return json.dumps({"unix_ts": at, "channel": channel, "data": {"text": text}}, separators=(",", ":")) + "\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "videodb_events.jsonl"
    path.write_text(line("transcript") * 3 + line("alert"))
    return path


def names(log: Path, budget_s: float | None = None) -> LogNames:
    return read_names(log_sources(RunDir(log.parent)), budget_s)


def counts(log: Path) -> dict[str | None, int]:
    found = names(log)
    assert found.is_complete
    return {kind.channel: seen.count for kind, seen in found.tally.kinds.items()}


def index_of(log: Path) -> Path:
    return log.with_name(log.name + ".names")


def test_private_and_only_what_is_new_is_read(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert counts(log) == {"transcript": 3, "alert": 1}
    assert stat.S_IMODE(index_of(log).stat().st_mode) == 0o600
    seen: list[bytes] = []
    add = counting.KindCounter.add

    def noting(self: counting.KindCounter, block: Block) -> None:
        seen.append(block.data)
        add(self, block)

    monkeypatch.setattr(counting.KindCounter, "add", noting)
    assert counts(log) == {"transcript": 3, "alert": 1}
    with log.open("a") as file:
        file.write(line("alert"))
    assert counts(log) == {"transcript": 3, "alert": 2}
    assert seen == [line("alert").encode()]


def test_small_news_do_not_replace_the_file_each_time(log: Path) -> None:
    counts(log)
    before = index_of(log).stat().st_ino
    with log.open("a") as file:
        file.write(line("alert"))
    counts(log)
    assert index_of(log).stat().st_ino == before
    with log.open("a") as file:
        file.write(line("alert", text="y" * 40_000))
    assert counts(log)["alert"] == 3
    assert index_of(log).stat().st_ino != before


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"null", b'{"v":1}', b'{"v":9,"files":{}}', b"\xff" * 100])
def test_a_damaged_file_is_made_anew(log: Path, damage: bytes) -> None:
    counts(log)
    index_of(log).write_bytes(damage)
    assert counts(log) == {"transcript": 3, "alert": 1}
    assert json.loads(index_of(log).read_bytes())["v"] == 1


def test_entries_of_any_shape_are_made_anew(log: Path) -> None:
    counts(log)
    kept = json.loads(index_of(log).read_bytes())
    (identity,) = kept["files"]
    shapes: list[object] = [
        None,
        1,
        [],
        [0],
        [1, 2, 3],
        ["x", "y", {}],
        [1, 2, {"kinds": [[]], "sessions": {}}],
        [-5, 0, {}],
        {},
    ]
    for shape in shapes:
        index_of(log).write_text(json.dumps({"v": 1, "files": {identity: shape}}))
        assert counts(log) == {"transcript": 3, "alert": 1}, shape


def test_a_link_or_strange_file_in_its_place_is_left_alone(log: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.write_text("precious")
    index_of(log).symlink_to(target)
    assert counts(log) == {"transcript": 3, "alert": 1}
    assert target.read_text() == "precious"
    index_of(log).unlink()
    index_of(log).mkdir()
    assert counts(log) == {"transcript": 3, "alert": 1}


def test_a_log_that_was_cleared_truncated_or_edited_is_counted_again(log: Path) -> None:
    counts(log)
    log.write_text(line("visual_index"))
    assert counts(log) == {"visual_index": 1}
    log.write_text(line("visual_index") + line("alert") * 5)
    assert counts(log) == {"visual_index": 1, "alert": 5}
    log.write_text(line("audio_index") + line("alert") * 5)
    assert counts(log) == {"audio_index": 1, "alert": 5}


def test_rotated_files_are_known_by_what_they_are(log: Path) -> None:
    counts(log)
    log.rename(log.with_name(log.name + ".1"))
    log.write_text(line("alert"))
    assert counts(log) == {"transcript": 3, "alert": 2}
    old = log.with_name(log.name + ".1")
    old.with_name(old.name + ".gz").write_bytes(gzip.compress(old.read_bytes()))
    old.unlink()
    assert not names(log, 0.1).is_complete, "there is no time to decompress"
    assert counts(log) == {"transcript": 3, "alert": 2}
    assert names(log, 0.1).is_complete
    log.with_name(log.name + ".1.gz").unlink()
    log.write_text(line("alert", text="z" * 40_000))
    assert counts(log) == {"alert": 1}
    assert len(json.loads(index_of(log).read_bytes())["files"]) == 1, "what is gone is forgotten"


def test_news_that_fit_into_the_sample_are_all_known(log: Path) -> None:
    assert names(log, 0.0).is_complete
    assert not index_of(log).exists()
    counts(log)
    with log.open("a") as file:
        file.write(line("visual_index"))
    found = names(log, 0.0)
    assert found.is_complete
    assert {kind.channel: seen.count for kind, seen in found.tally.kinds.items()}["visual_index"] == 1


def test_a_budget_ends_the_counting_and_the_next_call_goes_on(log: Path) -> None:
    with log.open("a") as file:
        for number in range(4000):
            file.write(line(f"c{number % 5}", float(number), "word " * 40))
        file.write(line("newest"))
    first = names(log, 0.0)
    assert not first.is_complete
    assert "newest" in first.tally.channels(), "the end of the log is always looked at"
    assert "transcript" not in first.tally.channels()
    for _ in range(1000):
        if names(log, 0.002).is_complete:
            break
    assert counts(log) == {"transcript": 3, "alert": 1, "newest": 1, **{f"c{number}": 800 for number in range(5)}}


def test_an_endless_line_is_not_waited_for(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_LONGEST_LINE", 100_000)
    with log.open("ab") as file:
        file.write(b"x" * 2_000_000 + b"\n" + line("newest").encode())
    reads: list[int] = []
    pread = os.pread

    def noting(fd: int, size: int, at: int) -> bytes:
        reads.append(size)
        return pread(fd, size, at)

    monkeypatch.setattr(os, "pread", noting)
    found = names(log, 30.0)
    assert not found.is_complete
    assert found.tally.channels().keys() == {"transcript", "alert", "newest"}
    assert sum(reads) < 2_000_000
    assert counts(log) == {"transcript": 3, "alert": 1, "newest": 1}


def test_two_processes_count_a_large_log(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "can_fork", lambda _size: True)
    monkeypatch.setattr(parallel, "CHUNK", 4096)
    monkeypatch.setattr(index, "_has_one_thread", lambda: True)  # the runner of the tests may have more
    runs: list[int] = []
    run = parallel.run_in_any_order

    def noting(chunks: Sequence[parallel.Chunk], *more: Any) -> parallel.State:
        runs.append(len(chunks))
        return run(chunks, *more)

    monkeypatch.setattr(parallel, "run_in_any_order", noting)
    log.write_text("".join(line(f"c{number % 7}", float(number)) for number in range(7000)))
    found = names(log)
    assert {kind.channel: (seen.count, seen.first) for kind, seen in found.tally.kinds.items()} == {
        f"c{number}": (1000, float(number)) for number in range(7)
    }
    assert runs[0] > 10
    assert names(log, 0.0).is_complete


def test_a_program_with_threads_is_not_forked(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "can_fork", lambda _size: True)
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("forked"))
    ended = threading.Event()
    other = threading.Thread(target=ended.wait)
    other.start()
    try:
        assert counts(log) == {"transcript": 3, "alert": 1}
    finally:
        ended.set()
        other.join()


def test_nothing_is_kept_beside_named_files_or_where_nothing_can_be_written(log: Path) -> None:
    assert read_names([LogSource(log)]).tally.channels().keys() == {"transcript", "alert"}
    assert not index_of(log).exists()
    if os.geteuid():
        log.parent.chmod(0o500)
        assert counts(log) == {"transcript": 3, "alert": 1}
        log.parent.chmod(0o700)


def test_a_last_line_without_its_newline_is_counted_once(log: Path) -> None:
    with log.open("a") as file:
        file.write(line("alert").rstrip("\n"))
    assert counts(log) == {"transcript": 3, "alert": 2}
    with log.open("a") as file:
        file.write("\n" + line("alert"))
    assert counts(log) == {"transcript": 3, "alert": 3}
    with log.open("a") as file:
        file.write('{"channel":"torn')
    assert counts(log) == {"transcript": 3, "alert": 3}


def test_two_at_once_leave_a_file_that_can_be_used(log: Path) -> None:
    with log.open("a") as file:
        for number in range(20_000):
            file.write(line("alert", float(number)))
    program = (
        "import sys\nfrom pathlib import Path\nfrom videodb_cli.rundir.paths import RunDir\n"
        "from videodb_cli.eventlog.read.log_files import log_sources\n"
        "from videodb_cli.eventlog.names.index import read_names\n"
        "for _ in range(20):\n"
        "    Path(sys.argv[1]).with_name('videodb_events.jsonl.names').unlink(missing_ok=True)\n"
        "    found = read_names(log_sources(RunDir(Path(sys.argv[1]).parent)))\n"
        "    assert found.tally.channels().keys() == {'transcript', 'alert'}\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", program, str(log)]) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert counts(log) == {"transcript": 3, "alert": 20_001}
    assert not list(log.parent.glob(".*")), "no temporary file is left"

"""Which files are read, in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from videodb_cli.errors import NotFoundError, RefusedError, UsageError
from videodb_cli.eventlog.read.log_files import resolve_sources
from videodb_cli.eventlog.read.sources import LogSource, open_source
from videodb_cli.eventlog.write.rotation import rotated_files
from videodb_cli.rundir.paths import RunDir


def _touch(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).write_bytes(b"")


def test_rotated_files_come_oldest_first(tmp_path: Path) -> None:
    log = tmp_path / "videodb_events.jsonl"
    _touch(tmp_path, f"{log.name}.1", f"{log.name}.2.gz", f"{log.name}.10", f"{log.name}.torn-1", f"{log.name}.1.bak")
    assert [path.name.removeprefix(log.name) for path in rotated_files(log)] == [".10", ".2.gz", ".1"]


def test_a_number_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    log = tmp_path / "videodb_events.jsonl"
    _touch(tmp_path, f"{log.name}.1", f"{log.name}.1.gz")
    assert [path.name for path in rotated_files(log)] == [f"{log.name}.1"]


def test_nothing_named_means_the_log_with_its_rotated_files(tmp_path: Path) -> None:
    _touch(tmp_path, "videodb_events.jsonl", "videodb_events.jsonl.1")
    names = [source.name for source in resolve_sources([], RunDir(tmp_path))]
    assert [Path(name).name for name in names] == ["videodb_events.jsonl.1", "videodb_events.jsonl"]


def test_files_directories_and_standard_input(tmp_path: Path) -> None:
    _touch(tmp_path, "videodb_events.jsonl", "other.jsonl")
    sources = resolve_sources(["-", str(tmp_path / "other.jsonl"), str(tmp_path)], RunDir(tmp_path))
    assert [source.path and source.path.name for source in sources] == [None, "other.jsonl", "videodb_events.jsonl"]
    assert [source.private for source in sources] == [False, False, True]


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no log in"):
        resolve_sources([], RunDir(tmp_path))
    with pytest.raises(NotFoundError, match="nothing"):
        resolve_sources([str(tmp_path / "nothing")], RunDir(tmp_path))
    with pytest.raises(UsageError):
        resolve_sources(["-", "-"], RunDir(tmp_path))


def test_a_link_in_place_of_our_log_is_refused_and_a_named_one_is_read(tmp_path: Path) -> None:
    _touch(tmp_path, "elsewhere")
    log = tmp_path / "videodb_events.jsonl"
    log.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RefusedError, match="symbolic link"):
        open_source(LogSource(log, private=True))
    open_source(LogSource(log)).close()

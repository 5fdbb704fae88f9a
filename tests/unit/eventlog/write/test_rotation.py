"""Names and order of older logs, and what `--clear` takes with it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from videodb_cli.eventlog.write.rotation import derived_files, log_name_of, rotated_files, shift

LOG = "videodb_events.jsonl"


def write(directory: Path, **contents: str) -> Path:
    for name, content in contents.items():
        (directory / name.replace("_", ".")).write_text(content)
    return directory / "log"


def names(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


def line(at: float) -> bytes:
    return b'{"ts":"2026-03-02T10:15:30.123Z","unix_ts":%.3f,"channel":"alert"}\n' % at


def test_shift_moves_everything_up(tmp_path: Path) -> None:
    log = write(tmp_path, log="new", log_1="a", log_2_gz="b", log_9="c")
    shift(log)
    assert names(tmp_path) == {"log.1": "new", "log.2": "a", "log.3.gz": "b", "log.10": "c"}


def test_shift_writes_over_nothing_that_is_numbered_from_nought(tmp_path: Path) -> None:
    log = write(tmp_path, log="new", log_0="a", log_1_gz="b")
    assert [path.name for path in rotated_files(log)] == ["log.1.gz", "log.0"]
    shift(log)
    assert names(tmp_path) == {"log.1": "new", "log.2": "a", "log.3.gz": "b"}
    (tmp_path / "log").write_text("newer")
    (tmp_path / "log.0").write_text("c")
    shift(log, keep=3)
    assert names(tmp_path) == {"log.1": "newer", "log.2": "c", "log.3": "new"}


def test_shift_leaves_dated_names_alone(tmp_path: Path) -> None:
    log = write(tmp_path, log="new", log_20261128="a", log_1="b")
    (tmp_path / "log-20261127.gz").write_text("c")
    shift(log, keep=1)
    assert names(tmp_path) == {"log.1": "new", "log.20261128": "a", "log-20261127.gz": "c"}


def test_keep_removes_the_oldest(tmp_path: Path) -> None:
    log = write(tmp_path, log="new", log_1="a", log_2="b")
    shift(log, keep=2)
    assert names(tmp_path) == {"log.1": "new", "log.2": "a"}


def test_a_log_that_is_gone_leaves_nothing_to_shift(tmp_path: Path) -> None:
    log = write(tmp_path, log_1="a")
    shift(log)
    assert names(tmp_path) == {"log.1": "a"}


def test_only_ours_count(tmp_path: Path) -> None:
    log = write(tmp_path, log="l", log_1="a", log_02="no", log_x="no", log_1_bak="no", other_1="no")
    (tmp_path / "log.2").symlink_to(log)
    (tmp_path / "log.3").mkdir()
    (tmp_path / "log.torn-20260302T101530Z").touch()
    (tmp_path / "log.index").touch()
    (tmp_path / "log.torn-link").symlink_to(log)
    assert rotated_files(log) == [tmp_path / "log.2", tmp_path / "log.1"]  # readers name the link that they refuse
    assert {path.name for path in derived_files(log)} == {"log.1", "log.torn-20260302T101530Z", "log.index"}
    assert rotated_files(tmp_path / "missing" / "log") == derived_files(tmp_path / "missing" / "log") == []


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ([".1", ".2.gz", ".10"], [".10", ".2.gz", ".1"]),
        ([".0", ".1.bz2", ".2.bz2"], [".2.bz2", ".1.bz2", ".0"]),
        (["-20261128", "-20261127.gz", "-20260101.xz"], ["-20260101.xz", "-20261127.gz", "-20261128"]),
        (["-20261128-1300", "-20261128-0100.gz"], ["-20261128-0100.gz", "-20261128-1300"]),
        (["-2026112813", "-2026112807"], ["-2026112807", "-2026112813"]),
        (["-2026-11-28", "-2026-11-09.bz2"], ["-2026-11-09.bz2", "-2026-11-28"]),
        ([".20261128", ".20261127"], [".20261127", ".20261128"]),
        (["-20261128-1795864800", "-20261128-1795864700.zst"], ["-20261128-1795864700.zst", "-20261128-1795864800"]),
        # While one is compressed, it stands there twice, or under a name that is no rotation's.
        ([".1", ".1.gz", ".2.gz"], [".2.gz", ".1"]),
        (["-20261128", "-20261128.gz"], ["-20261128"]),
        ([".1", ".1.gz-partial", ".1.gz.tmp"], [".1"]),
        # What people and editors leave beside a log.
        (
            [
                ".bak",
                "~",
                ".orig",
                "-notes",
                "-2026",
                "-20261340",
                "-20261128.txt",
                ".00",
                ".01",
                ".1.old",
                "-20261128.1",
            ],
            [],
        ),
    ],
)
def test_names_in_the_order_of_time(tmp_path: Path, there: list[str], expected: list[str]) -> None:
    log = tmp_path / LOG
    for ending in ("", *there):
        (tmp_path / f"{LOG}{ending}").touch()
    assert [path.name.removeprefix(LOG) for path in rotated_files(log)] == expected


def test_where_the_way_of_naming_was_changed_the_lines_tell_the_order(tmp_path: Path) -> None:
    for ending, at in ((".1", 30.0), (".2", 20.0), ("-20261128", 40.0), ("-20261101", 10.0)):
        (tmp_path / f"{LOG}{ending}").write_bytes(b"no stamp\n" + line(at))
    (tmp_path / f"{LOG}.3.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + line(15.0)))
    ordered = [path.name.removeprefix(LOG) for path in rotated_files(tmp_path / LOG)]
    assert ordered == ["-20261101", ".3.gz", ".2", ".1", "-20261128"]


@pytest.mark.parametrize(
    ("name", "log"),
    [
        (f"{LOG}.1", LOG),
        (f"{LOG}.12.gz", LOG),
        (f"{LOG}-20261128-1300.xz", LOG),
        (LOG, LOG),
        ("audit.1", "audit"),
        ("log.1.bak", "log.1.bak"),
        ("2026-11-28.jsonl", "2026-11-28.jsonl"),
    ],
)
def test_a_rotated_file_belongs_to_its_log(name: str, log: str) -> None:
    assert log_name_of(name) == log


def test_clearing_takes_rotated_files_and_never_a_copy_or_anything_else(tmp_path: Path) -> None:
    log = tmp_path / LOG
    contents = {
        "": line(50) + line(51),
        # Rotated, whatever is in the numbered ones: only rotation makes such names.
        ".1": line(40), ".2.gz": b"damaged", "-20261127": line(10), "-20261128.gz": gzip.compress(line(20)),
        ".torn-20260302T101530Z": b"x", ".torn-20260302T101530Z-1": b"x",
        ".index": b"x", ".index-wal": b"x", ".index-shm": b"x", ".index-journal": b"x",
    }  # fmt: skip
    kept = {
        # Copied by hand on that day: it begins as the log does.
        "-20261129": line(50), "-20261130.gz": gzip.compress(line(50)),
        # Not a log at all.
        "-20261126": b"my notes of that day\n", "-20261125": b"", ".bak": line(1), ".1.gz-partial": b"x",
        ".index.md": b"x", ".index-notes.txt": b"x", ".torn-pages.txt": b"x", "-20261340": line(1),
    }  # fmt: skip
    for ending, content in {**contents, **kept}.items():
        (tmp_path / f"{LOG}{ending}").write_bytes(content)
    (tmp_path / f"{LOG}.3").symlink_to(tmp_path / "elsewhere")
    (tmp_path / f"{LOG}-20261124").mkdir()
    assert {path.name.removeprefix(LOG) for path in derived_files(log)} == set(contents) - {""}

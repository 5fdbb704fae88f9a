"""Names and order of older logs, and what `--clear` takes with it."""

from __future__ import annotations

from pathlib import Path

from videodb_cli.eventlog.write.rotation import derived_files, rotated_files, shift


def write(directory: Path, **contents: str) -> Path:
    for name, content in contents.items():
        (directory / name.replace("_", ".")).write_text(content)
    return directory / "log"


def names(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_shift_moves_everything_up(tmp_path: Path) -> None:
    log = write(tmp_path, log="new", log_1="a", log_2_gz="b", log_9="c")
    shift(log)
    assert names(tmp_path) == {"log.1": "new", "log.2": "a", "log.3.gz": "b", "log.10": "c"}


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
    assert rotated_files(tmp_path / "missing" / "log") == []
    assert derived_files(tmp_path / "missing" / "log") == []

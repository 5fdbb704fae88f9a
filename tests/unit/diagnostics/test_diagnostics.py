"""Log records: none by default, one line each when they are asked for, and nothing that they do can end the work."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest

from videodb_cli import diagnostics
from videodb_cli.diagnostics import Logger
from videodb_cli.diagnostics.handler import LineHandler

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ videodb_cli(\.\w+)*: \S.*")


@pytest.fixture
def lines() -> Iterator[list[str]]:
    found: list[str] = []

    def write(line: str) -> bool:
        found.append(line)
        return True

    diagnostics.show(write)
    yield found
    diagnostics.hide()


def test_a_record_is_one_line_in_a_stable_form(lines: list[str]) -> None:
    Logger("videodb_cli.api").debug("GET %s: HTTP %d", "/a\nb\tc", 200)
    (line,) = lines
    assert LINE.fullmatch(line)
    assert line.endswith(" DEBUG videodb_cli.api: GET /a b c: HTTP 200")


def test_records_of_the_whole_package_are_shown_and_redacted(lines: list[str]) -> None:
    try:
        int("http://me:hunter2@proxy.test")
    except ValueError:
        logging.getLogger("videodb_cli.local.sockets").exception("the key sk-abcdefgh is wrong")
    (line,) = lines
    assert LINE.fullmatch(line)
    assert "ValueError" in line
    assert "hunter2" not in line
    assert "abcdefgh" not in line


def test_nothing_is_shown_before_and_after(lines: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    diagnostics.hide()
    Logger("videodb_cli.api").debug("unseen")
    assert not Logger("videodb_cli.api").is_enabled
    assert not diagnostics.is_shown()
    assert lines == []
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_written_is_counted_and_told_with_the_next_one() -> None:
    takes = iter([False, False, True, True])
    lines: list[str] = []

    def write(line: str) -> bool:
        lines.append(line)
        return next(takes)

    diagnostics.show(write)
    try:
        for number in range(4):
            Logger("videodb_cli.app").debug("record %d", number)
    finally:
        diagnostics.hide()
    assert lines[2].endswith("record 2 (2 records before it could not be written)")
    assert lines[3].endswith("record 3")


def test_a_value_that_cannot_be_formatted_ends_nothing() -> None:
    lines: list[str] = []

    def write(line: str) -> bool:
        lines.append(line)
        return True

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    # Not by the logger: pytest gives it a handler that lets the failure out.
    LineHandler(write).emit(logging.makeLogRecord({"name": "videodb_cli.app", "msg": "%s", "args": (Broken(),)}))
    assert lines == ["a record of videodb_cli.app could not be formatted"]


def test_a_program_that_uses_us_as_a_library_gets_the_records_its_own_way(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "videodb_cli.eventlog"):
        Logger("videodb_cli.eventlog").debug("%d files", 2)
    assert [record.getMessage() for record in caplog.records] == ["2 files"]


@pytest.mark.parametrize(
    ("value", "wanted"), [("1", True), ("true", True), (" YES ", True), ("0", False), ("", False), ("no", False)]
)
def test_the_environment_asks_for_records(value: str, wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEODB_DEBUG", value)
    assert diagnostics.is_wanted() is wanted

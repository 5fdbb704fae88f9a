"""`events report` through `main`: what is written where, and what is never destroyed."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import webbrowser
from pathlib import Path

import pytest

from tests.fakes.pages import page_data, rows_of
from videodb_cli.main import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = subprocess.run([sys.executable, "scripts/make_session_log.py"], cwd=ROOT, capture_output=True, check=True)
    path = tmp_path / "d" / "videodb_events.jsonl"
    path.parent.mkdir(mode=0o700)
    path.write_bytes(made.stdout)
    monkeypatch.chdir(tmp_path)
    return path


def test_a_page_of_the_session_is_written_beside_you(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "report", "--dir", "d"]) == 0
    assert capsys.readouterr().out == "videodb-report-cap-83e6.html\n"
    path = Path("videodb-report-cap-83e6.html")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    data = page_data(path.read_bytes())
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    gaps = [line for line in lines if line.get("event") == "listener.gap"]
    assert data["events"] == len(lines) - len(gaps)
    assert len(data["gaps"]) == 1
    assert data["title"] == "Session cap-83e6"
    assert main(["events", "report", "--dir", "d"]) == 0, "a page of ours may be written anew"


def test_json_says_where_and_how_much(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "report", "--dir", "d", "-o", "r.html", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["path"], found["bytes"]) == ("r.html", Path("r.html").stat().st_size)
    assert (found["gaps"], found["sessions"]) == (1, ["cap-83e6"])
    assert found["listed"] + found["interim"] == found["events"]
    assert found["recovered"] > 0


def test_stdout_gets_the_page_alone(log: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["events", "report", "--dir", "d", "-o", "-", "--channel", "alert"]) == 0
    page = capsysbinary.readouterr().out
    assert {row[1] for row in rows_of(page)} == {"alert"}
    assert sorted(path.name for path in Path().iterdir()) == ["d"]


def test_a_strangers_file_stays(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("r.html").write_text("<!doctype html><p>mine")
    assert main(["events", "report", "--dir", "d", "-o", "r.html"]) == 6
    assert Path("r.html").read_text() == "<!doctype html><p>mine"
    err = capsys.readouterr().err
    assert "is no page of videodb" in err
    assert "-o FILE" in err


@pytest.mark.parametrize("target", ["d", "missing/r.html", "link.html", "d/../link.html"])
def test_no_page_goes_where_none_can(log: Path, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.txt").write_text("mine")
    Path("link.html").symlink_to("mine.txt")
    assert main(["events", "report", "--dir", "d", "-o", target]) == 6
    assert Path("mine.txt").read_text() == "mine"
    assert capsys.readouterr().err.count("\n") <= 3
    assert not list(Path().glob(".*"))


def test_an_empty_file_may_be_filled(log: Path) -> None:
    Path("r.html").touch()
    assert main(["events", "report", "--dir", "d", "-o", "r.html"]) == 0


def test_a_full_disk_is_told_and_leaves_nothing(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("pathlib.Path.replace", full)
    assert main(["events", "report", "--dir", "d", "-o", "r.html"]) == 6
    assert "No space left on device" in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["d"]


def test_nothing_that_matches_is_one_sentence_and_no_file(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "report", "--dir", "d", "--channel", "nothing"]) == 1
    assert "no page was written" in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["d"]


def test_broken_lines_alone_make_no_page_and_are_named(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_text("not JSON\n{half\n")
    assert main(["events", "report", "--dir", "d"]) == 1
    err = capsys.readouterr().err
    assert "skipped 2 lines that are not JSON" in err
    assert "no page was written" in err
    assert main(["events", "report", "--dir", "d", "--strict"]) == 2


def test_broken_lines_among_others_are_told_on_the_page(log: Path) -> None:
    log.write_text(log.read_text() + "not JSON\n")
    assert main(["events", "report", "--dir", "d", "-o", "r.html"]) == 0
    assert "1 line is not JSON and not shown." in page_data(Path("r.html").read_bytes())["notes"]


def test_a_line_of_ten_megabytes_is_cut_on_the_page(log: Path) -> None:
    line = {"ts": "2026-03-02T10:15:30.123Z", "unix_ts": 1772446530.123, "channel": "visual_index"}
    log.write_text(json.dumps({**line, "data": {"text": "long " * 2_000_000}}) + "\n")
    assert main(["events", "report", "--dir", "d", "-o", "r.html"]) == 0
    assert Path("r.html").stat().st_size < 200_000


@pytest.mark.parametrize("more", [["--json"], ["--open"]])
def test_stdout_is_for_one_thing(log: Path, more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "report", "--dir", "d", "-o", "-", *more]) == 2
    assert "cannot be combined" in "".join(capsys.readouterr())


def test_open_shows_it_in_the_browser(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    assert main(["events", "report", "--dir", "d", "-o", "r.html", "--open"]) == 0
    assert opened == [Path("r.html").resolve().as_uri()]
    assert "open r.html yourself" in capsys.readouterr().err, "the browser answered None"


def test_the_name_is_that_of_the_day_without_a_session(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "report", "--dir", "d", "--channel", "transcript"]) == 0
    assert capsys.readouterr().out == "videodb-report-2026-03-02.html\n"

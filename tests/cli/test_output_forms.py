"""``--format`` and ``-o``: every form in a pipe, and files that are whole or left alone."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from videodb_cli.main import main

Run = Callable[..., tuple[int, str, str]]


def line(number: int, text: str, channel: str = "transcript") -> str:
    event = {"ts": "2026-03-02T10:15:30.123Z", "unix_ts": 1772446530.123 + number, "channel": channel}
    return json.dumps({**event, "rtstream_name": "mic:default", "data": {"text": text, "is_final": True}}) + "\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log" / "videodb_events.jsonl"
    path.parent.mkdir(mode=0o700)
    path.write_text(line(0, "one") + line(1, 'two, "quoted"\nbelow') + line(2, "three|", "visual_index"))
    path.chmod(0o600)
    return path


@pytest.fixture
def run(log: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(command: str, *arguments: str) -> tuple[int, str, str]:
        status = main(["events", command, "--dir", str(log.parent), *arguments])
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return call


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


PRINTING = [("tail",), ("filter",), ("search", "two"), ("wait", "--since", "2000-01-01", "--count", "2")]


@pytest.mark.parametrize("command", PRINTING, ids=lambda command: command[0])
def test_events_as_csv(command: tuple[str, ...], run: Run) -> None:
    status, out, _ = run(*command, "--format", "csv")
    assert status == 0
    assert 'two, "quoted"\nbelow' in [row["text"] for row in read(out)]


@pytest.mark.parametrize("command", PRINTING, ids=lambda command: command[0])
def test_events_as_columns_in_a_pipe(command: tuple[str, ...], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    status, out, _ = run(*command, "--format", "pretty")
    assert status == 0
    assert "\x1b" not in out
    assert "mic" in out
    assert max(map(len, out.splitlines())) < 60


def test_tsv_and_md_have_a_line_for_each_event(run: Run) -> None:
    assert run("tail", "--format", "tsv")[1].splitlines()[2].endswith('\ttwo, "quoted"\\nbelow')
    assert run("tail", "--format", "md")[1].splitlines()[3:] == [
        "| 2026-03-02T10:15:30.123Z | transcript |  | mic:default |  | true |  | two, \"quoted\"<br>below |",
        "| 2026-03-02T10:15:30.123Z | visual\\_index |  | mic:default |  |  |  | three\\| |",
    ]  # fmt: skip


def test_json_is_lines_as_logged_and_the_answer_of_json(run: Run, log: Path) -> None:
    for command in ("tail", "filter"):
        assert run(command, "--format", "json")[1] == log.read_text()
    assert run("search", "two", "--format", "json") == run("search", "two", "--json")
    assert run("stats", "--format", "json") == run("stats", "--json")
    assert run("transcript", "--format", "json") == run("transcript", "--json")


def test_results_of_a_program_are_rows(run: Run) -> None:
    assert run("filter", "{channel, text: .data.text}", "--limit", "1", "--format", "csv")[1] == (
        "channel,text\ntranscript,one\n"
    )
    assert run("filter", "[.channel, .unix_ts]", "--limit", "1", "--format", "tsv")[1] == "transcript\t1772446530.123\n"
    status, out, err = run("filter", 'if .channel == "transcript" then {a: 1} else {b: 2} end', "--format", "csv")
    assert (status, out) == (2, "")
    assert "has the member 'b'" in err
    assert run("filter", "-s", "map(.channel) | unique", "--format", "csv")[1] == "transcript,visual_index\n"


def test_groups_and_paragraphs_are_rows(run: Run) -> None:
    rows = read(run("stats", "--format", "csv")[1])
    assert [(row["channel"], row["count"]) for row in rows] == [("transcript", "2"), ("visual_index", "1")]
    rows = read(run("transcript", "--format", "csv")[1])
    assert [(row["stream"], row["text"]) for row in rows] == [("mic", 'one two, "quoted" below')]
    assert run("transcript", "--format", "pretty")[1] == run("transcript")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tail", "--json", "--format", "csv"), "--json and --format csv contradict"),
        (("tail", "--format", "yaml"), "no format is called yaml"),
        (("tail", "--format", "srt"), "no format is called srt"),
        (("filter", ".", "-r", "--format", "csv"), "--format csv and -r contradict"),
        (("filter", ".", "-c", "--format", "pretty"), "--format pretty and -c contradict"),
        (("transcript", "--json", "--format", "srt"), "--json and --format srt contradict"),
    ],
)
def test_what_contradicts_itself_is_refused(arguments: tuple[str, ...], said: str, run: Run) -> None:
    status, out, err = run(*arguments)
    assert status == 2
    assert said in out + err


# ---- files -----------------------------------------------------------------------------------------------------------


def test_a_file_is_written_whole_and_keeps_its_mode(run: Run, log: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    assert run("filter", "-o", str(target)) == (0, "", "")
    assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == (log.read_text(), 0o600)
    target.chmod(0o640)
    assert run("search", "one", "--format", "csv", "-o", str(target))[0] == 0
    assert len(read(target.read_text())) == 1
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert run("filter", "-o", "-")[1] == log.read_text()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_nothing_found_is_an_empty_file(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old")
    assert run("search", "nowhere", "-o", str(target))[0] == 1
    assert target.read_text() == ""


def test_a_failure_leaves_the_old_file(run: Run, log: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old")
    log.write_text(log.read_text() + "broken\n" + line(3, "four"))
    assert run("filter", "--strict", "-o", str(target))[0] == 2
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "out"]


def test_what_cannot_be_written_is_refused(run: Run, log: Path, tmp_path: Path) -> None:
    cases = [
        (tmp_path, "it is a directory"),
        (tmp_path / "missing" / "out", "there is no directory"),
        (log, "is read, and cannot be written"),
    ]
    before = log.read_text()
    for target, said in cases:
        status, out, err = run("filter", "-o", str(target))
        assert (status, out) == (6, "")
        assert said in err
    assert log.read_text() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
@pytest.mark.parametrize("command", [("filter",), ("stats",), ("transcript",), ("tail",), ("search", "one")])
def test_a_full_disk(command: tuple[str, ...], run: Run) -> None:
    status, out, err = run(*command, "-o", "/dev/full")
    assert (status, out) == (6, "")
    assert "cannot write /dev/full: No space left on device" in err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")
def test_files_and_links_of_others_are_refused(run: Run, tmp_path: Path) -> None:
    theirs, link = tmp_path / "theirs", tmp_path / "link"
    theirs.write_text("old")
    link.symlink_to(tmp_path / "elsewhere")
    os.chown(theirs, 65534, 65534)
    os.lchown(link, 65534, 65534)
    assert "belongs to somebody else" in run("filter", "-o", str(theirs))[2]
    assert run("tail", "-o", str(link))[0] == 6
    assert theirs.read_text() == "old"
    assert not (tmp_path / "elsewhere").exists()


def test_an_own_link_stays_a_link(run: Run, log: Path, tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    assert run("filter", "-o", str(link))[0] == 0
    assert link.is_symlink()
    assert target.read_text() == log.read_text()


def test_what_is_followed_is_added(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    for _ in range(2):
        assert run("tail", "-f", "--timeout", "0.1", "--format", "csv", "-o", str(target))[0] == 124
    assert len(read(target.read_text())) == 6, "one header, and the events of both runs"


def test_a_cursor_adds_only_what_is_new(run: Run, log: Path, tmp_path: Path) -> None:
    target, cursor = tmp_path / "out.csv", str(tmp_path / "cursor")
    for command in ("tail", "filter"):
        assert run(command, "--cursor-file", cursor, "--format", "csv", "-o", str(target))[0] == 0
    with log.open("a") as file:
        file.write(line(5, "later"))
    assert run("filter", "--cursor-file", cursor, "--format", "csv", "-o", str(target))[0] == 0
    assert [row["text"] for row in read(target.read_text())] == ["one", 'two, "quoted"\nbelow', "three|", "later"]

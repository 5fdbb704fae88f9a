"""`videodb events filter`: selection flags, jq programs, output styles, statuses, cursors."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from videodb_cli.main import main

Run = Callable[..., tuple[int, str, str]]
LINES = [
    (
        '{"ts":"2026-03-02T10:15:30.123Z","unix_ts":1772446530.123,"channel":"transcript","rtstream_id":"rts-1",'
        '"rtstream_name":"mic:default","data":{"text":"Hello there","is_final":true}}'
    ),
    (
        '{"ts":"2026-03-02T10:15:31.123Z","unix_ts":1772446531.123,"channel":"transcript","rtstream_id":"rts-1",'
        '"rtstream_name":"mic:default","data":{"text":"Hel","is_final":false}}'
    ),
    (
        '{"channel": "scene_index", "data": {"text": "caf\\u00e9", "n": 1.10}, "ts": "2026-03-02T10:15:32+00:00", '
        '"unix_ts": 1772446532.0}'
    ),
    (
        '{"ts":"2026-03-02T10:15:33.123Z","unix_ts":1772446533.123,"event":"capture_session.active",'
        '"capture_session_id":"cap-1","data":{"rtstreams":[{"rtstream_id":"rts-1"}]}}'
    ),
    '{"ts":"2026-03-02T10:15:34.123Z","unix_ts":1772446534.123,"channel":"videodb_cli","event":"listener.gap","data":{}}',
    '{"ts":"2026-03-02T10:15:35.123Z","unix_ts":1772446535.123,"channel":"alert","data":{"label":"slack_opened"}}',
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "videodb_events.jsonl"
    path.write_text("".join(line + "\n" for line in LINES))
    return path


@pytest.fixture
def run(log: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        status = main(["events", "filter", "--dir", str(log.parent), *arguments])
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return call


def _text(*numbers: int) -> str:
    return "".join(LINES[number] + "\n" for number in numbers)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("", (0, 1, 2, 3, 4, 5)),
        (".", (0, 1, 2, 3, 4, 5)),
        ("--channel transcript --final", (0,)),
        ("--channel transcript --interim", (1,)),
        ("--final", (0, 2, 3, 4, 5)),
        ("--channel visual_index", (2,)),
        ("--channel capture_session", (3,)),
        ("--channel alert --channel transcript", (0, 1, 5)),
        ("--not-channel transcript --not-channel videodb_cli", (2, 3, 5)),
        ("--event active", (3,)),
        ("--event listener.gap", (4,)),
        ("--stream mic", (0, 1)),
        ("--stream rts-1", (0, 1)),
        ("--session last", (0, 1, 3)),
        ("--since 1772446533", (3, 4, 5)),
        ("--until 1772446531000", (0,)),
        ("--grep hello", (0,)),
        ("--grep CAFÉ", ()),
        ("--grep café", (2,)),
        ("--grep slack", (5,)),
        ("--not-grep hel --channel transcript", ()),
        ("--limit 2", (0, 1)),
        ("--limit 5", (0, 1, 2, 3, 4, 5)),
        ("--grep café --around 1.5s", (1, 2, 3)),
        ("--limit 1 --channel transcript --around 1s", (0, 1)),
        ('select(.channel=="transcript")', (0, 1)),
    ],
)
def test_flags_select_lines_as_logged(run: Run, flags: str, expected: tuple[int, ...]) -> None:
    assert run(*flags.split()) == (0, _text(*expected), "")


def test_programs(run: Run) -> None:
    assert run("-r", ".data.text", "--channel", "transcript", "--final")[1] == "Hello there\n"
    assert run(".data.n")[1].splitlines()[2] == "1.10"
    assert run("-r", "select(.channel == $c) | .data.label", "--arg", "c", "alert")[1] == "slack_opened\n"
    assert run("-j", ".data.label // empty")[1] == "slack_opened"
    assert run("-s", "length")[1] == "6\n"
    assert run("-n", "1 + $x", "--argjson", "x", "41")[1] == "42\n"
    assert run("-S", "-c", "{b: 1, a: 2}", "--limit", "1")[1] == '{"a":2,"b":1}\n'
    assert run("--indent", "1", "{a: [1]}", "--limit", "1")[1] == '{\n "a": [\n  1\n ]\n}\n'
    assert run("--tab", "-n", "{a: 1}")[1] == '{\n\t"a": 1\n}\n'
    assert run("-C", "-c", "-n", '{"a":1}')[1].startswith("\x1b[1;39m{")


def test_a_program_from_a_file_and_slurped_data(run: Run, log: Path, tmp_path: Path) -> None:
    (tmp_path / "program.jq").write_text("# labels\n$words[1]\n")
    (tmp_path / "words.json").write_text('"one" "two"\n')
    program, words = str(tmp_path / "program.jq"), str(tmp_path / "words.json")
    status, out, _ = run("-r", "-f", program, "--slurpfile", "words", words, str(log), "--limit", "1")
    assert (status, out) == (0, "two\n")


def test_exit_statuses(run: Run, log: Path) -> None:
    assert run("-e", ".data.is_final", "--channel", "transcript")[0] == 1
    assert run("-e", ".data.is_final", "--channel", "transcript", "--final")[0] == 0
    assert run("-e", ".", "--channel", "nothing")[0] == 4
    status, _, err = run(".a |")
    assert status == 2
    assert "       ^" in err
    status, _, err = run(str(log))
    assert status == 2
    assert f"hint: videodb events filter --dir {log.parent} . {log}\n" in err
    for program in ("input", "[inputs]", "input_line_number"):
        status, _, err = run(program)
        assert (status, "-s" in err) == (2, True)
    for program in ('import "a" as a; .', "input_filename"):
        status, _, err = run(program)
        assert (status, "hint: -s" in err, "hint: " in err) == (2, False, True)
    assert run(".input // {inputs: 1}.inputs", "--limit", "1")[1] == "1\n"
    assert run("--arg", "x")[0] == 2
    assert run(".", "nothing.jsonl")[0] == 4


def test_a_program_that_fails_on_all_events_at_once_is_no_success(run: Run) -> None:
    for flag in ("-s", "-n"):
        assert run(flag, "-e", '1, error("no")') == (2, "1\n", "error: no\n")


def test_what_jq_users_are_used_to(run: Run, tmp_path: Path) -> None:
    assert run("-n", "$x", "--arg", "x", "first", "--arg", "x", "second")[1] == '"first"\n'
    assert run("", "--limit", "1")[1] == run(".", "--limit", "1")[1]
    assert run("-n", "--indent", "0", "[1, {}]")[1] == "[\n1,\n{}\n]\n"
    assert run("-n", "-C", "-c", '[{"a":[]}]')[1] == (
        '\x1b[1;39m[\x1b[0m\x1b[1;39m{\x1b[0m\x1b[1;34m"a"\x1b[0m\x1b[1;39m:\x1b[0m\x1b[1;39m[]\x1b[0m\x1b[1;39m}\x1b[0m'
        "\x1b[1;39m]\x1b[0m\n"
    )


@pytest.mark.parametrize("comment", ["# | .text", "# \\\n | .text", "# \\\r\n | .text", "#\r.text", "#\\\\\n"])
def test_a_comment_ends_where_jq_ends_it(comment: str, run: Run, tmp_path: Path) -> None:
    program = tmp_path / "program.jq"
    program.write_bytes(f".data {comment}".encode())
    expected = run("-c", ".data", "--limit", "1")[1]
    assert run("-c", "-f", str(program), "--limit", "1")[1] == expected
    program.write_bytes(f"[.data] {comment}".encode())
    assert run("-c", "-f", str(program), "--limit", "1")[1] == f"[{expected.strip()}]\n"


def test_failures_name_their_line_and_go_on(run: Run) -> None:
    status, out, err = run(".channel.x // 1")
    assert (status, out) == (2, "1\n")
    assert 'videodb_events.jsonl:1): Cannot index string with string ("x")' in err
    status, out, err = run("--strict", ".channel.x")
    assert (status, out) == (2, "")
    assert "jsonl:1" in err


def test_broken_lines_are_skipped_counted_and_named(run: Run, log: Path) -> None:
    log.write_text(_text(0) + '{"channel":"transcript",\n' + _text(1) + "\x00\n" + _text(2))
    status, out, err = run(".", "--channel", "transcript")
    assert (status, out) == (0, _text(0, 1))
    assert "2 lines that are not JSON" in err
    assert "line 2, 4" in err
    assert run(".", "--strict")[0] == 2


def test_rotated_files_are_one_log(run: Run, log: Path) -> None:
    log.rename(log.with_name(log.name + ".1"))
    log.with_name(log.name + ".2.gz").write_bytes(gzip.compress(_text(5).encode()))
    log.write_text(_text(0))
    assert run()[1] == _text(5, 0, 1, 2, 3, 4, 5, 0)


def test_standard_input_may_lack_its_last_newline(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "in").write_text('{"a":5}\n{bad\n{"a":{"b":1}}')
    with (tmp_path / "in").open() as stream:
        saved = os.dup(0)
        os.dup2(stream.fileno(), 0)
        try:
            status, out, err = run(".a.b", "-")
        finally:
            os.dup2(saved, 0)
            os.close(saved)
    assert (status, out) == (2, "1\n")
    assert "standard input line 2" in err
    assert "standard input:1): Cannot index number" in err


def test_a_cursor_goes_on_where_the_last_run_ended(run: Run, log: Path, tmp_path: Path) -> None:
    cursor = str(tmp_path / "cursor")
    assert run("--cursor-file", cursor, "--limit", "2")[1] == _text(0, 1)
    assert run("--cursor-file", cursor, "--channel", "alert")[1] == _text(5)
    assert run("--cursor-file", cursor)[1] == ""
    log.rename(log.with_name(log.name + ".1"))
    log.write_text(_text(0))
    assert run("--cursor-file", cursor) == (0, _text(0), "")
    for old in tmp_path.glob("videodb_events.jsonl*"):
        old.unlink()
    log.write_text(_text(5, 0))
    status, out, err = run("--cursor-file", cursor)
    assert (status, out) == (0, _text(5, 0))
    assert "starting at its beginning" in err


def test_a_cursor_that_cannot_be_kept_is_said(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("videodb_cli.rundir.state.write", fail)
    status, _, err = run("--cursor-file", str(tmp_path / "cursor"))
    assert status == 6
    assert "cannot write the cursor" in err
    assert "No space left on device" in err


def test_head_takes_no_more_than_it_prints_from_a_cursor(log: Path, tmp_path: Path) -> None:
    log.write_text("".join(f'{{"n":{n}}}\n' for n in range(500)))
    cursor = str(tmp_path / "cursor")
    command = [
        sys.executable,
        "-m",
        "videodb_cli",
        "events",
        "filter",
        "--dir",
        str(log.parent),
        "--cursor-file",
        cursor,
    ]
    seen: list[int] = []
    for _ in range(3):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            head = subprocess.run(
                ["head", "-n", "7"], stdin=process.stdout, capture_output=True, check=True, timeout=30
            )
            assert process.stdout is not None
            process.stdout.close()
            assert process.wait(30) == 0
        seen += [json.loads(line)["n"] for line in head.stdout.splitlines()]
    rest = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
    seen += [json.loads(line)["n"] for line in io.BytesIO(rest)]
    assert seen == list(range(500))


def test_around_holds_for_a_log_that_is_not_in_order(run: Run, log: Path) -> None:
    times = [100, 500, 110, 90, 105, 900, 95, 101]
    lines = [f'{{"unix_ts":{at},"channel":"{"alert" if at in {100, 900} else "x"}"}}\n' for at in times]
    log.write_text("".join(lines))
    near = [line for at, line in zip(times, lines, strict=True) if abs(at - 100) <= 10 or at == 900]
    assert run("--channel", "alert", "--around", "10s") == (0, "".join(near), "")


@pytest.mark.parametrize(
    ("arguments", "is_colored"),
    [
        (("--color", "events", "filter"), True),
        (("events", "--color", "filter"), True),
        (("events", "filter", "--color"), True),
        (("events", "filter", "-C"), True),
        (("events", "filter", "-M", "--color"), False),
        (("events", "filter", "--no-color"), False),
        (("events", "filter"), False),
    ],
)
def test_color_is_chosen_before_or_after_the_command(
    log: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    is_colored: bool,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # in a pipe it would spoil data for programs
    assert main([*arguments, "--dir", str(log.parent)]) == 0
    assert ("\x1b[" in capfd.readouterr().out) is is_colored

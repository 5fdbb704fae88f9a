"""`videodb events tail`: the last events, raw in a pipe; files, broken lines and statuses."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from videodb_cli.main import main

Run = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "videodb_events.jsonl"
    path.write_text("".join(line(n) for n in range(30)))
    return path


def line(number: int, channel: str = "transcript", **data: object) -> str:
    stamp = 1772446530.123 + number
    event = {"ts": "2026-03-02T10:15:30.123Z", "unix_ts": stamp, "channel": channel}
    return json.dumps({**event, "data": {"text": f"word {number}", **data}}, separators=(",", ":")) + "\n"


@pytest.fixture
def run(log: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, list[str], str]:
        status = main(["events", "tail", "--dir", str(log.parent), *arguments])
        captured = capfd.readouterr()
        return status, captured.out.splitlines(keepends=True), captured.err

    return call


def test_ten_lines_byte_for_byte(run: Run) -> None:
    assert run() == (0, [line(n) for n in range(20, 30)], "")


def test_n_and_plus_n(run: Run) -> None:
    assert run("-n", "2")[1] == [line(28), line(29)]
    assert run("-n", "+29")[1] == [line(28), line(29)]
    assert run("-n", "0") == (0, [], "")
    assert run("-n", "99")[1] == [line(n) for n in range(30)]
    assert run("-n", "x")[0] == 2


def test_channel_across_rotated_files(run: Run, log: Path) -> None:
    log.with_name(log.name + ".1").write_text(line(100, "visual_index"))
    log.with_name(log.name + ".2").write_text(line(200, "scene_index"))
    assert run("--channel", "scene_index")[1] == [line(200, "scene_index"), line(100, "visual_index")]


def test_a_torn_end_and_broken_lines_are_named(run: Run, log: Path) -> None:
    with log.open("a") as file:
        file.write('{"ts":\n' + line(31) + '{"ts":"2026')
    status, out, err = run("-n", "3")
    assert (status, out) == (0, [line(28), line(29), line(31)])
    assert "skipped 2 lines that are not JSON" in err
    assert "line 31, 33" in err


def test_since_shows_all_since(run: Run) -> None:
    assert len(run("--since", "1772446532")[1]) == 28
    assert len(run("--since", "1772446532000", "--until", "1772446535")[1]) == 3


def test_statuses(run: Run, log: Path) -> None:
    assert run("--channel", "nothing", "-e")[0] == 1
    assert run(str(log.parent / "missing.jsonl"))[0] == 4
    assert run("--since", "soon")[0] == 2
    assert run("--grep", "(")[0] == 2
    log.unlink()
    status, out, err = run()
    assert (status, out) == (4, [])
    assert "no log in" in err


def test_following_ends_after_count_and_at_timeout(run: Run, log: Path) -> None:
    def write_later() -> None:
        time.sleep(0.2)  # what is written before the command looks is printed as well
        with log.open("a") as file:
            file.write(line(30) + line(31) + line(32))

    writer = threading.Thread(target=write_later)
    writer.start()
    assert run("-n", "+30", "-f", "--count", "4")[:2] == (0, [line(n) for n in range(29, 33)])
    writer.join()
    status, out, err = run("-n", "0", "-f", "--timeout", "0.1")
    assert (status, out) == (124, [])
    assert "--timeout" in err


def test_help_names_the_flags(run: Run) -> None:
    _, out, _ = run("--help")
    assert "--since TIME" in "".join(out)


def test_a_cursor_goes_on_where_the_last_run_ended(run: Run, log: Path, tmp_path: Path) -> None:
    cursor = ("--cursor-file", str(tmp_path / "cursor"))
    assert run(*cursor, "--count", "3") == (0, [line(n) for n in range(3)], "")
    assert run(*cursor, "-n", "+25")[1] == [line(n) for n in range(27, 30)]
    assert run(*cursor, "-e")[0] == 1
    with log.open("a") as file:
        file.writelines(line(n) for n in range(30, 40))
    assert run(*cursor, "-n", "2")[1] == [line(38), line(39)]
    assert run(*cursor)[1] == []
    log.rename(log.with_name(log.name + ".1"))
    log.write_text(line(40))
    assert run(*cursor, "-f", "--timeout", "0.1")[:2] == (124, [line(40)])
    with log.open("a") as file:
        file.write(line(41))
    assert run(*cursor, "-n", "0")[1] == []
    assert run(*cursor)[1] == []
    for old in tmp_path.glob("videodb_events.jsonl*"):
        old.unlink()
    log.write_text(line(50) + line(51))
    status, out, err = run(*cursor)
    assert (status, out) == (0, [line(50), line(51)])
    assert "starting at its beginning" in err


def test_a_first_run_with_a_cursor_begins_with_the_log(run: Run, tmp_path: Path) -> None:
    assert len(run("--cursor-file", str(tmp_path / "cursor"))[1]) == 30
    assert run("--cursor-file", str(tmp_path / "other"), "-n", "2")[1] == [line(28), line(29)]


def test_a_cursor_loses_nothing_when_the_reader_leaves_or_all_is_killed(log: Path, tmp_path: Path) -> None:
    numbers = range(3000)
    log.write_text("".join(line(n) for n in numbers))
    command = [sys.executable, "-m", "videodb_cli", "events", "tail", "--dir", str(log.parent), "-f"]
    command += ["--cursor-file", str(tmp_path / "cursor")]
    seen: list[str] = []
    for taken in (5, 1):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            head = subprocess.run(
                ["head", "-n", str(taken)], stdin=process.stdout, capture_output=True, check=True, timeout=30
            )
            assert process.stdout is not None
            process.stdout.close()
            process.wait(timeout=30)
        seen += head.stdout.decode().splitlines(keepends=True)
    assert seen == [line(n) for n in range(6)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen += [process.stdout.readline() for _ in range(200)]
        process.kill()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for again in process.stdout:
            seen.append(again)
            if again == line(numbers[-1]):
                break
        process.kill()
    assert list(dict.fromkeys(seen)) == [line(n) for n in numbers]


def test_the_count_is_of_matches_not_of_what_came_around_them(run: Run) -> None:
    expected = [line(n) for n in range(3, 8)]
    for flags in (["-n", "+1"], ["-n", "30"], ["-n", "+1", "-f"]):
        assert run("--grep", "word 5", "--around", "2s", "--count", "1", *flags)[:2] == (0, expected)

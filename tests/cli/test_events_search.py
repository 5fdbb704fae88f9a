"""`videodb events search`, `stats` and `transcript` as commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from videodb_cli.main import main

Run = Callable[..., tuple[int, str, str]]
T0 = 1772446530


def line(text: str, at: float, channel: str = "transcript", **data: object) -> str:
    event = {"unix_ts": T0 + at, "channel": channel, "rtstream_name": "mic:default"}
    times = {"start": T0 + at - 1, "end": T0 + at}
    return json.dumps({**event, "data": {"text": text, "is_final": True, **times, **data}}) + "\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "videodb_events.jsonl"
    path.write_text(
        line("rotate the access keys", 0) + line("weather", 1) + line("access granted", 100, "visual_index")
    )
    return path


@pytest.fixture
def run(log: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(command: str, *arguments: str) -> tuple[int, str, str]:
        status = main(["events", command, "--dir", str(log.parent), *arguments])
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return call


def test_search_prints_lines_as_logged(run: Run, log: Path) -> None:
    lines = log.read_text().splitlines(keepends=True)
    for extra in ((), ("--no-index",)):
        assert run("search", "access keys", *extra) == (0, lines[0], "")
        assert run("search", '"access keys"', *extra) == (0, lines[0], "")
        assert run("search", "access", "-keys", *extra) == (0, lines[2], "")
        assert run("search", "acc*", "--channel", "scene_index", *extra) == (0, lines[2], "")
        assert run("search", "keys", "--around", "5s", *extra) == (0, lines[0] + lines[1], "")
        assert run("search", "nothing", *extra)[0] == 1
    assert run("search", "acc* -keys")[1] == lines[2]  # all of the query in one argument
    assert run("search", "--", "-keys")[1] == lines[0]  # after -- it is a word
    for nothing in (("--", "--"), ("-x",), ()):
        status, _, err = run("search", *nothing)
        assert (status, "no word to look for" in err) == (2, True)


def test_search_reads_standard_input_where_a_dash_is_named(run: Run, log: Path, tmp_path: Path) -> None:
    log.write_text(log.read_text() + "broken\n" + line("接続を拒否しました", 200))
    lines = log.read_text().splitlines(keepends=True)
    saved = os.dup(0)
    try:
        for arguments in (("拒", "-"), ("--file", "-", "拒"), ("拒", "--around", "5s", "-"), ("拒", "-", "--no-index")):
            fd = os.open(log, os.O_RDONLY)
            os.dup2(fd, 0)
            os.close(fd)
            status, out, err = run("search", *arguments)
            assert (status, out) == (0, lines[4])
            assert "standard input line 4" in err
        assert not list(tmp_path.glob("*.index"))
        fd = os.open(log, os.O_RDONLY)
        os.dup2(fd, 0)
        os.close(fd)
        assert "name - to read it" in run("search", "拒")[2]
    finally:
        os.dup2(saved, 0)
        os.close(saved)


def test_search_without_an_index_fits_into_memory_and_its_answer_need_not(log: Path) -> None:
    # A common word in every line: neither the index nor what was found may be held.
    with log.open("w") as file:
        file.writelines(line(f"words of which {n:x} is rare {n * n:x}", n) for n in range(60_000))
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("the peak of a process is read from /proc")
    code = (
        "import sys; from videodb_cli.main import main; status = main(sys.argv[1:]);"
        f"sys.stderr.write(open('{status}').read()); sys.exit(status)"
    )
    command = [sys.executable, "-c", code, "events", "search", "--dir", str(log.parent), "--no-index", "words"]
    for flags in ([], ["--json"]):
        done = subprocess.run([*command, *flags], capture_output=True, check=True, timeout=120)
        assert done.stdout.count(b"words of which") >= 60_000
        peak = done.stderr.split(b"VmHWM:")[1].split()
        assert int(peak[0]) < 80_000


def test_search_as_json(run: Run) -> None:
    found = json.loads(run("search", "access", "--limit", "1", "--json")[1])
    assert found["count"] == 1
    assert "access" in found["results"][0]["snippet"]
    assert run("search", "nothing", "--json")[:2] == (1, '{"count":0,"results":[]}\n')


def test_stats(run: Run) -> None:
    status, out, _ = run("stats")
    assert status == 0
    assert out.splitlines()[1].split()[:4] == ["transcript", "2", "66.7", "%"]
    report = json.loads(run("stats", "--json", "--by", "stream")[1])
    assert (report["by"], report["count"], report["groups"][0]["name"]) == ("stream", 3, "mic:default")
    assert run("stats", "--by", "colour")[0] == 2


def test_transcript(run: Run) -> None:
    assert "rotate the access keys weather" in run("transcript")[1]
    assert run("transcript", "--format", "srt")[1].startswith("1\n00:00:00,000 --> 00:00:01,000\nrotate")
    assert "[access granted]" in run("transcript", "--format", "vtt", "--visuals")[1]
    assert len(json.loads(run("transcript", "--json")[1])["paragraphs"]) == 1
    assert run("transcript", "--format", "doc")[0] == 2
    assert run("transcript", "--since", "now") == (0, "", "nothing final was said in what was selected\n")

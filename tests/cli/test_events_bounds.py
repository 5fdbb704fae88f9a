"""Bounded answers end on a whole line, say what is left, and go on at the cursor; `--fields` and `--redact` hold."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from videodb_cli.main import main

Run = Callable[..., tuple[int, str, str]]
START = 1_700_000_000


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log in a rotated and a current file; texts of mixed length, one of them longer than any bound below."""
    names = ("videodb_events.jsonl.1", "videodb_events.jsonl")
    for part, name in enumerate(names):
        with (tmp_path / name).open("w") as file:
            for number in range(part * 40, part * 40 + 40):
                text = f"word {number} " * (number % 7 + 1) + ("mail bob@example.com" if number % 10 == 0 else "")
                data = {"text": text, "is_final": True, "start": START + number, "end": START + number + 1}
                stamps = {"ts": "2023-11-14T22:13:20.000Z", "unix_ts": START + number}
                file.write(json.dumps({**stamps, "channel": "transcript", "rtstream_name": "mic", "data": data}) + "\n")
    return tmp_path / names[1]


@pytest.fixture
def run(log: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(command: str, *arguments: str) -> tuple[int, str, str]:
        status = main(["events", command, "--dir", str(log.parent), *arguments])
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return call


def pages(run: Run, command: str, *arguments: str) -> list[str]:
    """All answers of a command, each going on where the one before ended."""
    found = []
    after: list[str] = []
    while True:
        status, out, err = run(command, *arguments, *after)
        assert status == 0, err
        found.append(out)
        cursor = re.search(r"--after (\S+)", err)
        if cursor is None:
            return found
        assert out, err
        after = ["--after", cursor[1]]


@pytest.mark.parametrize("command", [("tail", "-n", "+1"), ("filter",), ("filter", ".data.text")])
@pytest.mark.parametrize("limit", [900, 1500, 5000, 1_000_000])
def test_pages_together_are_the_whole_answer(run: Run, command: tuple[str, ...], limit: int) -> None:
    name, *arguments = command
    _, whole, _ = run(name, *arguments)
    found = pages(run, name, *arguments, "--max-bytes", str(limit))
    assert "".join(found) == whole
    assert all(len(page.encode()) <= limit and page.endswith("\n") for page in found)
    assert (len(found) == 1) == (limit > len(whole.encode()))


def test_the_last_events_are_paged_forwards(run: Run) -> None:
    _, whole, _ = run("tail", "-n", "50")
    found = pages(run, "tail", "-n", "50", "--max-bytes", "4kB")
    assert "".join(found) == whole


def test_it_says_how_many_are_left(run: Run) -> None:
    _, out, err = run("filter", "--max-tokens", "400")
    assert f"{80 - out.count(chr(10))} events left; go on with --after c1" in err


def test_an_event_that_is_larger_than_the_bound_is_named(run: Run) -> None:
    status, out, err = run("filter", "--max-bytes", "50")
    assert (status, out) == (0, "")
    assert "the first event alone has" in err
    assert "80 events left" in err


def test_a_cursor_survives_a_rotation_and_is_refused_elsewhere(run: Run, log: Path, tmp_path: Path) -> None:
    _, out, err = run("filter", "--max-bytes", "10kB")
    assert out.count("\n") > 40  # the cursor is in the current file
    cursor = re.search(r"--after (\S+)", err)
    assert cursor is not None
    log.rename(log.with_name(log.name + ".2"))
    log.write_text('{"unix_ts":1800000000,"channel":"alert","data":{"label":"new"}}\n')
    (log.parent / "videodb_events.jsonl.1").unlink()
    _, rest, _ = run("filter", "--after", cursor[1], "--max-bytes", "1M")
    assert rest.count("\n") == 80 - out.count("\n") + 1
    log.with_name(log.name + ".2").unlink()
    status, out, err = run("filter", "--after", cursor[1])
    assert (status, out) == (2, "")
    assert "not one of this log" in err
    assert run("filter", "--after", "nonsense")[0] == 2
    assert run("filter", "--after", cursor[1], "--cursor-file", str(tmp_path / "c"))[0] == 2


def test_answers_of_one_object_say_what_was_cut(run: Run) -> None:
    for command, key in ((("transcript",), "paragraphs"), (("stats", "--by", "minute"), "groups")):
        name, *arguments = command
        _, out, _ = run(name, *arguments, "--json")
        whole = json.loads(out)
        limit = len(out.encode()) - 1
        status, out, _ = run(name, *arguments, "--json", "--max-bytes", str(limit))
        cut = json.loads(out)
        assert status == 0
        assert len(out.encode()) <= limit
        assert cut["truncated"] == {"left": len(whole[key]) - len(cut[key]), "of": key}
    _, out, _ = run("search", "word", "--json", "--max-bytes", "2000")
    cut = json.loads(out)
    assert len(out.encode()) <= 2000
    assert cut["truncated"]["left"] == 80 - cut["count"]
    _, out, err = run("search", "word", "--max-bytes", "2000")
    assert len(out.encode()) <= 2000
    assert f"{80 - out.count(chr(10))} results left" in err
    _, out, err = run("transcript", "--max-bytes", "500")
    assert len(out.encode()) <= 500
    assert "lines left" in err


def test_fields_are_kept_in_the_order_asked_for(run: Run) -> None:
    _, out, _ = run("tail", "-n", "1", "--fields", "data.start,channel,nothing,data.nothing.deep,unix_ts")
    assert out == f'{{"data":{{"start":{START + 79}}},"channel":"transcript","unix_ts":{START + 79}}}\n'
    assert run("filter", "--limit", "1", "--fields", "channel", "-r", ".channel")[1] == "transcript\n"
    assert run("tail", "--fields", "a..b")[0] == 2


@pytest.mark.parametrize("command", ["tail", "filter", "search", "transcript", "summary", "wait", "stats"])
def test_nothing_is_printed_that_is_redacted(run: Run, command: str) -> None:
    extra = {
        "tail": ["-n", "100"], "search": ["bob"], "wait": ["--since", "1700000000", "--timeout", "5"],
        "summary": ["--budget", "3000"],
    }.get(command, [])  # fmt: skip
    status, out, err = run(command, *extra, "--redact", "email")
    assert status == 0, err
    assert "bob@example.com" not in out + err
    if command != "stats":
        assert "[email]" in out
    if command in {"tail", "filter"}:
        assert '"redacted":["email"]' in out
    assert run(command, *extra, "--redact", "nonsense")[0] == 2


def test_wait_prints_no_more_than_the_bound(run: Run) -> None:
    status, out, err = run("wait", "--since", "1700000000", "--max-bytes", "60", "--timeout", "5")
    assert (status, out) == (0, "")
    cursor = re.search(r"--after (\S+)", err)
    assert cursor is not None
    _, out, _ = run("filter", "--after", cursor[1], "--limit", "1", "--fields", "unix_ts")
    assert out == f'{{"unix_ts":{START}}}\n'

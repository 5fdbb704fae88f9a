"""Answers to shells: never an error, never a control character, and nothing heavy imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.make_completion_table import TABLE, render
from videodb_cli.completion import values
from videodb_cli.completion.answer import answer

HOSTILE = ["a\nb", "a\x1b[31m", "a\tb", "a\u202eb", "a" * 500, "", "\x00", "a\u2028b"]


def test_the_table_is_that_of_the_commands() -> None:
    assert TABLE.read_text(encoding="utf-8") == render(), "the commands have changed: make docs"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "videodb_events.jsonl"
    rows = [{"channel": name, "rtstream_name": name, "event": name, "capture_session_id": name} for name in HOSTILE]
    rows.append({"channel": "my_own", "rtstream_name": "mic:default", "rtstream_id": "rts-1"})
    path.write_text("".join(json.dumps({"unix_ts": 5.0, **row}) + "\n" for row in rows))
    return path


def listed(*words: str) -> list[str]:
    kind, *rows = answer(["zsh", *words]).splitlines()
    assert kind == "values"
    return [row.partition("\t")[0] for row in rows]


@pytest.mark.parametrize("flag", ["--channel", "--stream", "--event", "--session"])
def test_names_with_control_characters_are_left_out(log: Path, flag: str) -> None:
    found = listed("events", "tail", "--dir", str(log.parent), flag, "")
    assert not set(found) & set(HOSTILE)
    assert all(name.isprintable() and len(name) < 200 for name in found)


def test_names_of_the_log_come_before_the_usual_ones(log: Path) -> None:
    found = listed("events", "tail", "--dir", str(log.parent), "--channel", "")
    assert found[0] == "my_own"
    assert "transcript" in found
    assert listed("events", "tail", str(log), "--channel", "my") == ["my_own"]
    assert listed("events", "tail", str(log.parent), "--stream", "") == ["mic:default"]
    assert listed("events", "tail", str(log.parent), "--stream", "rts") == ["rts-1"]


def test_the_directory_of_the_environment(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEODB_EVENTS_DIR", str(log.parent))
    assert listed("events", "tail", "--channel", "my") == ["my_own"]


@pytest.mark.parametrize(
    "content",
    [None, b"", b"\0" * 100, b"\xff\xfe{", b"{{{{\n" * 50, bytes(range(256)) * 12],
    ids=["none", "empty", "zeros", "utf-16", "broken", "every byte"],
)
def test_a_damaged_log_or_none(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "videodb_events.jsonl").write_bytes(content)
    for flag, usual in {"--channel": "transcript", "--event": "exported", "--session": "last"}.items():
        assert usual in listed("events", "wait", "--dir", str(tmp_path), flag, "")
    assert listed("events", "tail", str(tmp_path / "nothing"), "--channel", "tr") == ["transcript"]


def test_options_that_are_on_the_line_are_not_offered_again() -> None:
    assert "--json" in listed("status", "--")
    assert "--json" not in listed("status", "--json", "--")
    assert "--channel" in listed("events", "tail", "--channel", "x", "--")
    assert "--since" in listed("sessions", "--")


def test_bash_gets_only_what_it_replaces(log: Path) -> None:
    line = f"videodb events tail --dir {log.parent} --stream mic:d"
    assert answer(["bash", ":=", line]) == "values\ndefault\n"
    assert answer(["bash", "=", line]) == "values\nmic:default\n"
    assert answer(["bash", ":=", "videodb events stats --by=str"]) == "values\nstream\n"
    assert answer(["bash", ":=", "videodb events search --file=a/b:c"]) == "log\na/b:c\na/b:\n"


def test_channels_of_the_capture(tmp_path: Path) -> None:
    state = tmp_path / "videodb_capture_info.json"
    state.write_text(
        json.dumps({"channels": [{"channel_id": "mic:default", "state": "flowing"}, {"channel_id": "a\nb"}]})
    )
    state.chmod(0o600)
    assert listed("capture", "pause", "--dir", str(tmp_path), "") == ["mic:default"]
    state.write_text("{")
    assert listed("capture", "pause", "--dir", str(tmp_path), "") == []


@given(st.lists(st.text(max_size=12), max_size=6))
def test_never_an_error(words: list[str]) -> None:
    for shell in ("zsh", "fish", "bash"):
        assert answer([shell, *words]).split("\n", 1)[0] in {"values", "log", "media", "file", "dir", "none"}


def test_an_answer_imports_nothing_heavy(log: Path) -> None:
    program = (
        "import sys\nfrom videodb_cli.completion.answer import answer\n"
        f"answer(['zsh', 'events', 'tail', '--dir', {str(log.parent)!r}, '--channel', ''])\n"
        "heavy = {'typer', 'asyncio', 'rich', 'orjson', 'dataclasses', 'logging', 'dotenv', 'videodb_cli.main'}\n"
        "print(*sorted(heavy & set(sys.modules)))\n"
    )
    from videodb_cli.eventlog.names.index import read_names
    from videodb_cli.eventlog.read.log_files import log_sources
    from videodb_cli.rundir.paths import RunDir

    read_names(log_sources(RunDir(log.parent)))  # warm: what was counted is not counted again
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == ""


def test_ages() -> None:
    now = values.time.time()
    ages = {
        0: "",
        now + 60: "",
        now - 5.2: "5 s ago",
        now - 200: "3 min ago",
        now - 7300: "2 h ago",
        now - 2e5: "2 d ago",
    }
    assert {at: values.ago(at) for at in ages} == ages

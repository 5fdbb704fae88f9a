"""The examples of help run as they stand, and end with a status that the help of their command names."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.e2e.program import VIDEODB
from tests.help_examples import recorded_statuses, run_in_shell, with_recorder
from videodb_cli.commands.help_words import _STATUSES, EXAMPLES

# These need devices, an account, a model, a receiver or the embedded service, or go on until they are stopped.
_NOT_HERE = ("listen", "demo", "capture channels", "capture start", "capture create", "capture stop", "events forward")
_FOLLOWS = (" -f", "events wait", "--wait", "videodb mcp", "videodb watch")
_OF_SERVICE = ("local start", "local replay", "local trigger", "local run", "models install", "doctor --local")
_SAMPLE = [
    {"channel": "transcript", "data": {"text": "rotate the access keys before the deploy", "is_final": True}},
    {"channel": "scene_index", "data": {"text": "a terminal"}},
    {"channel": "alert", "data": {"label": "deploy", "text": "a deploy"}},
]


def _runs_here(example: str) -> bool:
    calls = (f"videodb {name}" for name in (*_NOT_HERE, *_OF_SERVICE))
    return not any(call in example for call in calls) and not any(mark in example for mark in _FOLLOWS)


HERE = sorted({example for examples in EXAMPLES.values() for example, _ in examples if _runs_here(example)})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own home with a log, where a videodb runs that finds nothing else."""
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "VIDEODB_CONFIG", "VIDEODB_EVENTS_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("VIDEO_DB_API_KEY", "VIDEODB_API_KEY", "VIDEODB_LOCAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    log = tmp_path / ".local" / "state" / "videodb" / "videodb_events.jsonl"
    log.parent.mkdir(parents=True)
    log.parent.chmod(0o700)
    lines = [
        {"ts": f"2026-01-01T00:00:0{n}.000Z", "unix_ts": 1767225600.0 + n, **event} for n, event in enumerate(_SAMPLE)
    ]
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (log.parent / "videodb_ws_id").write_text("ws-1\n")
    return tmp_path


def test_most_examples_run_here() -> None:
    assert len(HERE) >= 25


@pytest.mark.parametrize("example", HERE)
def test_an_example_ends_with_a_status_that_its_help_names(example: str, home: Path) -> None:
    calls = with_recorder(home, f'{shlex.quote(VIDEODB)} "$@" 2>"{home}/stderr"')
    run_in_shell(example, home)
    found = recorded_statuses(calls)
    assert found
    for arguments, status in found:
        said = (home / "stderr").read_text()
        assert "Traceback" not in said
        assert status not in {2, 70} or arguments[0] == "doctor", said
        if arguments[0] != "help":
            assert status in _statuses_of(arguments), said


def _statuses_of(arguments: list[str]) -> tuple[int, ...]:
    words = " ".join(["videodb", *arguments])
    return next(numbers for path, (numbers, _) in _STATUSES.items() if words.startswith(path))


def test_events_examples_find_what_they_say(home: Path) -> None:
    def said(example: str) -> str:
        line = example.replace("videodb ", f"{shlex.quote(VIDEODB)} ").replace("--since 10m ", "")
        return subprocess.run(
            ["sh", "-c", line], cwd=home, capture_output=True, text=True, timeout=60, check=True
        ).stdout

    examples = {purpose: example for example, purpose in EXAMPLES["videodb events filter"]}
    assert said(examples["print what was said"]) == "rotate the access keys before the deploy\n"
    assert said(examples["count alerts"]).split() == ["1", "deploy"]
    assert "access keys" in said(EXAMPLES["videodb events search"][0][0])
    assert "rotate" in said("videodb events search 'rotat*' -draft")

"""What is promised word for word: every help text, and the shape of every JSON answer. `make golden` rewrites them.

A difference here is a change of what people and programs rely on: make it on purpose, and look at the diff.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.e2e.program import Box
from tests.fakes.event_service import EventService, refusal
from videodb_cli import settings
from videodb_cli.main import app, main

GOLDEN = Path(__file__).parents[1] / "golden"
REWRITE = os.environ.get("REWRITE_GOLDEN") == "1"


def compare(path: Path, content: str) -> None:
    if REWRITE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    assert path.exists(), f"no {path.relative_to(GOLDEN)} yet: make golden"
    assert content == path.read_text(), "if this change is meant: make golden"


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if hasattr(command, "list_commands"):
        for name in command.list_commands(None):
            yield from commands(command.get_command(None, name), (*path, name))


COMMANDS = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "videodb")
def test_help(path: tuple[str, ...], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*path, "--help"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert not any(line != line.rstrip() for line in out.splitlines() if line.strip())
    compare(GOLDEN / "help" / f"{'-'.join(('videodb', *path))}.txt", out)


def test_no_help_text_without_its_command() -> None:
    known = {f"{'-'.join(('videodb', *path))}.txt" for path in COMMANDS}
    found = {path.name for path in (GOLDEN / "help").iterdir()}
    if REWRITE:
        for name in found - known:
            (GOLDEN / "help" / name).unlink()
    else:
        assert found <= known


# Known or not, depending on the moment.
SOMETIMES = {"last_message_age_s", "last_pong_age_s", "last_message_at", "last_pong_at", "retry_at"}


def shape(value: Any) -> Any:
    """Keys in order, and the kinds of values."""
    if isinstance(value, dict):
        return {name: "number or null" if name in SOMETIMES else shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return {bool: "bool", int: "number", float: "number", str: "string", type(None): "null"}[type(value)]


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    found = Box(tmp_path)
    for name in ("VIDEO_DB_API_KEY", "VIDEODB_API_KEY", "VIDEO_DB_API", "VIDEO_DB_BASE_URL", "VIDEODB_LOCAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(found.home))
    monkeypatch.chdir(tmp_path)
    settings.forget()
    yield found
    found.close()
    settings.forget()


def answer(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main(list(arguments))
    out, _ = capfd.readouterr()
    assert out.count("\n") == 1, "one object on one line, nothing else"
    return status, json.dumps(shape(json.loads(out)), indent=2) + "\n"


def test_json_shapes(box: Box, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    directory = ("--dir", str(box.dir), "--json")
    answers = {"status-stopped": answer(capfd, "status", *directory), "stop-nothing": answer(capfd, "stop", *directory)}
    answers["error"] = answer(capfd, "listen", *directory)
    with EventService(answers=[refusal()]) as service:
        for name, value in service.environment.items():
            monkeypatch.setenv(name, value)
        settings.forget()
        answers["detach-error"] = answer(capfd, "listen", "--detach", *directory)
        answers["detach"] = answer(capfd, "listen", "--detach", *directory)
        answers["status-listening"] = answer(capfd, "status", *directory)
        answers["status-ws-id"] = answer(capfd, "status", "--ws-id", *directory)
        answers["stop"] = answer(capfd, "stop", *directory)
    stopped, listening = (json.loads(answers[name][1]) for name in ("status-stopped", "status-listening"))
    assert list(stopped) == list(listening), "the same keys in every state"
    assert {name: status for name, (status, _) in answers.items()} == {
        "status-stopped": 4,
        "stop-nothing": 0,
        "error": 3,
        "detach-error": 3,
        "detach": 0,
        "status-listening": 0,
        "status-ws-id": 0,
        "stop": 0,
    }
    for name, (_, content) in answers.items():
        compare(GOLDEN / "json" / f"{name}.json", content)

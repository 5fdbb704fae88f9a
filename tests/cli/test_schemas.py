"""The schemas are valid, complete, and true: real answers are held to them."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import typer

from scripts.eval_agents import recorded_log
from scripts.make_cli_docs import contexts
from scripts.make_schemas import PLACE, render
from videodb_cli.main import app, main
from videodb_cli.schemas import all_schemas, schema_of

VIDEODB = str(Path(sys.executable).with_name("videodb"))
SAMPLE = Path(__file__).parents[2] / "videodb_cli" / "local" / "sample" / "sample.mp4"


def check(name: str, value: Any) -> None:
    jsonschema_rs.Draft202012Validator(schema_of(name)).validate(value)


def is_valid(name: str, value: Any) -> bool:
    return jsonschema_rs.Draft202012Validator(schema_of(name)).is_valid(value)


def test_the_files_are_what_the_program_prints() -> None:
    assert {path.name: path.read_text(encoding="utf-8") for path in PLACE.glob("*.json")} == render()


@pytest.mark.parametrize("name", all_schemas())
def test_a_schema_is_one_of_2020_12(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", *name.split()]) == 0 or " --" in name
    printed = capsys.readouterr().out
    assert " --" in name or json.loads(printed) == schema_of(name)
    jsonschema_rs.meta.validate(schema_of(name))
    assert schema_of(name)["$schema"].endswith("2020-12/schema")


def test_every_command_with_json_has_a_schema() -> None:
    paths = {
        context.command_path.removeprefix("videodb ")
        for context in contexts(typer.main.get_command(app), "videodb")
        if any("--json" in parameter.opts for parameter in context.command.get_params(context))
    }
    # What `tail --json` prints are lines of the log: events.
    paths -= {"events tail"}
    assert paths - all_schemas().keys() == set()
    assert {name.partition(" --")[0] for name in all_schemas()} - paths == {"event", "error"}


def test_an_unknown_name_is_told_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "magic"]) == 4
    assert "event, error" in capsys.readouterr().err


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Any]:
    """Runs a command in a directory with the embedded service, and returns its JSON."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VIDEODB", "VIDEO_DB"))}
    environment = {**kept, "HOME": str(tmp_path), "VIDEODB_EVENTS_DIR": str(tmp_path), "VIDEODB_LOCAL": "1"}

    def call(*arguments: str) -> Any:
        done = subprocess.run(
            [VIDEODB, *arguments], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    yield call
    call("stop", "--json")
    call("local", "stop", "--json")


def test_answers_about_a_log_are_as_their_schemas_say(run: Any, tmp_path: Path) -> None:
    recorded_log.write(tmp_path)
    for line in recorded_log.lines():
        check("event", json.loads(line))
    for command in ("events stats", "events transcript", "events summary", "doctor", "guide", "local models list"):
        value = run(*command.split(), "--json")
        check(command, value)
        for member in schema_of(command)["required"]:
            less = copy.deepcopy(value)
            del less[member]
            assert not is_valid(command, less), f"{command} is valid without {member}"
    check("events search", run("events", "search", "slack", "--json"))
    check("events report", run("events", "report", "--json"))
    check("events prune", run("events", "prune", "--older", "30d", "--dry-run", "--json"))
    check("sessions list", run("sessions", "list", "--json"))
    check("sessions show", run("sessions", "show", "last", "--json"))
    (tmp_path / "notes.txt").write_text("write to alice@example.org")
    check("redact test", run("redact", "test", "notes.txt", "--json"))
    check("config set", run("config", "set", "collection", "team", "--json"))
    check("config get", run("config", "get", "collection", "--json"))
    check("config unset", run("config", "unset", "collection", "--json"))
    check("config list", run("config", "list", "--json"))
    check("config path", run("config", "path", "--json"))
    check("status --all", run("status", "--all", "--json"))
    check("status", run("status", "--json"))
    check("skill install", run("skill", "install", "--for", "elsewhere", "--json"))
    check("error", run("guide", "magic", "--json"))
    check("stop", run("stop", "--json"))
    check("capture stop", run("capture", "stop", "--json"))
    check("local status", run("local", "status", "--json"))


def test_answers_of_a_capture_are_as_their_schemas_say(run: Any, tmp_path: Path) -> None:
    check("local start", run("local", "start", "--detach", "--json"))
    check("listen", run("listen", "--detach", "--json"))
    check("status --ws-id", run("status", "--ws-id", "--json"))
    source = ("--source", str(SAMPLE))
    check("capture channels", run("capture", "channels", *source, "--json"))
    check("capture create", run("capture", "create", "--json"))
    check(
        "capture start",
        run("capture", "start", *source, "--channel", "display:file", "--index-visuals", "What?", "--json"),
    )
    check("capture status", run("capture", "status", "--json"))
    check("capture pause", run("capture", "pause", "display:file", "--json"))
    check("capture resume", run("capture", "resume", "display:file", "--json"))
    check("status", run("status", "--json"))
    check("local status", run("local", "status", "--json"))
    check("local env", run("local", "env", "--json"))
    check("local trigger", run("local", "trigger", "alert", "--text", "x", "--json"))
    check("capture stop", run("capture", "stop", "--json"))
    check("stop", run("stop", "--json"))
    check("local stop", run("local", "stop", "--json"))
    for line in (tmp_path / "videodb_events.jsonl").read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        check("event", event)
        kind = event.get("channel") or event["event"].partition(".")[0]
        named = {"videodb_cli": "own"}.get(kind, kind)
        # Not only as an event of whatever kind.
        jsonschema_rs.Draft202012Validator(schema_of("event")["$defs"][named]).validate(event)

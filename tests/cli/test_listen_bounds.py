"""`videodb listen` with `--redact`, `--max-seconds` and `--max-bytes`, through `main` against a scripted service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_listen import END, Box, box, quick_backoff
from tests.fakes.event_service import EventService, send, stay
from videodb_cli.main import main

__all__ = ["box", "quick_backoff"]
SCRIPT = Path(__file__).parents[2] / "scripts" / "ws_listener.py"
MAIL = '{"channel":"transcript","rtstream_id":"rts-1","data":{"text":"mail bob@example.com","is_final":true,"n":1.50}}'


def test_nothing_is_written_or_printed_that_is_redacted(box: Box) -> None:
    messages = [
        MAIL,
        "call bob@example.com, no JSON",
        '{"channel":"alert","redacted":["email"],"data":{"text":"clean"}}',
    ]
    with EventService(send(*messages, then=END)) as service:
        status, out, err = box.listen(service, "--redact", "email,cards", "--print")
    assert status == 5
    assert "bob@example.com" not in box.log.read_text() + "".join(out) + err
    assert "[transcript] mail [email]" in out
    first, second, third = box.heard()
    assert first == {
        "redacted": ["email"], "channel": "transcript", "rtstream_id": "rts-1",
        "data": {"text": "mail [email]", "is_final": True, "n": 1.5},
    }  # fmt: skip
    assert b'"n":1.50' in box.log.read_bytes()
    assert second == {"redacted": ["email"], "raw": "call [email], no JSON"}
    assert third == {"channel": "alert", "source_redacted": ["email"], "data": {"text": "clean"}}


def test_without_redact_the_mark_of_an_event_is_not_ours_either(box: Box) -> None:
    with EventService(send('{"channel":"alert","redacted":["email"]}', MAIL, then=END)) as service:
        box.listen(service)
    assert box.heard() == [{"channel": "alert", "source_redacted": ["email"]}, json.loads(MAIL)]


def test_a_wrong_kind_is_refused_before_anything_starts(box: Box) -> None:
    with EventService(stay) as service:
        status, out, err = box.listen(service, "--redact", "nonsense")
        assert not service.requests
    assert (status, out) == (2, [])
    assert "nonsense" in err


@pytest.mark.parametrize("bound", [("--max-seconds", "0.3"), ("--max-bytes", "2000")])
def test_a_bounded_run_ends_with_0_and_says_why(box: Box, bound: tuple[str, str]) -> None:
    with EventService(send(*[MAIL] * 30, then=stay)) as service:
        status, _, err = box.listen(service, *bound)
    assert status == 0
    (stopped,) = box.told("listener.stopped")
    assert stopped["reason"].startswith(bound[0])
    assert f"ending: {bound[0]}" in err
    assert stopped["live"] == 30
    assert len(box.heard()) == 30


def test_status_counts_what_was_redacted(box: Box, capfd: pytest.CaptureFixture[str]) -> None:
    seen = []

    async def look(_: object) -> None:
        import asyncio

        for _attempt in range(600):
            path = box.path / "videodb_listener.json"
            if path.exists() and (found := json.loads(path.read_text()).get("redacted")):
                seen.append(found)
                return
            await asyncio.sleep(0.05)

    with EventService(send(MAIL, MAIL, then=look)) as service:
        box.listen(service, "--redact", "email")
    assert seen == [{"email": 2}]


def test_the_script_takes_the_bounds_and_the_directory_that_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIDEODB_EVENTS_DIR", raising=False)
    state = Path(os.environ["XDG_STATE_HOME"]) / "videodb"
    state.mkdir(mode=0o700)
    (state / "videodb_events.jsonl").touch(0o600)
    with EventService(send(MAIL, then=stay)) as service:
        done = subprocess.run(
            [sys.executable, str(SCRIPT), "--max-seconds=2"],
            env={**os.environ, **service.environment},
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "WS_ID=ws-1"
    assert f"listening in {state}" in done.stderr
    assert "bob@example.com" in (state / "videodb_events.jsonl").read_text()


def test_a_detached_run_takes_the_rules_of_a_file(box: Box, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[[rule]]\nname = 'person'\npattern = 'bob'\nwords = ['bob']\n")
    with EventService(send(MAIL, then=stay)) as service:
        status, out, err = box.call(
            service, "listen", str(box.path), "--detach", "--redact", "mine.toml", "--max-seconds", "30"
        )
        assert (status, out) == (0, ["WS_ID=ws-1"]), err
        assert main(["events", "wait", "--since", "1h", "--channel", "transcript", "--dir", str(box.path)]) == 0
        assert main(["stop", "--dir", str(box.path)]) == 0
    assert box.heard()[0]["data"]["text"] == "mail [person]@example.com"

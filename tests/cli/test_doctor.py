"""`videodb doctor`: the verdict is that of `listen`, every failing line has what mends it, and no secret is shown."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.event_service import KEY, EventService, refusal
from videodb_cli import settings
from videodb_cli.main import main


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*settings.KEY_NAMES, *settings.BASE_URL_NAMES, "VIDEODB_LOCAL", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VIDEODB_EVENTS_DIR", str(tmp_path / "events"))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/none")
    monkeypatch.chdir(tmp_path)
    settings.forget()


def examine(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, dict[str, Any]], str]:
    status = main(["doctor", "--json"])
    out = capsys.readouterr().out
    shape = json.loads(out)
    assert shape["ok"] is (status == 0)
    return status, {check["name"]: check for check in shape["checks"]}, out


def serve(monkeypatch: pytest.MonkeyPatch, service: EventService, key: str = KEY) -> None:
    monkeypatch.setenv("VIDEO_DB_API_KEY", key)
    monkeypatch.setenv("VIDEO_DB_API", service.url)
    settings.forget()


def test_all_is_well_where_listening_would_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with EventService() as service:
        serve(monkeypatch, service)
        status, checks, out = examine(capsys)
    assert status == 0
    assert [checks[name]["status"] for name in ("key", "service", "socket", "log")] == ["ok"] * 4
    assert checks["display"]["status"] == "warning"
    assert "DISPLAY" in checks["display"]["text"]
    assert KEY not in out
    assert "secret-ticket" not in out


def test_no_key_is_3_and_the_rest_is_looked_at_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    status, checks, _ = examine(capsys)
    assert status == 3
    assert checks["key"]["status"] == "failing"
    assert checks["key"]["hint"]
    assert {"log", "recorder", "ffmpeg", "display", "microphone", "speech model"} <= set(checks)


def test_a_refused_key_is_3(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with EventService(answers=[refusal()]) as service:
        serve(monkeypatch, service)
        status, checks, _ = examine(capsys)
    assert (status, checks["service"]["status"]) == (3, "failing")


def test_an_unreachable_service_is_5(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with EventService() as service:
        serve(monkeypatch, service)
    status, checks, _ = examine(capsys)
    assert (status, checks["service"]["status"]) == (5, "failing")
    assert "doctor" not in checks["service"]["hint"]


def test_a_socket_that_gives_no_id_is_5(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videodb_cli.app.doctor_service._CALL_S", 0.5)
    with EventService(ids=lambda number: None) as service:
        serve(monkeypatch, service)
        status, checks, _ = examine(capsys)
    assert (status, checks["socket"]["status"]) == (5, "failing")


def test_an_unsafe_directory_is_6(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "events").chmod(0o777)
    with EventService() as service:
        serve(monkeypatch, service)
        status, checks, _ = examine(capsys)
    assert status == 6
    assert "chmod" in checks["log"]["hint"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into every directory")
@pytest.mark.parametrize("closed", ["events", "."])
def test_a_directory_that_is_closed_to_us_is_6(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, closed: str
) -> None:
    (tmp_path / "a" / "events").mkdir(parents=True)
    monkeypatch.setenv("VIDEODB_EVENTS_DIR", str(tmp_path / "a" / "events"))
    (tmp_path / "a" / closed).chmod(0)
    try:
        with EventService() as service:
            serve(monkeypatch, service)
            assert examine(capsys)[0] == 6
        assert main(["local", "status"]) == 6
    finally:
        (tmp_path / "a" / closed).chmod(0o700)


def test_the_plain_form_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 10
    assert all(line.split()[0] in {"ok", "warning", "failing"} for line in lines)

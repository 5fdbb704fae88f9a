"""`videodb local` through `main`, against a service in a thread that the command finds by its state file."""

import asyncio
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect

from videodb_cli.local.http.server import Running, running
from videodb_cli.local.models import ModelInfo
from videodb_cli.local.service_directory import (
    ServiceAddress,
    ServiceDirectory,
    make_directory,
    read_address,
    write_address,
)
from videodb_cli.main import main
from videodb_cli.process.start_token import current_start_token


@dataclass(frozen=True, slots=True)
class Outcome:
    status: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, object]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("VIDEODB_EVENTS_DIR", str(tmp_path))

    def call(*arguments: str) -> Outcome:
        status = main(["local", *arguments])
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return call


@pytest.fixture
def place(tmp_path: Path) -> ServiceDirectory:
    return ServiceDirectory(tmp_path / "local")


@pytest.fixture
def service(place: ServiceDirectory) -> Iterator[Running]:
    make_directory(place)
    with running(place.directory) as found:
        write_address(place, ServiceAddress(found.url, found.key, os.getpid(), current_start_token()))
        yield found


class Listener:
    """A socket that has its id."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.id = json.loads(socket.recv(timeout=10))["connection_id"]

    def hear(self) -> dict[str, object]:
        found = json.loads(self.socket.recv(timeout=10))
        assert isinstance(found, dict)
        return found


@pytest.fixture
def listener(service: Running) -> Iterator[Listener]:
    async def ticket(_: object) -> str:
        await asyncio.sleep(0)
        return service.service.state.issue_ticket()

    with connect(f"{service.service.socket_url}?ticket={service.call(ticket)}", max_size=None) as socket:
        yield Listener(socket)


def test_nothing_runs(run: Run) -> None:
    outcome = run("status")
    assert outcome.status == 4
    assert "videodb local start" in outcome.err
    assert run("status", "--json").answer == {"running": False, "schema": 1}
    assert run("status", "--json").status == 4
    assert run("stop").status == 0
    assert run("stop", "--json").answer == {"stopped": False, "pid": None, "kept": None, "schema": 1}
    for arguments in (["trigger", "transcript"], ["trigger", "transcript", "--json"]):
        assert run(*arguments).status == 4


def test_status_says_what_runs(run: Run, service: Running, listener: Listener) -> None:
    outcome = run("status", "--json")
    assert outcome.status == 0
    answer = outcome.answer
    assert {"running", "url", "key", "pid", "sockets", "streams"} <= set(answer)
    assert (answer["running"], answer["url"], answer["key"]) == (True, service.url, service.key)
    assert (answer["pid"], answer["sockets"], answer["streams"]) == (os.getpid(), 1, 0)
    plain = run("status").out
    assert service.url in plain
    assert listener.id in plain
    assert "not the VideoDB service" in plain


def test_a_state_file_of_a_dead_process_is_not_believed(run: Run, place: ServiceDirectory) -> None:
    make_directory(place)
    write_address(place, ServiceAddress("http://127.0.0.1:1", "sk-x", os.getpid(), "another:start"))
    assert run("status").status == 4
    assert not place.state_file.exists()
    place.state_file.write_text("garbage")
    assert read_address(place) is None


def test_trigger_sends_what_is_asked(run: Run, listener: Listener) -> None:
    outcome = run("trigger", "transcript", "--text", "hello", "--json")
    assert outcome.status == 0
    assert outcome.answer["sent"] == 1
    assert outcome.answer["connections"] == [listener.id]
    event = listener.hear()
    assert event["channel"] == "transcript"
    assert event["data"]["text"] == "hello"  # type: ignore[index]
    assert run("trigger", "capture_session.active", "--count", "2", "--rate", "500").status == 0
    assert [listener.hear()["data"]["sequence"] for _ in range(2)] == [1, 2]  # type: ignore[index]
    assert run("trigger", "alert", "--to", listener.id).status == 0
    assert listener.hear()["channel"] == "alert"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["trigger", "transcript", "--to", "ws-none"], 4),
        (["trigger", "telepathy"], 2),
        (["trigger", "transcript", "--count", "0"], 2),
        (["trigger", "transcript", "--rate", "0"], 2),
        (["trigger", "transcript", "--rate", "nan"], 2),
        (["trigger"], 2),
        (["replay", "no-such-file"], 4),
        (["replay", "/"], 6),
        (["replay", "x", "--speed", "-1"], 2),
    ],
)
@pytest.mark.usefixtures("listener")
def test_mistakes_have_their_status(run: Run, arguments: list[str], status: int) -> None:
    outcome = run(*arguments)
    assert outcome.status == status
    assert outcome.out == ""
    assert "error:" in outcome.err
    told = run(*arguments, "--json")
    assert told.status == status
    assert set(told.answer["error"]) == {"code", "message", "hint"}  # type: ignore[call-overload]


@pytest.mark.usefixtures("service")
def test_trigger_and_replay_need_somebody_who_hears(run: Run, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"unix_ts":1,"channel":"transcript","data":{}}\n')
    for arguments in (["trigger", "alert"], ["replay", str(tmp_path / "log.jsonl")]):
        outcome = run(*arguments)
        assert outcome.status == 4
        assert "nobody is connected" in outcome.err


def test_replay_sends_the_log(run: Run, listener: Listener, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    stamped = [{"ts": "t", "unix_ts": 100 + number, "channel": "transcript", "n": number} for number in range(3)]
    ours = {"ts": "t", "unix_ts": 103, "channel": "videodb_cli", "event": "listener.stopped", "data": {}}
    log.write_text("\n".join(json.dumps(line) for line in [*stamped, ours]))
    outcome = run("replay", str(log), "--speed", "20", "--json")
    assert (outcome.answer["sent"], outcome.answer["skipped"]) == (3, 1)
    assert float(outcome.answer["seconds"]) >= 0.1  # type: ignore[arg-type]
    assert [listener.hear() for _ in range(3)] == [{"channel": "transcript", "n": number} for number in range(3)]


def test_a_large_log_is_replayed_while_it_is_read(run: Run, listener: Listener, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text("".join(f'{{"unix_ts":1,"n":{n},"text":"{"x" * 300}"}}\n' for n in range(5000)))
    heard: list[object] = []
    thread = threading.Thread(target=lambda: heard.extend(listener.hear()["n"] for _ in range(5000)))
    thread.start()
    assert run("replay", str(log), "--json").answer["sent"] == 5000
    thread.join(20)
    assert heard == list(range(5000))


@pytest.mark.usefixtures("service")
def test_a_second_service_is_refused(run: Run, place: ServiceDirectory) -> None:
    from videodb_cli.rundir.lock import DirectoryLock

    with DirectoryLock(place.lock_file):
        outcome = run("start", "--json")
    assert outcome.status == 9
    assert outcome.answer["error"]["code"] == "already_running"  # type: ignore[index]


def test_start_on_a_taken_port_is_a_conflict(run: Run, service: Running, tmp_path: Path) -> None:
    port = service.url.rsplit(":", 1)[1]
    outcome = run("start", "--port", port, "--dir", str(tmp_path / "other"))
    assert outcome.status == 9
    assert f"port {port} is in use" in outcome.err
    assert not (tmp_path / "other" / "local" / "local.json").exists()


def test_models_are_listed_and_installed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from videodb_cli.local import models

    found = [ModelInfo("whisper-tiny.en", "speech", "missing", None, 0, "abc")]
    monkeypatch.setattr(models, "list_models", lambda: found)
    monkeypatch.setattr(models, "install", lambda **_: (line for line in ("Downloading.", "Done.")))
    assert "missing" in run("models", "list").out
    listed = run("models", "list", "--json").answer["models"]
    assert listed[0]["name"] == "whisper-tiny.en"  # type: ignore[index]
    outcome = run("models", "install")
    assert (outcome.status, outcome.out) == (0, "")
    assert outcome.err.splitlines() == ["Downloading.", "Done."]

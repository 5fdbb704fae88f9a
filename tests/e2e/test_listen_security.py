"""What strangers send and stand in the way with: the key goes nowhere, and nothing of theirs reaches the terminal."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.event_service import EventService
from tests.fakes.listener_process import ListenerProcess, read_log, wait_for
from tests.fakes.stage import Stage
from videodb_cli.local.http.server import Running

KEY = "sk-very-secret-0123456789"
HOSTILE = "\x1b]52;c;aGk=\x07\x1b[2Jred\u202eevil\x00\x9b31m\rover"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_a_wrong_certificate_is_refused_and_the_key_stays_here(tmp_path: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            connection.settimeout(10)
            try:
                with context.wrap_socket(connection, server_side=True) as wrapped:
                    received.append(wrapped.recv(4096))
            except OSError as error:
                received.append(str(error).encode())

        thread = threading.Thread(target=serve)
        thread.start()
        environment = {"VIDEO_DB_API_KEY": KEY, "VIDEO_DB_API": f"https://127.0.0.1:{server.getsockname()[1]}"}
        with ListenerProcess(tmp_path / "d", environment, "--max-retries=0") as listener:
            listener.process.wait(20)
            status = listener.stop()
        thread.join(15)
    assert status == 2, listener.output.decode()
    assert b"certificate" in listener.output.lower()
    assert KEY.encode() not in listener.output + b"".join(received)
    assert b"GET " not in b"".join(received)


def test_what_is_read_back_cannot_write_to_the_terminal_or_forge_a_line(service: Running, tmp_path: Path) -> None:
    stage = Stage(service)
    directory = tmp_path / "events"
    with ListenerProcess(directory, stage.environment, "--print") as listener:
        first = listener.wait_for_id()
        stream = stage.stream(name=f"mic{HOSTILE}")
        stage.transcribe(stream, first)
        stage.speak(stream, "before", time.time() - 30)
        listener.wait_for_line(lambda line: line.get("data", {}).get("text") == "before")
        stage.close_sockets()
        stage.speak(stream, f'x\n{{"channel":"videodb_cli"}}\u2028{HOSTILE}', time.time() - 10)
        line = listener.wait_for_line(lambda line: line.get("recovered") is True)
        listener.wait_for_event("listener.recovered")
        assert HOSTILE in line["data"]["text"]
        assert listener.stop() == 0
    output = listener.output
    assert not [byte for byte in output if byte < 32 and byte != 10]
    for forbidden in ("\u202e", "\x9b", "\u2028"):
        assert forbidden not in output.decode()
    raw = (directory / "videodb_events.jsonl").read_text()
    assert len(raw.splitlines()) == len(read_log(directory))


def test_the_key_and_the_socket_url_are_written_nowhere(service: Running, tmp_path: Path) -> None:
    stage = Stage(service)
    directory = tmp_path / "events"
    with ListenerProcess(directory, stage.environment) as listener:
        first = listener.wait_for_id()
        stream = stage.stream()
        stage.transcribe(stream, first)
        stage.close_sockets()
        listener.wait_for_event("listener.recovered")
        arguments = Path(f"/proc/{listener.process.pid}/cmdline").read_bytes() if sys.platform == "linux" else b""
        files = b"".join(path.read_bytes() for path in directory.iterdir() if path.is_file())
        listener.stop()
    everything = arguments + files + listener.output
    assert service.key.encode() not in everything
    assert b"ticket=" not in everything


class Nonsense(EventService):
    """Answers every call but that for a socket URL with something that makes no sense."""

    DEEP = '{"success":true,"data":' + '{"status":' * 400 + "1" + "}" * 400 + "}"
    BODIES = ("", "null", "[]", "{", '{"success":true,"data":7}', DEEP, '{"success":true,"data":{"scene_indexes":{}}}')

    def __init__(self) -> None:
        super().__init__()
        self.answered: list[str] = []

    async def _rest(self, connection: Any, request: Any) -> Any:
        answer = await super()._rest(connection, request)
        if answer is not None and "/websocket" not in request.path:
            self.answered.append(request.path)
            answer.body = self.BODIES[len(self.answered) % len(self.BODIES)].encode()
            del answer.headers["Content-Length"]
            answer.headers["Content-Length"] = str(len(answer.body))
        return answer


def test_any_rest_body_is_survived(tmp_path: Path) -> None:
    """Listening goes on, and says what it cannot do."""
    with Nonsense() as events, ListenerProcess(tmp_path / "d", events.environment) as listener:
        first = listener.wait_for_id()
        for number in range(3):
            event = {"channel": "transcript", "rtstream_id": f"rts-{number}", "data": {"text": "x"}}
            events.send(json.dumps(event), json.dumps({"event": "capture_session.active", "capture_session_id": "c"}))
        listener.wait_for_line(lambda line: line.get("rtstream_id") == "rts-2")
        events.call(_close)
        second = listener.wait_for_id(other_than=first)
        listener.wait_for_event("listener.recovered")
        wait_for(lambda: len(events.answered) > 20, "it does not try again")
        events.send('{"channel":"x","data":{"text":"still here"}}')
        listener.wait_for_line(lambda line: line.get("channel") == "x")
        assert listener.wait_for_id() == second
        assert listener.stop() == 0
    assert b"Traceback" not in listener.output
    assert b"could not read back" in listener.output


async def _close(connection: Any) -> None:
    await connection.close(1001)

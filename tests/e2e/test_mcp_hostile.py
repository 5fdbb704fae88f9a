"""`videodb mcp` over stdio with a broken, a slow and a hostile client; and a client that is killed."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.mcp_client import LINUX, RawServer, environment, event, is_gone, wait_for_child, write_log
from tests.e2e.program import VIDEODB, eventually

pytestmark = [pytest.mark.system, pytest.mark.skipif(not LINUX, reason="looks into /proc")]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RawServer]:
    directory = tmp_path / "events"
    write_log(directory, [event(0, "hello"), event(1, "again")])
    found = RawServer(directory)
    found.hello()
    yield found
    found.end()


def answers(server: RawServer, ident: int = 99) -> bool:
    """Whether the server still answers a call."""
    server.ask(ident, "events_query", {"last": 1})
    while (found := server.receive()).get("id") != ident:
        pass
    return found["result"]["structuredContent"]["count"] == 1


def memory_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize(
    "message",
    [
        b"this is no JSON",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b'{"jsonrpc":"2.0","id":5}',
        b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":[1]}',
        b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":7}}',
        b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"status","arguments":"x"}}',
        b'{"jsonrpc":"2.0","id":5,"method":"no/such"}',
        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":12345}}',
        b"[" * 100_000,
        b'{"jsonrpc":"2.0","id":5,"method":"resources/read","params":{"uri":"file:///etc/passwd"}}',
    ],
    ids=lambda message: message[:40].decode(errors="replace"),
)
def test_a_broken_message_does_no_harm(server: RawServer, message: bytes) -> None:
    server.send(message)
    assert answers(server)


def test_a_message_of_any_length_takes_bounded_memory(server: RawServer) -> None:
    before = memory_of(server.process.pid)
    assert server.process.stdin is not None
    for _ in range(200):
        server.process.stdin.write(b"x" * (1 << 20))
    server.process.stdin.write(b"\n")
    server.process.stdin.flush()
    assert answers(server)
    assert memory_of(server.process.pid) - before < 64 << 20


def test_a_client_that_never_reads_costs_bounded_memory_and_no_answers(server: RawServer) -> None:
    """Both pipes are full: nothing more is read, and every call that was sent is answered once the client reads."""
    before = memory_of(server.process.pid)
    assert server.process.stdin is not None
    fd = server.process.stdin.fileno()
    os.set_blocking(fd, False)
    sent = 0
    unsent = b""
    full_since = time.monotonic()
    # The server is stuck when its pipe takes nothing for so long.
    while time.monotonic() - full_since < 3 and sent < 20_000:
        params = {"name": "help", "arguments": {}}
        call = {"jsonrpc": "2.0", "id": sent + 1, "method": "tools/call", "params": params}
        unsent = unsent or json.dumps(call).encode() + b"\n"
        try:
            written = os.write(fd, unsent)
        except BlockingIOError:
            select.select([], [fd], [], 0.1)
            continue
        full_since = time.monotonic()
        unsent = unsent[written:]
        sent += not unsent
    assert sent < 5_000
    assert memory_of(server.process.pid) - before < 64 << 20
    seen = {server.receive()["id"] for _ in range(sent)}
    assert seen == set(range(1, sent + 1))
    os.set_blocking(fd, True)
    os.write(fd, unsent)
    assert answers(server, 99_999)


def test_stdout_has_nothing_but_messages(tmp_path: Path) -> None:
    """Not even when a log line is broken, a directory is made, or the log records are shown."""
    directory = tmp_path / "new" / "events"
    lines = [
        {"jsonrpc": "2.0", "id": 0, "method": "initialize",
         "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "0"}}},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "capture_channels", "arguments": {}}},
    ]  # fmt: skip
    process = subprocess.Popen(
        [VIDEODB, "-v", "mcp", "--dir", str(directory)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path),
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        for line in lines:
            process.stdin.write(json.dumps(line).encode() + b"\n")
        process.stdin.flush()
        found = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.stdin.close()
        rest = process.stdout.read()
    assert [message["id"] for message in found] == [0, 1]
    assert rest == b""
    assert process.returncode == 0


@pytest.mark.parametrize("how", ["cancelled", "closed"])
def test_a_wait_that_nobody_wants_any_more_ends_at_once(server: RawServer, how: str) -> None:
    server.ask(7, "events_wait", {"timeout_s": 50})
    (reader,) = wait_for_child(server.process.pid)
    if how == "cancelled":
        server.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}})
        assert answers(server)
    else:
        assert server.process.stdin is not None
        server.process.stdin.close()
        assert server.process.wait(20) == 0
    eventually(lambda: is_gone(reader), what="the reader goes on")


def test_a_client_that_is_killed_takes_the_server_with_it(tmp_path: Path) -> None:
    directory = tmp_path / "events"
    write_log(directory, [event(0, "hello")])
    client = (
        "import subprocess, sys, time\n"
        f"server = subprocess.Popen([{VIDEODB!r}, 'mcp', '--dir', {str(directory)!r}], stdin=-1, stdout=-1)\n"
        "def send(text): server.stdin.write(text + b'\\n'); server.stdin.flush()\n"
        'send(b\'{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18",'
        '"capabilities":{},"clientInfo":{"name":"x","version":"0"}}}\')\n'
        "server.stdout.readline()\n"
        'send(b\'{"jsonrpc":"2.0","method":"notifications/initialized"}\')\n'
        'send(b\'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"events_wait","arguments":{}}}\')\n'
        "print(server.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", client], stdout=subprocess.PIPE, env=environment(tmp_path)) as process:
        assert process.stdout is not None
        server = int(process.stdout.readline())
        (reader,) = wait_for_child(server)
        process.send_signal(signal.SIGKILL)
    eventually(lambda: is_gone(server) and is_gone(reader), what="the server or its reader goes on")


def test_a_server_that_is_killed_leaves_no_reader(server: RawServer) -> None:
    server.ask(7, "events_wait", {"timeout_s": 50})
    (reader,) = wait_for_child(server.process.pid)
    server.process.kill()
    eventually(lambda: is_gone(reader), what="the reader goes on")


def test_without_the_package_the_command_that_installs_it_is_named(tmp_path: Path) -> None:
    """A directory that hides the package stands for an installation without the extra."""
    hider = "import sys; sys.modules['mcp'] = None; from videodb_cli.main import main; sys.exit(main(['mcp']))"
    done = subprocess.run(
        [sys.executable, "-c", hider],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env=environment(tmp_path), check=False,
    )  # fmt: skip
    assert done.returncode == 7, done.stderr
    assert "pip install 'videodb-cli[mcp]'" in done.stderr
    assert done.stdout == ""

"""The official MCP client against the installed ``videodb mcp``, over both transports."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from tests.e2e.program import VIDEODB, Program, eventually


def event(number: int, text: str, channel: str = "transcript", **more: Any) -> str:
    at = 1772446530 + number
    return json.dumps(
        {
            "ts": f"2026-03-02T10:{15 + number // 60:02d}:{number % 60:02d}.000Z",
            "unix_ts": at,
            "channel": channel,
            "rtstream_name": "mic:default",
            "data": {"text": text, "is_final": True, "start": at * 1000, "end": at * 1000 + 900},
            **more,
        },
        separators=(",", ":"),
    )


def write_log(directory: Path, lines: list[str]) -> Path:
    directory.mkdir(mode=0o700, exist_ok=True)
    log = directory / "videodb_events.jsonl"
    with log.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    return log


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VIDEO_DB", "VIDEODB"))}
    return {**kept, "HOME": str(home), **more}


@contextlib.asynccontextmanager
async def over_stdio(directory: Path, *options: str, **more: str) -> AsyncIterator[Client]:
    parameters = StdioServerParameters(
        command=VIDEODB, args=["mcp", "--dir", str(directory), *options], env=environment(directory, **more)
    )
    async with Client(stdio_client(parameters)) as client:
        yield client


class HttpServer:
    """A server over HTTP as a process."""

    def __init__(self, directory: Path, *options: str, **more: str) -> None:
        command = [VIDEODB, "mcp", "--http", "--dir", str(directory), *options]
        self.program = Program(command, environment(directory, **more), directory)
        said = self.program.wait_for("MCP at", err=True)
        self.url = said.split("MCP at ")[1].split()[0]
        self.token_file = Path(said.rsplit(" in ", 1)[1].strip())
        self.token = self.token_file.read_text().strip()

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http,
            Client(streamable_http_client(self.url, http_client=http)) as client,
        ):
            yield client


class RawServer:
    """A server over stdio for a client that does what it likes."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [VIDEODB, "mcp", "--dir", str(directory), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(directory),
        )

    def send(self, message: Any) -> None:
        assert self.process.stdin is not None
        text = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.process.stdin.write(text + b"\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        found = json.loads(self.process.stdout.readline())
        assert isinstance(found, dict)
        return found

    def hello(self) -> None:
        self.send(
            {
                "jsonrpc": "2.0",
                "id": 0,
                "method": "initialize",
                "params": {
                    "protocolVersion": "2025-06-18",
                    "capabilities": {},
                    "clientInfo": {"name": "raw", "version": "0"},
                },
            }
        )
        assert self.receive()["id"] == 0
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def ask(self, ident: int, tool: str, arguments: Any) -> None:
        self.send(
            {"jsonrpc": "2.0", "id": ident, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
        )

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def children_of(pid: int) -> set[int]:
    """The children of a process (Linux)."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found.update(int(number) for number in task.read_text().split())
    return found


def wait_for_child(pid: int) -> set[int]:
    children = eventually(lambda: children_of(pid), what="no child was started")
    assert isinstance(children, set)
    return children


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


LINUX = sys.platform == "linux"

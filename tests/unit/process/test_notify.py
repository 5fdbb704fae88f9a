"""The service manager is told, by path and by abstract name; nothing goes wrong when nobody listens."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from videodb_cli.process.notify import Notifier


def heard(address: str, bind_to: str, tell: Notifier) -> list[bytes]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(bind_to)
        manager.settimeout(5)
        tell.ready("listening as\nws-1")
        tell.ready("listening as ws-2")
        tell.status("lost: cut")
        tell.stopping()
        return [manager.recv(4096) for _ in range(4)]


EXPECTED = [
    b"READY=1\nSTATUS=listening as ws-1",
    b"STATUS=listening as ws-2",
    b"STATUS=lost: cut",
    b"STOPPING=1",
]


def test_a_path(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    assert heard(path, path, Notifier(path)) == EXPECTED


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
def test_an_abstract_name() -> None:
    name = "videodb-test-notify"
    assert heard(f"@{name}", f"\0{name}", Notifier(f"@{name}")) == EXPECTED


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/at/all", "@nobody-there", "vsock:2:1"])
def test_nobody_listens(address: str) -> None:
    notifier = Notifier(address)
    notifier.ready("x")
    notifier.stopping()


def test_the_environment_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    assert heard(path, path, Notifier()) == EXPECTED

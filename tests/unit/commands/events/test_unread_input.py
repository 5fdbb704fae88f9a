"""Whether data waits on a descriptor, without ever waiting for it or taking any."""

from __future__ import annotations

import os
import pty
import socket
from pathlib import Path

import pytest

from videodb_cli.commands.events.unread_input import has_unread_input


def test_a_pipe() -> None:
    read_end, write_end = os.pipe()
    assert not has_unread_input(read_end)
    os.write(write_end, b"data")
    assert has_unread_input(read_end)
    assert has_unread_input(read_end)
    os.close(write_end)
    assert os.read(read_end, 10) == b"data"
    assert not has_unread_input(read_end)  # its writer is gone
    os.close(read_end)
    assert not has_unread_input(read_end)  # it is closed


def test_a_socket_that_an_agent_holds_open() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert not has_unread_input(ours.fileno())
        theirs.send(b"data")
        assert has_unread_input(ours.fileno())


def test_a_file_from_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("data")
    with (tmp_path / "in").open("rb", buffering=0) as file:
        assert has_unread_input(file.fileno())
        file.read()
        assert not has_unread_input(file.fileno())


@pytest.mark.parametrize("name", ["/dev/null", "/dev/zero"])
def test_devices(name: str) -> None:
    with Path(name).open("rb") as device:
        assert not has_unread_input(device.fileno())


def test_a_terminal_on_which_somebody_types_ahead() -> None:
    ours, theirs = pty.openpty()
    os.write(ours, b"typed\n")
    assert not has_unread_input(theirs)
    os.close(ours)
    os.close(theirs)

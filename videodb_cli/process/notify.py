"""Tells systemd our state by the protocol of sd_notify(3): one datagram for each message."""

from __future__ import annotations

import contextlib
import os
import socket


class Notifier:
    """Sends to the socket in ``NOTIFY_SOCKET``, if there is one. Never raises, never waits."""

    def __init__(self, address: str | None = None) -> None:
        address = os.environ.get("NOTIFY_SOCKET") if address is None else address
        self._address: str | None = None
        if address and address[0] in "/@" and hasattr(socket, "AF_UNIX"):
            # An abstract name begins with a zero byte, written as @.
            self._address = "\0" + address[1:] if address[0] == "@" else address
        self._is_ready = False

    def ready(self, status: str) -> None:
        """Say that the service is ready; READY is sent once only."""
        self._send(f"STATUS={_line(status)}" if self._is_ready else f"READY=1\nSTATUS={_line(status)}")
        self._is_ready = True

    def status(self, status: str) -> None:
        """Set the status text that ``systemctl status`` shows."""
        self._send(f"STATUS={_line(status)}")

    def stopping(self) -> None:
        """Say that the service is stopping."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(message.encode("utf-8", "replace"), self._address)


def _line(text: str) -> str:
    return " ".join(text.split())

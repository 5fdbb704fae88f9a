"""What a fault does below ASGI: the TCP connection behind a request or a socket, as uvicorn holds it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import Send


class Wire:
    """One connection. Made from the ``send`` that the server itself gave to the application."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._is_frozen = False
        self._proofs: dict[bytes, Callable[[], None]] = {}

    @classmethod
    def of(cls, send: Send) -> Wire | None:
        """The connection behind ``send``, which nothing may have wrapped; ``None`` under another server."""
        protocol = getattr(send, "__self__", None)
        return cls(protocol) if hasattr(protocol, "transport") else None

    def cut(self) -> None:
        """Reset the connection without a word."""
        self._protocol.transport.abort()

    def freeze(self) -> None:
        """Neither read nor answer from now on: half open, as behind a cable that was pulled."""
        self._is_frozen = True
        self._protocol.transport.pause_reading()

    def prove(self, on_proof: Callable[[], None]) -> None:
        """Ping; ``on_proof`` is called when the answer comes: everything sent so far has been received."""
        transport = self._protocol.transport
        if transport.is_closing() or self._is_frozen:
            return
        payload = os.urandom(8)
        self._proofs[payload] = on_proof
        plain = type(self._protocol).handle_pong

        def on_pong(event: Any) -> None:
            proof = self._proofs.pop(bytes(event.data), None)
            if proof is not None:
                proof()
            else:
                plain(self._protocol, event)

        self._protocol.handle_pong = on_pong
        self._protocol.conn.send_ping(payload)
        transport.write(b"".join(self._protocol.conn.data_to_send()))

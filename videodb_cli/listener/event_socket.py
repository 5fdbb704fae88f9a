"""A client socket that hands each message on as it is cut out of the stream.

`websockets` does the handshake, control frames, fragments, closing and everything unusual. It queues messages and wakes
a coroutine for each, which at thousands a second costs more than all that the listener does with them: here a whole
message goes to a callback from within ``data_received``, in order, and nothing is ever queued in memory.
docs/decisions/0012-frames-cut-from-the-stream.md says why, with the figures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from videodb_cli.listener.frames import FrameSplitter
from videodb_cli.process.clock import uptime_s

_DATA = frozenset((Opcode.TEXT, Opcode.BINARY, Opcode.CONT))
_END_OF_HEADERS = b"\r\n\r\n"


class EventSocket(ClientConnection):
    """``deliver_to`` says who gets the bytes of every message, text or binary; until then they wait in ``held``."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._deliver: Callable[[bytes], None] = self._hold
        self.held: list[bytes] = []
        self.messages = 0
        # Uptime seconds, as those below.
        self.last_message_at: float | None = None
        # A large message on a slow line is long in coming, and a pong cannot overtake it.
        self.bytes_received = 0
        self.last_bytes_at: float | None = None
        self.failure: Exception | None = None
        self._headers: bytearray | None = bytearray()
        self._fragments: list[bytes] = []
        self._splitter = FrameSplitter(self._hand_on, super().data_received)

    def data_received(self, data: bytes) -> None:
        """Take what came over TCP. The clock is read once for all messages in it."""
        before = self.messages
        self.bytes_received += len(data)
        if self._headers is not None:
            data = self._finish_handshake(data)
        if data and self._headers is None:
            protocol = self.protocol
            if protocol.close_rcvd is None and protocol.state in {State.OPEN, State.CLOSING}:
                self._splitter.feed(data)
            else:
                super().data_received(data)
        self.last_bytes_at = uptime_s()
        if self.messages != before:
            self.last_message_at = self.last_bytes_at

    def _finish_handshake(self, data: bytes) -> bytes:
        """Give the answer to the handshake to its parser; return what follows it."""
        assert self._headers is not None  # noqa: S101 - the caller has looked
        known = len(self._headers)
        self._headers += data
        end = self._headers.find(_END_OF_HEADERS)
        if end < 0:
            super().data_received(data)
            return b""
        cut = end + len(_END_OF_HEADERS) - known
        self._headers = None
        super().data_received(data[:cut])
        return data[cut:]

    def process_event(self, event: Any) -> None:
        """Take one frame that `websockets` has parsed. Overrides the hook that would queue it for ``recv``."""
        if not isinstance(event, Frame) or event.opcode not in _DATA:
            super().process_event(event)
            return
        self._fragments.append(bytes(event.data))
        if event.fin:
            message = b"".join(self._fragments)
            self._fragments.clear()
            self._hand_on(message)

    def _hand_on(self, message: bytes) -> None:
        self.messages += 1
        try:
            self._deliver(message)
        except Exception as error:  # noqa: BLE001 - asyncio would log it and go on; whoever waits raises it
            self.failure = self.failure or error
            self.transport.abort()

    def _hold(self, message: bytes) -> None:
        self.held.append(message)

    def deliver_to(self, deliver: Callable[[bytes], None]) -> None:
        """Hand over what was held, in order, and from now on every message as it comes."""
        held, self.held = self.held, []
        self._deliver = deliver
        for message in held:
            deliver(message)

"""A client socket that hands each message on as it is parsed.

`websockets` queues messages and wakes a coroutine for each; at thousands a second that costs as much as parsing them.
Here a whole message goes to a callback from within ``data_received``, in order, so nothing is ever queued in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode

_WHOLE = frozenset((Opcode.TEXT, Opcode.BINARY))


class EventSocket(ClientConnection):
    """``deliver`` gets the bytes of every message, text or binary; until it is set, messages wait in ``held``."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.deliver: Callable[[bytes], None] = self._hold
        self.held: list[bytes] = []
        self.messages = 0
        self.last_message_at: float | None = None
        self.failure: Exception | None = None
        self._fragments: list[bytes] = []

    def process_event(self, event: Any) -> None:
        """Take one parsed frame. Overrides the hook that would put it into the queue of ``recv``."""
        if type(event) is not Frame or event.opcode not in _WHOLE or not event.fin:
            self._process_other(event)
            return
        self._hand_on(bytes(event.data))

    def _process_other(self, event: Any) -> None:
        if isinstance(event, Frame) and event.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            self._fragments.append(bytes(event.data))
            if event.fin:
                message = b"".join(self._fragments)
                self._fragments.clear()
                self._hand_on(message)
            return
        super().process_event(event)

    def _hand_on(self, message: bytes) -> None:
        self.messages += 1
        self.last_message_at = time.time()
        try:
            self.deliver(message)
        except Exception as error:  # noqa: BLE001 - asyncio would log it and go on; whoever waits raises it
            self.failure = self.failure or error
            self.transport.abort()

    def _hold(self, message: bytes) -> None:
        self.held.append(message)

    def deliver_to(self, deliver: Callable[[bytes], None]) -> None:
        """Hand over what was held, in order, and from now on every message as it comes."""
        held, self.held = self.held, []
        self.deliver = deliver
        for message in held:
            self.deliver(message)

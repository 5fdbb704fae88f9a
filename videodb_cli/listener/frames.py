"""The fast way through a WebSocket stream (RFC 6455 §5.2): whole messages in one frame are cut out of the bytes.

Almost every frame of the service is one whole, unmasked text message. `websockets` parses a frame with a dozen
generator steps; here it is a comparison and a slice. Everything else, byte for byte, goes to the real parser, which is
handed whole frames only and so always stands at the beginning of one.
"""

from __future__ import annotations

from collections.abc import Callable

# FIN set, no extension bits, opcode text or binary.
_WHOLE_MESSAGE = frozenset((0x81, 0x82))
_LENGTH_16, _LENGTH_64 = 126, 127

MAX_MESSAGE_BYTES = 64 << 20


class FrameSplitter:
    """Feeds ``on_message`` with the payload of every whole message, ``on_other`` with the bytes of all other frames.

    From a frame that no server may send (masked, or larger than ``max_size``) on, everything goes to ``on_other``: the
    real parser finds the words for it.
    """

    def __init__(
        self,
        on_message: Callable[[bytes], None],
        on_other: Callable[[bytes], None],
        *,
        max_size: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self._on_message = on_message
        self._on_other = on_other
        self._max_size = max_size
        self._rest = bytearray()
        self._gave_up = False

    def feed(self, data: bytes) -> None:
        """Take bytes as they came; what is not yet a whole frame waits for the next call."""
        if self._gave_up:
            self._on_other(data)
            return
        rest = self._rest
        if rest:
            rest += data
            done = self._cut(rest)
            del rest[:done]
        else:
            done = self._cut(data)
            if done < len(data):
                rest += data[done:]
        self._give_up_if_asked()

    def _give_up_if_asked(self) -> None:
        if self._gave_up:
            self._on_other(bytes(self._rest))
            self._rest.clear()

    def _cut(self, data: bytes | bytearray) -> int:
        """Hand on every whole frame; return how many bytes they were."""
        position, end = 0, len(data)
        on_message = self._on_message
        while end - position >= 2:
            size = data[position + 1]
            start = position + 2
            if size >= _LENGTH_16:
                if size == _LENGTH_16:
                    start = position + 4
                elif size == _LENGTH_64:
                    start = position + 10
                else:
                    self._gave_up = True
                    return position
                if start > end:
                    return position
                size = int.from_bytes(data[position + 2 : start], "big")
                if size > self._max_size:
                    self._gave_up = True
                    return position
            stop = start + size
            if stop > end:
                return position
            if data[position] in _WHOLE_MESSAGE:
                on_message(bytes(data[start:stop]))
            else:
                self._on_other(bytes(data[position:stop]))
            position = stop
        return position

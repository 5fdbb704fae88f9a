"""The HTTP message of a delivery: its body and its headers."""

from __future__ import annotations

import time
from dataclasses import dataclass

from videodb_cli.app.forward.forwarder import Delivery
from videodb_cli.app.forward.signing import signature_headers
from videodb_cli.app.forward.templates import Body


@dataclass(frozen=True, slots=True)
class Message:
    """How deliveries are written.

    Attributes:
        body: Makes the body of a delivery.
        secrets: With secrets, each message is signed by each of them.
    """

    body: Body
    secrets: tuple[bytes, ...] = ()

    def headers(self, delivery: Delivery, body: bytes) -> dict[str, str]:
        """Returns the headers of one attempt: the signature holds its time, and its id is that of the delivery."""
        headers = {"content-type": "application/json", "idempotency-key": delivery.key}
        if self.secrets:
            headers |= signature_headers(self.secrets, delivery.webhook_id, int(time.time()), body)
        return headers

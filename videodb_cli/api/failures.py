"""What the control plane can answer instead of an answer."""

from __future__ import annotations

from videodb_cli.errors import CredentialsError, NotFoundError, RefusedError, UnreachableError, UsageError


class RequestFailedError(UnreachableError):
    """No usable answer: transport, TLS, DNS, a stall, an HTTP status, or a body that makes no sense.

    ``status`` is the HTTP status if there was one; ``retry_after_s`` is what ``Retry-After`` asked for.
    """

    def __init__(self, message: str, *, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, code="request_failed", hint="videodb doctor")
        self.status = status
        self.retry_after_s = retry_after_s


class KeyRefusedError(CredentialsError):
    """401 or 403 with the service's own error body: the key is wrong, not the network."""


class BadRequestError(UsageError):
    """400 with the service's own error body: what was asked for makes no sense to it."""


class NoSuchThingError(NotFoundError):
    """404 with the service's own error body."""


class OutOfCreditsError(RefusedError):
    """402: the account has no credits left."""

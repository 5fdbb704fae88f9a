"""The errors that the control plane can answer with, and their exit statuses.

| HTTP status, with the service's own error body | error | exit |
|---|---|---|
| 401, 403 | KeyRefusedError | 3 |
| 402 | OutOfCreditsError | 6 |
| 404, 410 | NoSuchThingError | 4 |
| 409 | ConflictError | 9 |
| 408, 425, 429, 5xx, 3xx: a later try may help | RequestFailedError | 5 |
| every other 4xx, and 2xx | BadRequestError | 6 |

Without that body somebody else has answered, for example a proxy: that is a RequestFailedError. Exit 2 means a wrong
command line, which was checked before the request, so no answer is exit 2. What the service refuses is exit 6.
"""

from __future__ import annotations

from videodb_cli.errors import (
    ConflictError,
    CredentialsError,
    NotFoundError,
    RefusedError,
    UnreachableError,
    VideodbError,
)
from videodb_cli.settings import CLIENT_TOKEN_NAME, Credentials


class RequestFailedError(UnreachableError):
    """There is no usable answer: no connection, no answer in time, an HTTP status, or a body that cannot be read.

    ``status`` is the HTTP status if there was one; ``retry_after_s`` is what ``Retry-After`` asked for.
    """

    def __init__(self, message: str, *, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, code="request_failed", hint="videodb doctor")
        self.status = status
        self.retry_after_s = retry_after_s


class KeyRefusedError(CredentialsError):
    """401 or 403 with the service's own error body: the key is wrong, not the network."""


class BadRequestError(RefusedError):
    """The service's own refusal of what was asked for: 400, 422 and others, or a ``success`` that is false."""


class NoSuchThingError(NotFoundError):
    """404 or 410 with the service's own error body."""


class OutOfCreditsError(RefusedError):
    """402: the account has no credits left."""


_LATER = frozenset((408, 425, 429))


def refusal_of(status: int, message: str, credentials: Credentials) -> VideodbError | None:
    """Return the error for an answer with the service's own error body; None if a later try may help."""
    host, source = credentials.host, credentials.token_source
    said = f"{host} answered HTTP {status}"
    if status in _LATER or 300 <= status < 400 or status >= 500:
        return None
    if status in {401, 403} and source == CLIENT_TOKEN_NAME:
        return KeyRefusedError(
            f"{host} refused the client token of the session (HTTP {status}: {message or 'no reason given'})",
            code="token_refused",
            hint="tokens expire: videodb capture create makes a fresh one",
        )
    if status in {401, 403}:
        return KeyRefusedError(
            f"{host} refused the key from {source} (HTTP {status}: {message or 'no reason given'})",
            code="key_refused",
            hint="check VIDEO_DB_API_KEY, or get a key at console.videodb.io",
        )
    if status in {404, 410}:
        return NoSuchThingError(f"{said}: {message or 'not found'}", code="no_such_thing")
    if status == 402:
        return OutOfCreditsError(
            f"{said}: {message or 'out of credits'}",
            code="out_of_credits",
            hint="add credits at console.videodb.io",
        )
    if status == 409:
        return ConflictError(f"{said}: {message or 'something is in the way'}", code="conflict_at_service")
    return BadRequestError(f"{said}: {message or 'it does not take this request'}", code="bad_request")

"""The errors that a user can cause. Only `main` turns them into an exit status.

An error carries a stable ``code`` for programs, one clear sentence for people, a ``hint`` with the command that mends
it, and an exit status (docs/contract.md §4). Any other exception is a bug: it
keeps its traceback, and the exit status is 70.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class VideodbError(Exception):
    """Base of all errors that are told to the user. ``str(error)`` is the sentence."""

    exit_status: ClassVar[int] = 70
    default_code: ClassVar[str] = "error"

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint

    def as_json(self) -> dict[str, dict[str, str | None]]:
        """Returns the shape that ``--json`` prints: ``{"error": {"code", "message", "hint"}}``."""
        return {"error": {"code": self.code, "message": self.message, "hint": self.hint}}

    def to_wire(self) -> dict[str, Any]:
        """Returns the error as one process of ours tells it to another."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "exit_status": self.exit_status}

    @staticmethod
    def from_wire(fields: object) -> VideodbError:
        """Returns the error that `to_wire` described, of the same class; `UnreachableError` for an unknown status."""
        told: Mapping[str, Any] = fields if isinstance(fields, dict) else {}
        kind = _KINDS.get(told.get("exit_status", 0), UnreachableError)
        code, hint = told.get("code"), told.get("hint")
        return kind(str(told.get("message", "the process ended without saying why")), code=code, hint=hint)


class NoMatchError(VideodbError):
    """Nothing matched, or the event that means failure came first."""

    exit_status = 1
    default_code = "no_match"


class UsageError(VideodbError):
    """The command line, a file named on it, or a jq program is wrong."""

    exit_status = 2
    default_code = "usage"


class CredentialsError(VideodbError):
    """The key is missing, or the service refused it."""

    exit_status = 3
    default_code = "credentials"


class NotFoundError(VideodbError):
    """No such session, file, channel, or running listener."""

    exit_status = 4
    default_code = "not_found"


class UnreachableError(VideodbError):
    """The service cannot be reached, or the listener is deaf or died."""

    exit_status = 5
    default_code = "unreachable"


class RefusedError(VideodbError):
    """A device, a permission, or the ownership of a file stands in the way; or the capture failed."""

    exit_status = 6
    default_code = "refused"


class MissingDependencyError(VideodbError):
    """A program or package is missing; the hint is the command that installs it."""

    exit_status = 7
    default_code = "missing_dependency"


class ConflictError(VideodbError):
    """Something already runs, or a file is in the way."""

    exit_status = 9
    default_code = "conflict"


class TimedOutError(VideodbError):
    """What was waited for did not come in time."""

    exit_status = 124
    default_code = "timed_out"


class OutputError(Exception):
    """Stdout cannot be written. ``str(error)`` is the system's reason.

    Not a `VideodbError`: those may be told on stdout, as JSON.
    """


class ReaderGoneError(OutputError):
    """The reader of stdout has closed it: ``| head`` has read enough."""


# The class of each exit status, for `from_wire`.
_KINDS: dict[int, type[VideodbError]] = {
    kind.exit_status: kind
    for kind in (
        NoMatchError,
        UsageError,
        CredentialsError,
        NotFoundError,
        UnreachableError,
        RefusedError,
        MissingDependencyError,
        ConflictError,
        TimedOutError,
    )
}

"""What running a jq program on lines gives, beside its results."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Failure(NamedTuple):
    """A program failed on one line: its place in what was given, and what jq says."""

    place: int
    message: str


class Halt(NamedTuple):
    """``halt`` or ``halt_error`` ended the run at one line: its place, the exit status, and the last words."""

    place: int
    status: int
    message: str


class Run(NamedTuple):
    """Results of all lines in order, as JSON texts; what failed; and what goes to standard error, byte for byte.

    What a program gave before it failed on a line counts. After ``halt`` there are no more lines.
    """

    results: list[str]
    failures: Sequence[Failure] = ()
    told: bytes = b""
    halt: Halt | None = None

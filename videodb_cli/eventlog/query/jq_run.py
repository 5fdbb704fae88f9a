"""The outcome of running a jq program on lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Failure(NamedTuple):
    """A failure on one line: the index of the line, and the message of jq."""

    place: int
    message: str


class Halt(NamedTuple):
    """The end of a run by ``halt`` or ``halt_error``: the index of the line, the exit status, and the message."""

    place: int
    status: int
    message: str


class Run(NamedTuple):
    """The results of all lines in order as JSON texts, the failures, and the bytes for standard error.

    Results of a line before its failure count. After ``halt`` no more lines are read.
    """

    results: list[str]
    failures: Sequence[Failure] = ()
    told: bytes = b""
    halt: Halt | None = None

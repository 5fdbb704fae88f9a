"""Selected lines as they are, and what is said about broken ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from videodb_cli import console
from videodb_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videodb_cli.eventlog.scan import BrokenLines, Line
    from videodb_cli.eventlog.sources import Source

_NAMED_LINES = 20


class Batch(NamedTuple):
    """Selected lines, and the bytes of the source from ``begin`` to ``end`` that are done with when they are out.

    Lines from before ``begin`` may stand first (surroundings).
    """

    lines: list[Line]
    source: Source | None = None
    begin: int = 0
    end: int = 0


class RawOutput:
    """Lines byte for byte."""

    def write(self, lines: Sequence[Line]) -> None:
        output = b"".join(line.raw + b"\n" for line in lines)
        if console.is_terminal():
            from videodb_cli.eventlog.jsontext import escape_unsafe

            output = escape_unsafe(output.decode(errors="replace")).encode()
        console.data_bytes(output)
        console.flush()

    def close(self) -> None:
        pass


def tell_broken(broken: BrokenLines, *, strict: bool = False) -> None:
    """Name on stderr the lines that were skipped, not being JSON; ``strict`` raises ``UsageError`` instead."""
    if strict and broken.count:
        for name, number in broken.take():
            raise UsageError(f"not JSON: {name} line {number}", code="strict")
    by_file: dict[str, list[str]] = {}
    for name, number in broken.take():
        by_file.setdefault(name, []).append("?" if number is None else str(number))
    for name, numbers in by_file.items():
        named = ", ".join(numbers[:_NAMED_LINES])
        more = f" and {len(numbers) - _NAMED_LINES} more" if len(numbers) > _NAMED_LINES else ""
        what = "line that is not JSON" if len(numbers) == 1 else "lines that are not JSON"
        console.talk(f"skipped {len(numbers)} {what}: {name} line {named}{more}")

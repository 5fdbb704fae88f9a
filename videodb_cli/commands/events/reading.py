"""Opens a log for the commands, and reports on stderr what could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videodb_cli import console
from videodb_cli.commands.events.selectors import CommandLog
from videodb_cli.commands.options import reading_run_dir
from videodb_cli.errors import UsageError
from videodb_cli.eventlog.read.blocks import line_numbers
from videodb_cli.eventlog.read.feed import Notice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from videodb_cli.eventlog.read.broken import BrokenLines, LinePlace
    from videodb_cli.eventlog.read.damage import DamagedError

_NAMED_LINES = 20
_NAMED_FAILURES = 10
_NOTICES = {
    Notice.NO_LOG_YET: "no log at {} yet; waiting for it",
    Notice.APPEARED: "there is a log now: {}",
    Notice.ROTATED: "{} was replaced; going on in the new file",
    Notice.TRUNCATED: "{} was emptied; going on from its beginning",
    Notice.REMOVED: "{} is gone; waiting for a new one",
    Notice.CURSOR_LOST: "the log is not the one that the cursor file knows, or what it stood at was removed; "
    "starting at its beginning",
}


def open_log(
    files: Sequence[str] | None, directory: str | None, env_file: str | None, events: Sequence[str] = ()
) -> CommandLog:
    """Returns the log of the named files, else that of the directory. ``events`` are names beside those of --event."""
    return CommandLog(reading_run_dir(directory, env_file, files), files or (), _tell_notice, events)


def _tell_notice(notice: Notice, path: Path) -> None:
    console.talk(_NOTICES[notice].format(path))


def tell_broken(broken: BrokenLines, *, strict: bool = False) -> None:
    """Names on stderr what could not be read since the last call; ``strict`` raises UsageError instead."""
    places, damage = broken.take_places(), broken.take_damage()
    if places or damage:
        tell_skipped(places, len(places), damage, strict=strict)


def tell_skipped(
    places: Sequence[LinePlace], count: int, damage: Sequence[DamagedError], *, strict: bool = False
) -> None:
    """Name on stderr the lines that are not JSON, and files that were not read to their end.

    ``count`` is how many lines they are when ``places`` are only the first. With ``strict`` it is an error instead.
    Raises ``UsageError``.
    """
    by_file: dict[str, list[str]] = {}
    # Sorted by file and place: parallel reading finds them in another order.
    order = list(dict.fromkeys(place.source for place in places))
    for name, number in line_numbers(
        sorted(places, key=lambda place: (order.index(place.source), place.offset, place.number or 0))
    ):
        by_file.setdefault(name, []).append("?" if number is None else str(number))
        if strict:
            raise UsageError(f"not JSON: {name} line {by_file[name][0]}", code="strict")
    if strict and damage:
        raise UsageError(damage[0].message, code="strict", hint=damage[0].hint)
    unnamed = count - len(places)
    for name, numbers in by_file.items():
        of_file = len(numbers) + (unnamed if name == list(by_file)[-1] else 0)
        named = ", ".join(numbers[:_NAMED_LINES])
        more = f" and {of_file - _NAMED_LINES:,} more" if of_file > _NAMED_LINES else ""
        what = "line that is not JSON" if of_file == 1 else "lines that are not JSON"
        console.talk(console.escape_controls(f"skipped {of_file:,} {what}: {name} line {named}{more}"))
    for error in damage:
        console.talk(console.escape_controls(error.message))
        if error.hint is not None:
            console.talk(console.escape_controls(f"hint: {error.hint}"))


class Failures:
    """Tells where a jq program failed, as jq does, and remembers that it did. Only the first are named."""

    def __init__(self) -> None:
        self.count = 0

    def tell(
        self, failures: Sequence[tuple[LinePlace, str]], count: int | None = None, *, strict: bool = False
    ) -> None:
        """Name failures on stderr; ``count`` is how many there were when these are the first ones only.

        With ``strict`` raises ``UsageError`` for the first.
        """
        left = max(_NAMED_FAILURES - self.count, 0)
        named = list(failures[:left])
        self.count += len(failures) if count is None else count
        for (name, number), (_, message) in zip(line_numbers(place for place, _ in named), named, strict=True):
            where = name if number is None else f"{name}:{number}"
            said = f"jq: error (at {where}): {message}"
            if strict:
                raise UsageError(said, code="strict")
            console.talk(console.escape_controls(said))

    def close(self) -> None:
        """Print how many failures were not named."""
        if self.count > _NAMED_FAILURES:
            console.talk(f"jq: {self.count - _NAMED_FAILURES:,} more lines failed")

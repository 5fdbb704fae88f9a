"""What is printed of events, and how much: ``--max-bytes``, ``--fields``, ``--redact``, ``--after``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import typer

from videodb_cli import console
from videodb_cli.commands.options import option_group, parse_size
from videodb_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from videodb_cli.eventlog.matches import Batch, Matches
    from videodb_cli.eventlog.query.budget import ByteBudget
    from videodb_cli.eventlog.query.fields import Fields
    from videodb_cli.eventlog.query.output import Shaped, Shaper
    from videodb_cli.eventlog.query.redact import Redactor
    from videodb_cli.eventlog.query.scan import Line
    from videodb_cli.eventlog.read.cursor import Cursor
    from videodb_cli.eventlog.read.sources import LogSource

_PANEL = "Bounds"


def _option(name: str, metavar: str, text: str, **settings: Any) -> Any:
    return typer.Option(name, metavar=metavar, help=text, rich_help_panel=_PANEL, show_default=False, **settings)


_SIZES: dict[str, Any] = {
    "max_bytes": Annotated[
        int | None,
        _option("--max-bytes", "SIZE", "Print at most so much, whole lines: 8000, 64kB.", parser=parse_size),
    ],
    "max_tokens": Annotated[int | None, _option("--max-tokens", "N", "The same in tokens, of four bytes each.", min=1)],
    "redact": Annotated[
        str | None,
        _option("--redact", "KINDS", "Replace secrets, cards, email, phone, or all of them; also RULES.toml."),
    ],
}
_FIELDS: dict[str, Any] = {
    "fields": Annotated[str | None, _option("--fields", "NAMES", "Keep only these members: ts,channel,data.text.")]
}
_AFTER: dict[str, Any] = {
    "after": Annotated[str | None, _option("--after", "CURSOR", "Go on at the cursor that a bounded answer has named.")]
}


@dataclass(frozen=True)
class Bounds:
    """The options as they were given."""

    max_bytes: int | None = None
    max_tokens: int | None = None
    redact: str | None = None
    fields: str | None = None
    after: str | None = None

    @cached_property
    def limit(self) -> int | None:
        """The bytes that may be printed; None if there is no bound."""
        from videodb_cli.eventlog.query.budget import BYTES_A_TOKEN, smaller

        return smaller(self.max_bytes, None if self.max_tokens is None else self.max_tokens * BYTES_A_TOKEN)

    @cached_property
    def budget(self) -> ByteBudget:
        """The bytes that are left."""
        from videodb_cli.eventlog.query.budget import ByteBudget

        return ByteBudget(self.limit)

    @cached_property
    def redactor(self) -> Redactor | None:
        """What replaces things before they are printed; None if nothing does. Raises UsageError."""
        if self.redact is None:
            return None
        from videodb_cli.eventlog.query.redact import Redactor

        return Redactor.from_names(self.redact)

    @cached_property
    def _kept(self) -> Fields | None:
        if self.fields is None:
            return None
        from videodb_cli.eventlog.query.fields import Fields

        return Fields(self.fields)

    @property
    def changes_lines(self) -> bool:
        """Whether lines are printed otherwise than they were logged."""
        return self.redact is not None or self.fields is not None

    @property
    def shown(self) -> Callable[[bytes], bytes] | None:
        """The function `line`; None if lines are printed as they were logged."""
        return self.line if self.changes_lines else None

    def line(self, raw: bytes) -> bytes:
        """Return a line as it is printed."""
        if self.redactor is not None:
            raw = self.redactor.logged(raw).text
        return raw if self._kept is None else self._kept.line(raw)

    def event(self, event: Any) -> Any:
        """Return a decoded event as it is printed."""
        if self.redactor is not None and isinstance(event, dict):
            event = self.redactor.event(event).text
        return event if self._kept is None else self._kept.event(event)

    def text(self, text: str) -> str:
        """Return a text as it is printed."""
        return text if self.redactor is None else str(self.redactor.text(text).text)

    def cursor(self, cursor_file: Cursor | None) -> Cursor | None:
        """Return where reading goes on. Raises UsageError for something that is no cursor, and for two of them."""
        _ = self.redactor, self._kept  # what is wrong with them is told before anything is read
        if self.after is None:
            return cursor_file
        if cursor_file is not None:
            raise UsageError("--after and --cursor-file both say where to go on; give one of them")
        from videodb_cli.eventlog.read.cursor_token import TokenCursor

        return TokenCursor(self.after)

    def batches(self, matches: Matches, *, follow: bool = False) -> Iterator[Batch]:
        """Yield batches of lines, as many as fit; then say on stderr how many are left, and the cursor."""
        found = matches.batches()
        for batch in found:
            fitting = self.fitting(batch.lines)
            if fitting == len(batch.lines):
                yield batch
                continue
            yield _cut(batch, fitting)
            self._tell_left(batch, fitting, () if follow else found)
            return

    def shaped(self, matches: Matches, shaper: Shaper, *, follow: bool) -> Iterator[tuple[Batch, Shaped]]:
        """Yield batches and their output, as much as fits; then say on stderr how many are left, and the cursor."""
        shaper = self.shaper(shaper)
        found = matches.batches()
        for batch in found:
            if self.limit is None:
                yield batch, shaper.shape([line.raw for line in batch.lines])
                continue
            number, done = self._shaped_one_by_one(batch.lines, shaper)
            yield (batch, done) if number == len(batch.lines) else (_cut(batch, number), done)
            if number < len(batch.lines) and done.halt is None:
                self._tell_left(batch, number, () if follow else found)
            if number < len(batch.lines):
                return

    def shaper(self, shaper: Shaper) -> Shaper:
        """Return a shaper that gets lines as they are printed."""
        return _Shown(self, shaper) if self.changes_lines else shaper

    def takes(self, line: Line, source: LogSource | None) -> bool:
        """Tell whether a single line fits; if not, say on stderr how to see it."""
        if self.budget.takes(len(self.line(line.raw)) + 1):
            return True
        from videodb_cli.eventlog.read.cursor_token import token_of

        token = None if source is None else token_of(source, line.offset)
        on = "" if token is None else f"; see it with --after {token}"
        console.talk(f"--max-bytes is reached: the event has {len(self.line(line.raw)) + 1:,} bytes{on}")
        return False

    def fitting(self, lines: Sequence[Line]) -> int:
        """Return how many of the lines fit; nothing fits behind a line that did not."""
        if self.limit is None:
            return len(lines)
        for number, line in enumerate(lines):
            if not self.budget.takes(len(self.line(line.raw)) + 1):
                return number
        return len(lines)

    def _shaped_one_by_one(self, lines: Sequence[Line], shaper: Shaper) -> tuple[int, Shaped]:
        from videodb_cli.eventlog.query.output import Shaped

        whole = Shaped(b"", None)
        for number, line in enumerate(lines):
            done = shaper.shape([line.raw])
            if not self.budget.takes(len(done.output)):
                return number, whole
            whole = Shaped(
                whole.output + done.output,
                whole.last if done.last is None else done.last,
                (*whole.failures, *(failure._replace(place=number) for failure in done.failures)),
                whole.told + done.told,
                None if done.halt is None else done.halt._replace(place=number),
            )
            if done.halt is not None:
                return number + 1, whole
        return len(lines), whole

    def _tell_left(self, batch: Batch, fitting: int, rest: Iterable[Batch]) -> None:
        """Say how many events are left. While a log is followed, nobody knows."""
        from videodb_cli.eventlog.read.cursor_token import token_of

        left = len(batch.lines) - fitting + sum(len(later.lines) for later in rest)
        first = batch.lines[fitting]
        # A line of context may come from another file, and then no cursor names it.
        token = token_of(batch.source, first.offset) if batch.source is not None and batch.line_ends else None
        on = f"; go on with --after {token}" if token is not None else "; narrow the selection to see them"
        if not self.budget.used:
            size = len(self.line(first.raw)) + 1
            console.talk(f"the first event alone has {size:,} bytes: raise --max-bytes, or keep less of it by --fields")
        console.talk(f"--max-bytes is reached: {left:,} event{'' if left == 1 else 's'} left{on}")

    def write_text(self, text: str, what: str = "lines") -> None:
        """Print as many whole lines of an answer as fit, and say on stderr how many are left."""
        from videodb_cli.eventlog.query.budget import whole_lines

        kept, left = whole_lines(text, self.limit)
        console.data_bytes(kept.encode("utf-8", "replace"))
        self.tell_cut(left, what)

    def tell_cut(self, left: int, what: str) -> None:
        """Say on stderr how many lines or results were left out, if any were."""
        if left:
            console.talk(f"--max-bytes is reached: {left:,} {what} left; narrow the selection to see them")

    def write_json(self, answer: dict[str, Any], key: str) -> None:
        """Print an answer with as many items of one of its lists as fit; ``truncated`` says how many are left."""
        from videodb_cli.eventlog.query.budget import bounded_list

        def size_of(found: dict[str, Any]) -> int:
            return len(console.json_text({**found, "schema": 1}).encode("utf-8", "replace")) + 1

        bounded, left = bounded_list(answer, key, self.limit, size_of)
        console.data_json(bounded, indent=False if left else None)


class _Shown:
    """A shaper that gets lines as they are printed."""

    def __init__(self, bounds: Bounds, shaper: Shaper) -> None:
        self._bounds = bounds
        self._shaper = shaper

    def shape(self, lines: Sequence[bytes]) -> Shaped:
        """Return the output of these lines."""
        return self._shaper.shape([self._bounds.line(line) for line in lines])


def _cut(batch: Batch, number: int) -> Batch:
    """Return the first lines of a batch; a cursor moves before the first line that is left out."""
    return batch._replace(lines=batch.lines[:number], end=max(batch.lines[number].offset, batch.begin))


# A command with one of these receives the options as its parameter ``bounds``.
with_bounds = option_group(Bounds, {**_SIZES, **_FIELDS, **_AFTER}, "bounds")
with_shown_bounds = option_group(Bounds, {**_SIZES, **_FIELDS}, "bounds")
with_answer_bounds = option_group(Bounds, _SIZES, "bounds")

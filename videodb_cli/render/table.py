r"""Writes rows as CSV, TSV or a Markdown table. Each row can be written as soon as it comes.

- CSV is that of RFC 4180: fields with a comma, a quote or a line break are quoted, quotes in them are doubled, and
  lines end with ``\n``, as all tools here write them. A field that a spreadsheet takes for a formula is left as it is:
  it is data, and a changed field would no longer be what was said.
- TSV has escapes for what would end a field or a line: ``\\t``, ``\n``, ``\\r`` and ``\\\\``.
- In Markdown the pipe is escaped, and a line break is ``<br>``.

Control characters are made visible in all of them: a file is looked at in a terminal sooner or later.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from videodb_cli import console
from videodb_cli.errors import UsageError
from videodb_cli.model import event as ev

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TABLE_FORMS = ("csv", "tsv", "md")
EVENT_COLUMNS = ("ts", "channel", "event", "stream", "session", "final", "recovered", "text")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_TSV = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Table:
    """Turns rows into the lines of a table.

    Args:
        form: ``csv``, ``tsv`` or ``md``.
        columns: The names of the columns.
        is_safe: Whether the table goes to a terminal, where characters that reorder a line are escaped as well.
    """

    def __init__(self, form: str, columns: Sequence[str], *, is_safe: bool = False) -> None:
        self.columns = tuple(columns)
        self._form = form
        self._is_safe = is_safe

    def header(self) -> str:
        """Return the lines before the first row."""
        names = self.row(self.columns)
        return names + f"|{' --- |' * len(self.columns)}\n" if self._form == "md" else names

    def row(self, values: Sequence[Any]) -> str:
        """Return one row with its newline."""
        texts = [self._text(value) for value in values]
        if self._form == "csv":
            return ",".join(_quoted(text, alone=len(texts) == 1) for text in texts) + "\n"
        if self._form == "tsv":
            return "\t".join(text.translate(_TSV) for text in texts) + "\n"
        return f"| {' | '.join(_markdown(text) for text in texts)} |\n"

    def member_row(self, members: Mapping[str, Any]) -> str:
        """Return the row of an object, whose members are named like the columns. A missing one is empty."""
        return self.row([members.get(name) for name in self.columns])

    def _text(self, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, str):
            text = value.replace("\r\n", "\n")
            if self._is_safe:
                return console.escape_controls(text)
            return _CONTROLS.sub(lambda match: console.escape_controls(match[0]), text)
        return console.json_text(value) if isinstance(value, dict) else json.dumps(value, ensure_ascii=False)


def _quoted(text: str, *, alone: bool) -> str:
    if alone and not text:
        return '""'  # else the line would be empty, which readers skip
    if any(character in text for character in ',"\n\r') or text != text.strip(" "):
        return '"' + text.replace('"', '""') + '"'
    return text


def _markdown(text: str) -> str:
    escaped = "".join(f"\\{character}" if character in "\\|`*_<[" else character for character in text)
    return "<br>".join(" ".join(line.split()) for line in escaped.split("\n"))


def event_row(event: Any) -> tuple[Any, ...]:
    """Return the values of `EVENT_COLUMNS`; of a line of the log that is no object only its text."""
    if not isinstance(event, dict):
        return (*(None for _ in EVENT_COLUMNS[:-1]), event)
    channel = ev.channel_of(event)
    return (
        event.get("ts"),
        channel,
        ev.name_of(event),
        ev.stream_of(event),
        ev.session_of(event),
        ev.is_final(event) if channel == "transcript" else None,
        True if ev.is_recovered(event) else None,
        ev.text_of(event),
    )


class ResultTable:
    """Turns the results of a jq program into a table.

    An array is a row. An object is a row whose columns are the members of the first object, which stand in the header.
    Anything else is a row with one field.
    """

    def __init__(self, form: str, *, is_safe: bool = False) -> None:
        self._form, self._is_safe = form, is_safe
        self._table: Table | None = None
        self._count = 0
        self._has_header = False

    def row(self, value: Any) -> str:
        """Return the lines of one result. Raises UsageError for one that does not fit the results before it."""
        self._count += 1
        is_object = isinstance(value, dict)
        if self._table is None:
            columns = list(value) if is_object else [str(n) for n in range(1, len(_fields(value)) + 1)]
            self._table = Table(self._form, columns, is_safe=self._is_safe)
            self._has_header = is_object
            before = self._table.header() if is_object or self._form == "md" else ""
            return before + self._row(self._table, value)
        return self._row(self._table, value)

    def _row(self, table: Table, value: Any) -> str:
        if isinstance(value, dict) != self._has_header:
            raise self._misfit("is an object, and the ones before are not" if not self._has_header else "is no object")
        if not isinstance(value, dict):
            return table.row(_fields(value))
        unknown = [name for name in value if name not in table.columns]
        if unknown:
            raise self._misfit(f"has the member '{unknown[0]}', which the first result does not have")
        return table.member_row(value)

    def _misfit(self, what: str) -> UsageError:
        return UsageError(
            console.one_line(f"no row of the table: result {self._count} {what}"),
            code="no_row",
            hint="name the members in the program: '{ts, channel, text: .data.text}'",
        )


def _fields(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]

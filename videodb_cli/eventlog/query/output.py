"""Turns selected lines into output: unchanged, one field of each, or the results of a jq program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from videodb_cli.eventlog.query.fast.columns import Columns
from videodb_cli.eventlog.query.json_text import Style, escape_unsafe, quote, restyle
from videodb_cli.eventlog.read.decode import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from videodb_cli.eventlog.query.jq import Program
    from videodb_cli.eventlog.query.jq_run import Failure, Halt
    from videodb_cli.eventlog.query.jq_syntax import Path

_BATCH = 512


class Form(NamedTuple):
    """How results are printed: ``-r``, ``-j`` and the styles of jq."""

    style: Style = Style()
    raw: bool = False
    join: bool = False

    @property
    def end(self) -> str:
        """The text behind each result."""
        return "" if self.join else "\n"

    def text(self, result: str) -> str:
        """Return one result, given as compact JSON text, in this form."""
        if self.raw and result.startswith('"'):
            value = str(decode(result.encode()))
            return escape_unsafe(value) if self.style.safe else value
        return result if self.style.is_plain else restyle(result, self.style)


class Shaped(NamedTuple):
    """The output of some lines.

    Attributes:
        output: The bytes for stdout.
        last: Whether the last result counts as true; None if there was none.
        failures: The lines on which the program failed.
        told: The bytes that the program wrote to standard error.
        halt: How the program ended the run, if it did.
    """

    output: bytes
    last: bool | None
    failures: Sequence[Failure] = ()
    told: bytes = b""
    halt: Halt | None = None


class Shaper(Protocol):
    """Makes output of selected lines."""

    def shape(self, lines: Sequence[bytes]) -> Shaped:
        """Return the output of these lines, which are valid JSON, in order and without newlines."""


class AsLogged:
    """Leaves lines unchanged."""

    def shape(self, lines: Sequence[bytes]) -> Shaped:
        """Return the lines unchanged, each with its newline."""
        if not lines:
            return Shaped(b"", None)
        return Shaped(b"\n".join(lines) + b"\n", lines[-1] not in {b"null", b"false"})


class Restyled:
    """Indents, sorts or colours lines."""

    def __init__(self, form: Form) -> None:
        self._form = form

    def shape(self, lines: Sequence[bytes]) -> Shaped:
        """Return the lines in the form that was asked for."""
        if not lines:
            return Shaped(b"", None)
        texts = (self._form.text(line.strip().decode(errors="replace")) + self._form.end for line in lines)
        return Shaped(encode("".join(texts)), lines[-1].strip() not in {b"null", b"false"})


class ByProgram:
    """Gives the results of any program."""

    def __init__(self, program: Program, form: Form) -> None:
        self._program = program
        self._form = form

    def shape(self, lines: Sequence[bytes]) -> Shaped:
        """Run the program on the lines, in batches, up to a halt."""
        pieces: list[str] = []
        failures: list[Failure] = []
        told: list[bytes] = []
        last: bool | None = None
        halt: Halt | None = None
        for begin in range(0, len(lines), _BATCH):
            results, failed, said, halt = self._program.run(lines[begin : begin + _BATCH])
            failures += [failure._replace(place=failure.place + begin) for failure in failed]
            told.append(said)
            if results:
                last = results[-1] not in {"null", "false"}
            if self._form.style.is_plain and not self._form.raw:
                pieces += [result + self._form.end for result in results]
            else:
                pieces += [self._form.text(result) + self._form.end for result in results]
            if halt is not None:
                halt = halt._replace(place=halt.place + begin)
                break
        return Shaped(encode("".join(pieces)), last, failures, b"".join(told), halt)


class OneField:
    """Gives the value at one path, without libjq if all are strings, booleans, null or small integers."""

    def __init__(self, path: Path, form: Form, otherwise: ByProgram) -> None:
        self._form = form
        self._otherwise = otherwise
        self._columns = Columns([path], str | int | bool | None)

    def shape(self, lines: Sequence[bytes]) -> Shaped:
        """Return the values, or what the program gives if one of them needs libjq."""
        return self.shape_block(b"\n".join(lines), len(lines)) or self._otherwise.shape(lines)

    def shape_block(self, data: bytes, count: int) -> Shaped | None:
        """Return the same for lines in one piece of memory; None if one of them needs libjq."""
        if not count:
            return Shaped(b"", None)
        try:
            (values,) = self._columns.read(data)
        except (ValueError, RecursionError):
            return None
        if len(values) != count:
            return None
        text = self._joined(values)
        if text is None:
            # There are numbers among the values.
            if 0 in values and (b":-0" in data or b" -0" in data):
                return None  # jq keeps the sign of -0
            strings: Callable[[str], str] = str if self._form.raw else quote
            texts = (strings(value) if isinstance(value, str) else _plain(value) for value in values)
            text = self._form.end.join(texts) + self._form.end
        return Shaped(encode(text), values[-1] is not None and values[-1] is not False)

    def _joined(self, values: list[Any]) -> str | None:
        """Return the text of strings and nulls; None if there are other values."""
        if not self._form.raw:
            return None
        end = self._form.end
        try:
            return end.join(["null" if value is None else value for value in values]) + end
        except TypeError:
            return None


def _plain(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def encode(text: str) -> bytes:
    """Encode as UTF-8; half a surrogate pair, which is no character, becomes U+FFFD as in jq."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()

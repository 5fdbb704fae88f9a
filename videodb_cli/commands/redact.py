"""`videodb redact …`: tries the rules of redaction on a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from videodb_cli import console
from videodb_cli.commands.options import JsonOption
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import NotFoundError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

app = new_app()
_AROUND = 24  # characters beside a find


@app.callback()
def redact() -> None:
    """Try what `--redact` of other commands replaces."""


@app.command("test", cls=PanelCommand)
def try_rules(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A log, or any text; - for standard input.")],
    kinds: Annotated[
        str, typer.Option("--redact", metavar="KINDS", help="secrets, cards, email, phone, all; also RULES.toml.")
    ] = "all",
    as_json: JsonOption = False,
) -> int:
    """Show everything that would be replaced, with what stands around it, to find what a rule takes by mistake.

    It prints what it finds, secrets included. Exit 1 when nothing is found.

    videodb redact test notes.txt --redact secrets,mine.toml
    """
    from videodb_cli.eventlog.query.redact import Redactor

    redactor = Redactor.from_names(kinds)
    finds: list[dict[str, Any]] = []
    counts: dict[str, int] = {}
    for number, text in _texts(file):
        for rule, begin, end in redactor.finds(text):
            counts[rule] = counts.get(rule, 0) + 1
            before, after = text[max(begin - _AROUND, 0) : begin], text[end : end + _AROUND]
            if as_json:
                finds.append({"line": number, "rule": rule, "found": text[begin:end], "before": before, "after": after})
            else:
                _show(number, rule, before, text[begin:end], after)
    if as_json:
        console.data_json({"counts": counts, "finds": finds})
    elif counts:
        console.talk(", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())))
    else:
        console.talk("nothing would be replaced")
    return 0 if counts else 1


def _show(number: int, rule: str, before: str, found: str, after: str) -> None:
    color = console.wants_color(sys.stdout)
    shown = console.one_line(found)
    if color:
        shown = console.paint(shown, "bold", "red")
    # A space at either end of the text beside it is folded away, and belongs there.
    left = console.one_line(before) + " " * before.endswith(" ")
    right = " " * after.startswith(" ") + console.one_line(after)
    console.data(f"{number}: {rule}: {left}{shown}{right}")


def _texts(name: str) -> Iterator[tuple[int, str]]:
    """Yield the texts of a file with the numbers of their lines: the strings of events, or lines as they are."""
    from videodb_cli.eventlog.query.redact import strings_of
    from videodb_cli.eventlog.read.decode import decode

    for number, line in enumerate(_lines(name), 1):
        try:
            event = decode(line) if line.startswith(b"{") else None
        except ValueError:
            event = None
        texts = strings_of(event) if isinstance(event, dict) else [line.decode(errors="replace").rstrip("\r\n")]
        for text in texts:
            yield number, text


def _lines(name: str) -> Iterator[bytes]:
    if name == "-":
        yield from sys.stdin.buffer
        return
    try:
        with Path(name).open("rb") as file:
            yield from file
    except FileNotFoundError:
        raise NotFoundError(f"no such file: {name}", code="no_file") from None
    except OSError as error:
        raise RefusedError(f"cannot read {name}: {error.strerror}", code="file") from None

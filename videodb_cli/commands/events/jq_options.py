"""The options of jq that take two values and may be repeated. Typer cannot declare them, so they are parsed here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from videodb_cli.commands.tree import PanelCommand
from videodb_cli.errors import NotFoundError, RefusedError, UsageError

_META = "videodb_cli.jq_variables"
_OPTIONS = ("--arg", "--argjson", "--slurpfile", "--rawfile")


class FilterCommand(PanelCommand):
    """A command that takes ``--arg NAME VALUE`` and similar options."""

    own_options: ClassVar[Mapping[str, int]] = dict.fromkeys(_OPTIONS, 2)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line, with the variables of ``--arg`` and its relatives taken out of it first."""
        self.check_values(ctx, args)  # before options with arbitrary values are removed
        rest, variables = take_variables(args)
        ctx.meta[_META] = variables
        left: list[str] = super().parse_args(ctx, rest)
        return left


def variables_of(ctx: Any) -> Mapping[str, Any]:
    """Return the variables that the command line sets for the program."""
    found: Mapping[str, Any] = ctx.meta.get(_META, {})
    return found


def take_variables(args: list[str]) -> tuple[list[str], dict[str, Any]]:
    """Return the arguments without these options, and the variables that they set. Raises ``UsageError``."""
    rest: list[str] = []
    variables: dict[str, Any] = {}
    index = 0
    while index < len(args):
        option = args[index]
        if option == "--":
            rest += args[index:]
            break
        if option not in _OPTIONS:
            rest.append(option)
            index += 1
            continue
        if len(args) < index + 3:
            raise UsageError(f"{option} takes two values: {option} NAME {'FILE' if 'file' in option else 'VALUE'}")
        name, value = args[index + 1 : index + 3]
        if not name.isidentifier() or not name.isascii():
            raise UsageError(f"{option} {name}: not a name that a program could use")
        if name not in variables:  # like jq: if one is set twice, the first counts
            variables[name] = _value(option, name, value)
        index += 3
    return rest, variables


def _value(option: str, name: str, value: str) -> Any:
    if option == "--arg":
        return value
    if option == "--argjson":
        try:
            return json.loads(value)
        except ValueError as error:
            raise UsageError(f"--argjson {name}: {value} is not JSON: {error}") from None
    try:
        # Like jq: JSON may begin with a byte order mark; raw text is not changed.
        text = Path(value).read_text(encoding="utf-8" if option == "--rawfile" else "utf-8-sig")
    except FileNotFoundError:
        raise NotFoundError(f"no such file: {value} (named by {option} {name})", code="no_file") from None
    except OSError as error:
        raise RefusedError(f"{option} {name}: cannot read {value}: {error.strerror}", code="file") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{option} {name}: cannot read {value}: {error}") from None
    return text if option == "--rawfile" else _all_values(option, name, text)


def _all_values(option: str, name: str, text: str) -> list[Any]:
    decoder = json.JSONDecoder()
    values: list[Any] = []
    at = 0
    while rest := text[at:].lstrip():
        at = len(text) - len(rest)
        try:
            value, at = decoder.raw_decode(text, at)
        except ValueError as error:
            raise UsageError(f"{option} {name}: not JSON: {error}") from None
        values.append(value)
    return values

"""What is typed behind `videodb events search`: words, phrases and unwanted words, as terms of a query."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, ClassVar

from videodb_cli.commands.events.flags import Refusals, SelectingCommand
from videodb_cli.commands.tree import places_of_values
from videodb_cli.errors import UsageError
from videodb_cli.eventlog.views.search_words import Term, parse_terms

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN = 20
_META = "videodb_cli.unwanted_words"


class SearchCommand(SelectingCommand):
    """A command that takes ``-word`` as a word that must not occur, and everything after ``--`` as words."""

    without: ClassVar[Refusals] = {
        "--cursor-file": (
            "search ranks all that is selected, and has no place to go on from",
            "videodb events filter --cursor-file PATH --grep REGEX",
        )
    }

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line, with unwanted words (``-word``) taken out of it first."""
        self.check_values(ctx, args)
        rest: list[str] = []
        unwanted: list[str] = []
        names = self.option_names(ctx)
        values = {place for _, place in places_of_values(args, names)}
        for number, argument in enumerate(args):
            if argument == "--":
                rest += ["--", *map(_literal, args[number + 1 :])]
                break
            is_unwanted = number not in values and _is_unwanted(argument, names)
            (unwanted if is_unwanted else rest).append(argument)
            _check_option(argument, names, is_value=number in values)
        ctx.meta[_META] = unwanted
        left: list[str] = super().parse_args(ctx, rest)
        return left


def _check_option(argument: str, options: Any, *, is_value: bool) -> None:
    """Raise UsageError for what looks like an option, is none, and is like none: it may be meant as a word."""
    name = argument.partition("=")[0]
    if is_value or not argument.startswith("--") or any(option.startswith(name) for option in options):
        return
    if name in SearchCommand.without:
        return  # it has a better reason
    from difflib import get_close_matches

    if name != "--help" and not get_close_matches(name, options, cutoff=0.75):
        raise UsageError(
            f"No such option: {name}",
            hint=f"to search for it as a word: videodb events search -- {shlex.quote(argument)}",
        )


def _is_unwanted(argument: str, options: Any) -> bool:
    """Tell whether an argument is a word behind a minus sign, and no option."""
    return len(argument) > 1 and argument[0] == "-" != argument[1] and argument not in options and argument != "-h"


def _literal(argument: str) -> str:
    """Return an argument that stands after ``--`` so that a leading minus sign does not make it unwanted."""
    return f'"{argument.replace(chr(34), " ")}"' if argument.startswith("-") and argument != "-" else argument


def typed_terms(ctx: Any, words: Sequence[str]) -> list[Term]:
    """Return the terms that were typed, with the unwanted words that `SearchCommand` took out.

    Raises:
        UsageError: There is no word to look for, or one is not UTF-8.
    """
    return parse_terms(" ".join(_as_typed(word) for word in _utf8([*words, *ctx.meta[_META]])))


def _utf8(words: list[str]) -> list[str]:
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            shown = word if len(word) <= _SHOWN else f"{word[:_SHOWN]}…"
            raise UsageError(f"the word {shown} is not UTF-8", hint="use a terminal with UTF-8") from None
    return words


def _as_typed(word: str) -> str:
    """Quote an argument with spaces: it is one phrase, although the shell has removed the quotes.

    An argument with operators of its own is a whole query, and stays as it is.
    """
    parts = word.split()
    is_query = '"' in word or any(
        part.startswith("-") or part.endswith("*") or part in {"AND", "OR", "NOT"} for part in parts
    )
    return f'"{word}"' if len(parts) > 1 and not is_query else word

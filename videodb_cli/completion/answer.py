"""Answers a shell that asks for completion: ``videodb __complete SHELL …``. Nothing here may fail or print an error.

The first line of the answer says what follows: ``values``, with one value a line (and its description after a tab), or
the kind of files that the shell completes by itself: ``log``, ``media``, ``file``, ``dir``, or ``none``.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from videodb_cli.completion.line import Asked, BashWord, read_line, split_bash, unquoted
from videodb_cli.completion.values import Value, values_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_FILES = frozenset(("log", "media", "file", "dir"))


def answer(arguments: Sequence[str]) -> str:
    """Return the answer to a shell.

    Args:
        arguments: ``bash``, the characters of ``COMP_WORDBREAKS``, and the command line up to the cursor; or ``zsh`` or
            ``fish``, then the words before the cursor without the name of the program, then the word at the cursor.
    """
    try:
        shell, *rest = arguments
        return _for_bash(*rest) if shell == "bash" else _for_words(shell, rest[:-1], rest[-1])
    except Exception:  # a traceback in the middle of a command line helps nobody
        if os.environ.get("VIDEODB_DEBUG"):
            raise
        return "none\n"


@cache
def _table() -> dict[str, Any]:
    import json

    with open(os.path.join(os.path.dirname(__file__), "commands.json"), encoding="utf-8") as file:  # noqa: PTH118,PTH120,PTH123
        table: dict[str, Any] = json.load(file)
    return table


def _for_bash(breaks: str, line: str) -> str:
    words, word = split_bash(line, breaks)
    asked = read_line(_table(), words[1:], word.text)
    if asked.kind in _FILES:
        # What is typed of the path, and how much of it bash leaves as it is. `--option=` is no part of the path.
        kept = word.kept.removeprefix(asked.before)
        return f"{asked.kind}\n{asked.text}\n{kept}\n"
    inserted = [_insertion(word, asked, value) for value in _matching(asked)]
    return "\n".join(["values", *(text for text in inserted if text is not None), ""])


def _insertion(word: BashWord, asked: Asked, value: Value) -> str | None:
    return word.insertion(asked.before + value.text)


def _for_words(shell: str, words: Sequence[str], word: str) -> str:
    asked = read_line(_table(), words, unquoted(word))
    if asked.kind in _FILES:
        return f"{asked.kind}\n"
    # zsh takes the beginning of the word off by itself.
    before = asked.before if shell == "fish" else ""
    rows = [f"{before}{value.text}\t{value.about}" for value in _matching(asked)]
    return "\n".join(["values", *rows, ""])


def _matching(asked: Asked) -> list[Value]:
    if asked.kind == "member":
        found = [Value(name, about) for name, about in _table()[asked.command]["members"].items()]
        if "list" in _table()[asked.command]["members"] and not asked.text:
            found = [value for value in found if value.text != "list"]
    elif asked.kind == "option":
        found = _options(asked)
    else:
        found = values_of(asked)
    return [value for value in found if value.text.startswith(asked.text)]


def _options(asked: Asked) -> list[Value]:
    """Return the options that are not on the line yet; short ones only if there is no long one of that beginning."""
    options = _table()[asked.command]["options"]
    group = _table().get(f"{asked.command} list", {}).get("options", {}) if "members" in _table()[asked.command] else {}
    free = [
        Value(name, about)
        for name, (_, about, is_repeatable) in {**options, **group}.items()
        if is_repeatable or name not in asked.used
    ]
    long = [value for value in free if value.text.startswith("--") and value.text.startswith(asked.text)]
    return long or free

"""Tells whether a command line is written for a shell, although none will run it."""

from __future__ import annotations

import re
import shlex

_SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ksh", "fish"))
_OPERATORS = frozenset("|&;<>()")
_EXPANSION = re.compile(r"\$[A-Za-z_{(]|`")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=\S*\s")


def shell_sign(command: str) -> str | None:
    """Return the first sign in a command line that only a shell understands, such as ``|`` or ``$NAME``.

    Args:
        command: As it is split by `shlex.split`.

    Returns:
        None if there is none, or if the command is a shell itself.
    """
    try:
        words = shlex.split(command)
        lexer = shlex.shlex(command, posix=False, punctuation_chars=True)
        lexer.whitespace_split = True
        operators = [token for token in lexer if set(token) <= _OPERATORS]
    except ValueError:
        return None
    if not words or (words[0].rpartition("/")[2] in _SHELLS and "-c" in words):
        return None
    if operators:
        return operators[0]
    if found := _ASSIGNMENT.match(command):
        return found[0].strip()
    expansion = _EXPANSION.search(re.sub(r"'[^']*'", "", command))
    return None if expansion is None else expansion[0]

"""Finds out from the text of a jq program which words it uses, and whether it is simple enough to run without jq.

Simple programs are the most common ones: ``.``, paths, ``select(PATH)``, ``select(PATH == LITERAL)`` with ``and``, and
pipes between them. The selection stages evaluate them, and also a leading ``select`` of another program.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

Path = tuple[str, ...]

MODULE_WORDS = frozenset({"import", "include", "modulemeta"})
# The library cannot do these: reading more input, and modules.
REFUSED = frozenset({"input", "inputs", "input_line_number", "input_filename"}) | MODULE_WORDS
_STRING = r'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(
    rf"""\s+ | \#(?:[^\\\n]|\\(?:\r?\n|[^\n]|\Z))* | (?P<string>{_STRING}) | (?P<field>\.[A-Za-z_]\w*)
    | (?P<variable>[$@][A-Za-z_]\w*) | (?P<word>[A-Za-z_][\w:]*) | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
    | (?P<mark>==|\.\.|.)""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)


class Condition(NamedTuple):
    """The condition ``path == literal``; without a literal, that the value is neither null nor false."""

    path: Path
    literal: str | bool | None = None
    compares: bool = False


class Simple(NamedTuple):
    """A simple program: the value at ``path`` of each event that fulfils the conditions."""

    conditions: tuple[Condition, ...]
    path: Path

    @property
    def paths(self) -> frozenset[Path]:
        """The paths of all conditions."""
        return frozenset(condition.path for condition in self.conditions)


class _Token(NamedTuple):
    kind: str
    text: str
    end: int


class _NotSimpleError(Exception):
    """The program is not a simple one."""


def _tokens(program: str) -> list[_Token]:
    return [_Token(m.lastgroup, m[0], m.end()) for m in _TOKEN.finditer(program) if m.lastgroup]


def used_words(program: str, words: AbstractSet[str]) -> list[str]:
    """Return which of these words the program calls, or may call."""
    found: list[str] = []
    tokens = _tokens(program)
    for index, token in enumerate(tokens):
        if token.kind == "string":
            for inner in _interpolations(token.text):
                found += used_words(inner, words)
        before = tokens[index - 1].text if index else ""
        after = tokens[index + 1].text if index + 1 < len(tokens) else ""
        is_key = after == ":" or (before == "{" and after in {"}", ","})
        if token.kind == "word" and token.text in words and not is_key:
            found.append(token.text)
    return found


def _interpolations(string: str) -> list[str]:
    r"""Return the programs within string interpolations; nested strings are cut short, which does no harm."""
    return re.findall(r"\\\((.*)", string, re.DOTALL)


def parse_simple(program: str) -> Simple | None:
    """Return the program as a `Simple`, or None if it is not simple."""
    try:
        conditions, path, rest = _stages(_tokens(program))
    except _NotSimpleError:
        return None
    return None if rest else Simple(tuple(conditions), path)


def leading_conditions(program: str) -> tuple[Condition, ...]:
    """Return conditions that an event must fulfil to pass the beginning of a program; possibly none."""
    tokens = _tokens(program)
    depth = 0
    for index, token in enumerate(tokens):
        depth += (token.text in "([{") - (token.text in ")]}") if token.kind == "mark" else 0
        if depth == 0 and token.text in {",", "as", "//", "def", "=", "?"}:
            # These bind more loosely than the first pipe, or catch its errors.
            return ()
        if depth == 0 and token.text == "|":
            simple = parse_simple(program[: token.end - 1])
            rest = program[token.end :]
            if simple is None or simple.path or not simple.conditions or not rest.strip():
                return ()
            return simple.conditions + leading_conditions(rest) if tokens[index + 1 :] else ()
    return ()


def _stages(tokens: Sequence[_Token]) -> tuple[list[Condition], Path, Sequence[_Token]]:
    conditions: list[Condition] = []
    base: Path = ()
    if not tokens:
        raise _NotSimpleError
    while True:
        if tokens and tokens[0].text == "select" and tokens[0].kind == "word":
            found, tokens = _condition_list(base, _expect(tokens[1:], "("))
            conditions += found
            tokens = _expect(tokens, ")")
        else:
            path, tokens = _path(tokens)
            base += path
        if not tokens:
            return conditions, base, tokens
        tokens = _expect(tokens, "|")


def _condition_list(base: Path, tokens: Sequence[_Token]) -> tuple[list[Condition], Sequence[_Token]]:
    found: list[Condition] = []
    while True:
        path, tokens = _path(tokens)
        if not base + path:
            raise _NotSimpleError
        if tokens and tokens[0].text == "==":
            literal = _literal(tokens[1:])
            found.append(Condition(base + path, literal, compares=True))
            tokens = tokens[2:]
        else:
            found.append(Condition(base + path))
        if not tokens or tokens[0].text != "and":
            return found, tokens
        tokens = tokens[1:]


def _path(tokens: Sequence[_Token]) -> tuple[Path, Sequence[_Token]]:
    path: list[str] = []
    first = True
    while tokens:
        token = tokens[0]
        following = tokens[1] if len(tokens) > 1 else None
        if token.kind == "field":
            path.append(token.text[1:])
            tokens = tokens[1:]
        elif token.text == "." and following is not None and following.kind == "string":
            path.append(_string(following.text))
            tokens = tokens[2:]
        elif token.text == "[" and following is not None and following.kind == "string" and not first:
            path.append(_string(following.text))
            tokens = _expect(tokens[2:], "]")
        elif token.text == "." and first:
            tokens = tokens[1:]
        else:
            break
        first = False
    if first:
        raise _NotSimpleError
    return tuple(path), tokens


def _expect(tokens: Sequence[_Token], text: str) -> Sequence[_Token]:
    if not tokens or tokens[0].text != text:
        raise _NotSimpleError
    return tokens[1:]


def _literal(tokens: Sequence[_Token]) -> str | bool | None:
    """Parse a string, true, false or null. Numbers are left to jq, which compares all their digits."""
    if tokens and tokens[0].kind == "string":
        return _string(tokens[0].text)
    constants: dict[str, bool | None] = {"true": True, "false": False, "null": None}
    if tokens and tokens[0].text in constants:
        return constants[tokens[0].text]
    raise _NotSimpleError


def _string(text: str) -> str:
    try:
        value: Any = json.loads(text)
    except ValueError:
        raise _NotSimpleError from None  # an interpolation
    if not isinstance(value, str) or any(c == "\ufffd" or "\ud800" <= c <= "\udfff" for c in value):
        raise _NotSimpleError  # jq reads half a surrogate pair as U+FFFD
    return value

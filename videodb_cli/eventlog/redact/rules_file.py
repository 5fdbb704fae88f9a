"""Reads a file of one's own rules of redaction: TOML with ``[[rule]]`` tables of name, pattern and words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from videodb_cli.errors import NotFoundError, UsageError
from videodb_cli.eventlog.redact.rules import KINDS, Rule

_NAME = re.compile(r"[a-z][a-z0-9:-]{0,39}")
_HINT = '[[rule]] with name = "ticket", pattern = \'TICKET-\\d+\', words = ["ticket-"]'


def read_rules(name: str) -> list[Rule]:
    """Return the rules of a file. Raises NotFoundError, and UsageError that names the rule which is wrong."""
    import tomllib

    try:
        content = tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"no such file of rules: {name}", code="no_file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read the rules in {name}: {error}", code="rules") from None
    tables = content.get("rule")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{name} holds no rules", code="rules", hint=_HINT)
    return [_rule(table, f"rule {number} in {name}") for number, table in enumerate(tables, 1)]


def _rule(table: dict[str, Any], where: str) -> Rule:
    name, pattern, words = table.get("name"), table.get("pattern"), table.get("words", [])
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in KINDS:
        raise UsageError(f"{where} needs a name of small letters, digits and -", code="rules", hint=_HINT)
    if not isinstance(pattern, str) or not isinstance(words, list) or not all(isinstance(w, str) and w for w in words):
        raise UsageError(f"{where} needs a pattern, and words as a list of strings", code="rules", hint=_HINT)
    if unknown := sorted(table.keys() - {"name", "pattern", "words"}):
        raise UsageError(f"{where} has no member {unknown[0]}", code="rules", hint=_HINT)
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"the pattern of {where} is not valid: {error}", code="rules") from None
    if compiled.match(""):
        raise UsageError(f"the pattern of {where} matches nothing at all", code="rules", hint=_HINT)
    return Rule(name, compiled, tuple(word.lower().encode() for word in words))

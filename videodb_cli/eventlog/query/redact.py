"""Replaces what must not be read by typed placeholders, in texts, events and lines of a log. Pure.

A line keeps its bytes but for the strings in which something was found. Names of members, ids, and what makes an event
what it is (`channel`, `event`, …) stay: programs need them.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import stringzilla

from videodb_cli.errors import UsageError
from videodb_cli.eventlog.redact.rules import KINDS, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from videodb_cli.model.event import Event

ALL = tuple(KINDS)
MARK = "redacted"
# Members whose values stay. An id stays only if it looks like one: some send e-mail addresses as ids of users.
_NEVER = frozenset(("channel", "event", "type", "event_type", "ts", "status", "stream_url", "player_url", MARK))
_ID_NAME = re.compile(r"(?:^id|_id|Id|_ids|^ws_id)$")
_ID = re.compile(r"[A-Za-z0-9][\w.:\-]{0,127}")
# A string of JSON, and whether a colon follows: then it is the name of a member.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"(\s*:)?', re.DOTALL)
_SEPARATORS = ((b"\xc2\x85", b"\\u0085"), (b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))
# Seven digits together, once digits are zeros and separators gone. Not those of a number of JSON, which follows a name
# (`":`). Literal bytes come first, because `re` looks for those much faster than for anything else.
_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
_BETWEEN_DIGITS = b" .()/-"
_MANY_DIGITS = re.compile(rb'0000000(?<!00000000)(?<![^\\]":0000000)')
_ESCAPED_ASCII = re.compile(rb"\\(?:u00[2-7]|/)")
_SHORTEST = len('"a@b.co"')


class Redacted(NamedTuple):
    """A text or line in which things were replaced, and how many of each kind (``secrets``, ``cards``, …)."""

    text: Any
    counts: Counter[str]


class Redactor:
    """Replaces what its rules find. Build it with `from_names`.

    Attributes:
        kinds: The names of the rules' kinds, in the order in which they are applied.
    """

    def __init__(self, kinds: Mapping[str, Iterable[Rule]]) -> None:
        self.kinds = tuple(kinds)
        self._rules = [(kind, rule) for kind, rules in kinds.items() for rule in rules]
        # By the numbers of the rules, so that those that may match can be tried in their order.
        self._by_needle: dict[bytes, list[int]] = {}
        self._of_digits: list[int] = []
        self._always: list[int] = []
        for number, (_, rule) in enumerate(self._rules):
            for needle in rule.needles:
                self._by_needle.setdefault(needle, []).append(number)
            if rule.needs_digits:
                self._of_digits.append(number)
            elif not rule.needles:
                self._always.append(number)
        self._needles = tuple(self._by_needle)

    @classmethod
    def from_names(cls, names: str | Iterable[str] = ALL) -> Redactor:
        """Return a redactor for kinds by name, and for files of rules (``.toml``).

        Raises:
            UsageError: A kind does not exist, or a file of rules cannot be read.
        """
        listed = names.split(",") if isinstance(names, str) else list(names)
        wanted = [name.strip() for name in listed if name.strip()]
        if not wanted:
            raise UsageError("there is nothing to redact", hint=f"--redact {','.join(ALL)}")
        kinds: dict[str, tuple[Rule, ...]] = {}
        for name in (*(kind for kind in ALL if kind in wanted or "all" in wanted), *wanted):
            if name in KINDS:
                kinds[name] = KINDS[name]
            elif name.endswith(".toml"):
                from videodb_cli.eventlog.redact.rules_file import read_rules

                for rule in read_rules(name):
                    kinds[rule.name] = (*kinds.get(rule.name, ()), rule)
            elif name != "all":
                raise UsageError(
                    f"nothing that can be redacted is called {name}",
                    hint=f"--redact takes {', '.join(ALL)}, all, and files of rules: RULES.toml",
                )
        return cls(kinds)

    def _candidates(self, line: bytes) -> list[tuple[str, Rule]]:
        """Return the rules that may match in a text of bytes; mostly there are none, and this is quick."""
        find, low = stringzilla.find, line.lower()
        hits = [needle for needle in self._needles if find(low, needle) >= 0]
        has_digits = self._of_digits and _MANY_DIGITS.search(line.translate(_DIGITS, _BETWEEN_DIGITS))
        if not hits and not has_digits and not self._always:
            return []
        numbers = {*self._always, *(self._of_digits if has_digits else ())}
        for needle in hits:
            numbers.update(self._by_needle[needle])
        return [self._rules[number] for number in sorted(numbers)]

    def text(self, text: str) -> Redacted:
        """Return a text with what was found replaced."""
        counts: Counter[str] = Counter()
        # A character that is no ASCII stands for a boundary; no rule needs it for its first test.
        rules = self._candidates(text.encode("utf-8", "replace"))
        return Redacted(_applied(rules, text, counts) if rules else text, counts)

    def finds(self, text: str) -> list[tuple[str, int, int]]:
        """Return the rule, beginning and end of everything that would be replaced, in the order of the text."""
        found: list[tuple[str, int, int]] = []
        for _, rule in self._rules:
            group = "value" if "value" in rule.pattern.groupindex else 0
            for match in rule.pattern.finditer(text):
                begin, end = match.span(group)
                if rule.accepts(match[group]) and all(end <= a or begin >= b for _, a, b in found):
                    found.append((rule.name, begin, end))
        return sorted(found, key=lambda one: one[1:])

    def kinds_in(self, event: Any) -> Counter[str]:
        """Return how many placeholders of each kind stand in a decoded event."""
        found: Counter[str] = Counter()
        values = [event]
        while values:
            value = values.pop()
            if isinstance(value, dict):
                values += value.values()
            elif isinstance(value, list):
                values += value
            elif isinstance(value, str) and "[" in value:
                for kind, rule in self._rules:
                    if count := value.count(rule.placeholder):
                        found[kind] += count
        return found

    def event(self, event: Event) -> Redacted:
        """Return a decoded event with what was found replaced; the same object if nothing was."""
        counts: Counter[str] = Counter()
        found = self._value(event, "", counts)
        return Redacted(found if counts else event, counts)

    def _value(self, value: Any, name: str, counts: Counter[str]) -> Any:
        if isinstance(value, str):
            if _stays(name, value):
                return value
            found = self.text(value)
            counts.update(found.counts)
            return found.text
        if isinstance(value, dict):
            return {key: self._value(item, key, counts) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item, name, counts) for item in value]
        return value

    def line(self, line: bytes) -> Redacted:
        """Return one JSON object with what was found replaced; every other byte stays as it is."""
        counts: Counter[str] = Counter()
        stamps = _STAMPS.match(line)
        begin = stamps.end() if stamps else 0
        # An escape may hide an ASCII character from the first test: then every rule is tried.
        is_hidden = b"\\" in line and _ESCAPED_ASCII.search(line)
        rules = self._rules if is_hidden else self._candidates(line[begin:])
        if not rules:
            return Redacted(line, counts)
        parts: list[bytes] = []
        done = 0
        name = ""
        for match in _STRING.finditer(line, begin):
            if match[1] is not None:
                name = _decoded(match[0][: -len(match[1])])
            elif match.end() - match.start() >= _SHORTEST:
                value = _decoded(match[0])
                if not _stays(name, value) and (text := _applied(rules, value, counts)) is not value:
                    parts += (line[done : match.start()], _encoded(text))
                    done = match.end()
        return Redacted(b"".join((*parts, line[done:])) if parts else line, counts)

    def logged(self, line: bytes) -> Redacted:
        """Return a line of a log, without its newline, redacted and marked: ``"redacted":["email"]``."""
        found = self.line(line)
        return found._replace(text=marked(found.text, found.counts)) if found.counts else found


def strings_of(event: Event) -> list[str]:
    """Return the strings of an event that may be redacted."""
    found: list[str] = []
    values: list[tuple[str, Any]] = [("", event)]
    while values:
        name, value = values.pop()
        if isinstance(value, dict):
            values += reversed(value.items())
        elif isinstance(value, list):
            values += [(name, item) for item in reversed(value)]
        elif isinstance(value, str) and not _stays(name, value):
            found.append(value)
    return found


def marked(line: bytes, kinds: Iterable[str]) -> bytes:
    """Return a line of a log that names, behind its stamps, the kinds of what was replaced in it.

    In a line without stamps in front that is the first member. A mark that stands there already is extended.
    """
    stamps = _STAMPS.match(line)
    at = stamps.end() if stamps else line.find(b"{") + 1
    rest = line[at:].lstrip(b",")
    if earlier := _MARKED.match(rest):
        kinds = {*kinds, *orjson.loads(earlier[1])}
        rest = rest[earlier.end() :].lstrip(b",")
    mark = b'"redacted":' + orjson.dumps(sorted(kinds))
    return line[:at] + (b"," if stamps else b"") + mark + (b"" if rest.startswith(b"}") else b",") + rest


_STAMPS = re.compile(rb'\{"ts":"[^"\\]*","unix_ts":[-+.0-9eE]+')
_MARKED = re.compile(rb'"redacted":(\["[a-z0-9",:-]+"\])')


def _applied(rules: Iterable[tuple[str, Rule]], text: str, counts: Counter[str]) -> str:
    """Return a text after these rules, and count; the same object if none found anything."""
    for kind, rule in rules:
        group = "value" if "value" in rule.pattern.groupindex else 0
        parts: list[str] = []
        done = 0
        for match in rule.pattern.finditer(text):
            if rule.accepts(match[group]):
                parts += (text[done : match.start(group)], rule.placeholder)
                done = match.end(group)
                counts[kind] += 1
        if parts:
            text = "".join((*parts, text[done:]))
    return text


def _stays(name: str, value: str) -> bool:
    return name in _NEVER or (_ID_NAME.search(name) is not None and _ID.fullmatch(value) is not None)


def _decoded(token: bytes) -> str:
    try:
        found = orjson.loads(token)
    except orjson.JSONDecodeError:
        import json

        found = json.loads(token.decode(errors="replace"), strict=False)  # half a surrogate pair, a raw control
    return str(found)


def _encoded(text: str) -> bytes:
    try:
        found = orjson.dumps(text)
    except TypeError:  # half a surrogate pair
        import json

        return json.dumps(text).encode()
    for separator, escape in _SEPARATORS:
        found = found.replace(separator, escape)
    return found

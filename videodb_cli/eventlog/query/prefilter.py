"""Derives byte strings that a line must hold to be selected: a filter for raw blocks that can only reject lines.

JSON can write the same string in several ways, so a needle holds only characters that JSON writes as themselves or as a
backslash-u escape; blocks with such an escape are not filtered at all. White space and the order of keys do not matter,
because a needle never spans a colon.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from videodb_cli.model import event as ev

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from videodb_cli.eventlog.query.selection import Selection

_UNSAFE = r"[^ !#-.0-\[\]-~]+"  # everything but printable ASCII without quote, slash and backslash
_NUMERIC = r"[-+0-9.eEinfaINFA]+"
_MANY = 16


class Prefilter(NamedTuple):
    """Every line that can be selected holds at least one of ``any_of``.

    ``uncased`` compares by Unicode case folding. ``undone_by`` are byte strings that make the filter useless for a
    block that holds one of them. So does another value than an object or null behind one of the keys ``objects``
    (given in quotes): jq fails on that line, even if it cannot be selected.
    """

    any_of: tuple[bytes, ...]
    uncased: bool = False
    objects: tuple[bytes, ...] = ()

    @property
    def undone_by(self) -> tuple[bytes, ...]:
        """Byte strings that make the filter useless for a block that holds one of them."""
        if not self.uncased:
            return (b"\\u00",)
        # re.IGNORECASE takes the dotted and the dotless i for i; case folding does not.
        dotted = (b"\xc4\xb1", b"\xc4\xb0") if any(b"i" in needle.lower() for needle in self.any_of) else ()
        return (b"\\u", *dotted)


def safe_run(text: str) -> str:
    """The longest part of a string that stands in a line as it is, or only by backslash-u escapes."""
    return max(re.split(_UNSAFE, text), key=len)


def string_needle(value: str, *, open_end: bool = False) -> bytes | None:
    """Return bytes of every line with a string that is ``value``, or begins with it; None if none are useful."""
    run = safe_run(value)
    if run != value:
        return run.encode() if len(run) > 1 else None
    return f'"{run}'.encode() if open_end else f'"{run}"'.encode()


def of_selection(selection: Selection) -> list[Prefilter]:
    """Return the filters of a selection; a selected line passes all of them."""
    found = [
        _strings((spelling for name in selection.channels for spelling in ev.channel_spellings(name)), open_end=True),
        _parts(selection.events),
        _parts(selection.streams),
    ]
    if selection.session is not None:
        found.append(_strings((selection.session.ident, *selection.session.rtstreams), open_end=False))
    if selection.final and not selection.interim and set(selection.channels) == {"transcript"}:
        found.append(Prefilter((b"rue",)))  # true, "true", "True"
    if selection.greps:
        found.append(of_patterns(selection.greps))
    return [needles for needles in found if needles is not None]


def _strings(values: Iterable[str], *, open_end: bool) -> Prefilter | None:
    return _all_known([string_needle(value, open_end=open_end) for value in values])


def _parts(values: Iterable[str]) -> Prefilter | None:
    """Return a filter for values that occur anywhere within a string."""
    runs = [safe_run(value) for value in values]
    return _all_known([run.encode() if len(run) > 1 else None for run in runs])


def _all_known(needles: Sequence[bytes | None]) -> Prefilter | None:
    known = tuple(needle for needle in needles if needle)
    return Prefilter(known) if known and len(known) == len(needles) <= _MANY else None


def of_patterns(patterns: Sequence[re.Pattern[str]]) -> Prefilter | None:
    """Return a filter for lines whose text one of these patterns matches."""
    literals: list[str] = []
    for pattern in patterns:
        found = _required_literals(pattern)
        if not found:
            return None
        literals.extend(found)
    # The text may be a number, which can be written in several ways.
    if len(literals) > _MANY or any(re.fullmatch(_NUMERIC, literal) for literal in literals):
        return None
    uncased = any(pattern.flags & re.IGNORECASE or "(?" in pattern.pattern for pattern in patterns)
    return Prefilter(tuple(literal.encode() for literal in literals), uncased=uncased)


def _required_literals(pattern: re.Pattern[str]) -> list[str]:
    """Return literals of which every match holds at least one; empty if none are known."""
    parser: Any = getattr(re, "_parser")  # noqa: B009 - private, and absent in some future version
    try:
        return _of_sequence(parser.parse(pattern.pattern, pattern.flags))
    except Exception:  # noqa: BLE001 - without a needle the search is only slower
        return []


def _of_sequence(items: Any) -> list[str]:
    best: list[str] = []
    run: list[str] = []

    def offer(candidate: list[str]) -> None:
        nonlocal best
        if candidate and min(map(len, candidate)) > (min(map(len, best)) if best else 1):
            best = candidate

    def end_run() -> None:
        offer([safe_run("".join(run))] if run else [])
        run.clear()

    for operator, argument in items:
        name = str(operator)
        if name == "LITERAL":
            run.append(chr(argument))
        elif name == "AT":
            continue  # an anchor matches no characters
        else:
            end_run()
            if name == "SUBPATTERN":
                offer(_of_sequence(argument[3]))
            elif name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"} and argument[0] > 0:
                offer(_of_sequence(argument[2]))
            elif name == "BRANCH":
                branches = [_of_sequence(branch) for branch in argument[1]]
                offer([literal for branch in branches for literal in branch] if all(branches) else [])
    end_run()
    return best

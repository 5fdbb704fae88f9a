"""Plans a jq program: simple programs run without jq, of others the leading conditions become a selection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from videodb_cli.eventlog.query.fast.columns import Columns, can_be_columns
from videodb_cli.eventlog.query.jq_syntax import leading_conditions, parse_simple
from videodb_cli.eventlog.query.output import AsLogged, ByProgram, OneField, Restyled
from videodb_cli.eventlog.query.prefilter import Prefilter, safe_run, string_needle
from videodb_cli.eventlog.query.scan import SelectionPlan
from videodb_cli.eventlog.read.decode import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from videodb_cli.eventlog.query.jq_run import Failure
    from videodb_cli.eventlog.query.jq_syntax import Condition, Path
    from videodb_cli.eventlog.query.output import Form, Shaped, Shaper


def prepared(
    text: str, form: Form, variables: Mapping[str, Any], *, strict: bool, whole: bool
) -> tuple[SelectionPlan, Shaper]:
    """Return the selection that a program begins with, and the shaper for the lines that pass it.

    With ``strict`` every line goes to jq itself, so that no failure is missed. ``whole`` means that the program gets
    something else than single lines. Raises ``UsageError`` for a program with an error.
    """
    as_is: Shaper = AsLogged() if form.style.is_plain and not form.join else Restyled(form)
    if text.strip() == "." and not whole:
        return SelectionPlan(), as_is

    from videodb_cli.eventlog.query.jq import Program

    by_program = ByProgram(Program(text, variables), form)
    simple = None if strict or whole else parse_simple(text)
    odd = Odd()
    if simple is None:
        return plan_of_conditions(() if strict or whole else leading_conditions(text), odd), by_program
    shaper = as_is
    if simple.path:
        shaper = OneField(simple.path, form, by_program) if form.style.is_plain else by_program
    plan = plan_of_conditions(simple.conditions, odd)
    return plan, Guarded(shaper, by_program, simple.conditions, odd) if simple.conditions else shaper


class Odd:
    """Notes whether jq would have failed on an event: a path leads through a value that is not an object."""

    def __init__(self) -> None:
        self.seen = False


def plan_of_conditions(conditions: Sequence[Condition], odd: Odd) -> SelectionPlan:
    """Return a plan that rejects only events that do not fulfil some condition.

    An event on which jq would fail passes and is noted in ``odd``, so that jq itself gets it.
    """
    paths = list(dict.fromkeys(condition.path for condition in conditions))
    needles = _needles(conditions, paths)
    return SelectionPlan(
        (_test(conditions, odd),) if conditions else (),
        frozenset(paths),
        tuple(needles),
        _ByColumns(conditions, paths).hits if can_be_columns(paths) else None,
        takes_any=True,
    )


class _ByColumns:
    """The same conditions, tested on columns."""

    def __init__(self, conditions: Sequence[Condition], paths: Sequence[Path]) -> None:
        self._columns = Columns(paths)
        self._steps = [(paths.index(condition.path), condition) for condition in conditions]

    def hits(self, data: bytes) -> tuple[int, list[int]]:
        """Return the number of lines, and the indexes of those that fulfil all conditions."""
        columns = self._columns.read(data)
        found: Iterable[int] = range(len(columns[0]))
        for index, (_, literal, compares) in self._steps:
            column = columns[index]
            if not compares:
                found = [i for i in found if (value := column[i]) is not None and value is not False]
            elif isinstance(literal, str):
                found = [i for i in found if column[i] == literal]
            else:
                found = [i for i in found if column[i] is literal]
        return len(columns[0]), list(found)


class Guarded:
    """A shaper that gives lines on which jq would fail to jq, and all others to a faster shaper."""

    def __init__(self, shaper: Shaper, program: ByProgram, conditions: Sequence[Condition], odd: Odd) -> None:
        self._shaper = shaper
        self._program = program
        self._paths = [condition.path for condition in conditions]
        self._odd = odd

    def shape(self, lines: Sequence[bytes]) -> Shaped:
        """Shape the lines. If jq would fail on one of them, each line is looked at by itself."""
        if not self._odd.seen:
            return self._shaper.shape(lines)
        self._odd.seen = False
        failures: list[Failure] = []
        good: list[bytes] = []
        for place, line in enumerate(lines):
            event = decode(line)
            if any(_follow(event, path) is _ODD for path in self._paths):
                failures += [failure._replace(place=place) for failure in self._program.shape([line]).failures]
            else:
                good.append(line)
        done = self._shaper.shape(good)
        return done._replace(failures=failures) if failures else done


_ODD = object()


def _follow(event: Any, path: Path) -> Any:
    for key in path:
        if event is None:
            return None
        if not isinstance(event, dict):
            return _ODD
        event = event.get(key)
    return event


def _test(conditions: Sequence[Condition], odd: Odd) -> Callable[[Any], bool]:
    """Tell whether an event fulfils all conditions, or jq fails before the first one that is not fulfilled."""

    def test(event: Any) -> bool:
        for path, literal, compares in conditions:
            value = _follow(event, path)
            if value is _ODD:
                odd.seen = True
                return True
            if not compares:
                is_fulfilled = value is not None and value is not False
            else:
                is_fulfilled = value == literal if isinstance(literal, str) else value is literal
            if not is_fulfilled:
                return False
        return True

    return test


def _needles(conditions: Sequence[Condition], paths: Sequence[Path]) -> list[Prefilter]:
    """Return byte filters for the conditions, as far as they hide no line on which jq would fail."""
    keys = dict.fromkeys(key for path in paths for key in path[:-1])
    if any(safe_run(key) != key for key in keys):
        return []
    objects = tuple(f'"{key}"'.encode() for key in keys)
    return [Prefilter((needle,), objects=objects) for each in conditions if (needle := _needle(each)) is not None]


def _needle(condition: Condition) -> bytes | None:
    literal = condition.literal
    if isinstance(literal, str):
        found = string_needle(literal)
    elif isinstance(literal, bool):
        found = b"true" if literal else b"false"
    elif not condition.compares and condition.path:
        found = string_needle(condition.path[-1])  # a value that is true exists, so its key is in the line
    else:
        found = None
    return found

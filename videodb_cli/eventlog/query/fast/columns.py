"""Reads fields of many lines as columns, without a function call for each line."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

Path = tuple[str, ...]


class Columns:
    """Reads the values at some paths of every line of a block.

    A path through null, or to a missing member, gives None, as in jq.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        kind: Any = Any,
        kinds: Mapping[Path, Any] | None = None,
        required: Collection[Path] = (),
    ) -> None:
        """``kind`` is the type of the values, ``kinds`` that of single paths; other types make `read` raise.

        ``kinds`` may hold paths whose values are checked but not returned. No path may be the beginning of another.
        A line without a value at a ``required`` path makes `read` raise.
        """
        import msgspec

        names: dict[Path, str] = {}
        known = dict.fromkeys(paths, kind) | dict(kinds or {})
        self._decoder = msgspec.json.Decoder(_struct(known, (), names, required))
        self._attributes = [tuple(names[path[: depth + 1]] for depth in range(len(path))) for path in paths]

    def read(self, data: bytes) -> list[list[Any]]:
        """Return one list for each path. Raises ValueError or RecursionError for lines of other shapes."""
        events = self.decode(data)
        return [self.column(events, index) for index in range(len(self._attributes))]

    def decode(self, data: bytes | memoryview) -> list[Any]:
        """Return one record for each line, for `column`. Raises as `read` does."""
        events: list[Any] = self._decoder.decode_lines(data)
        return events

    def column(self, events: list[Any], index: int) -> list[Any]:
        """Return the values at the path with this index."""
        first, *rest = self._attributes[index]
        column = _FIRST[first](events) if first in _FIRST else list(map(attrgetter(first), events))
        for name in rest:
            if name == "f0":
                column = [None if value is None else value.f0 for value in column]
            else:
                column = [None if value is None else getattr(value, name) for value in column]
        return column

    def value(self, event: Any, index: int) -> Any:
        """Return the value at the path with this index, of one event."""
        for name in self._attributes[index]:
            event = None if event is None else getattr(event, name)
        return event


def can_be_columns(paths: Sequence[Path]) -> bool:
    """Tell whether no path is empty or the beginning of another one."""
    return bool(paths) and all(
        path and not any(other != path and other[: len(path)] == path for other in paths) for path in paths
    )


# Reading an attribute in generated code is three times as fast as getattr.
_FIRST: dict[str, Callable[[list[Any]], list[Any]]] = {
    "f0": lambda events: [event.f0 for event in events],
    "f1": lambda events: [event.f1 for event in events],
    "f2": lambda events: [event.f2 for event in events],
    "f3": lambda events: [event.f3 for event in events],
}


def _struct(kinds: Mapping[Path, Any], base: Path, names: dict[Path, str], required: Collection[Path]) -> Any:
    import msgspec

    fields: list[tuple[str, Any, Any]] = []
    depth = len(base)
    for key in dict.fromkeys(path[depth] for path in kinds):
        here = (*base, key)
        below = {path: kind for path, kind in kinds.items() if path[depth] == key and len(path) > depth + 1}
        name = f"f{len(fields)}"
        names[here] = name
        of_key = _struct(below, here, names, required) | None if below else kinds[here]
        default = msgspec.NODEFAULT if here in required else None
        fields.append((name, of_key, msgspec.field(default=default, name=key)))
    return msgspec.defstruct(f"Level{depth}", fields, gc=False, kw_only=True)

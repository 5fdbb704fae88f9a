"""Fields of many lines at once, as columns: no function is called for a line."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Path = tuple[str, ...]


class Columns:
    """Reads the values at some paths of every line of a block.

    A path that leads through null, or to nothing, gives None, as in jq.
    """

    def __init__(self, paths: Sequence[Path], kind: Any = Any, kinds: Mapping[Path, Any] | None = None) -> None:
        """``kind`` is the type of the values, ``kinds`` of some of them; others make ``read`` raise.

        ``kinds`` may hold paths that are looked at and not read. No path is the beginning of another.
        """
        import msgspec

        names: dict[Path, str] = {}
        known = dict.fromkeys(paths, kind) | dict(kinds or {})
        self._decoder = msgspec.json.Decoder(_struct(known, (), names))
        self._attributes = [tuple(names[path[: depth + 1]] for depth in range(len(path))) for path in paths]

    def read(self, data: bytes) -> list[list[Any]]:
        """One list a path. Raises ``ValueError`` or ``RecursionError`` for lines that are not made for it."""
        events: list[Any] = self._decoder.decode_lines(data)
        return [_column(events, attributes) for attributes in self._attributes]


def can_be_columns(paths: Sequence[Path]) -> bool:
    """Whether no path is empty, or the beginning of another."""
    return bool(paths) and all(
        path and not any(other != path and other[: len(path)] == path for other in paths) for path in paths
    )


def _column(events: list[Any], attributes: tuple[str, ...]) -> list[Any]:
    try:
        return list(map(attrgetter(".".join(attributes)), events))
    except AttributeError:
        column = events
        for name in attributes:
            column = [None if value is None else getattr(value, name) for value in column]
        return column


def _struct(kinds: Mapping[Path, Any], base: Path, names: dict[Path, str]) -> Any:
    import msgspec

    fields: list[tuple[str, Any, Any]] = []
    depth = len(base)
    for key in dict.fromkeys(path[depth] for path in kinds):
        here = (*base, key)
        below = {path: kind for path, kind in kinds.items() if path[depth] == key and len(path) > depth + 1}
        name = f"f{len(fields)}"
        names[here] = name
        of_key = _struct(below, here, names) | None if below else kinds[here]
        fields.append((name, of_key, msgspec.field(default=None, name=key)))
    return msgspec.defstruct(f"Level{depth}", fields, gc=False)

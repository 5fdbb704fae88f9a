"""Decoding of just the fields that are asked about: a third of the cost of decoding everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable

    import msgspec

Path = tuple[str, ...]
_Tree = dict[str, "_Tree"]


def partial_decoder(paths: Iterable[Path]) -> msgspec.json.Decoder[Any]:
    """A decoder of objects that keeps these paths only, as ``json.loads`` would give them.

    It raises (``msgspec.DecodeError`` and its kind, ``ValueError``, ``RecursionError``) for what is not JSON and also
    for shapes that it was not made for, such as ``data`` being a string: the caller then decodes everything. It does
    not look at the encoding of what it skips.
    """
    import msgspec

    return msgspec.json.Decoder(_typed(_tree(paths)))


def _tree(paths: Iterable[Path]) -> _Tree:
    """Keys within keys. Where one path is the beginning of another, all below it is kept."""
    tree: _Tree = {}
    ends: set[Path] = set()
    for path in sorted(paths, key=len):
        if any(path[: len(end)] == end for end in ends):
            continue
        ends.add(path)
        node = tree
        for key in path:
            node = node.setdefault(key, {})
    return tree


def _typed(tree: _Tree) -> Any:
    fields = {key: _typed(below) if below else Any for key, below in tree.items()}
    return TypedDict("Fields", fields, total=False)  # type: ignore[operator]

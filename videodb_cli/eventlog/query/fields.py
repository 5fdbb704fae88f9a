"""Keeps only some members of an event: ``--fields channel,data.text``."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from videodb_cli.errors import UsageError
from videodb_cli.eventlog.read.decode import decode

_Tree = dict[str, Any]


class Fields:
    """The members that are kept, in the order in which they were asked for. Values keep their bytes.

    Raises:
        UsageError: A name is empty.
    """

    def __init__(self, names: str) -> None:
        self._tree: _Tree = {}
        for name in names.split(","):
            parts = name.strip().removeprefix(".").split(".")
            if not all(parts):
                raise UsageError(
                    f"--fields takes names of members, not {names!r}", hint="--fields ts,channel,data.text"
                )
            place = self._tree
            for part in parts[:-1]:
                found = place.setdefault(part, {})
                if found is None:
                    break  # the whole of it is kept already
                place = found
            else:
                place[parts[-1]] = None

    def line(self, line: bytes) -> bytes:
        """Return the line with these members alone; those that it has not are left out."""
        try:
            return _kept(line, self._tree)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            # What only the standard library reads (NaN, half a surrogate pair).
            return msgspec.json.encode(self.event(decode(line)))

    def event(self, event: Any) -> Any:
        """Return a decoded event with these members alone."""
        return _kept_values(event, self._tree)


def _kept(text: bytes | msgspec.Raw, tree: _Tree) -> bytes:
    members = _DECODER.decode(text)
    parts = []
    for name, below in tree.items():
        value = members.get(name)
        if value is None:
            continue
        if below is not None:
            if bytes(value)[:1] != b"{":
                continue
            kept = _kept(value, below)
        else:
            kept = bytes(value)
        parts.append(orjson.dumps(name) + b":" + kept)
    return b"{" + b",".join(parts) + b"}"


def _kept_values(value: Any, tree: _Tree) -> Any:
    if not isinstance(value, dict):
        return {}
    kept = {}
    for name, below in tree.items():
        if name in value and (below is None or isinstance(value[name], dict)):
            kept[name] = value[name] if below is None else _kept_values(value[name], below)
    return kept


_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])

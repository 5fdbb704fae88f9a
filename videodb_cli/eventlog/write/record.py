"""Turns a received message into a log line. Pure: bytes in, bytes out.

An event keeps its bytes: members in their order, values unchanged, numbers with all their digits. Only white space
outside strings goes, the three line separators that JSON allows in strings become escapes, and members that would
collide with our stamps are renamed.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

from videodb_cli.model.event import OWN_CHANNEL, Event

MAX_DEPTH = 500
# json.loads refuses an integer with more digits than that; orjson has other limits.
_MAX_DIGITS = 4300

# Members that only we write: an event's own are renamed.
_STAMPS = frozenset(("ts", "unix_ts", "redacted"))
_SPACE = b" \t\r\n"
# Possessive quantifiers: a backtracking pattern keeps a state for every escape, gigabytes for a large message.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],]', re.DOTALL)
_LONG_NUMBER = re.compile(rb"[0-9]{%d}" % _MAX_DIGITS)
_SEPARATORS = ((b"\xc2\x85", b"\\u0085"), (b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))


def compose(raw: bytes) -> tuple[bytes, Event | None]:
    """Turn one received message into the rest of a log line, and the event that it is.

    The first value is what follows the stamps: members without the opening brace, closed by ``}`` and a newline (see
    `with_stamps`). The second is the decoded event, or None if the message is kept as ``raw`` or ``raw_base64``.
    """
    try:
        event = orjson.loads(raw)
        if type(event) is not dict:
            return _kept_raw(raw), None
        # As orjson writes it, as most messages are: every number as short as it can be, nothing repeated. Many services
        # put a space after commas and colons: without any spaces, those in strings included, both are the same then.
        # orjson writes nothing that is deeper than 254, so this is also the check of the depth.
        text = orjson.dumps(event)
        if text != raw and text.translate(None, b" ") != raw.translate(None, b" "):
            return _compose_strange(raw, event)
    except orjson.JSONDecodeError:
        return _kept_raw(raw), None
    except TypeError:
        return _compose_strange(raw, event)
    return _finish(text, raw, event)


def _compose_strange(raw: bytes, event: Event) -> tuple[bytes, Event | None]:
    """Compose an object whose bytes are not those that orjson would write."""
    if _is_too_deep(raw):
        return _kept_raw(raw), None
    if len(raw) > _MAX_DIGITS and _LONG_NUMBER.search(raw) and not _json_accepts(raw):
        return _kept_raw(raw), None
    if _may_repeat_members(raw) and _hides_a_forgery(raw):
        return _kept_raw(raw), None
    return _finish(_compact(raw), raw, event)


def _finish(text: bytes, raw: bytes, event: Event) -> tuple[bytes, Event | None]:
    if "ts" in event or "unix_ts" in event or "redacted" in event:
        text = _rename_stamps(text, event)
    if "recovered" in event or event.get("channel") == OWN_CHANNEL or ("channel" not in event and is_forged(event)):
        return _kept_raw(raw), None
    return (text if text.isascii() else _escape_separators(text))[1:] + b"\n", event


def is_forged(event: Event) -> bool:
    """Tell whether a received event claims to be a line of our own."""
    if "recovered" in event:
        return True
    channel = event.get("channel")
    if channel is None:
        name = event.get("event")
        return isinstance(name, str) and name.partition(".")[0] == OWN_CHANNEL
    return bool(channel == OWN_CHANNEL)


def own_members(event: str, text: str, data: Mapping[str, Any]) -> bytes:
    """Return the rest of a line of our own: the service's envelope, ``data.text`` first."""
    return members({"channel": OWN_CHANNEL, "event": event, "data": {"text": text, **data}})


def members(event: Mapping[str, Any]) -> bytes:
    """Return the rest of a line for an event that we have made. It must not carry our stamps."""
    return _escape_separators(orjson.dumps(event))[1:] + b"\n"


def with_stamps(stamps: bytes, rest: bytes) -> bytes:
    """Join ``{"ts":…,"unix_ts":…`` and the rest of a line; an event without members needs no comma."""
    return stamps + rest if rest == b"}\n" else stamps + b"," + rest


def _kept_raw(raw: bytes) -> bytes:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return b'"raw_base64":"' + base64.b64encode(raw) + b'"}\n'
    return b'"raw":' + _escape_separators(orjson.dumps(text)) + b"}\n"


def _escape_separators(text: bytes) -> bytes:
    for separator, escape in _SEPARATORS:
        if separator in text:
            text = text.replace(separator, escape)
    return text


def _is_too_deep(raw: bytes) -> bool:
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return False
    depth = 0
    for token in _TOKEN.finditer(raw):
        first = raw[token.start()]
        if first in b"{[":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif first in b"}]":
            depth -= 1
    return False


def _compact(raw: bytes) -> bytes:
    """Remove white space outside strings from valid JSON."""
    if b"\\" not in raw:
        return _compact_unescaped(raw)
    # Two bytes that valid JSON cannot hold replace the escapes that contain quotes or backslashes.
    plain = raw.replace(b"\\\\", b"\x00").replace(b'\\"', b"\x01")
    return _compact_unescaped(plain).replace(b"\x01", b'\\"').replace(b"\x00", b"\\\\")


def _compact_unescaped(raw: bytes) -> bytes:
    # Every quote opens or closes a string, so every second part lies outside of strings.
    parts = raw.split(b'"')
    parts[::2] = b'"'.join(parts[::2]).translate(None, _SPACE).split(b'"')
    return b'"'.join(parts)


def _json_accepts(raw: bytes) -> bool:
    try:
        json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return True


def _top_level_keys(text: bytes) -> list[tuple[int, int, str]]:
    """Return start, end and decoded name of each member of the outermost object of compact JSON."""
    keys: list[tuple[int, int, str]] = []
    depth = 0
    key_is_next = False
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first == 0x22:  # "
            if key_is_next:
                keys.append((token.start(), token.end(), orjson.loads(token.group())))
                key_is_next = False
        elif first == 0x2C:  # ,
            key_is_next = depth == 1
        elif first in b"{[":
            depth += 1
            key_is_next = depth == 1
        else:
            depth -= 1
    return keys


def _rename_stamps(text: bytes, event: Event) -> bytes:
    """Rename the event's own ``ts``, ``unix_ts`` and ``redacted`` to ``source_ts`` and so on (or further)."""
    parts: list[bytes] = []
    done = 0
    for start, end, name in _top_level_keys(text):
        if name in _STAMPS:
            renamed = f"source_{name}"
            while renamed in event:
                renamed = f"source_{renamed}"
            parts += (text[done:start], b'"', renamed.encode(), b'"')
            done = end
    return b"".join((*parts, text[done:]))


def _may_repeat_members(raw: bytes) -> bool:
    # A name may be written with escaped letters (61 to 7A, hexadecimal).
    return raw.count(b'"channel"') > 1 or b"recovered" in raw or b"\\u006" in raw or b"\\u007" in raw


def _hides_a_forgery(raw: bytes) -> bool:
    """Tell whether any value of a repeated member claims to be ours."""

    def check(pairs: list[tuple[str, Any]]) -> Any:
        return pairs

    members = json.loads(raw, object_pairs_hook=check)
    return any(name == "recovered" or (name == "channel" and value == OWN_CHANNEL) for name, value in members)

"""What the parts of an event mean: channel, name, stream, text, finality, times.

docs/protocol.md §2 has the shapes, docs/contract.md §6 what they mean to the commands.

Every function takes decoded JSON of any shape, because services, proxies and older scripts have written any shape.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf
from typing import Any

Event = dict[str, Any]

OWN_CHANNEL = "videodb_cli"
# Channels with two names; the second is the one that we use.
_SAME_CHANNEL = {"scene_index": "visual_index", "spoken_index": "audio_index"}
# Where some senders write what others call the channel or the name.
_TYPE_KEYS = ("type", "event_type")
_TEXT_KEYS = ("text", "summary", "label", "event_label", "explanation")
_FINAL_KEYS = ("is_final", "isFinal")
_STREAM_ID_KEYS = ("rtstream_id", "rtstreamId")
_STREAM_NAME_KEYS = ("rtstream_name", "rtstreamName")
_SESSION_KEYS = ("capture_session_id", "captureSessionId")

Path = tuple[str, ...]


def _anywhere(*keys: str) -> tuple[Path, ...]:
    """Paths of a member in ``data``, or beside it."""
    return (*(("data", key) for key in keys), *((key,) for key in keys))


# What the functions below look at: for decoders that read nothing else.
CHANNEL_PATHS: tuple[Path, ...] = (("channel",), ("event",), *((key,) for key in _TYPE_KEYS))
FINAL_PATHS = _anywhere(*_FINAL_KEYS)
STREAM_PATHS: tuple[Path, ...] = tuple((key,) for key in (*_STREAM_ID_KEYS, *_STREAM_NAME_KEYS))
SESSION_PATHS: tuple[Path, ...] = tuple((key,) for key in _SESSION_KEYS)
TEXT_PATHS: tuple[Path, ...] = (*_anywhere(*_TEXT_KEYS, "error"), ("raw",))


def canonical_channel(name: str) -> str:
    """Return our name of a channel that the service calls by two names."""
    return _SAME_CHANNEL.get(name, name)


def channel_spellings(name: str) -> tuple[str, ...]:
    """Return all names of a channel that occur in logs."""
    canonical = canonical_channel(name)
    return (canonical, *(other for other, same in _SAME_CHANNEL.items() if same == canonical))


def channel_of(event: Event) -> str | None:
    """Return the channel by our name; without one, the part of the name before the dot, else the ``type``."""
    channel = event.get("channel")
    if isinstance(channel, str):
        return _SAME_CHANNEL.get(channel, channel)
    name = event.get("event")
    if isinstance(name, str) and "." in name:
        return canonical_channel(name.partition(".")[0])
    for key in _TYPE_KEYS:
        kind = event.get(key)
        if isinstance(kind, str) and kind:
            channel = canonical_channel(kind.partition(".")[0])
            # Only a line of the listener itself is of this channel.
            return channel if channel != OWN_CHANNEL else None
    return None


def name_of(event: Event) -> str | None:
    """Return the name of a life-cycle event, such as ``capture_session.active``; None if it has none."""
    name = event.get("event")
    if isinstance(name, str):
        return name
    return next((kind for key in _TYPE_KEYS if isinstance(kind := event.get(key), str) and "." in kind), None)


def is_own(event: Event) -> bool:
    """Tell whether the listener wrote this line about itself."""
    return event.get("channel") == OWN_CHANNEL


def data_of(event: Event) -> Event:
    """Return ``data`` if it is an object, else an empty one."""
    data = event.get("data")
    return data if isinstance(data, dict) else {}


def _words(value: object) -> str | None:
    if isinstance(value, str):
        return value or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def text_of(event: Event) -> str | None:
    """Return what an event says; None if it has no words.

    That is its text or summary, else an alert's label or explanation, else the message of its error: of ``data``, or
    beside it. Without any of them it is ``raw``.
    """
    data = data_of(event)
    return _words_in(data) or _words_in(event) or _words(event.get("raw"))


def _words_in(members: Event) -> str | None:
    for key in _TEXT_KEYS:
        if found := _words(members.get(key)):
            return found
    error = members.get("error")
    return _words(error.get("message")) if isinstance(error, dict) else None


def is_final(event: Event) -> bool:
    """Tell whether a transcript is final: ``true``, or the string "true" that one client sends."""
    final = _first(_FINAL_KEYS, data_of(event), event)
    return final is True or (isinstance(final, str) and final in {"true", "True"})


def _first(keys: tuple[str, ...], *places: Event) -> Any:
    """Return the first of these members that one of the places has."""
    return next((place[key] for place in places for key in keys if key in place), None)


def is_interim(event: Event) -> bool:
    """Tell whether it is an interim transcript, which a later one replaces."""
    return channel_of(event) == "transcript" and not is_final(event)


def is_recovered(event: Event) -> bool:
    """Tell whether it was read back after a gap."""
    return event.get("recovered") is True


def number(value: object) -> float | None:
    """Return a JSON number as a float; None for anything else. One that is too large for a float is infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf


def received_at(event: Event) -> float | None:
    """Return when it was received, in Unix seconds: ``unix_ts``, else ``ts``."""
    stamp = event.get("unix_ts")
    if type(stamp) is not float:  # the usual case comes first, because this is called for every event
        stamp = number(stamp)
    return parse_iso(event.get("ts")) if stamp is None else stamp


def parse_iso(value: object) -> float | None:
    """Return the Unix seconds of an ISO 8601 string; without a zone it is UTC, as all listeners write it."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def seconds(value: object) -> float | None:
    """Return a ``start`` or ``end`` in Unix seconds; a number that is large enough is taken for milliseconds."""
    found = number(value)
    return found / 1000 if found is not None and abs(found) >= 1e11 else found


def start_of(event: Event) -> float | None:
    """Return where it begins, in seconds of its sender."""
    return seconds(_first(("start",), data_of(event), event))


def end_of(event: Event) -> float | None:
    """Return where it ends, in seconds of its sender."""
    return seconds(_first(("end",), data_of(event), event))


def happened_at(event: Event) -> float | None:
    """Return when it happened: the start of a recovered event, the receipt of any other."""
    if is_recovered(event):
        start = start_of(event)
        if start is not None and start >= 1e9:  # smaller numbers are seconds from the stream's beginning
            return start
    return received_at(event)


def short_stream(name: str) -> str:
    """Return ``mic`` for ``mic:default`` and for ``Capture mic - cap-83e6``; a user's title stays as it is."""
    if name.startswith("Capture ") and " - " in name:
        return name[8:].partition(" - ")[0]
    return name.partition(":")[0] if ":" in name else name


def stream_id_of(event: Event) -> str | None:
    """Return the id of the stream that it came from."""
    return _string(event, _STREAM_ID_KEYS)


def stream_name_of(event: Event) -> str | None:
    """Return the name of the stream that it came from."""
    return _string(event, _STREAM_NAME_KEYS)


def session_of(event: Event) -> str | None:
    """Return the id of the capture session that it is about."""
    return _string(event, _SESSION_KEYS)


def _string(event: Event, keys: tuple[str, ...]) -> str | None:
    for key in keys:
        value = event.get(key)
        if isinstance(value, str) and value:
            return value
    return None


def stream_of(event: Event) -> str | None:
    """Return the name of the stream that it came from, else its id."""
    return stream_name_of(event) or stream_id_of(event)


def stream_label(event: Event) -> str:
    """Return the name of its stream for people: ``mic``, ``display:1`` or a title; empty if it has no stream."""
    name = stream_of(event) or ""
    return short_stream(name) if name.endswith(":default") or name.startswith("Capture ") else name


def is_of_stream(event: Event, wanted: str) -> bool:
    """Tell whether ``--stream`` selects it: by id, by name, or by the short name."""
    if stream_id_of(event) == wanted:
        return True
    name = stream_name_of(event)
    return name is not None and (name == wanted or short_stream(name) == wanted)


def is_named(event: Event, wanted: str) -> bool:
    """Tell whether ``--event`` selects it: by the full name, or by its last word."""
    name = name_of(event)
    return name is not None and (name == wanted or name.rpartition(".")[2] == wanted)

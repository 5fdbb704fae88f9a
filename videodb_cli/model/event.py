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
# Channels with two names; the first is the one that we use.
_SAME_CHANNEL = {"scene_index": "visual_index", "spoken_index": "audio_index"}


def canonical_channel(name: str) -> str:
    """Return our name of a channel that the service calls by two names."""
    return _SAME_CHANNEL.get(name, name)


def channel_spellings(name: str) -> tuple[str, ...]:
    """Return all names of a channel that occur in logs."""
    canonical = canonical_channel(name)
    return (canonical, *(other for other, same in _SAME_CHANNEL.items() if same == canonical))


def channel_of(event: Event) -> str | None:
    """Return the channel by our name; without one, the part of ``event`` before the dot."""
    channel = event.get("channel")
    if isinstance(channel, str):
        return _SAME_CHANNEL.get(channel, channel)
    name = event.get("event")
    if isinstance(name, str) and "." in name:
        before = name.partition(".")[0]
        return _SAME_CHANNEL.get(before, before)
    return None


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
    """Return ``data.text``, else the alert's label, else ``data.error.message``, else ``raw``, else None."""
    data = data_of(event)
    error = data.get("error")
    return (
        _words(data.get("text"))
        or _words(data.get("label"))
        or _words(data.get("event_label"))
        or (_words(error.get("message")) if isinstance(error, dict) else None)
        or _words(event.get("raw"))
    )


def is_final(event: Event) -> bool:
    """Tell whether a transcript is final: ``true``, or the string "true" that one client sends."""
    final = data_of(event).get("is_final")
    return final is True or (isinstance(final, str) and final in {"true", "True"})


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


def happened_at(event: Event) -> float | None:
    """Return when it happened: ``data.start`` of a recovered event, the receipt of any other."""
    if is_recovered(event):
        start = seconds(data_of(event).get("start"))
        if start is not None and start >= 1e9:  # smaller numbers are seconds from the stream's beginning
            return start
    return received_at(event)


def short_stream(name: str) -> str:
    """Return ``mic`` for ``mic:default`` and for ``Capture mic - cap-83e6``; a user's title stays as it is."""
    if name.startswith("Capture ") and " - " in name:
        return name[8:].partition(" - ")[0]
    return name.partition(":")[0] if ":" in name else name


def stream_of(event: Event) -> str | None:
    """Return the name of the stream that it came from, else its id."""
    name = event.get("rtstream_name")
    if isinstance(name, str) and name:
        return name
    ident = event.get("rtstream_id")
    return ident if isinstance(ident, str) and ident else None


def stream_label(event: Event) -> str:
    """Return the name of its stream for people: ``mic``, ``display:1`` or a title; empty if it has no stream."""
    name = stream_of(event) or ""
    return short_stream(name) if name.endswith(":default") or name.startswith("Capture ") else name


def is_of_stream(event: Event, wanted: str) -> bool:
    """Tell whether ``--stream`` selects it: by id, by name, or by the short name."""
    name = event.get("rtstream_name")
    return event.get("rtstream_id") == wanted or (
        isinstance(name, str) and (name == wanted or short_stream(name) == wanted)
    )


def is_named(event: Event, wanted: str) -> bool:
    """Tell whether ``--event`` selects it: by the full name, or by its last word."""
    name = event.get("event")
    return isinstance(name, str) and (name == wanted or name.rpartition(".")[2] == wanted)

"""Which name of a log is meant by what was typed: the name itself, a prefix of one name only, or a similar name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from videodb_cli.errors import NotFoundError, UsageError
from videodb_cli.model import event as ev
from videodb_cli.model import lifecycle, own_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from videodb_cli.eventlog.names.tally import Tally
    from videodb_cli.rundir.capture_state import CaptureState

Kind = Literal["channel", "stream", "session", "event"]

CHANNELS: Final = ("transcript", "visual_index", "audio_index", "alert", lifecycle.CHANNEL, ev.OWN_CHANNEL)
_STREAMS: Final = ("mic", "mic:default", "system_audio", "system_audio:default", "display", "display:1")
EVENTS: Final = (
    *(lifecycle.event_name(status) for status in (*lifecycle.STEPS, lifecycle.FAILED)),
    *sorted(
        value for name, value in vars(own_lines).items() if name.isupper() and isinstance(value, str) and "." in value
    ),
)
LAST: Final = "last"
_NTH = r"-[0-9]+"
_NAMED = 8


class Missing(NamedTuple):
    """A name that does not occur in a log, and the most similar one that does.

    ``may_come`` means that the service or the listener uses it, so that it may well come later.
    """

    kind: Kind
    name: str
    similar: str | None
    may_come: bool


class NameFound(NamedTuple):
    """The name that is meant, and what is missing; ``is_prefix`` if only its beginning was typed."""

    name: str
    missing: Missing | None = None
    is_prefix: bool = False


def find_channel(wanted: str, names: Tally) -> NameFound:
    """Return the channel that is meant. Raises UsageError for the beginning of several."""
    known = names.channels()
    if ev.canonical_channel(wanted) in known:
        return NameFound(wanted)
    return _by_prefix("channel", wanted, known, CHANNELS, {*CHANNELS, *ev.channel_spellings(wanted)[1:]})


def find_stream(wanted: str, names: Tally) -> NameFound:
    """Return the stream that is meant: by id, name or short name. Raises UsageError for the beginning of several."""
    ids, titles = names.stream_ids(), names.stream_names()
    if wanted in ids or wanted in titles or any(ev.short_stream(name) == wanted for name in titles):
        return NameFound(wanted)
    return _by_prefix("stream", wanted, titles, (), _STREAMS, more=ids)


def find_event(wanted: str, names: Tally) -> NameFound:
    """Return the event that is meant. Prefixes are not taken: the last word is short already."""
    known = names.events()
    words = {*known, *(name.rpartition(".")[2] for name in known)}
    if wanted in words:
        return NameFound(wanted)
    ours = {*EVENTS, *(name.rpartition(".")[2] for name in EVENTS)}
    return NameFound(wanted, Missing("event", wanted, similar(wanted, [*words, *ours]), wanted in ours))


def is_position(wanted: str) -> bool:
    """Tell whether a session is named by its place: ``last``, or ``-1`` for the newest, ``-2`` for the one before."""
    return wanted == LAST or re.fullmatch(_NTH, wanted) is not None


def find_session(wanted: str, names: Tally, info: CaptureState | None, *, may_come: bool = False) -> NameFound:
    """Return the session that is meant: an id, the beginning of one, ``last``, or ``-1``, ``-2`` … from the newest on.

    Args:
        wanted: What was typed.
        names: The names of the log.
        info: The state of the latest capture of the directory.
        may_come: The log is followed, so that an unknown session is no error.

    Raises:
        UsageError: Several sessions begin so.
        NotFoundError: There is no such session.
    """
    known = newest_first(names, info)
    if wanted in known:
        return NameFound(wanted)
    if is_position(wanted):
        number = 1 if wanted == LAST else int(wanted[1:])
        if 0 < number <= len(known):
            return NameFound(known[number - 1])
        raise _no_such_position(number, len(known))
    found = _by_prefix("session", wanted, known, (), ())
    if found.missing is not None and not may_come:
        suggestion = f"; did you mean {found.missing.similar!r}?" if found.missing.similar else ""
        raise NotFoundError(
            f"no session {wanted!r} in this log{suggestion}", code="no_session", hint="videodb sessions"
        )
    return found


def newest_first(names: Tally, info: CaptureState | None) -> list[str]:
    """Return the sessions of a log, the newest first, with the latest capture of its directory among them."""
    known = names.session_times()
    if info is None or info.session_id in known:
        return list(known)
    begun = max((at for facts in names.sessions.values() for at in facts.statuses.values()), default=None)
    is_newest = begun is None or (info.started_at is not None and info.started_at > begun)
    return [info.session_id, *known] if is_newest else [*known, info.session_id]


def _no_such_position(number: int, count: int) -> NotFoundError:
    if not count:
        return NotFoundError("no capture session in the log yet", code="no_session", hint="videodb capture start")
    sessions = "one session" if count == 1 else f"{count} sessions"
    counted = "the newest is -1" if number == 0 else f"there is no -{number}"
    return NotFoundError(f"the log has {sessions}: {counted}", code="no_session", hint="videodb sessions")


def _by_prefix(
    kind: Kind,
    wanted: str,
    known: Iterable[str],
    usual: Sequence[str],
    may_come: Collection[str],
    more: Iterable[str] = (),
) -> NameFound:
    """Return the only name that begins with ``wanted``: of the log, else of its ids (``more``), else of the usual ones.

    Raises UsageError if several do.
    """
    if wanted in may_come:
        return NameFound(wanted, Missing(kind, wanted, None, may_come=True))
    for names in (known, more, usual):
        candidates = [name for name in names if name.startswith(wanted)] if wanted else []
        if len(candidates) > 1:
            raise _ambiguous(kind, wanted, candidates)
        if candidates:
            is_there = names is not usual
            missing = None if is_there else Missing(kind, candidates[0], None, may_come=True)
            return NameFound(candidates[0], missing, is_prefix=True)
    return NameFound(wanted, Missing(kind, wanted, similar(wanted, [*known, *more, *usual]), may_come=False))


def _ambiguous(kind: Kind, wanted: str, candidates: list[str]) -> UsageError:
    named = ", ".join(candidates[:_NAMED]) + (f" and {len(candidates) - _NAMED} more" * (len(candidates) > _NAMED))
    import shlex

    hint = "videodb sessions" if kind == "session" else f"--{kind} {shlex.quote(candidates[0])}"
    return UsageError(f"several {kind}s begin with {wanted!r}: {named}", code="ambiguous", hint=hint)


def similar(wanted: str, names: Iterable[str]) -> str | None:
    """Return the name that is most similar to what was typed, or that differs in its case only; None if none is."""
    import difflib

    by_small = {name.lower(): name for name in names}
    close = difflib.get_close_matches(wanted.lower(), by_small, n=1, cutoff=0.6)
    return by_small[close[0]] if close else None

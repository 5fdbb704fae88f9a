"""What happened, in a bounded answer: the first call of any question about a log.

Extractive: sentences stand as they were said, descriptions as they came. The same events always give the same answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from videodb_cli.eventlog.views import summary_text
from videodb_cli.eventlog.views.happenings import Happenings
from videodb_cli.eventlog.views.next_commands import Origin, next_commands
from videodb_cli.eventlog.views.summary_parts import At, NameCount, Part, ScreenShare, SessionLine, SummaryParts

if TYPE_CHECKING:
    from collections import Counter, deque
    from collections.abc import Iterable, Iterator

    from videodb_cli.eventlog.views.happenings import Moment
    from videodb_cli.model.logged import Event

DEFAULT_TOKENS = 400
LEAST_TOKENS = 60
_BYTES_A_TOKEN = 4
_SCHEMA_BYTES = len(',"schema":10')
HOW = "sentences as they were said, chosen by the weight of their words and unlike each other"
# The most of each part at the default budget; of sentences and screens a larger budget shows more.
_SAID, _SCREENS, _SESSIONS, _NAMES, _LATEST = 12, 8, 8, 30, 5
_CUT = 160
# In this order parts give up their counts where the budget is too small for JSON with all of them.
_LEAST_FIRST = ("channels", "streams", "screens", "gaps", "sessions", "said", "errors", "alerts")


class Summary(SummaryParts):
    """What happened in the events. `text` is for reading, `to_json` for programs."""

    def text(self) -> str:
        """Returns the summary as plain text, in local time."""
        return summary_text.render(self)

    def to_json(self) -> dict[str, Any]:
        """Returns the summary as JSON values."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def summarize(
    events: Iterable[Event | dict[str, Any]],
    budget_tokens: int = DEFAULT_TOKENS,
    *,
    form: Literal["text", "json"] = "text",
    origin: Origin | None = None,
) -> Summary:
    """Return what happened in the events, as much of it as the budget has room for.

    Args:
        events: Events in the order of the log, read once; memory does not grow with their number. With the
            listener's own lines among them, the summary knows of gaps.
        budget_tokens: How long the answer may be; a token is reckoned as four bytes of UTF-8. At least 60.
        form: Whether the text or the JSON of the summary must hold the budget.
        origin: Where the events come from, for the commands that show more.
    """
    seen = Happenings()
    for event in events:
        seen.add(event if isinstance(event, dict) else event.fields)
    return summarize_seen(seen, budget_tokens, form=form, origin=origin)


def summarize_seen(
    seen: Happenings, budget_tokens: int, *, form: Literal["text", "json"] = "text", origin: Origin | None = None
) -> Summary:
    """Return the summary of what was collected. Raises ValueError for a budget below the least one."""
    if budget_tokens < LEAST_TOKENS:
        raise ValueError(f"a summary needs at least {LEAST_TOKENS} tokens")
    room = budget_tokens * _BYTES_A_TOKEN
    summary = _bare(seen)
    for name in _LEAST_FIRST:
        if _size(summary, form) > room:
            setattr(summary, name, Part())
    for shown, item in _offers(seen, summary, budget_tokens, origin or Origin()):
        for variant in _variants(item):
            shown.append(variant)
            if _size(summary, form) <= room:
                break
            shown.pop()
    summary.said.how = HOW if summary.said.shown else None
    _in_order_of_time(summary)
    return summary


def _size(summary: Summary, form: str) -> int:
    summary.said.how = HOW if summary.said.shown else None
    if form == "text":
        return len(summary.text().encode(errors="replace"))
    return len(msgspec.json.encode(summary)) + _SCHEMA_BYTES


def _variants(item: Any) -> tuple[Any, ...]:
    """Return an item as it is, and cut, if it is so long that it may find no room."""
    if not isinstance(item, At) or len(item.text) <= _CUT:
        return (item,)
    return item, msgspec.structs.replace(item, text=_cut(item.text))


def _cut(text: str) -> str:
    return text if len(text) <= _CUT else text[: _CUT - 1].rstrip() + "…"


def _in_order_of_time(summary: Summary) -> None:
    """Bring what was put in by importance, or the latest first, into the order of time."""
    summary.said.shown.sort(key=lambda one: one.at or 0.0)
    for part in (summary.alerts, summary.errors, summary.gaps, summary.sessions):
        part.shown.reverse()


def _bare(seen: Happenings) -> Summary:
    """Return the summary with its counts alone."""
    return Summary(
        events=seen.events,
        first=_ms(seen.first),
        last=_ms(seen.last),
        channels=Part(len(seen.channels)),
        streams=Part(len(seen.streams)),
        said=Part(seen.said.count),
        screens=Part(seen.screens.count),
        alerts=Part(seen.alerts.total()),
        sessions=Part(seen.session_count),
        gaps=Part(seen.gaps, seconds=round(seen.gap_s, 3) if seen.gaps else None),
        errors=Part(seen.errors),
    )


def _offers(seen: Happenings, summary: Summary, budget_tokens: int, origin: Origin) -> Iterator[tuple[list[Any], Any]]:
    """Yield what can be put in, the most telling first, each with the list that it belongs to.

    The first of every part comes before the second of any, so that a small budget still tells a little of everything.
    """
    scale = max(budget_tokens / DEFAULT_TOKENS, 1.0)
    offers: list[tuple[list[Any], list[Any]]] = [
        (summary.channels.names, _counted(seen.channels)),
        (summary.alerts.names, _counted(seen.alerts)),
        (summary.errors.shown, _latest(seen.latest_errors)),
        (summary.alerts.shown, _latest(seen.latest_alerts)),
        (summary.next, next_commands(seen, origin)),
        (
            summary.said.shown,
            [At(_ms(one.at), one.text, stream=one.stream) for one in seen.said.choose(int(_SAID * scale))],
        ),
        (summary.screens.shown, _shares(seen, int(_SCREENS * scale))),
        (summary.sessions.shown, _sessions(seen)),
        (summary.streams.names, _counted(seen.streams)),
        (summary.gaps.shown, _latest(seen.latest_gaps)),
    ]
    for turn in range(max(len(items) for _, items in offers)):
        for shown, items in offers:
            # What was said tells most, so two of its sentences come in each turn.
            step = 2 if shown is summary.said.shown else 1
            yield from ((shown, item) for item in items[turn * step : turn * step + step])


def _sessions(seen: Happenings) -> list[SessionLine]:
    latest = list(reversed(seen.sessions.values()))[:_SESSIONS]
    return [
        SessionLine(one.ident, one.status, _ms(one.first), _ms(one.last), one.video_id, one.stream_url)
        for one in latest
    ]


def _ms(at: float | None) -> float | None:
    return None if at is None else round(at, 3)


def _counted(counter: Counter[str]) -> list[NameCount]:
    order = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    return [NameCount(name, count) for name, count in order[:_NAMES]]


def _latest(moments: deque[Moment]) -> list[At]:
    return [At(_ms(one.at), one.text, name=one.name) for one in list(reversed(moments))[:_LATEST]]


def _shares(seen: Happenings, number: int) -> list[ScreenShare]:
    found = seen.screens.longest(number)
    total = seen.screens.seconds or 1.0
    return [
        ScreenShare(round(one.seconds / total, 3), round(one.seconds, 1), round(one.first, 3), _cut(one.text))
        for one in found
    ]

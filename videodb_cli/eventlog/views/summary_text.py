"""A summary as plain text, in local time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from videodb_cli.eventlog.views.summary_parts import At, NameCount, Part, ScreenShare, SessionLine, SummaryParts


def render(summary: SummaryParts) -> str:
    """Return the summary as lines."""
    lines = [_headline(summary), *_counts(summary)]
    many_days = _day(summary.first) != _day(summary.last)
    if summary.channels.names:
        lines.append(f"channels: {_names(summary.channels)}")
    if summary.streams.names:
        lines.append(f"streams: {_names(summary.streams)}")
    lines += _errors_and_alerts(summary, many_days=many_days)
    said = summary.said
    if said.shown:
        lines.append(f"said ({len(said.shown)} of {said.count:,} {said.how or 'sentences'}):")
        lines += [_moment(one, many_days=many_days) for one in said.shown]
    if summary.screens.shown:
        lines.append("screens by share of time:")
        lines += [_screen(one) for one in summary.screens.shown]
    if summary.sessions.shown:
        lines.append("sessions:")
        lines += [_session(one, many_days=many_days) for one in summary.sessions.shown]
    if summary.gaps.shown:
        lines.append("gaps, the latest last:")
        lines += [f"  until {_clock(one.at, many_days=many_days)}, for {one.name}" for one in summary.gaps.shown]
    if summary.next:
        lines.append("more:")
        lines += [f"  {command}" for command in summary.next]
    return "\n".join(lines) + "\n"


def _headline(summary: SummaryParts) -> str:
    if not summary.events:
        return "no events"
    events = f"{summary.events:,} event{'' if summary.events == 1 else 's'}"
    if summary.first is None or summary.last is None:
        return f"{events}, none with a time"
    first, last = _clock(summary.first, many_days=True), _clock(summary.last, many_days=True)
    if first == last:
        return f"{first} · {events}"
    last = last if _day(summary.first) != _day(summary.last) else last.partition(" ")[2]
    return f"{first} to {last} ({_length(summary.last - summary.first)}) · {events}"


def _counts(summary: SummaryParts) -> Iterator[str]:
    """Yield one line with how many there are of each part."""
    parts = (
        (summary.said, "sentence"),
        (summary.screens, "picture"),
        (summary.alerts, "alert"),
        (summary.sessions, "session"),
        (summary.errors, "error"),
    )
    found = [f"{part.count:,} {_plural(word, part.count)}" for part, word in parts if part.count]
    if summary.gaps.count:
        gaps = summary.gaps
        found.append(f"{gaps.count:,} {_plural('gap', gaps.count or 0)} of {gaps.seconds or 0:,.0f} s")
    if found:
        yield " · ".join(found)


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _errors_and_alerts(summary: SummaryParts, *, many_days: bool) -> Iterator[str]:
    if summary.errors.shown:
        yield f"errors{_of(summary.errors)}:"
        yield from (_moment(one, many_days=many_days) for one in summary.errors.shown)
    alerts = summary.alerts
    if alerts.names:
        yield f"alerts: {_names(alerts, total=None)}"
    if alerts.shown:
        yield f"latest alert{'' if len(alerts.shown) == 1 else 's'}:"
        yield from (_moment(one, many_days=many_days) for one in alerts.shown)


def _of(part: Part) -> str:
    return "" if len(part.shown) == part.count else f", the latest {len(part.shown)} of {part.count:,}"


def _names(part: Part, total: int | None = -1) -> str:
    """Return names with their counts; says how many names found no room."""
    names: Sequence[NameCount] = part.names
    text = ", ".join(f"{one.name} {one.count:,}" for one in names)
    hidden = (part.count or 0) - (len(names) if total is not None else sum(one.count for one in names))
    return f"{text}, {hidden:,} more" if hidden > 0 else text


def _moment(one: At, *, many_days: bool) -> str:
    said = ": ".join(part for part in (one.name or one.stream, one.text) if part)
    return f"  {_clock(one.at, many_days=many_days)} {said}"


def _screen(one: ScreenShare) -> str:
    share = f"{one.share:.0%}" if one.share >= 0.005 else "<1%"
    return f"  {share} {one.text}"


def _session(one: SessionLine, *, many_days: bool) -> str:
    first, last = _clock(one.first, many_days=many_days), _clock(one.last, many_days=many_days)
    video = f", video {one.video_id}" if one.video_id else ""
    return f"  {one.id} {one.status or '?'}, {first} to {last}{video}"


def _clock(at: float | None, *, many_days: bool) -> str:
    if at is None:
        return "?"
    form = "%Y-%m-%d %H:%M:%S" if many_days else "%H:%M:%S"
    return datetime.fromtimestamp(at).strftime(form)  # noqa: DTZ006 - local time is meant


def _day(at: float | None) -> str:
    return "" if at is None else _clock(at, many_days=True)[:10]


def _length(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.0f} h" if seconds < 172_800 else f"{seconds / 86_400:,.0f} days"

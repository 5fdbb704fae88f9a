"""What an event says on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videodb_cli.model import event as ev

if TYPE_CHECKING:
    from videodb_cli.model.event import Event


def clean(text: str, longest: int) -> str:
    """Return one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def of_event(event: Event, channel: str) -> str:
    """Return the words of an event that is neither speech nor a description."""
    data = ev.data_of(event)
    text = ev.text_of(event) or ""
    if channel == "alert":
        return _of_alert(data, event, text)
    if channel == "capture_session":
        name = ev.name_of(event)
        status = name.rpartition(".")[2] if name is not None else _word(event.get("status"))
        about = [status, text, _word(data.get("exported_video_id")), ev.session_of(event) or ""]
        return " · ".join(dict.fromkeys(part for part in about if part))
    return text or ev.name_of(event) or ""


def _of_alert(data: Event, event: Event, text: str) -> str:
    label = _word(data.get("label")) or _word(data.get("event_label")) or _word(event.get("label")) or text
    confidence = ev.number(data.get("confidence"))
    sure = f" ({confidence:.2f})" if confidence is not None and 0 <= confidence <= 1 else ""
    more = next((found for key in ("text", "explanation") if (found := _word(data.get(key))) and found != label), "")
    return f"{label}{sure}" + (f" · {more}" if more else "")


def of_own(event: Event) -> str:
    """Return what the listener says in a line of its own."""
    return ev.text_of(event) or str(event.get("event") or "")


def of_gap(data: Event) -> str:
    """Return why there is a gap, and what is lost for good."""
    reason = _word(data.get("reason")).replace("_", " ")
    lost = "alerts of that time cannot be read back" if data.get("unrecoverable") else ""
    least = "at least so long" if data.get("at_least") is True else ""
    return clean(" · ".join(part for part in (reason, least, lost) if part), 300)


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""

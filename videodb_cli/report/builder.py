"""Turns events into the content of a page, one by one, in bounded memory. Pure: no files, no clock."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Final

from videodb_cli.model import event as ev
from videodb_cli.model import own_lines
from videodb_cli.page.collector import Collector
from videodb_cli.page.content import INTERIM, RECOVERED, Gap
from videodb_cli.page.document import iter_page
from videodb_cli.report import words
from videodb_cli.report.recordings import Recordings

if TYPE_CHECKING:
    from collections.abc import Callable

    from videodb_cli.model.event import Event
    from videodb_cli.page.content import PageContent

# Until this size the page opens at once on any machine.
MAX_PAGE_BYTES: Final = 2_000_000
# Texts of events compress to about a third, and base64 makes a third more of it.
_BUDGET: Final = 4_500_000
# A live event begins at most so long before it is received; beyond that the sender's clock is wrong.
_BELIEVED_S: Final = 3600.0
_YEAR_9999: Final = 253_370_764_800
_NAMED_SESSIONS: Final = 3


class ReportBuilder:
    """Takes events and makes a page of them.

    Args:
        lists_interim: Interim transcripts are listed, too; otherwise they are only counted.
        budget: Bounds the listed events, in bytes before compression.
        redact: Returns a text as the page may show it.
    """

    def __init__(
        self, *, lists_interim: bool = False, budget: int = _BUDGET, redact: Callable[[str], str] | None = None
    ) -> None:
        self._redact = redact
        self._collector = Collector(budget=budget, lists_interim=lists_interim)
        self._recordings = Recordings()
        self._sessions: dict[str, None] = {}
        self._labels: dict[tuple[object, object], str] = {}
        self._latest = 0.0
        self._untimed = 0

    @property
    def events(self) -> int:
        """How many events were taken, gaps included."""
        return self._collector.events + len(self._collector.gaps)

    @property
    def sessions(self) -> list[str]:
        """The ids of the sessions that were seen, the first few."""
        return list(self._sessions)

    def add(self, event: Event) -> None:
        """Take one event."""
        channel = ev.channel_of(event) or "other"
        data = ev.data_of(event)
        at, until = self._times(event, data)
        if channel == ev.OWN_CHANNEL:
            self._add_own(event, at)
            return
        if channel in {"transcript", "visual_index", "audio_index"}:
            said = data.get("text")
            text = said if isinstance(said, str) and said else ev.text_of(event) or ""
        else:
            text = words.of_event(event, channel)
        if channel == "capture_session":
            self._add_session(event, at)
        flags = RECOVERED if event.get("recovered") is True else 0
        if channel == "transcript" and not ev.is_final(event):
            flags |= INTERIM
        self._collector.add(channel, self._stream(event), at, until, text, flags)

    def _add_own(self, event: Event, at: float) -> None:
        data = ev.data_of(event)
        if event.get("event") == own_lines.GAP:
            seconds = ev.number(data.get("seconds")) or 0.0
            start, end = ev.parse_iso(data.get("from")), ev.parse_iso(data.get("to"))
            if start is None or end is None or not start <= end <= _YEAR_9999:
                start, end = at - (seconds if isfinite(seconds) else 0.0), at
            self._collector.add_gap(Gap(start, end, words.of_gap(data)))
            return
        self._collector.add(ev.OWN_CHANNEL, "", at, at, words.of_own(event))

    def _add_session(self, event: Event, at: float) -> None:
        ident = ev.session_of(event)
        if ident is not None and len(self._sessions) <= _NAMED_SESSIONS:
            self._sessions[ident] = None
        self._recordings.see(event, ident or "", at)

    def _stream(self, event: Event) -> str:
        """Return the name of its stream; each name is worked out once."""
        key = (event.get("rtstream_name"), event.get("rtstream_id"))
        try:
            return self._labels[key]
        except (KeyError, TypeError):
            label = words.clean(ev.stream_label(event), 120)
        if len(self._labels) < 1000 and all(part is None or isinstance(part, str) for part in key):
            self._labels[key] = label
        return label

    def _times(self, event: Event, data: Event) -> tuple[float, float]:
        """Return when it began and ended: as its sender says if that can be, else when it was received."""
        received = ev.received_at(event)
        if received is None or not 0 <= received <= _YEAR_9999:
            self._untimed += 1
            received = self._latest
        start = ev.seconds(data.get("start"))
        if start is None:
            self._latest = received
            return received, received
        end = ev.seconds(data.get("end"))
        length = end - start if end is not None and start < end < _YEAR_9999 else 0.0
        if start < 1e9:
            # Seconds from the beginning of a stream, whenever that was.
            at = received - min(length, _BELIEVED_S)
        elif event.get("recovered") is True:
            at = start if start <= _YEAR_9999 else received
        else:
            at = start if abs(received - start) <= _BELIEVED_S else received
        self._latest = at
        return at, at + length

    def _title(self) -> str:
        names = [words.clean(name, 80) for name in self._sessions]
        if not names:
            return "Events"
        if len(names) == 1:
            return f"Session {names[0]}"
        if len(names) > _NAMED_SESSIONS:
            return f"Sessions {', '.join(names[: _NAMED_SESSIONS - 1])} and more"
        return f"Sessions {', '.join(names[:-1])} and {names[-1]}"

    def content(self, *, notes: tuple[str, ...] = ()) -> PageContent:
        """Return what the page shows. ``notes`` are sentences for its foot."""
        if not self._collector.videos:
            for video in self._recordings.videos():
                self._collector.add_video(video)
        if self._untimed:
            notes = (*notes, f"{self._untimed:,} events without a time stand where the event before them does.")
        content = self._collector.content(self._title(), notes)
        return content if self._redact is None else _redacted(content, self._redact)

    def page(self, *, notes: tuple[str, ...] = (), max_bytes: int = MAX_PAGE_BYTES) -> tuple[PageContent, list[bytes]]:
        """Return what the page shows, and the page in pieces.

        Events are left out of its list, and it says so, until it is small enough.
        """
        while True:
            content = self.content(notes=notes)
            pieces = list(iter_page(content))
            if sum(map(len, pieces)) <= max_bytes or not self._collector.sample.thin():
                return content, pieces


def _redacted(content: PageContent, redact: Callable[[str], str]) -> PageContent:
    """Return the content with each of its texts redacted, and a note if that changed any."""
    shown: dict[str, str] = {}
    changed = 0
    entries = []
    for entry in content.entries:
        text = shown.get(entry.text)
        if text is None:
            text = shown[entry.text] = redact(entry.text)
        changed += text != entry.text
        entries.append(entry._replace(text=text))
    note = f"{changed:,} event{' has' if changed == 1 else 's have'} parts that were redacted; --no-redact shows them."
    return replace(
        content,
        entries=entries,
        lanes=[replace(lane, stream=redact(lane.stream)) for lane in content.lanes],
        gaps=[gap._replace(text=redact(gap.text)) for gap in content.gaps],
        notes=[*content.notes, note] if changed else content.notes,
    )

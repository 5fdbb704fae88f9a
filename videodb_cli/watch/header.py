"""The rows above the event stream: the truth about listener and capture, and how many events came of each channel."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from videodb_cli import cells
from videodb_cli.app.listener_status import ListenerStatus, listener_status
from videodb_cli.errors import VideodbError
from videodb_cli.render.style import Painter, Piece
from videodb_cli.render.words import channel_label, safe

if TYPE_CHECKING:
    from videodb_cli.app.capture.status import CaptureStatus
    from videodb_cli.render.rows import Row
    from videodb_cli.rundir.capture_state import ChannelState
    from videodb_cli.rundir.paths import RunDir

_BARS = "▁▂▃▄▅▆▇█"
_SLOTS = 30
_SLOT_S = 2.0
_STATES = {"listening": ("green",), "connecting": ("bold", "yellow"), "stopped": ("dim",)}
_BAD = ("bold", "red")


class Rates:
    """How many events of each channel came in the last minute, in slots of two seconds."""

    def __init__(self, now: float) -> None:
        self._slots: dict[str, deque[int]] = {}
        self._slot = int(now // _SLOT_S)

    def add(self, counts: Counter[str], now: float) -> None:
        """Count events that came now."""
        slot = int(now // _SLOT_S)
        for _ in range(min(max(slot - self._slot, 0), _SLOTS)):
            for slots in self._slots.values():
                slots.append(0)
        self._slot = max(slot, self._slot)
        for channel, count in counts.items():
            self._slots.setdefault(channel, deque([0] * _SLOTS, maxlen=_SLOTS))[-1] += count

    @property
    def channels(self) -> list[str]:
        """The channels of which events came."""
        return sorted(self._slots)

    def per_second(self, channel: str) -> float:
        """Return the events a second in the last minute."""
        return sum(self._slots.get(channel, ())) / (_SLOTS * _SLOT_S)

    def line(self, channel: str, room: int) -> str:
        """Return the last minute as a line of bars, the newest one last."""
        slots = list(self._slots.get(channel, ()))[-room:]
        most = max(slots, default=0)
        return "".join(_BARS[0] if not n else _BARS[max(1, n * (len(_BARS) - 1) // most)] for n in slots)


@dataclass(slots=True)
class Facts:
    """What one look at a directory told. ``trouble`` is why the look failed."""

    listener: ListenerStatus | None = None
    capture: CaptureStatus | None = None
    trouble: str | None = None


class Observer:
    """Looks at listener and capture of a directory, as `status` does."""

    def __init__(self, run_dir: RunDir) -> None:
        self._run_dir = run_dir
        self._died: ListenerStatus | None = None
        self._frames: dict[str, tuple[float, int]] = {}
        self.frame_rates: dict[str, float] = {}

    def look(self) -> Facts:
        """Return what is so now. Never raises what the state of the directory may cause."""
        facts = Facts()
        try:
            found = listener_status(self._run_dir)
            # After a crash only the first look says so; it stays true until the next listener.
            if found.state == "died":
                self._died = found
            elif found.state != "stopped":
                self._died = None
            facts.listener = self._died or found
            if self._run_dir.capture_info.exists():
                from videodb_cli.app.capture.status import capture_status

                facts.capture = capture_status(self._run_dir)
                self._measure(facts.capture)
        except VideodbError as error:
            facts.trouble = error.message
        except OSError as error:
            facts.trouble = f"cannot look at {self._run_dir.path}: {error.strerror}"
        return facts

    def _measure(self, capture: CaptureStatus | None) -> None:
        """Note how many frames a second each channel brings, from one state file to the next."""
        state = capture.state if capture is not None else None
        if state is None or state.written_at is None:
            return
        for channel in state.channels:
            if channel.frames is None:
                continue
            before = self._frames.get(channel.channel_id)
            if before is None or channel.frames < before[1]:
                self._frames[channel.channel_id] = (state.written_at, channel.frames)
            elif state.written_at - before[0] >= 1.0:
                self.frame_rates[channel.channel_id] = (channel.frames - before[1]) / (state.written_at - before[0])
                self._frames[channel.channel_id] = (state.written_at, channel.frames)


def header_rows(
    facts: Facts, rates: Rates, frame_rates: dict[str, float], *, width: int, most: int, painter: Painter
) -> list[Row]:
    """Return at most so many rows of so many cells. What matters most comes first."""
    rows = _listener_rows(facts)
    rows += _capture_rows(facts, frame_rates)
    rows = [_fitted(row, width) for row in rows[: max(most, 1)]]
    return rows + _rate_rows(rates, width, painter)[: max(most - len(rows), 0)]


def _listener_rows(facts: Facts) -> list[Row]:
    if facts.trouble is not None:
        return [[Piece("● ", _BAD), Piece(safe(facts.trouble), ("red",))]]
    found = facts.listener
    if found is None:
        return [[Piece("…", ("dim",))]]
    head = [Piece("● ", _STATES.get(found.state, _BAD)), Piece(found.state, _STATES.get(found.state, _BAD))]
    listener = found.listener
    if found.state == "listening":
        said = [found.connection_id or "", f"for {span(found.age('connected_since'))}"]
        last = found.age("last_message_at")
        said.append("no event yet" if last is None else f"last event {span(last)} ago")
    else:
        said = [found.why]
        if listener is not None and listener.retry_at is not None and listener.retry_at > found.now:
            said.append(f"next try in {listener.retry_at - found.now:.0f} s")
    rows = [[*head, Piece("  " + safe(" · ".join(word for word in said if word)))]]
    if found.trouble is not None:
        rows.append([Piece(f"  not written: {safe(found.trouble)}", _BAD)])
    if listener is not None and listener.written_at is not None:
        gaps = f"{listener.gaps} {'gap' if listener.gaps == 1 else 'gaps'} ({listener.gap_s:.1f} s)"
        said = [f"{listener.events:,} events", f"{listener.log_bytes / 1e6:.1f} MB"]
        row = [Piece("  " + " · ".join(said) + " · ", ("dim",))]
        rows.append([*row, Piece(gaps if listener.gaps else "no gap", ("yellow",) if listener.gaps else ("dim",))])
    return rows


def _capture_rows(facts: Facts, frame_rates: dict[str, float]) -> list[Row]:
    capture = facts.capture
    if capture is None or not (capture.running or capture.status == "failed"):
        return []
    state = capture.state
    if state is None:
        return [[Piece("capture ", ("dim",)), Piece(capture.status)]]
    words = [f"{state.session_id} {state.status}"]
    if capture.running and state.started_at is not None:
        words[0] += f" {span(capture.now - state.started_at)}"
    words += [state.error.message] if state.error is not None else []
    words += [capture.why] if capture.why else []
    is_bad = state.error is not None or capture.why is not None
    rows = [[Piece("capture ", ("dim",)), Piece(safe(" · ".join(words)), ("red",) if is_bad else ())]]
    if capture.running:
        rows += [_channel_row(capture, channel, frame_rates) for channel in state.channels]
    return rows


def _channel_row(capture: CaptureStatus, channel: ChannelState, frame_rates: dict[str, float]) -> Row:
    words = capture.channel_words(channel)
    if channel.type in {"display", "camera", "video"} and (rate := frame_rates.get(channel.channel_id)) is not None:
        words.insert(1, f"{rate:.1f} frames/s")
    style = ("bold", "red") if capture.is_stalled(channel) or channel.state == "failed" else ()
    return [Piece(f"  {safe(channel.channel_id)} ", ("dim",)), Piece(safe(" · ".join(words)), style)]


def _rate_rows(rates: Rates, width: int, painter: Painter) -> list[Row]:
    """Return a line of bars for each channel, as many beside each other as there is room for."""
    bars = 15 if width < 70 else _SLOTS
    rows: list[Row] = []
    taken = width
    for channel in rates.channels:
        label = cells.pad(cells.cut(channel_label({"channel": channel})[1], 10), 10)
        size = 2 + 10 + 1 + bars + 1 + 7
        if taken + size > width:
            rows.append([])
            taken = 0
        style = painter.style_of_channel(channel)
        rate = f"{rates.per_second(channel):5.1f}/s"
        rows[-1] += [Piece(f"  {label} ", style), Piece(rates.line(channel, bars), style), Piece(f" {rate}", ("dim",))]
        taken += size
    return [_fitted(row, width) for row in rows]


def _fitted(row: Row, width: int) -> Row:
    """Cut a row to a width."""
    fitted: Row = []
    left = width
    for piece in row:
        text = cells.cut(piece.text, left) if cells.width(piece.text) > left else piece.text
        left -= cells.width(text)
        fitted.append(piece._replace(text=text))
        if left <= 0:
            break
    return fitted


def span(seconds: float | None) -> str:
    """Return a span of time in the largest unit that says enough."""
    if seconds is None:
        return "?"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"

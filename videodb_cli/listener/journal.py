"""The listener's own lines in the log: what they are called, what they say, what they carry (docs/contract.md §3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from videodb_cli.eventlog.write.stamps import iso_from_ms
from videodb_cli.eventlog.write.store import LogStore
from videodb_cli.listener.connection import Connection, Ended
from videodb_cli.listener.stalls import Stall
from videodb_cli.listener.updates import Statement
from videodb_cli.model import own_lines
from videodb_cli.model.event import Event
from videodb_cli.process.clock import Clock, ClockSet

if TYPE_CHECKING:
    # Imported by those who redact only: its rules take time to compile.
    from videodb_cli.listener.redaction import Redaction


@dataclass(frozen=True, slots=True)
class Loss:
    """Since when nothing could be heard (Unix seconds), for how long that is now, and why.

    ``is_longer``: the length is only what is known for certain, because the clock was set in between.
    """

    at: float
    seconds: float
    reason: str
    is_longer: bool = False


def iso(unix_s: float | None) -> str | None:
    """Return Unix seconds as the log writes times."""
    return None if unix_s is None else iso_from_ms(int(unix_s * 1000))


class Journal:
    """Writes our own lines, and those of recovered events, into the log and to whoever watches."""

    def __init__(
        self,
        store: LogStore,
        host: str,
        on_line: Callable[[bytes, Event | None], None] | None,
        clock: Clock,
        redaction: Redaction | None = None,
    ) -> None:
        self._redaction = redaction
        self._store = store
        self._host = host
        self._on_line = on_line
        self._clock = clock

    def connected(self, connection: Connection, *, takes_over_from: str | None = None) -> None:
        """A connection stands; ``takes_over_from`` is the id of the one that it renews."""
        connection_id = connection.connection_id
        data: dict[str, Any] = {"connection_id": connection_id, "host": self._host, **self._clock.marks()}
        text = f"connected as {connection_id}"
        if takes_over_from is not None:
            data["renews"] = takes_over_from
            text += f", before {takes_over_from} grows too old"
        if connection.extra:
            data["frame"] = connection.extra
        self._write(own_lines.CONNECTED, text, data)

    def id_replaced(self, old: str, new: str) -> None:
        """The service gave an open connection another id."""
        data = {"connection_id": new, "host": self._host, "replaces": old}
        self._write(own_lines.CONNECTED, f"the service replaced the connection id: {new}", data)

    def disconnected(
        self, connection: Connection, ended: Ended, *, for_log: bool = False, renewed_by: str | None = None
    ) -> None:
        """A connection ended; ``for_log``: we gave it up because the log cannot be written."""
        detail = "the log cannot be written" if for_log else ended.detail
        data: dict[str, Any] = {
            "connection_id": connection.connection_id,
            "reason": "log_not_writable" if for_log else ended.reason,
            "close_code": ended.close_code,
            "last_message_at": iso(self._clock.unix_or_none(connection.last_message_at)),
            "alive_at": iso(self._clock.unix(ended.alive_at)),
        }
        if ended.size is not None:
            data["size"] = ended.size
        text = f"lost the connection: {detail}"
        if renewed_by is not None:
            data |= {"renewed_by": renewed_by, "unrecoverable": ["alert"]}
            text = f"the old connection ended ({detail}); {renewed_by} goes on"
        self._write(own_lines.DISCONNECTED, text, data)

    def gap(self, lost: Loss, ended: float, old_id: str | None, new_id: str) -> float:
        """Nothing could be heard from a loss on until now (``ended``, Unix seconds). Returns the length in seconds."""
        seconds = round(lost.seconds, 3)
        length = f"for {seconds:g} s"
        data: dict[str, Any] = {"from": iso(lost.at), "to": iso(ended), "seconds": seconds}
        if lost.is_longer:
            length = f"for at least {seconds:g} s: the clock was set since, and nobody knows for how long"
            data["at_least"] = True
        data |= {
            "reason": lost.reason,
            "old_connection_id": old_id,
            "new_connection_id": new_id,
            "unrecoverable": ["alert"],
        }
        self._write(own_lines.GAP, f"nothing could be heard {length}; alerts of that time cannot be read back", data)
        return seconds

    def clock_set(self, step: ClockSet) -> None:
        """The wall clock was set: the stamps before this line and after it are not to be compared."""
        way = "forward" if step.step_s > 0 else "back"
        text = f"the clock was set {way} by {abs(step.step_s):.1f} s, from {iso(step.before)} to {iso(step.after)}"
        data = {"step_s": round(step.step_s, 3), "from": iso(step.before), "to": iso(step.after)}
        self._write(own_lines.CLOCK, text, {**data, **self._clock.marks()})

    def recovered(self, text: str, data: Mapping[str, Any]) -> None:
        """A gap has been gone through."""
        self._write(own_lines.RECOVERED, text, data)

    def recovered_event(self, event: Event) -> bytes:
        """An event that was fetched after a gap, in the live envelope. Returns its line."""
        if self._redaction is not None:
            event = self._redaction.recovered(event)
        line = self._store.recovered(event)
        if self._on_line is not None:
            self._on_line(line, event)
        return line

    def late(self, what: str, after_s: float, message: bytes) -> None:
        """A live event came whose record was read back before: what the service sent, word for word."""
        text = f"{what} came live {after_s:.1f} s after it had been read back"
        self._write(own_lines.LATE, text, {"after_s": round(after_s, 3), "message": message.decode()})

    def capture_failed(self, session_id: str, code: str, message: str) -> None:
        """The capture of this directory failed here; what the service says about its session is another matter."""
        data = {"capture_session_id": session_id, "error": {"code": code, "message": message}}
        self._write(own_lines.CAPTURE_FAILED, f"the capture of {session_id} failed: {message}", data)

    def capture_stalled(self, stall: Stall) -> None:
        """A channel of the capture brings nothing, or does so again: ``stall.ended`` is set."""
        data: dict[str, Any] = {"capture_session_id": stall.session_id, "channel_id": stall.channel_id}
        seconds = round(stall.seconds, 3)
        began = iso(self._clock.unix(stall.began))
        if stall.ended is not None:
            data |= {"from": began, "to": iso(self._clock.unix(stall.ended)), "seconds": seconds}
            text = f"{stall.channel_id}: {stall.media_word}s come again after {seconds:.1f} s without any"
            self._write(own_lines.CAPTURE_RESUMED, text, data)
            return
        data |= {"last_media_at": began, "seconds": seconds, "reason": stall.reason}
        why = f" ({stall.reason})" if stall.reason else ""
        self._write(
            own_lines.CAPTURE_STALLED, f"{stall.channel_id}: no {stall.media_word} for {seconds:.0f} s{why}", data
        )

    def stopped(self, statement: Statement, bound: str | None = None) -> None:
        """The listener ends: its loss statement, and the bound that it had come to, if one ended it."""
        text, data = _statement_text(statement), asdict(statement)
        if bound is not None:
            text, data = f"{text} ({bound})", {**data, "reason": bound}
        self._write(own_lines.STOPPED, text, data)

    def _write(self, event: str, text: str, data: Mapping[str, Any]) -> None:
        line = self._store.record(event, text, data)
        if self._on_line is not None:
            self._on_line(line, None)


def _statement_text(statement: Statement) -> str:
    gaps = (
        f"{statement.gaps} gaps of {statement.gap_s:g} s" if statement.gaps != 1 else f"1 gap of {statement.gap_s:g} s"
    )
    doubles = f", {statement.doubles} came twice" if statement.doubles else ""
    return (
        f"stopped after {statement.connected_s:.0f} s connected: {statement.live} events, {gaps}, "
        f"{statement.recovered} recovered, {statement.unparsable} unparsable, {statement.dropped} dropped{doubles}"
    )

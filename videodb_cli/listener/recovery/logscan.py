"""What the log itself says: how the last run ended, which streams it heard, and what it holds already.

Everything here reads the disk and may take seconds for gigabytes: it runs in a thread.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videodb_cli.errors import RefusedError, VideodbError
from videodb_cli.eventlog.read.blocks import iter_blocks, iter_blocks_backwards
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.sources import LogSource, log_sources, rotated_sources
from videodb_cli.listener.recovery.doubles import MAX_WAITING, Doubles
from videodb_cli.listener.recovery.heard import Heard
from videodb_cli.listener.recovery.seen import Seen, iter_events
from videodb_cli.model import event as ev
from videodb_cli.model import own_lines
from videodb_cli.model.rtstreams import read_streams
from videodb_cli.rundir import state
from videodb_cli.rundir.paths import RunDir

_OWN_NEEDLE = b'"channel":"videodb_cli"'
# How far back the end of the last run is looked for: its own lines are few, and a start must not wait for gigabytes.
_LAST_RUN_BYTES = 64 << 20
_SCAN_BLOCK = 64 << 10


@dataclass(frozen=True, slots=True)
class LastRun:
    """How the run before this one ended: when it heard for the last time (Unix seconds), as which connection, why.

    ``unmended_from`` is the beginning of an earlier gap that it had not finished mending. ``ahead_s``: how far its wall
    clock was ahead of the uptime of its boot, ``boot_id``; None in logs of older versions.
    """

    heard_until: float
    connection_id: str | None
    reason: str
    unmended_from: float | None = None
    boot_id: str | None = None
    ahead_s: float | None = None


def last_run(log: Path, end: int) -> LastRun | None:
    """Look at the log before byte ``end``. None for a log that holds no line with a time."""
    look = _Backwards()
    seen_bytes = 0
    for block in _newest_first(log, end):
        lines = block.splitlines()
        if look.heard_until is None:
            look.take_last(next((event for event, _ in iter_events(reversed(lines)) if ev.received_at(event)), None))
        if _OWN_NEEDLE in block:
            for event, _ in iter_events(line for line in reversed(lines) if _OWN_NEEDLE in line):
                if ev.is_own(event) and look.take_own(event):
                    return look.found()
        seen_bytes += len(block)
        if seen_bytes > _LAST_RUN_BYTES:
            break
    return look.found()


def _newest_first(log: Path, end: int) -> Iterator[bytes]:
    """Blocks of a log before byte ``end``, then of its rotated files: a log that was just rotated says little."""
    # A log of somebody else's making (UTF-16, say) tells nothing, and must not keep the listener from listening.
    with contextlib.suppress(RefusedError):
        for block in iter_blocks_backwards(LogSource(log, private=True), end, broken=BrokenLines()):
            yield block.data
    for source in reversed(rotated_sources(log)):
        for lines in _blocks_backwards(source):
            yield b"\n".join(lines) + b"\n"


class _Backwards:
    """Reads our own lines from the last one back to where everything is known to be mended."""

    def __init__(self) -> None:
        self.heard_until: float | None = None
        self._reason = "ended"
        self._connection_id: str | None = None
        self._unmended_from: float | None = None
        self._had_gap = False
        self._boot_id: str | None = None
        self._ahead_s: float | None = None

    def take_last(self, event: ev.Event | None) -> None:
        """Take the last line of the log that has a time."""
        if event is not None:
            self.heard_until = ev.received_at(event)
            if ev.is_own(event) and event.get("event") == own_lines.STOPPED:
                self._reason = "stopped"

    def take_own(self, event: ev.Event) -> bool:
        """Take the next own line towards the beginning. Returns whether the rest does not matter."""
        data = ev.data_of(event)
        name = event.get("event")
        self._note_clock(event, data)
        if name == own_lines.RECOVERED:
            # What came before this gap was mended, or told as lost, when it was written.
            return self._note_end(data, deaf=False) if data.get("complete") is True else False
        if name == own_lines.GAP:
            self._had_gap = True
            self._unmended_from = ev.parse_iso(data.get("from")) or self._unmended_from
        elif name == own_lines.DISCONNECTED and "renewed_by" not in data:
            self._note_end(data, deaf=True)
        elif name == own_lines.CONNECTED:
            self._note_end(data, deaf=False)
            if not self._had_gap:
                return True
            self._had_gap = False
        return False

    def _note_clock(self, event: ev.Event, data: ev.Event) -> None:
        boot, uptime, stamp = data.get("boot_id"), data.get("uptime_s"), ev.received_at(event)
        if self._ahead_s is None and isinstance(boot, str) and isinstance(uptime, int | float) and stamp is not None:
            self._boot_id, self._ahead_s = boot, stamp - uptime

    def _note_end(self, data: ev.Event, *, deaf: bool) -> bool:
        connection_id = data.get("connection_id") or data.get("new_connection_id")
        if self._connection_id is None and isinstance(connection_id, str):
            self._connection_id = connection_id
            if deaf:
                # It had heard nothing for a while when it ended.
                self.heard_until = ev.parse_iso(data.get("alive_at")) or self.heard_until
                self._reason = str(data.get("reason"))
        return True

    def found(self) -> LastRun | None:
        """Return what was found."""
        if self.heard_until is None:
            return None
        return LastRun(
            self.heard_until, self._connection_id, self._reason, self._unmended_from, self._boot_id, self._ahead_s
        )


@dataclass(frozen=True, slots=True)
class LogContent:
    """What a scan found."""

    seen: Seen
    heard: Heard
    # What was read back then, and may still come live.
    read_back: Doubles


def scan(run_dir: RunDir, *, seen_since: float, heard_since: float) -> LogContent:
    """Read the log backwards, rotated files included, to what was received at these times (Unix seconds).

    What stands before a line that says that the clock was set is taken by the clock as it was after it.
    """
    set_by_s = 0.0
    seen, heard, read_back = Seen(), Heard(), Doubles()
    oldest = min(seen_since, heard_since)
    for source in reversed(log_sources(run_dir)):
        for lines in _blocks_backwards(source):
            received: float | None = None
            for event, line in iter_events(reversed(lines)):
                received = ev.received_at(event)
                if received is None:
                    continue
                received += set_by_s
                set_by_s += _step_of(event)
                if received >= seen_since:
                    seen.note_older(event, line)
                if received >= heard_since:
                    heard.add_event(event)
                    if ev.is_recovered(event) and len(read_back) < MAX_WAITING:
                        read_back.add(event, received)
            if received is not None and received < oldest:
                return LogContent(seen, heard, read_back)
            # The receiver shares this process: a scan of gigabytes must leave it its turns.
            time.sleep(0.0005)
    return LogContent(seen, heard, read_back)


def _step_of(event: ev.Event) -> float:
    """Return by how many seconds the clock was set, as a line of ours says; 0 for any other line."""
    step_s = ev.data_of(event).get("step_s") if ev.is_own(event) and event.get("event") == "listener.clock" else 0.0
    return float(step_s) if isinstance(step_s, int | float) else 0.0


def _blocks_backwards(source: LogSource) -> Iterator[list[bytes]]:
    try:
        if source.is_seekable:
            for block in iter_blocks_backwards(source, size=_SCAN_BLOCK):
                yield block.data.splitlines()
        else:
            # A compressed file has no end to begin from; it is rotated, so it is as large as one log.
            for block in reversed(list(iter_blocks(source, broken=BrokenLines()))):
                yield block.data.splitlines()
    except VideodbError:
        # Rotated away or damaged while we looked: what it held cannot be compared with, the rest still can.
        return


@dataclass(frozen=True, slots=True)
class CaptureInfo:
    """What `videodb_capture_info.json` says about the capture of this directory."""

    session_id: str | None = None
    collection_id: str | None = None
    status: str | None = None
    streams: dict[str, str | None] | None = None
    # Index id to the connection that its events go to.
    index_connections: dict[str, str] | None = None
    # All that anything of it was told to speak to.
    connections: frozenset[str] = frozenset()


def read_capture_info(run_dir: RunDir) -> CaptureInfo:
    """Read the file; whatever in it makes no sense counts as absent."""
    try:
        fields = state.read(run_dir.capture_info) or {}
    except (RefusedError, OSError):
        fields = {}
    channels = fields.get("channels")
    pipelines = [item for item in _list(fields.get("pipelines")) if isinstance(item, dict)]
    streams = {stream.id: stream.label for stream in read_streams(channels)}
    for item in pipelines:
        if isinstance(item.get("rtstream_id"), str):
            streams.setdefault(item["rtstream_id"], None)
    connections = {
        item["rtstream_index_id"]: item["ws_connection_id"]
        for item in pipelines
        if isinstance(item.get("rtstream_index_id"), str) and isinstance(item.get("ws_connection_id"), str)
    }
    return CaptureInfo(
        _text(fields.get("session_id")),
        _text(fields.get("collection_id")),
        _text(fields.get("status")),
        streams,
        connections,
        frozenset(filter(None, (_text(item.get("ws_connection_id")) for item in (fields, *pipelines)))),
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None

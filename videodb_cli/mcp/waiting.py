"""Waiting for events, at most 50 s a call. The cursor of one call is where the next one begins: nothing is missed."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videodb_cli.errors import UnreachableError
from videodb_cli.eventlog.log import EventLog
from videodb_cli.eventlog.matches import ReadOptions
from videodb_cli.eventlog.read.feed import Notice
from videodb_cli.eventlog.views.wait_condition import Verdict, WaitCondition
from videodb_cli.mcp.answers import Bounded
from videodb_cli.mcp.cursor_token import ClientCursor
from videodb_cli.mcp.reading import Redact, criteria_of, room_of
from videodb_cli.model import event as ev
from videodb_cli.model import own_lines

if TYPE_CHECKING:
    from videodb_cli.eventlog.matches import Batch
    from videodb_cli.rundir.paths import RunDir

MOST_S = 50.0
_LOOK_S = 1.0
# A log that somebody else writes is one that changed lately.
_LATELY_S = 60.0
_LOSES = (Notice.CURSOR_LOST, Notice.TRUNCATED, Notice.REMOVED)


def wait(request: dict[str, Any], redact: Redact) -> dict[str, Any]:
    """Wait for events that come after the cursor, from now on without one; with a session, for earlier ones too.

    Raises what `EventLog.read` raises, UsageError for a cursor that is none, and UnreachableError if nothing can come
    because no listener runs.
    """
    deadline = time.monotonic() + min(float(request.get("timeout_s") or MOST_S), MOST_S)
    criteria = criteria_of(request)
    lost: list[Notice] = []
    log = EventLog(request["dir"], on_notice=lambda notice, _: lost.append(notice))
    looks_back = criteria.session is not None or criteria.since is not None
    with tempfile.TemporaryDirectory(prefix="videodb-mcp-") as room:
        cursor = ClientCursor(Path(room), request.get("cursor"))
        options = ReadOptions(cursor=cursor, from_now=not looks_back, every_line=True)
        with log.read(criteria, options, follow=True) as reading:
            if not looks_back:
                reading.matches.skip_backlog()
            condition = WaitCondition(reading.matches.selection, tuple(request.get("fail_on") or ()), recovered=False)
            taking = _Taking(condition, request, cursor, redact)
            health = _Health(log.run_dir)
            for batch in reading.matches.batches():
                if taking.take(batch) or time.monotonic() >= deadline or _is_orphan(request):
                    break
                if batch.source is None:
                    health.look()
        return taking.answer(lost_log=any(notice in _LOSES for notice in lost), listener=health.state())


def _is_orphan(request: dict[str, Any]) -> bool:
    """Tell whether the server that wanted to know is gone."""
    return request.get("server_pid") is not None and os.getppid() != request["server_pid"]


class _Taking:
    """Takes lines in order until there are enough, and moves the cursor past each."""

    def __init__(self, condition: WaitCondition, request: dict[str, Any], cursor: ClientCursor, redact: Redact) -> None:
        self._condition = condition
        self._wanted = int(request.get("count") or 1)
        self._cursor = cursor
        self._redact = redact
        self._items = Bounded(room_of(request))
        self._gaps: list[str] = []
        self._failed = False
        self._more = False

    def take(self, batch: Batch) -> bool:
        """Return whether the wait is over."""
        for line in batch.lines:
            event = line.decode()
            if isinstance(event, dict) and ev.is_own(event) and event.get("event") == own_lines.GAP:
                self._gaps.append((ev.text_of(event) or "")[:200])
            verdict = self._condition.check(event)
            if verdict is not Verdict.NOTHING:
                if not self._items.add(self._redact(line.raw)):
                    self._more = True
                    self._save(batch, line.offset)
                    return True
                self._failed = verdict is Verdict.FAILS
            if self._failed:
                self._save(batch, line.offset + len(line.raw) + 1)
                return True
        self._save(batch, batch.end)
        return len(self._items.items) >= self._wanted

    def _save(self, batch: Batch, offset: int) -> None:
        if batch.source is not None:
            self._cursor.save(batch.source, offset)

    def answer(self, *, lost_log: bool, listener: str) -> dict[str, Any]:
        found = len(self._items.items)
        return {
            "items": self._items.items,
            "count": found,
            "more": self._more,
            "timed_out": not self._failed and found < self._wanted and not self._more,
            "failed": self._failed,
            "gap": bool(self._gaps) or lost_log,
            "gaps": [*self._gaps[-5:], *(["the log was emptied or replaced"] if lost_log else [])],
            "listener": listener,
            "cursor": self._cursor.token(),
        }


class _Health:
    """Looks once a second whether somebody can still write the log."""

    def __init__(self, run_dir: RunDir) -> None:
        self._run_dir = run_dir
        self._next_look = 0.0
        self._missed = 0

    def state(self) -> str:
        """Return the state of the listener in one word."""
        from videodb_cli.app.listener_status import listener_status

        return listener_status(self._run_dir).state

    def look(self) -> None:
        """Raise UnreachableError if nothing can come: no listener runs, and nobody else has written lately."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_S
        if self.state() not in {"stopped", "died"} or self._is_written():
            self._missed = 0
            return
        # A single look may happen between the end of a listener and the start of its replacement.
        self._missed += 1
        if self._missed >= 2:
            raise UnreachableError(
                f"nothing can come: no listener runs in {self._run_dir.path}",
                code="not_running",
                hint="call listen_start",
            )

    def _is_written(self) -> bool:
        try:
            return time.time() - self._run_dir.log.stat().st_mtime < _LATELY_S
        except OSError:
            return False

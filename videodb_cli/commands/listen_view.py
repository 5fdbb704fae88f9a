"""The output of `videodb listen`: data on stdout, one line with its time for each change on stderr.

Threads write it, because a pipe that nobody reads must not stop the listener.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from videodb_cli import console
from videodb_cli.listener.updates import (
    ClockWasSet,
    Connected,
    CouldNot,
    IdReplaced,
    ListenerUpdate,
    LogUnwritable,
    LogWritable,
    Lost,
    Recovered,
    Renewed,
    Resumed,
    Retrying,
    Statement,
    Stopping,
    Unconfirmed,
)
from videodb_cli.model import event as ev
from videodb_cli.model.event import Event
from videodb_cli.process.background_writer import BackgroundWriter
from videodb_cli.userpaths import home_directory

if TYPE_CHECKING:
    from videodb_cli.render.rows import EventRows


class ListenView:
    """Renders one run of the listener. ``host`` and ``log`` are named when the first connection stands."""

    def __init__(self, *, host: str, log: Path, as_json: bool, print_events: bool, quiet: bool) -> None:
        self._host = host
        self._log = log
        self._as_json = as_json
        self._quiet = quiet
        self._forced_print = print_events
        self._is_terminal = console.is_terminal()
        self._rows: EventRows | None = None
        self._stdout = BackgroundWriter(sys.stdout.fileno())
        self._stderr = BackgroundWriter(sys.stderr.fileno(), capacity=200)

    @property
    def wants_lines(self) -> bool:
        """Whether `on_line` has anything to do: it costs the listener time for each event."""
        return self._as_json or self._forced_print or self._is_terminal

    def dropped(self) -> int:
        """Return the number of lines that were dropped because nobody read them in time."""
        return self._stdout.dropped

    def close(self) -> None:
        """Write what is queued, within half a second each."""
        self._stdout.close()
        self._stderr.close()

    def on_line(self, line: bytes, event: Event | None) -> None:
        """Show one line as logged, or as ``[channel] text``."""
        if self._as_json:
            self._stdout.put(line)
        elif event is not None and not ev.is_interim(event) and (self._forced_print or self._owns_terminal()):
            self._stdout.put(self._row(event).encode("utf-8", "replace") + b"\n")

    def _owns_terminal(self) -> bool:
        """Whether we are the foreground job of the terminal; events must not be printed into an editor."""
        if not self._is_terminal:
            return False
        try:
            return os.tcgetpgrp(sys.stdout.fileno()) == os.getpgrp()
        except OSError:
            return False

    def _row(self, event: Event) -> str:
        """Return an event in columns, cut to the terminal, or in a pipe as ``[channel] text``."""
        if self._is_terminal:
            return self._in_columns(event)
        text = console.one_line(ev.text_of(event) or "")
        name = event.get("event")
        if not text and isinstance(name, str):
            text = console.one_line(name)
        return f"[{console.one_line(ev.channel_of(event) or 'event')}] {text}"

    def _in_columns(self, event: Event) -> str:
        if self._rows is None:
            from videodb_cli.commands.events.row_output import event_rows

            self._rows = event_rows(is_followed=True)
        self._rows.resize(console.terminal_width())
        self._rows.measure([event])
        return self._rows.one_row(event)

    def on_update(self, update: ListenerUpdate) -> None:
        """Print one change."""
        match update:
            case Connected(connection_id, None):
                self._say_id(connection_id)
                self._say(f"connected to {self._host} as {connection_id} · log {_short(self._log)}")
            case Connected(connection_id, gap_s):
                self._say_id(connection_id)
                self._say(f"back as {connection_id} after {gap_s:.1f} s")
            case IdReplaced(connection_id):
                self._say_id(connection_id)
                self._say(f"the service replaced the id: now {connection_id}")
            case Renewed(connection_id):
                self._say_id(connection_id)
                self._say(f"a younger connection took over: {connection_id} · the old one is read until it ends")
            case Statement() as statement:
                self.say_statement(statement)
            case _:
                text = _words(update)
                if text is not None:
                    self._say(text)

    def say_statement(self, statement: Statement) -> None:
        """Print at the end what was received and lost."""
        count = {0: "no gaps", 1: f"1 gap of {statement.gap_s:.1f} s"}
        gaps = count.get(statement.gaps, f"{statement.gaps} gaps of {statement.gap_s:.1f} s in all")
        doubles = f" · {statement.doubles} came twice" if statement.doubles else ""
        self._say(
            f"stopped · connected {_duration(statement.connected_s)} · {statement.live} events · {gaps} · "
            f"{statement.recovered} recovered · {statement.unparsable} unparsable · dropped {statement.dropped}"
            f"{doubles}"
        )

    def _say_id(self, connection_id: str) -> None:
        if not self._as_json:
            self._stdout.put(f"WS_ID={connection_id}\n".encode())

    def _say(self, text: str) -> None:
        if not self._quiet:
            self._stderr.put(f"{_clock(time.time())} {console.one_line(text)}\n".encode("utf-8", "replace"))


def _clock(unix_s: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(unix_s))


def _words(update: ListenerUpdate) -> str | None:
    """Return the message for a change without a new id; None if there is none to print."""
    match update:
        case Resumed(_, gap_s, at_least=True):
            return f"the log goes on: nothing was heard for at least {_duration(gap_s)}; the clock was set since"
        case Resumed(since, gap_s):
            return f"the log goes on: nothing was heard for {_duration(gap_s)}, since {_clock(since)}"
        case ClockWasSet(step_s):
            return f"the clock was set {'forward' if step_s > 0 else 'back'} by {_duration(abs(step_s))}"
        case Recovered() as recovered:
            return _recovered_text(recovered)
        case CouldNot(what, reason):
            return f"could not read back {what}: {reason} · tried again later"
        case Lost(detail, last_event_at):
            return f"lost ({detail})" + (f" · last event {_clock(last_event_at)}" if last_event_at else "")
        case Retrying(reason, delay_s):
            return f"retry in {delay_s:.1f} s" + (f" ({reason})" if reason else "")
        case LogUnwritable(reason, waiting_bytes):
            return f"the log cannot be written: {reason} · {waiting_bytes} bytes wait in memory"
        case LogWritable(seconds):
            return f"the log can be written again after {seconds:.1f} s, nothing lost"
        case Stopping(bound) if bound is not None:
            return f"ending: {bound}"
        case Unconfirmed():
            return "the disk is slow: everything is written, the system still brings the last lines to the disk"
    return None


def _recovered_text(recovered: Recovered) -> str:
    count = recovered.events
    text = f"{_count(count, 'event')} recovered" if count else "nothing to recover"
    if recovered.failed_calls:
        text += f", {_count(recovered.failed_calls, 'call')} failed and will be tried again"
    if recovered.unknown:
        text += f"{';' if count else ':'} the service no longer knows {_count(recovered.unknown, 'earlier stream')}"
    text += "; missed alerts cannot be recovered"
    return text + (f" · {_count(recovered.polled, 'pipeline')} polled" if recovered.polled else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    if hours >= 100:
        return f"{hours // 24} days"
    return f"{hours} h {minute:02d} min" if hours else f"{minute} min {second:02d} s"


def _short(path: Path) -> str:
    """The path as people write it: with ``~`` for their own directory."""
    home = home_directory()
    return f"~/{path.relative_to(home)}" if home is not None and path.is_relative_to(home) else str(path)

"""The one writer of the log: a thread that appends whole lines, in order, and never makes the receiver wait.

The receiver stamps a line and puts it into a queue. The thread writes all queued lines with one system call. While the
thread gets no CPU time, the receiver may write itself (`watchdog`). When the disk is full or gone, lines wait in
memory; the receiver watches `pending_bytes`, and closes the connection before too many wait.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videodb_cli.errors import RefusedError
from videodb_cli.eventlog.write import rotation
from videodb_cli.eventlog.write.record import compose, members, own_members, with_stamps
from videodb_cli.eventlog.write.repair import last_stamp_ms, repair_tail
from videodb_cli.eventlog.write.stamps import ClockFellError, Stamper
from videodb_cli.eventlog.write.sync import INTERVAL_S, GroupCommit
from videodb_cli.model import own_lines
from videodb_cli.model.event import Event
from videodb_cli.rundir import private

_MAX_BATCH_BYTES = 1 << 20
_RETRY_S = 0.5
_LOOK_S = 1.0
_STAMPS = re.compile(rb'\{"ts":"[^"]*","unix_ts":[0-9.]+')


@dataclass(frozen=True, slots=True)
class LogTrouble:
    """The log cannot be written at the moment; ``reason`` is what the system says."""

    reason: str


@dataclass(frozen=True, slots=True)
class LogBack:
    """The log can be written again after ``seconds`` of trouble."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Keeping:
    """How the log is kept.

    Attributes:
        sync: When lines are brought to the disk; one of `sync.MODES`.
        max_size: Bytes after which a new file begins; None for never.
        keep: How many rotated files stay; None for all.
    """

    sync: str = "interval"
    max_size: int | None = None
    keep: int | None = None


@dataclass(frozen=True, slots=True)
class _Rotate:
    """A mark in the queue: the next line goes into a new file."""


_QueueItem = bytes | _Rotate


class LogStore:
    """Appends lines to the log of one directory. One thread writes; `receive` and `record` may be called by one other.

    ``on_trouble`` is called from the writing thread. Nobody else may write the log while a store is open.
    """

    def __init__(
        self,
        path: Path,
        *,
        keeping: Keeping = Keeping(),
        clock: Callable[[], float] = time.time,
        on_trouble: Callable[[LogTrouble | LogBack], None] = lambda _: None,
    ) -> None:
        self._path = path
        self._keeping = keeping
        self._commit: GroupCommit | None = None
        self._stamper = Stamper(clock=clock)
        self._on_trouble = on_trouble
        self._queue: deque[_QueueItem] = deque()
        # Held by the thread that takes lines from the queue and writes them.
        self._turn = threading.Lock()
        # Set by the watchdog: called when a line is queued (None while it watches); whether queueing wakes the thread.
        self.on_waiting: Callable[[], None] | None = None
        self.wakes_writer = True
        self._wake = threading.Event()
        self._written = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._fd = -1
        self._received_bytes = 0
        self._taken_bytes = 0
        self._unwritten: bytes = b""
        self._spilt = 0
        # The size of a file with nothing but the line that says why it was begun.
        self._fresh_size = 0
        self._untold: list[bytes] = []
        self._troubled_since: float | None = None
        self._trouble = ""
        self.lines = 0
        self.size = 0
        self.is_confirmed = True
        # Whether the writing system call is under way, or its end was not noticed yet.
        self.is_at_disk = False
        # Bytes that were in the log when it was opened, before this run.
        self.opened_size = 0

    # ---- the receiver's side -------------------------------------------------------------------------------------

    @property
    def path(self) -> Path:
        """Where the log is."""
        return self._path

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait in memory because the disk is slow, full or gone."""
        return self._received_bytes - self._taken_bytes + len(self._unwritten)

    @property
    def received_bytes(self) -> int:
        """Bytes of all lines that were queued so far."""
        return self._received_bytes

    @property
    def written_bytes(self) -> int:
        """Bytes of all queued lines that are in the file."""
        return self._taken_bytes - len(self._unwritten)

    @property
    def is_troubled(self) -> bool:
        """Whether the last attempt to write failed."""
        return self._troubled_since is not None

    @property
    def trouble(self) -> str | None:
        """Why the last attempt to write failed, in the system's words; None if it did not."""
        return self._trouble if self.is_troubled else None

    def receive(self, raw: bytes) -> tuple[bytes, Event | None]:
        """Stamp a received message and queue it. Returns the line and the event (None if it was kept as raw)."""
        rest, event = compose(raw)
        return self.append(rest), event

    def append(self, rest: bytes) -> bytes:
        """Stamp and queue what `record.compose` has made of a message. Returns the line."""
        line = self._stamped(rest)
        self._put(line)
        return line

    def record(self, event: str, text: str, data: Mapping[str, Any]) -> bytes:
        """Stamp and queue a line of our own, e.g. ``listener.gap``. Returns the line."""
        line = self._stamped(own_members(event, text, data))
        self._put(line)
        return line

    def recovered(self, event: Event) -> bytes:
        """Stamp and queue an event that was fetched after a gap; it carries ``recovered``. Returns the line."""
        line = self._stamped(members(event))
        self._put(line)
        return line

    def _stamped(self, rest: bytes) -> bytes:
        try:
            stamps = self._stamper.stamp()
        except ClockFellError:
            behind = self._stamper.last_ms
            self._put_rotation()
            self._stamper.restart()
            stamps = self._stamper.stamp()
            seconds = round((behind - self._stamper.last_ms) / 1000, 3)
            text = f"the clock fell {seconds:g} s behind the last line; a new file begins with true time"
            self._put(
                with_stamps(stamps, own_members(own_lines.LOG_ROTATED, text, {"reason": "clock", "behind_s": seconds}))
            )
        return with_stamps(stamps, rest)

    def _put(self, line: bytes) -> None:
        self.lines += 1
        self._received_bytes += len(line)
        self._queue.append(line)
        if self.on_waiting is not None:
            self.on_waiting()
        if self.wakes_writer and not self._wake.is_set():
            self._wake.set()

    def _put_rotation(self) -> None:
        self._queue.append(_Rotate())
        self._wake.set()

    def wake_writer(self) -> None:
        """Wake the writing thread, which writes what is queued."""
        self._wake.set()

    def write_waiting(self) -> bool:
        """Write what is queued from the receiver's thread, if a plain append is enough.

        Returns False if something is left to the writing thread: because it is writing, because the disk is slow or in
        trouble, or because a new file has to be begun. Never waits for the thread or for a sync.
        """
        if not self._turn.acquire(blocking=False):
            return False
        try:
            if not self._is_plain_append():
                return False
            self._take_batch()
            self._write_batch(len(self._unwritten))
        except OSError as error:
            self._note_trouble(error)
            return False
        finally:
            self._turn.release()
        self._tell_flushers()
        return not self._queue

    def _is_plain_append(self) -> bool:
        if self._thread is None or self._closing or self.is_troubled or (self._commit and self._commit.is_slow):
            return False
        if self._unwritten or self._untold or self._spilt or not self._queue or isinstance(self._queue[0], _Rotate):
            return False
        limit = self._keeping.max_size
        return (limit is None or self.size + self.pending_bytes <= limit) and self._is_in_place()

    # ---- opening and closing -------------------------------------------------------------------------------------

    def open(self, *, clear: bool = False) -> None:
        """Open the log, set a torn tail aside, empty it if asked, and begin to write what is queued.

        Raises RefusedError for what stands in the log's place or cannot be created.
        """
        private.check_place(self._path)
        try:
            self._reopen(clear=clear)
        except OSError as error:
            raise RefusedError(f"cannot write {self._path}: {error.strerror}", code="log") from error
        if self._keeping.sync != "none":
            # Not in the writing thread: while it synced, the next lines would wait in memory.
            self._commit = GroupCommit(self._note_trouble, 0.0 if self._keeping.sync == "always" else INTERVAL_S)
            self._commit.follow(self._fd)
        self._thread = threading.Thread(target=self._write_until_closed, name="log-writer", daemon=True)
        self._thread.start()

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything queued so far is in the file. Returns False if that did not happen in time."""
        target = self._received_bytes
        self._wake.set()
        with self._written:
            return self._written.wait_for(
                lambda: (self._taken_bytes >= target and not self._unwritten) or self._thread is None, timeout_s
            )

    def close(self, timeout_s: float = 5.0) -> int:
        """Write what is left and close. Returns the number of bytes that could not be written.

        It gives up when nothing at all was written for ``timeout_s``. Afterwards `is_confirmed` tells whether the
        last sync has succeeded; a disk that is too slow is not waited for.
        """
        if self._thread is not None:
            self._closing = True
            self._wake.set()
            # A slow disk, or a thread with little CPU time, may need longer for a long queue.
            while True:
                before = self.written_bytes
                deadline = time.monotonic() + timeout_s
                self._thread.join(timeout_s)
                if not self._thread.is_alive() or self.written_bytes <= before:
                    break
            self.is_confirmed = not self._thread.is_alive()
            if not self._thread.is_alive():
                self._thread = None
                if self._commit is not None:
                    self.is_confirmed = self._commit.close(deadline - time.monotonic())
                with contextlib.suppress(OSError):
                    os.close(self._fd)
        return self.pending_bytes

    # ---- the writing thread --------------------------------------------------------------------------------------

    def _reopen(self, *, clear: bool = False) -> None:
        fd = private.open_fd(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        try:
            if clear:
                # The beginning of the log tells its rotated files from copies of it.
                derived = rotation.derived_files(self._path)
                os.ftruncate(fd, 0)
                for path in derived:
                    private.remove(path)
            torn = repair_tail(self._path, fd)
            self.size = os.fstat(fd).st_size
            if self._thread is None:
                self.opened_size = self.size
                # Stamps must not decrease within the file that we append to. Later the stamper is the receiver's.
                self._stamper.restart(max(last_stamp_ms(fd, self.size), self._stamper.last_ms))
        except BaseException:
            os.close(fd)
            raise
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        if self._commit is not None:
            self._commit.follow(fd)
        # What a failed write left in the other file stays there: this one has nothing to take back.
        self._spilt = 0
        if torn is not None:
            self._tell_torn(*torn)

    def _tell_torn(self, count: int, aside: Path) -> None:
        text = f"{count} bytes of a line that was never finished are set aside in {aside.name}"
        data = {"bytes": count, "file": aside.name}
        if self._thread is None:
            self.record(own_lines.LOG_TORN, text, data)
            return
        # The queued lines are stamped already: this line goes before the next of them, with the same stamp.
        self._untold.append(own_members(own_lines.LOG_TORN, text, data))

    def _write_until_closed(self) -> None:
        while True:
            if not self._queue and not self._unwritten:
                if self._closing:
                    return
                self._wake.clear()
                if not self._queue and not self._closing:
                    # Looking once a second keeps a log that somebody removed from staying away until the next event.
                    self._wake.wait(_LOOK_S)
            with self._turn:
                is_written = self._write_some()
            if not is_written:
                self._wake.clear()
                self._wake.wait(_RETRY_S)

    def _take_batch(self) -> None:
        """Take queued lines up to a rotation, as one batch that is to be written now."""
        batch: list[bytes] = []
        size = 0
        while self._queue and size < _MAX_BATCH_BYTES:
            item = self._queue[0]
            if isinstance(item, _Rotate):
                break
            batch.append(item)
            size += len(item)
            self._queue.popleft()
        self._unwritten = b"".join(batch)
        self._taken_bytes += size

    def _write_some(self) -> bool:
        """Carry out a rotation, then write one batch. Returns False after a failure, which leaves the rest queued."""
        try:
            if not self._unwritten:
                if self._queue and isinstance(self._queue[0], _Rotate):
                    rotation.shift(self._path, self._keeping.keep)
                    self._queue.popleft()
                self._take_batch()
            if not self._is_in_place():
                self._reopen()
            while self._unwritten:
                self._write_batch(self._what_fits())
        except (OSError, RefusedError) as error:
            self._note_trouble(error)
            return False
        if self._troubled_since is not None:
            self._on_trouble(LogBack(time.monotonic() - self._troubled_since))
            self._troubled_since = None
        self._tell_flushers()
        return True

    def _tell_flushers(self) -> None:
        with self._written:
            self._written.notify_all()

    def _note_trouble(self, error: Exception) -> None:
        if self._troubled_since is None:
            self._troubled_since = time.monotonic()
        reason = error.strerror if isinstance(error, OSError) else str(error)
        self._trouble = reason or type(error).__name__
        self._on_trouble(LogTrouble(self._trouble))

    def _is_in_place(self) -> bool:
        """Tell whether the path still names our open file, and nobody has renamed, removed or emptied it."""
        try:
            there = self._path.lstat()
        except FileNotFoundError:
            return False
        ours = os.fstat(self._fd)
        # A truncated file (copytruncate) may end within a line: the next line must not be joined to it.
        return (there.st_ino, there.st_dev) == (ours.st_ino, ours.st_dev) and ours.st_size >= self.size

    def _what_fits(self) -> int:
        """Return how many of the unwritten bytes go into this file; if it is full, begin a new one."""
        self._tell_untold()
        limit = self._keeping.max_size
        if limit is None or self.size + len(self._unwritten) <= limit:
            return len(self._unwritten)
        whole = self._unwritten.rfind(b"\n", 0, max(limit - self.size, 0)) + 1
        if whole:
            return whole
        if self.size > self._fresh_size:
            rotation.shift(self._path, self._keeping.keep)
            self._reopen()
            self._fresh_size = 0
            text = f"the log reached {limit} bytes; it goes on in a new file"
            self._untold.append(own_members(own_lines.LOG_ROTATED, text, {"reason": "size"}))
            self._tell_untold()
            self._fresh_size = self._unwritten.find(b"\n") + 1
            return self._what_fits()
        # One line that is larger than the limit of a file.
        return self._unwritten.find(b"\n") + 1

    def _tell_untold(self) -> None:
        """Put the writer's own lines before the next line, with its stamp: only the receiver makes stamps."""
        first = _STAMPS.match(self._unwritten)
        if self._untold and first is not None:
            told = b"".join(with_stamps(first.group(), members) for members in self._untold)
            self._unwritten = told + self._unwritten
            self._untold.clear()

    def _write_batch(self, count: int) -> None:
        """Append so many bytes; after a failure the file ends with a whole line and the rest is still unwritten."""
        self._take_back()
        data = memoryview(self._unwritten)[:count]
        done = 0
        self.is_at_disk = True
        try:
            while done < len(data):
                done += os.write(self._fd, data[done:])
        except OSError:
            whole = self._unwritten.rfind(b"\n", 0, done) + 1
            self._unwritten = self._unwritten[whole:]
            self._spilt = done - whole
            self._take_back()
            raise
        finally:
            self.is_at_disk = False
        self.size = os.lseek(self._fd, 0, os.SEEK_END)
        self._unwritten = self._unwritten[count:]
        if self._commit is not None:
            self._commit.wrote()

    def _take_back(self) -> None:
        """Remove the part of a line that a failed write left, before anything else is written."""
        if self._spilt:
            # Counted from the end: somebody may have truncated the file since the write began.
            os.ftruncate(self._fd, max(os.lseek(self._fd, 0, os.SEEK_END) - self._spilt, 0))
            self._spilt = 0

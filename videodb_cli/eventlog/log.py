"""A log of VideoDB events, and the one way to read it: for every command, and as the public Python API."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from videodb_cli import diagnostics
from videodb_cli.eventlog.matches import Matches, ReadOptions
from videodb_cli.eventlog.query.criteria import Criteria
from videodb_cli.eventlog.read.feed import Feed, Notice
from videodb_cli.model.logged import Event
from videodb_cli.rundir.paths import RunDir

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Sequence

    from videodb_cli.eventlog.query.selection import Selection
    from videodb_cli.eventlog.read.sources import LogSource
    from videodb_cli.rundir.capture_state import CaptureState

_log = diagnostics.Logger("videodb_cli.eventlog")


class EventLog:
    """The log of a directory, or named files.

    Args:
        directory: The directory of a listener. By default the one that `videodb path dir` prints.
        files: Files, directories, or ``-`` for standard input, to read instead of the directory's log. Rotated and
            compressed files beside a directory's log are read as part of it.
        on_notice: Called when a file appears, is rotated, truncated or removed while it is followed.

    Example:
        >>> for event in EventLog("recordings").select(channel="transcript", since="10m"):  # doctest: +SKIP
        ...     print(event.text)
    """

    def __init__(
        self,
        directory: str | Path | RunDir | None = None,
        files: Sequence[str | Path] = (),
        *,
        on_notice: Callable[[Notice, Path], None] = lambda _notice, _path: None,
    ) -> None:
        self.run_dir = directory if isinstance(directory, RunDir) else RunDir(_directory(directory))
        self._names = [str(name) for name in files]
        self._on_notice = on_notice

    # ---- for programs --------------------------------------------------------------------------------------------

    def select(self, selection: Selection | None = None, **options: Any) -> Iterator[Event]:
        """Yields selected events in the order of the log.

        Args:
            selection: What to select. Without it, the flags of `videodb events filter` as keywords: ``channel``,
                ``not_channel``, ``event``, ``stream``, ``session``, ``since``, ``until``, ``grep``, ``not_grep``
                (a string or a list), ``final``, ``interim``, ``live``.
            options: ``limit`` (the first so many), ``around`` (also events within so many seconds of a match),
                ``last`` (only the last so many), ``strict`` (raise at a line that is not JSON; by default it is
                skipped), ``follow`` (go on with events as they come), and the flags above.

        Raises:
            NotFoundError: There is no log, no such file, or no such session.
            UsageError: A flag is malformed, or with ``strict`` a line is not JSON.
            RefusedError: A file cannot be read or must not be trusted.
            TypeError: An option does not exist.
        """
        yield from _events(self._reading(selection, options))

    def follow(self, selection: Selection | None = None, **options: Any) -> Iterator[Event]:
        """Yields selected events that come from this call on, for ever. Takes and raises what `select` does."""
        return _events(self._reading(selection, {**options, "follow": True, "from_now": True}))

    def follow_async(self, selection: Selection | None = None, **options: Any) -> AsyncGenerator[Event, None]:
        """Yields what `follow` yields without blocking the event loop: each look at the log runs in a thread."""
        return _events_async(self._reading(selection, {**options, "follow": True, "from_now": True}))

    def wait(self, selection: Selection | None = None, *, timeout: float | None = None, **options: Any) -> Event:
        """Waits for the next selected event and returns it.

        Args:
            selection: What to wait for; or flags as in `select`.
            timeout: Seconds to wait; None waits for ever.
            options: The options of `select`. With ``since`` or ``session``, what is there already counts too.

        Raises:
            TimedOutError: Nothing came in time.
        """
        from videodb_cli.errors import TimedOutError

        deadline = None if timeout is None else time.monotonic() + timeout
        looks_back = bool(options.get("since") or options.get("session"))
        with self._reading(selection, {"from_now": not looks_back, **options, "follow": True}) as reading:
            for batch in reading.matches.batches():
                for line in batch.lines:
                    return Event(line.raw)
                if deadline is not None and time.monotonic() >= deadline:
                    break
        raise TimedOutError(f"timed out after {timeout:g} s: no such event")

    def _reading(self, selection: Selection | None, options: dict[str, Any]) -> Reading:
        flags = {name: options.pop(name) for name in Criteria._fields if name in options}
        follow, around = options.pop("follow", False), options.pop("around", None)
        if unknown := options.keys() - ReadOptions.__dataclass_fields__.keys():
            raise TypeError(f"EventLog.select takes no option {', '.join(sorted(unknown))}")
        return self.read(
            Criteria.of(**flags) if selection is None else selection,
            ReadOptions(around_s=around, **options),
            follow=follow,
        )

    # ---- for commands --------------------------------------------------------------------------------------------

    def read(
        self, selection: Selection | Criteria, options: ReadOptions | None = None, *, follow: bool = False
    ) -> Reading:
        """Opens the files and returns what is selected of them; the caller closes it.

        Raises what `Feed` and `Criteria.resolve` raise.
        """
        feed = Feed(self.run_dir, self._names, follow=follow, on_notice=self._on_notice)
        try:
            if isinstance(selection, Criteria):
                selection = self.selection_of(selection, feed.sources, follow=follow)
            return Reading(feed, Matches(feed, selection, options or ReadOptions(), self._on_notice))
        except BaseException:
            feed.close()
            raise

    def selection_of(self, criteria: Criteria, sources: Sequence[LogSource], *, follow: bool = False) -> Selection:
        """Returns what flags select; a session's streams are looked up in these sources.

        Raises what `Criteria.resolve` raises.
        """
        return criteria.resolve(sources, self._capture_state(criteria), follow=follow)

    def _capture_state(self, criteria: Criteria) -> CaptureState | None:
        if criteria.session is None:
            return None
        from videodb_cli.rundir import capture_state

        return capture_state.read(self.run_dir)


class Reading:
    """Open files and what is selected of them. A context manager that closes the files."""

    def __init__(self, feed: Feed, matches: Matches) -> None:
        self._began = time.monotonic()
        self._feed = feed
        self.matches = matches

    @property
    def sources(self) -> list[LogSource]:
        """The files that are read, oldest first."""
        return self._feed.sources

    def close(self) -> None:
        """Closes followed files. Idempotent."""
        self._feed.close()
        _log.debug("reading ended after %.0f ms", (time.monotonic() - self._began) * 1000)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _events(reading: Reading) -> Iterator[Event]:
    with reading:
        for batch in reading.matches.batches():
            yield from (Event(line.raw) for line in batch.lines)


async def _events_async(reading: Reading) -> AsyncGenerator[Event, None]:
    import asyncio

    with reading:
        batches = reading.matches.batches()
        while True:
            look = asyncio.ensure_future(asyncio.to_thread(next, batches, None))
            try:
                batch = await asyncio.shield(look)
            except asyncio.CancelledError:
                # The thread ends its look before the files are closed under it.
                await asyncio.wait({look})
                raise
            if batch is None:
                return
            for line in batch.lines:
                yield Event(line.raw)


def _directory(given: str | Path | None) -> Path:
    from videodb_cli.settings import resolve_directory

    return resolve_directory(None, None if given is None else str(given)).path

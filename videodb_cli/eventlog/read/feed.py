"""The files that a query reads: each once, or a log for as long as it is followed."""

from __future__ import annotations

import stat
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from videodb_cli.eventlog.read.log_files import resolve_sources, rotated_sources
from videodb_cli.eventlog.read.sources import LogSource
from videodb_cli.rundir.paths import RunDir
from videodb_cli.userpaths import mode_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from videodb_cli.eventlog.read.block import Block
    from videodb_cli.eventlog.read.broken import BrokenLines
    from videodb_cli.eventlog.read.follow import Follower


class Notice(Enum):
    """What a reader should tell its user about the files that it reads."""

    NO_LOG_YET = "no log yet"
    APPEARED = "appeared"
    ROTATED = "rotated"
    TRUNCATED = "truncated"
    REMOVED = "removed"
    CURSOR_LOST = "cursor lost"


class Feed:
    """Sources that are read once, and files that are followed after that.

    Args:
        run_dir: The directory whose log is read when no names are given.
        names: Files, directories, or ``-`` for standard input.
        follow: Keep reading as the files grow, are rotated, truncated or removed.
        on_notice: Called with what happened and the path it happened to.

    Raises:
        NotFoundError: Without ``follow``, a named file or the log does not exist.
        UsageError: Standard input is named twice.
    """

    def __init__(
        self, run_dir: RunDir, names: Sequence[str], *, follow: bool, on_notice: Callable[[Notice, Path], None]
    ) -> None:
        self._followers: list[Follower] = []
        self._on_notice = on_notice
        self.sources: list[LogSource] = []
        if not follow:
            self.sources = resolve_sources(names, run_dir)
            return
        if not names:
            self._follow(run_dir.log, private=True)
        for name in names:
            path = Path(name)
            if name == "-":
                self.sources.append(LogSource(None))
            elif stat.S_ISDIR(mode_of(path) or 0):
                self._follow(RunDir(path).log, private=True)
            elif path.is_fifo():
                self.sources.append(LogSource(path))
            else:
                self._follow(path, private=False)

    def _follow(self, path: Path, *, private: bool) -> None:
        from videodb_cli.eventlog.read.follow import Follower

        follower = Follower(path, private=private, from_end=True)
        self._followers.append(follower)
        if private:
            self.sources.extend(rotated_sources(path))
        if follower.source is None:
            self._on_notice(Notice.NO_LOG_YET, path)
        else:
            self.sources.append(follower.source)

    @property
    def is_followed(self) -> bool:
        """Whether at least one file is followed."""
        return bool(self._followers)

    def end_of(self, source: LogSource) -> int | None:
        """Returns the offset where following continues in a source; None if it is not followed."""
        return next((f.offset for f in self._followers if source.fd is not None and f.source == source), None)

    def iter_news(self, broken: BrokenLines) -> Iterator[tuple[LogSource, Block] | None]:
        """Yields new blocks for ever, and None after each round without one, so that callers can check deadlines.

        What cannot be read of files that are rotated away meanwhile is noted in ``broken``.
        """
        from videodb_cli.eventlog.read.follow import Change, iter_follow

        for each in self._followers:
            each.broken = broken
        for news in iter_follow(self._followers):
            if news is None:
                yield None
                continue
            follower, item = news
            if isinstance(item, Change):
                self._on_notice(Notice(item.value), follower.path)
            else:
                yield follower.source or LogSource(follower.path), item

    def close(self) -> None:
        """Closes the followed files. Idempotent."""
        for follower in self._followers:
            follower.close()

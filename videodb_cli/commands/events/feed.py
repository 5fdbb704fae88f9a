"""What a command reads: files once, or a log for as long as it lasts."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from videodb_cli import console
from videodb_cli.eventlog.read.sources import LogSource, resolve_sources, rotated_sources
from videodb_cli.rundir.paths import RunDir
from videodb_cli.userpaths import mode_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from videodb_cli.eventlog.read.block import Block
    from videodb_cli.eventlog.read.broken import BrokenLines
    from videodb_cli.eventlog.read.follow import Follower

_TOLD = {
    "appeared": "there is a log now: {}",
    "rotated": "{} was replaced; going on in the new file",
    "truncated": "{} was emptied; going on from its beginning",
    "removed": "{} is gone; waiting for a new one",
}


class Feed:
    """Files that are read once (``sources``), and those that are followed after it. ``close`` when done."""

    def __init__(self, run_dir: RunDir, names: Sequence[str], *, follow: bool) -> None:
        self._followers: list[Follower] = []
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
            console.talk(f"no log at {path} yet; waiting for it")
        else:
            self.sources.append(follower.source)

    @property
    def follows(self) -> bool:
        """Whether anything is followed."""
        return bool(self._followers)

    def end_of(self, source: LogSource) -> int | None:
        """Where following goes on in this source; None when it is not followed."""
        return next((f.offset for f in self._followers if source.fd is not None and f.source == source), None)

    def iter_news(self, broken: BrokenLines) -> Iterator[tuple[LogSource, Block | None]]:
        """Blocks as they come, for ever; without one when there was nothing, so that deadlines can be looked at.

        What cannot be read of files that are rotated away meanwhile is noted in ``broken``.
        """
        from videodb_cli.eventlog.read.follow import Change, iter_follow

        for each in self._followers:
            each.broken = broken
        nothing = LogSource(None)
        for news in iter_follow(self._followers):
            if news is None:
                yield nothing, None
                continue
            follower, item = news
            if isinstance(item, Change):
                console.talk(_TOLD[item.value].format(follower.path))
            else:
                yield follower.source or LogSource(follower.path), item

    def close(self) -> None:
        """Close what is followed."""
        for follower in self._followers:
            follower.close()

"""Selection flags as text, and the `Selection` that they mean for given files."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from videodb_cli.errors import UsageError
from videodb_cli.eventlog.query.selection import Selection, compile_grep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videodb_cli.eventlog.query.selection import Session
    from videodb_cli.eventlog.read.sources import LogSource
    from videodb_cli.rundir.capture_state import CaptureState


class Criteria(NamedTuple):
    """The flags of contract §6 as text. Flags of one kind are alternatives; different kinds must all hold."""

    channel: Sequence[str] | None = None
    not_channel: Sequence[str] | None = None
    event: Sequence[str] | None = None
    stream: Sequence[str] | None = None
    session: str | None = None
    since: str | None = None
    until: str | None = None
    grep: Sequence[str] | None = None
    not_grep: Sequence[str] | None = None
    final: bool = False
    interim: bool = False
    live: bool = False

    @classmethod
    def of(cls, **flags: Any) -> Criteria:
        """Builds criteria from keyword arguments; a single string stands for a list of one."""
        lists = {"channel", "not_channel", "event", "stream", "grep", "not_grep"}
        values: dict[str, Any] = {n: [v] if n in lists and isinstance(v, str) else v for n, v in flags.items()}
        return cls(**values)

    def resolve(
        self,
        sources: Sequence[LogSource],
        capture_state: CaptureState | None = None,
        *,
        now: float | None = None,
        follow: bool = False,
    ) -> Selection:
        """Returns the selection that these flags mean.

        Args:
            sources: The files in which a session's streams are looked up.
            capture_state: The content of ``videodb_capture_info.json``; it names streams of the latest session.
            now: Unix seconds that relative times count from.
            follow: The log is followed, so that a session which is not known yet is no error.

        Raises:
            UsageError: A flag is malformed, several sessions begin so, or ``since`` is later than ``until``.
            NotFoundError: There is no such session.
        """
        present = time.time() if now is None else now
        since, until = _moment(self.since, present), _moment(self.until, present)
        if since is not None and until is not None and since > until:
            raise UsageError(f"--since {self.since} is later than --until {self.until}")
        return Selection(
            channels=tuple(self.channel or ()),
            not_channels=tuple(self.not_channel or ()),
            events=tuple(self.event or ()),
            streams=tuple(self.stream or ()),
            session=self._session(sources, capture_state, follow),
            since=since,
            until=until,
            greps=tuple(compile_grep(pattern) for pattern in self.grep or ()),
            not_greps=tuple(compile_grep(pattern) for pattern in self.not_grep or ()),
            final=self.final,
            interim=self.interim,
            live=self.live,
        )

    def _session(
        self, sources: Sequence[LogSource], capture_state: CaptureState | None, follow: bool
    ) -> Session | None:
        if self.session is None:
            return None
        from videodb_cli.eventlog.views.sessions import resolve_session

        return resolve_session(self.session, sources, capture_state, may_come=follow)


def _moment(text: str | None, now: float) -> float | None:
    if text is None:
        return None
    from videodb_cli.eventlog.query.times import parse_time

    return parse_time(text, now)

"""Takes the beginning of a name for the name, and says on stderr which of the given names a log does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videodb_cli import console
from videodb_cli.eventlog.log import EventLog
from videodb_cli.rundir.paths import RunDir

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from videodb_cli.eventlog.names.choose import Kind, Missing, NameFound
    from videodb_cli.eventlog.names.index import LogNames
    from videodb_cli.eventlog.names.tally import Tally
    from videodb_cli.eventlog.query.criteria import Criteria
    from videodb_cli.eventlog.query.selection import Selection
    from videodb_cli.eventlog.read.feed import Notice
    from videodb_cli.eventlog.read.sources import LogSource

    Find = Callable[[str, Tally], NameFound]

# So long the names of a log are counted, before a command goes on without having seen all of them.
_BUDGET_S, _FOLLOW_BUDGET_S = 0.25, 0.1


class CommandLog(EventLog):
    """The log as commands read it.

    ``--channel`` and ``--stream`` also take the beginning of a name. A name that the log does not have is told on
    stderr: at once if all names of the log are known, else by `tell_unmatched` when nothing was selected.
    """

    def __init__(
        self,
        run_dir: RunDir,
        files: Sequence[str] = (),
        on_notice: Callable[[Notice, Path], None] = lambda _notice, _path: None,
        events: Sequence[str] = (),
    ) -> None:
        """``events`` are names of events beside those of the criteria: they are looked for in the log, too."""
        super().__init__(run_dir, files, on_notice=on_notice)
        self._more_events = events
        self._unsure: list[Missing] = []

    def selection_of(self, criteria: Criteria, sources: Sequence[LogSource], *, follow: bool = False) -> Selection:
        """Returns what flags select, and tells which names the log lacks. Raises UsageError for an ambiguous one."""
        files = [source for source in sources if not source.is_stream]
        if len(files) < len(sources) or not files:
            return super().selection_of(criteria, sources, follow=follow)  # what a pipe will bring nobody knows
        names = _Names(files, _FOLLOW_BUDGET_S if follow else _BUDGET_S)
        missing: list[Missing] = []
        criteria = _expanded(criteria, names, missing)
        _expanded_names("event", self._more_events, names, missing)
        selection = super().selection_of(criteria, sources, follow=follow)
        if follow and selection.session is not None:
            from videodb_cli.eventlog.names.choose import Missing, newest_first, similar

            known = newest_first(names.all().tally, self._capture_state(criteria))
            if (ident := selection.session.ident) not in known:
                missing.append(Missing("session", ident, similar(ident, known), may_come=False))
        self._tell(missing, names, follow=follow)
        return selection

    def _tell(self, missing: list[Missing], names: _Names, *, follow: bool) -> None:
        if not missing or names.seen.tally.is_empty:
            return  # in a log without events nothing has come yet, whatever its name
        if follow:
            missing = [one for one in missing if not one.may_come]
        elif not names.seen.is_complete:
            self._unsure = missing
            return
        for one in missing:
            _tell_missing(one, "in this log yet" if follow else "in this log")

    def tell_unmatched(self) -> None:
        """Nothing was selected: name what was not found in the part of a large log whose names are known."""
        for one in self._unsure:
            _tell_missing(one, "in the part of this log that was looked at for names")


class _Names:
    """The names of a log: first those that are known without reading, then those of all that can be read in time."""

    def __init__(self, sources: Sequence[LogSource], budget_s: float) -> None:
        self._sources = sources
        self._budget_s = budget_s
        self._has_read = False
        self._seen: LogNames | None = None

    @property
    def seen(self) -> LogNames:
        """What is known so far; reads the end of the log only."""
        return self._seen or self._read(0.0)

    def all(self) -> LogNames:
        """Return all that can be read in time."""
        if not self._has_read and not self.seen.is_complete:
            self._read(self._budget_s)
            self._has_read = True
        return self.seen

    def whole(self) -> LogNames:
        """Return the names of the whole log, however long that takes."""
        return self.seen if self.seen.is_complete else self._read(None)

    def _read(self, budget_s: float | None) -> LogNames:
        from videodb_cli.eventlog.names.index import read_names

        self._seen = read_names(self._sources, budget_s)
        return self._seen


def _expanded(criteria: Criteria, names: _Names, missing: list[Missing]) -> Criteria:
    """Return the criteria with whole names in the place of prefixes; names that the log lacks go to ``missing``."""
    return criteria._replace(
        channel=_expanded_names("channel", criteria.channel, names, missing),
        not_channel=_expanded_names("channel", criteria.not_channel, names, missing),
        stream=_expanded_names("stream", criteria.stream, names, missing),
        event=_expanded_names("event", criteria.event, names, missing),
    )


def _expanded_names(
    kind: Kind, wanted: Sequence[str] | None, names: _Names, missing: list[Missing]
) -> list[str] | None:
    if not wanted:
        return None
    from videodb_cli.eventlog.names import choose

    find = {"channel": choose.find_channel, "stream": choose.find_stream, "event": choose.find_event}[kind]
    found = [_found(find, name, names) for name in wanted]
    missing += [one.missing for one in found if one.missing is not None]
    for typed, one in zip(wanted, found, strict=True):
        if one.is_prefix:
            console.talk(console.one_line(f"{kind} {typed} means {one.name}"))
    return [one.name for one in found]


def _found(find: Find, wanted: str, names: _Names) -> NameFound:
    """Look a name up with as little reading as possible. The beginning of a name must be that of one name only."""
    from videodb_cli.errors import UsageError

    try:
        found = find(wanted, names.seen.tally)
    except UsageError:
        found = find(wanted, names.whole().tally)
    if found.missing is not None or found.is_prefix:
        found = find(wanted, names.all().tally)
    if found.is_prefix:
        found = find(wanted, names.whole().tally)
    return found


def _tell_missing(one: Missing, where: str) -> None:
    suggestion = f"; did you mean {one.similar!r}?" if one.similar is not None else ""
    console.talk(console.one_line(f"no {one.kind} {one.name!r} {where}{suggestion}"))

"""Which events are selected: the flags of docs/contract.md §6 as one value, and their meaning on a decoded event.

`Selection.matches` defines the result. The faster stages (`prefilter`, `scan`) may reject only what it rejects.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from videodb_cli.errors import UsageError
from videodb_cli.model import event as ev
from videodb_cli.model.rtstreams import read_streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from videodb_cli.model.event import Event

_ESCAPED = r"(?s)\\(?:[xuU][0-9A-Fa-f]+|N\{[^}]*\}|.)"


def compile_grep(pattern: str) -> re.Pattern[str]:
    """Compile a search pattern. Case is ignored unless it has capitals outside escapes. Raises ``UsageError``."""
    has_capitals = any(character.isupper() for character in re.sub(_ESCAPED, "", pattern))
    try:
        return re.compile(pattern, 0 if has_capitals else re.IGNORECASE)
    except re.error as error:
        caret = "" if error.pos is None else f"\n  {pattern}\n  {' ' * error.pos}^"
        raise UsageError(f"not a regular expression: {error.msg}{caret}", code="bad_regex") from None
    except (OverflowError, RecursionError) as error:
        raise UsageError(f"not a regular expression: {error}", code="bad_regex") from None


class Session(NamedTuple):
    """A capture session and the ids of its rtstreams. The set may grow while a log is followed."""

    ident: str
    rtstreams: set[str]

    def owns(self, event: Event) -> bool:
        """Tell whether an event belongs to this session."""
        return ev.session_of(event) == self.ident or ev.stream_id_of(event) in self.rtstreams

    def learn(self, event: Event) -> None:
        """Add the rtstreams that an ``active`` event of the session names."""
        if ev.session_of(event) == self.ident:
            self.rtstreams.update(stream.id for stream in read_streams(ev.data_of(event).get("rtstreams")))


class Selection(NamedTuple):
    """What to select. Values of one flag are alternatives; all flags must hold. Times are Unix seconds, ends included.

    ``without_own`` leaves out the listener's own lines, unless a channel or an event name selects them.
    """

    channels: tuple[str, ...] = ()
    not_channels: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    session: Session | None = None
    since: float | None = None
    until: float | None = None
    greps: tuple[re.Pattern[str], ...] = ()
    not_greps: tuple[re.Pattern[str], ...] = ()
    final: bool = False
    interim: bool = False
    live: bool = False
    without_own: bool = False

    @property
    def selects(self) -> bool:
        """Whether any flag is set. Without one every line passes, even one that is not an object."""
        return bool(self.tests())

    def tests(self) -> list[Callable[[Event], bool]]:
        """The conditions that must all hold, cheapest first."""
        return [
            *self._channel_tests(),
            *self._time_tests(),
            *self._name_tests(),
            *self._text_tests(),
        ]

    def matches(self, event: Any) -> bool:
        """Tell whether a decoded line is selected. One that is not an object passes only without any flag."""
        tests = self.tests()
        return not tests or (isinstance(event, dict) and all(test(event) for test in tests))

    def paths(self) -> set[tuple[str, ...]]:
        """Every field that the conditions look at."""
        found: set[tuple[str, ...]] = set(ev.CHANNEL_PATHS)
        if self.final != self.interim:
            found.update(ev.FINAL_PATHS)
        if self.live:
            found.add(("recovered",))
        if self.since is not None or self.until is not None:
            found |= {("unix_ts",), ("ts",)}
        if self.streams:
            found.update(ev.STREAM_PATHS)
        if self.session is not None:
            found.update(ev.STREAM_PATHS, ev.SESSION_PATHS)
        if self.greps or self.not_greps:
            found.update(ev.TEXT_PATHS)
        return found

    def _channel_tests(self) -> list[Callable[[Event], bool]]:
        tests: list[Callable[[Event], bool]] = []
        if self.channels:
            wanted = {ev.canonical_channel(name) for name in self.channels}
            tests.append(lambda event: ev.channel_of(event) in wanted)
        if self.not_channels:
            unwanted = {ev.canonical_channel(name) for name in self.not_channels}
            tests.append(lambda event: ev.channel_of(event) not in unwanted)
        if self.without_own and ev.OWN_CHANNEL not in self.channels and not self.events:
            tests.append(lambda event: not ev.is_own(event))
        if self.final != self.interim:
            wants_final = self.final
            tests.append(lambda event: ev.channel_of(event) != "transcript" or ev.is_final(event) is wants_final)
        if self.live:
            tests.append(lambda event: not ev.is_recovered(event))
        return tests

    def _time_tests(self) -> list[Callable[[Event], bool]]:
        since, until = self.since, self.until
        if since is None and until is None:
            return []
        low = float("-inf") if since is None else since
        high = float("inf") if until is None else until
        return [lambda event: (at := ev.received_at(event)) is not None and low <= at <= high]

    def _name_tests(self) -> list[Callable[[Event], bool]]:
        tests: list[Callable[[Event], bool]] = []
        if self.events:
            names = self.events
            tests.append(lambda event: any(ev.is_named(event, name) for name in names))
        if self.streams:
            streams = self.streams
            tests.append(lambda event: any(ev.is_of_stream(event, name) for name in streams))
        if self.session is not None:
            tests.append(self.session.owns)
        return tests

    def _text_tests(self) -> list[Callable[[Event], bool]]:
        tests: list[Callable[[Event], bool]] = []
        if self.greps:
            greps = self.greps
            tests.append(lambda event: (text := ev.text_of(event)) is not None and any(g.search(text) for g in greps))
        if self.not_greps:
            unwanted = self.not_greps
            tests.append(lambda event: (text := ev.text_of(event)) is None or not any(g.search(text) for g in unwanted))
        return tests

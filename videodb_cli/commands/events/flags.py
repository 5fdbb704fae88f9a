"""The flags by which events are selected, shared by every command that has them (docs/contract.md §6)."""

from __future__ import annotations

import inspect
import time
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, TypeAlias, get_type_hints

import typer

from videodb_cli.commands.tree import PanelCommand
from videodb_cli.errors import UsageError
from videodb_cli.eventlog.query.selection import Selection, compile_grep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from videodb_cli.eventlog.query.selection import Session
    from videodb_cli.eventlog.read.sources import LogSource
    from videodb_cli.rundir.paths import RunDir

_PANEL = "Selection (of one kind: any of them; of different kinds: all)"


def _option(name: str, metavar: str, help_text: str) -> Any:
    return typer.Option(name, metavar=metavar, help=help_text, rich_help_panel=_PANEL, show_default=False)


def _flag(name: str, help_text: str) -> Any:
    return typer.Option(name, help=help_text, rich_help_panel=_PANEL, show_default=False)


# An option, why it makes no sense here, and what to do instead.
Refusals: TypeAlias = "Mapping[str, tuple[str, str]]"


class SelectingCommand(PanelCommand):
    """A command that says why a flag which its siblings have makes no sense for it, and what to do instead."""

    without: ClassVar[Refusals] = {}

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for argument in args:
            if argument == "--":
                break
            if reason := self.without.get(argument.partition("=")[0]):
                raise UsageError(reason[0], hint=reason[1])
        left: list[str] = super().parse_args(ctx, args)
        return left


CursorOption = Annotated[
    Path | None, typer.Option("--cursor-file", metavar="PATH", help="Go on where the last run with it ended.")
]


class SelectionFlags(NamedTuple):
    """What was typed. ``selection`` gives it its meaning."""

    channel: Annotated[
        list[str] | None, _option("--channel", "NAME", "Of this channel. visual_index and scene_index are one.")
    ] = None
    not_channel: Annotated[list[str] | None, _option("--not-channel", "NAME", "Not of this channel.")] = None
    event: Annotated[
        list[str] | None, _option("--event", "NAME", "With this event name, in full or its last word: exported.")
    ] = None
    stream: Annotated[
        list[str] | None, _option("--stream", "ID|NAME", "Of this stream: its id or name; mic means mic:default.")
    ] = None
    session: Annotated[
        str | None, _option("--session", "ID|last", "Of this capture session, its streams included.")
    ] = None
    since: Annotated[
        str | None, _option("--since", "TIME", "Received since: 10m, 2h30m, 10:15, 2026-03-02T10:15, epoch.")
    ] = None
    until: Annotated[str | None, _option("--until", "TIME", "Received until.")] = None
    grep: Annotated[
        list[str] | None, _option("--grep", "REGEX", "Whose text matches; case is ignored unless it has capitals.")
    ] = None
    not_grep: Annotated[list[str] | None, _option("--not-grep", "REGEX", "Whose text does not match.")] = None
    final: Annotated[bool, _flag("--final", "Of transcripts only the final ones.")] = False
    interim: Annotated[bool, _flag("--interim", "Of transcripts only the interim ones.")] = False
    live: Annotated[bool, _flag("--live", "Without events that were recovered after a gap.")] = False

    def selection(
        self,
        sources: Sequence[LogSource],
        run_dir: RunDir,
        *,
        without_own: bool = False,
        now: float | None = None,
    ) -> Selection:
        """The selection that these flags mean; sources and directory tell what belongs to a session.

        Raises ``UsageError``, and ``NotFoundError`` for ``--session last`` when there is none.
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
            session=self._session(sources, run_dir),
            since=since,
            until=until,
            greps=tuple(compile_grep(pattern) for pattern in self.grep or ()),
            not_greps=tuple(compile_grep(pattern) for pattern in self.not_grep or ()),
            final=self.final,
            interim=self.interim,
            live=self.live,
            without_own=without_own,
        )

    def _session(self, sources: Sequence[LogSource], run_dir: RunDir) -> Session | None:
        if self.session is None:
            return None
        from videodb_cli.eventlog.views.sessions import resolve_session
        from videodb_cli.rundir import state

        return resolve_session(self.session, sources, state.read(run_dir.capture_info))


def widened(selection: Selection, around_s: float | None) -> Selection:
    """The times between which lines are read: surroundings may stand outside of those that are asked for."""
    if around_s is None:
        return selection
    since, until = selection.since, selection.until
    return selection._replace(
        since=None if since is None else since - around_s, until=None if until is None else until + around_s
    )


def _moment(text: str | None, now: float) -> float | None:
    if text is None:
        return None
    from videodb_cli.eventlog.query.times import parse_time

    return parse_time(text, now)


def with_selection(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the selection flags; it receives them as its parameter ``flags``.

    Typer reads a function's signature, so the flags are added to that instead of being written out in every command.
    """
    names = SelectionFlags._fields
    hints = get_type_hints(SelectionFlags, include_extras=True)
    own = inspect.signature(command, eval_str=True)

    @wraps(command)
    def run(**values: Any) -> Any:
        flags = SelectionFlags(**{name: values.pop(name) for name in names})
        return command(flags=flags, **values)

    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=SelectionFlags._field_defaults[name],
            annotation=hints[name],
        )
        for name in names
    ]
    kept = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in own.parameters.items()
        if name != "flags"
    ]
    parameters = [*kept, *added]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run

"""The selection flags that several commands share (docs/contract.md §6)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

import typer

from videodb_cli.commands.options import option_group
from videodb_cli.commands.tree import PanelCommand
from videodb_cli.errors import UsageError
from videodb_cli.eventlog.query.criteria import Criteria

if TYPE_CHECKING:
    from collections.abc import Mapping

_PANEL = "Selection (of one kind: any of them; of different kinds: all)"


def _option(name: str, metavar: str, help_text: str) -> Any:
    return typer.Option(name, metavar=metavar, help=help_text, rich_help_panel=_PANEL, show_default=False)


def _flag(name: str, help_text: str) -> Any:
    return typer.Option(name, help=help_text, rich_help_panel=_PANEL, show_default=False)


# Options that a command refuses, with the reason and the command to use instead.
Refusals: TypeAlias = "Mapping[str, tuple[str, str]]"


class SelectingCommand(PanelCommand):
    """A command that refuses some flags of its sibling commands, with a reason and what to use instead."""

    without: ClassVar[Refusals] = {}

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line. Raises UsageError for an option that makes no sense for this command."""
        for argument in args:
            if argument == "--":
                break
            if reason := self.without.get(argument.partition("=")[0]):
                raise UsageError(reason[0], hint=reason[1])
        left: list[str] = super().parse_args(ctx, args)
        return left


CursorOption = Annotated[
    Path | None, typer.Option("--cursor-file", metavar="PATH", help="Resume where the previous run stopped.")
]


_OPTIONS: dict[str, Any] = {
    "channel": Annotated[
        list[str] | None, _option("--channel", "NAME", "Of this channel. visual_index and scene_index are one.")
    ],
    "not_channel": Annotated[list[str] | None, _option("--not-channel", "NAME", "Not of this channel.")],
    "event": Annotated[
        list[str] | None, _option("--event", "NAME", "With this event name, in full or its last word: exported.")
    ],
    "stream": Annotated[
        list[str] | None, _option("--stream", "ID|NAME", "Of this stream: its id or name; mic means mic:default.")
    ],
    "session": Annotated[
        str | None,
        _option("--session", "ID|last", "Of this capture session: its id or the beginning of it, last, -1, -2 …"),
    ],
    "since": Annotated[
        str | None, _option("--since", "TIME", "Received since: 10m, '3 min ago', 'yesterday 14:00', 2026-03-02.")
    ],
    "until": Annotated[str | None, _option("--until", "TIME", "Received until.")],
    "grep": Annotated[
        list[str] | None, _option("--grep", "REGEX", "Whose text matches; case is ignored unless it has capitals.")
    ],
    "not_grep": Annotated[list[str] | None, _option("--not-grep", "REGEX", "Whose text does not match.")],
    "final": Annotated[bool, _flag("--final", "Of transcripts only the final ones.")],
    "interim": Annotated[bool, _flag("--interim", "Of transcripts only the interim ones.")],
    "live": Annotated[bool, _flag("--live", "Without events that were recovered after a gap.")],
}


# A command with it receives the selection flags as its parameter ``criteria``.
with_selection = option_group(Criteria, _OPTIONS, "criteria")

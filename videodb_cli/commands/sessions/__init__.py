"""`videodb sessions …`: the capture sessions of the log."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from videodb_cli.commands.tree import LazyGroup, new_app


class SessionsGroup(LazyGroup):
    """A group whose first member is meant when none is named: `videodb sessions --json`."""

    members: Mapping[str, str] = MappingProxyType(
        {
            "list": "videodb_cli.commands.sessions.list",
            "show": "videodb_cli.commands.sessions.show",
            "open": "videodb_cli.commands.sessions.open",
        }
    )

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line; what names no member belongs to `list`."""
        if not args or (args[0] not in self.members and args[0] not in {"-h", "--help"}):
            args = ["list", *args]
        left: list[str] = super().parse_args(ctx, args)
        return left


app = new_app(cls=SessionsGroup)


@app.callback()
def sessions() -> None:
    """List the capture sessions of the log, show one, or open its recording.

    Without a command they are listed: videodb sessions --since 1d
    """

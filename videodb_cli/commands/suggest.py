"""What a person may have meant: other names of commands, and suggestions for names that do not exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from videodb_cli.errors import UsageError

# Other names at the top of the tree. Every command of `videodb events` can also be typed without `events`.
ALIASES: Final[Mapping[str, tuple[str, ...]]] = {"log": ("events", "tail"), "logs": ("events", "tail")}
# Names with several meanings.
_UNCLEAR: Final[Mapping[str, tuple[str, ...]]] = {
    "start": ("listen", "capture start", "local start"),
    "run": ("listen", "local run"),
    "record": ("capture start",),
    "install": ("local models install",),
}
_MOST = 3
_SIMILAR = 0.7
# A name as close as this is a slip of the keyboard: less similar names beside it would only distract.
_SLIP = 0.9


def meant(root: Any, ctx: Any, args: list[str]) -> list[str]:
    """Return the arguments with an alias in front replaced by the command that it stands for."""
    name = args[0]
    if name in ALIASES:
        return [*ALIASES[name], *args[1:]]
    events = root.get_command(ctx, "events")
    if events is not None and name in events.list_commands(ctx):
        return ["events", *args]
    return args


def no_such_command(group: Any, ctx: Any, name: str) -> UsageError:
    """Return the error for a command that does not exist, with those that may be meant."""
    is_unclear = ctx.parent is None and name in _UNCLEAR
    near = [] if is_unclear else get_close_matches(name, _visible(group, ctx), _MOST)
    similar = [f"{ctx.command_path} {found}" for found in near]
    if not similar:
        root = ctx.find_root()
        similar = [f"{root.command_path} {path}" for path in _elsewhere(root, name)]
    return UsageError(
        f"{ctx.command_path} has no command {name!r}", code="no_command", hint=_hint(similar, ctx.command_path)
    )


def no_such_option(ctx: Any, name: str) -> UsageError:
    """Return the error for an option that does not exist, with those that may be meant."""
    names = [
        option
        for parameter in ctx.command.get_params(ctx)
        if parameter.param_type_name == "option" and not parameter.hidden
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option.startswith("--")
    ]
    near = get_close_matches(name, names, _MOST, _SLIP) or get_close_matches(name, names, _MOST, _SIMILAR)
    near += [option for option in names if len(name) > 3 and option.startswith(name) and option not in near]
    similar = [f"{ctx.command_path} {option}" for option in near[:_MOST]]
    return UsageError(
        f"{ctx.command_path} has no option {name}", code="no_option", hint=_hint(similar, ctx.command_path)
    )


def _hint(similar: list[str], path: str) -> str:
    if not similar:
        return f"{path} --help"
    quoted = [f"'{command}'" for command in similar]
    listed = f"{', '.join(quoted[:-1])} or {quoted[-1]}" if len(quoted) > 1 else quoted[0]
    return f"did you mean {listed}?"


def _elsewhere(root: Any, name: str) -> list[str]:
    """Return the commands anywhere in the tree that have this name, or a similar one."""
    if name in _UNCLEAR:
        return list(_UNCLEAR[name])
    paths = list(_paths(root.command, root))
    same = [path for path in paths if path.split()[-1] == name]
    if same:
        return same[:_MOST]
    last = {path.split()[-1]: path for path in reversed(paths)}
    return [last[found] for found in get_close_matches(name, last, 1, _SIMILAR)]


def _visible(group: Any, ctx: Any) -> list[str]:
    found = ((name, group.get_command(ctx, name)) for name in group.list_commands(ctx))
    return [name for name, command in found if command is not None and not command.hidden]


def _paths(group: Any, ctx: Any, before: str = "") -> Iterator[str]:
    for name in _visible(group, ctx):
        command = group.get_command(ctx, name)
        yield before + name
        if hasattr(command, "list_commands"):
            yield from _paths(command, ctx, f"{before}{name} ")

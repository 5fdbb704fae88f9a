"""The classes of commands and groups: commands are imported when they are called, and help does without Rich.

Importing every command for every call would make `videodb events` pay for the listener, and rich help doubles the
start-up time of `--help`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from videodb_cli import console, diagnostics, hints
from videodb_cli.commands import pager
from videodb_cli.commands.configured import use_configured
from videodb_cli.errors import UsageError


def _show_help(ctx: Any, _parameter: Any, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        console.data(ctx.get_help())
        ctx.exit()


def _own_help(option: Any) -> Any:
    """Return the help option, changed to print through the console, which reports a full disk properly."""
    if option is not None:
        option.callback = _show_help
        option.help = "Show this help."
    return option


def _help_of(command: Any, ctx: Any) -> str:
    from videodb_cli.commands.help import HelpPage

    page = HelpPage()
    command.format_help(ctx, page)
    return str(page.getvalue()).rstrip("\n")


def show_records(wanted: bool) -> None:
    """Show log records on stderr from now on, if that is wanted."""
    if wanted:
        diagnostics.show(console.talk_if_ready)


# One object for all commands: it has no state. Hidden, because `videodb --help` shows it once for all.
_VERBOSE: Any = TyperOption(
    param_decls=["-v", "--verbose"],
    is_flag=True,
    expose_value=False,
    is_eager=True,
    hidden=True,
    callback=lambda _ctx, _parameter, wanted: show_records(wanted),
)


def use_color(wanted: bool | None) -> None:
    """Force or forbid colour from now on, if one of both is wanted."""
    if wanted is not None:
        console.set_color(wanted)


_COLOR: Any = TyperOption(
    param_decls=["use_color", "--color/--no-color"],
    is_flag=True,
    default=None,
    expose_value=False,
    is_eager=True,
    hidden=True,
    callback=lambda _ctx, _parameter, wanted: use_color(wanted),
)


# As `git --no-pager log`, and also after the command.
_NO_PAGER: Any = TyperOption(
    param_decls=["--no-pager"],
    is_flag=True,
    expose_value=False,
    is_eager=True,
    hidden=True,
    callback=lambda _ctx, _parameter, wanted: pager.forbid() if wanted else None,
)


def _with_common(parameters: list[Any]) -> list[Any]:
    """Return the parameters and those of ``videodb`` itself, which every command also accepts after its name."""
    named = {name for parameter in parameters for name in parameter.opts}
    return [*parameters, *(common for common in (_VERBOSE, _COLOR, _NO_PAGER) if not named & set(common.opts))]


class PanelCommand(TyperCommand):
    """A command whose plain help keeps the panels, e.g. "Advanced".

    It refuses NaN as a number, and the name of an option as the value of another one.
    """

    # Options that the command parses itself, and the number of their values.
    own_options: ClassVar[Mapping[str, int]] = {}

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line after `check_values`."""
        self.check_values(ctx, args)
        use_configured(ctx, self)
        left: list[str] = super().parse_args(ctx, args)
        return left

    def check_values(self, ctx: Any, args: Sequence[str]) -> None:
        """Raise UsageError where an option would take an option's name for its value: ``--stream -c``."""
        if ctx.resilient_parsing:
            return  # the shell asks for completion of an unfinished line
        names = self.option_names(ctx)
        for option, place in places_of_values(args, names, self.own_options):
            value = args[place]
            if _names_option(value, names):
                example = f"{option}={value}" if option.startswith("--") else f"{option}{value}"
                what = "ends the options" if value == "--" else "is an option"
                raise UsageError(
                    f"{option} takes a value, and {value} {what}",
                    hint=f"if that is the value: {example}",
                )

    def option_names(self, ctx: Any) -> dict[str, bool]:
        """Return the names of all options, also of the groups above, and whether each takes a value."""
        names = dict.fromkeys(self.own_options, False)
        while ctx is not None:
            for parameter in ctx.command.get_params(ctx):
                if parameter.param_type_name == "option":
                    takes_value = ctx.command is self and not parameter.is_flag and not getattr(parameter, "count", 0)
                    for name in (*parameter.opts, *parameter.secondary_opts):
                        names.setdefault(name, takes_value)
            ctx = ctx.parent
        return names

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters of the command, with ``-v``, ``--color`` and ``--no-pager``."""
        return _with_common(super().get_params(ctx))

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Raises UsageError for an option whose number is NaN."""
        hints.use_command(ctx.command_path, takes_local=any(each.name == "local" for each in self.params))
        for parameter in self.get_params(ctx):
            value = ctx.params.get(str(parameter.name))
            # Comparisons with NaN are false, so the bounds of the option do not refuse it.
            if isinstance(value, float) and math.isnan(value):
                raise UsageError(
                    f"Invalid value for '{parameter.opts[0]}': it is not a number", hint=f"{ctx.command_path} --help"
                )
        return super().invoke(ctx)

    def get_help_option(self, ctx: Any) -> Any:
        """Return the help option, which prints through the console."""
        return _own_help(super().get_help_option(ctx))

    def get_help(self, ctx: Any) -> str:
        """Return the help, as wide as the terminal."""
        return _help_of(self, ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, one section for each help panel."""
        formatter.write_arguments_and_options(self, ctx)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the epilog, the examples and the exit statuses."""
        super().format_epilog(ctx, formatter)
        formatter.write_examples_and_statuses(ctx)


def places_of_values(
    args: Sequence[str], names: Mapping[str, bool], own: Mapping[str, int] = MappingProxyType({})
) -> Iterator[tuple[str, int]]:
    """Yield each option that takes the next argument as its value, and the index of that argument.

    ``names`` tells for every option whether it takes a value. ``own`` has options, with the number of their values,
    that take any text: these values are skipped.
    """
    index = 0
    while index < len(args) and args[index] != "--":
        token = args[index]
        index += 1
        if token in own:
            index += own[token]
        elif (option := _awaiting(token, names)) is not None and index < len(args):
            yield option, index
            index += 1


def _awaiting(token: str, names: Mapping[str, bool]) -> str | None:
    """Return the option in this argument that takes the next argument as its value; None if there is none."""
    if token in names:
        return token if names[token] else None
    if not token.startswith("-") or token.startswith("--"):
        return None
    for place, letter in enumerate(token[1:], 2):
        option = f"-{letter}"
        if option not in names:
            return None
        if names[option]:
            return option if place == len(token) else None  # otherwise the rest of this argument is the value
    return None


def _names_option(value: str, names: Mapping[str, bool]) -> bool:
    """Tell whether an argument is an option, possibly with its value, or several short ones."""
    if value == "--" or value.partition("=")[0] in names:
        return True
    return len(value) > 2 and value[0] == "-" != value[1] and all(f"-{letter}" in names for letter in value[1:])


class PanelGroup(TyperGroup):
    """A group of commands. Called without one it prints its help; `help` and names that are similar are understood."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters of the group, with ``-v`` and ``--color``."""
        return _with_common(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line. Without arguments the help is printed."""
        if not args and not ctx.resilient_parsing:
            self._print_help(ctx)
        left: list[str] = super().parse_args(ctx, args)
        return left

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the member that the arguments name. Raises UsageError with the commands that may be meant."""
        names = self.list_commands(ctx)
        if not args or args[0] in names or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        if args[0] == "help":
            if not args[1:]:
                self._print_help(ctx)
            return self.resolve_command(ctx, [*args[1:], "--help"])
        from videodb_cli.commands import suggest

        replaced = suggest.meant(self, ctx, args) if ctx.parent is None else args
        if replaced is args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise suggest.no_such_command(self, ctx, args[0])
        return super().resolve_command(ctx, replaced)

    def _print_help(self, ctx: Any) -> None:
        console.data(ctx.get_help())
        ctx.exit()

    def get_help(self, ctx: Any) -> str:
        """Return the help, as wide as the terminal."""
        return _help_of(self, ctx)

    def get_help_option(self, ctx: Any) -> Any:
        """Return the help option, which prints through the console."""
        return _own_help(super().get_help_option(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the list of members, and the options, one section for each help panel."""
        formatter.write_commands(self, ctx)
        formatter.write_arguments_and_options(self, ctx)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the epilog, the examples and the exit statuses."""
        super().format_epilog(ctx, formatter)
        formatter.write_examples_and_statuses(ctx)


class LazyGroup(PanelGroup):
    """A group whose members are named by module path and imported when they are called or listed.

    A module's command is its ``app``; of one that has several, ``module:name`` says which.
    """

    members: Mapping[str, str] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the members, in the order of the help."""
        return list(self.members)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a member and return its command; None if there is none of this name."""
        path = self.members.get(cmd_name)
        if path is None:
            return None
        module, _, name = path.partition(":")
        app: typer.Typer = getattr(import_module(module), name or "app")
        command = typer.main.get_command(app)
        command.name = cmd_name
        return command


def lazy_group(members: Mapping[str, str]) -> type[LazyGroup]:
    """Return a group class with these members: name as typed → module that exposes ``app``."""
    return type("Group", (LazyGroup,), {"members": dict(members)})


def new_app(**settings: Any) -> typer.Typer:
    """Return a Typer app with plain help and without Rich tracebacks and completion options."""
    settings.setdefault("add_completion", False)
    settings.setdefault("cls", PanelGroup)
    return typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, **settings)

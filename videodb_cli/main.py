"""Builds the command tree. The only place where an error becomes an exit status."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from videodb_cli import console, diagnostics, hints
from videodb_cli.commands import pager
from videodb_cli.commands.tree import lazy_group, new_app, show_records, use_color
from videodb_cli.config.chosen import configured_color
from videodb_cli.config.file import on_warning
from videodb_cli.errors import OutputError, ReaderGoneError, RefusedError, UsageError, VideodbError
from videodb_cli.process.environment import keep_own_files_usable
from videodb_cli.version import __version__

_COMMANDS = {
    "listen": "videodb_cli.commands.listen",
    "status": "videodb_cli.commands.status",
    "stop": "videodb_cli.commands.stop",
    "watch": "videodb_cli.commands.watch",
    "capture": "videodb_cli.commands.capture",
    "events": "videodb_cli.commands.events",
    "sessions": "videodb_cli.commands.sessions",
    "local": "videodb_cli.commands.local",
    "path": "videodb_cli.commands.path",
    "doctor": "videodb_cli.commands.doctor",
    "demo": "videodb_cli.commands.demo",
    "completion": "videodb_cli.commands.completion",
    "redact": "videodb_cli.commands.redact",
    "mcp": "videodb_cli.commands.mcp",
    "guide": "videodb_cli.commands.guide",
    "skill": "videodb_cli.commands.skill",
    "schema": "videodb_cli.commands.schema",
    "config": "videodb_cli.commands.config",
    "version": "videodb_cli.commands.version",
    "background": "videodb_cli.commands.background",
}

_FORMER_OPTIONS = {"--install-completion", "--show-completion"}

EXIT_BUG = 70
EXIT_INTERRUPTED = 130
_BUG = {"error": {"code": "bug", "message": "this is a bug in videodb", "hint": "report it with what stderr says"}}

app = new_app(cls=lazy_group(_COMMANDS), context_settings={"help_option_names": ["-h", "--help"]})


def _print_version(wanted: bool) -> None:
    if wanted:
        console.data(f"videodb {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    color: Annotated[
        bool | None,
        typer.Option(
            "--color/--no-color",
            help="Always or never use colour.",
            show_default=False,
            is_eager=True,  # also before --help, which is eager too
            callback=use_color,
        ),
    ] = None,
    verbose: Annotated[
        bool,
        typer.Option(
            "-v",
            "--verbose",
            help="Show log records on stderr, as VIDEODB_DEBUG=1 does. Also accepted after the command.",
        ),
    ] = False,
    no_pager: Annotated[
        bool, typer.Option("--no-pager", help="Print long output without a pager (VIDEODB_PAGER, PAGER, less).")
    ] = False,
    version: Annotated[
        bool, typer.Option("-V", "--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Hear every VideoDB event, write it down safely, find anything in it at once, and run the capture that makes it.

    Start with: videodb listen --clear &   then: videodb events tail -f   Without a key: videodb demo
    """
    del color, version
    show_records(verbose)
    if no_pager:
        pager.forbid()
    if ctx.invoked_subcommand is None:
        console.data(ctx.get_help())


def _wants_json(argv: Sequence[str]) -> bool:
    options = argv[: argv.index("--")] if "--" in argv else argv
    return "--json" in options


def _run(argv: list[str]) -> int:
    command: Any = typer.main.get_command(app)
    try:
        if argv and argv[0].partition("=")[0] in _FORMER_OPTIONS:
            raise UsageError(
                f"{argv[0].partition('=')[0]} is now a command that prints the script for your shell",
                hint="videodb completion bash · videodb completion zsh · videodb completion fish",
            )
        with command.make_context("videodb", argv) as ctx:
            outcome = command.invoke(ctx)
    except typer.Exit as leave:
        outcome = int(leave.exit_code)
    # Flushed here, because a failure of the interpreter's last flush could not be reported properly.
    console.flush()
    return outcome if isinstance(outcome, int) else 0


def _is_usage_error(error: Exception) -> bool:
    # Typer carries its own copy of click, whose exceptions have no public common name.
    return hasattr(error, "format_message") and hasattr(error, "exit_code")


def _usage_error(error: Any) -> VideodbError:
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx is not None else "videodb"
    option = getattr(error, "option_name", None)
    if option is not None and ctx is not None and hasattr(error, "possibilities"):
        from videodb_cli.commands.suggest import no_such_option

        return no_such_option(ctx, option)
    return UsageError(error.format_message().rstrip("."), hint=f"{path} --help")


def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit status. Never raises."""
    if "_VIDEODB_COMPLETE" in os.environ:
        return 0  # a completion script of an earlier version asks: it gets no candidates, and no command runs
    console.prepare()
    keep_own_files_usable()
    show_records(diagnostics.is_wanted())
    console.prefer_color(configured_color)
    on_warning(lambda said: console.talk(f"warning: {console.one_line(said)}"))
    arguments = list(argv)
    as_json = _wants_json(arguments)
    try:
        try:
            return _run(arguments)
        except VideodbError as error:
            return _tell(error, as_json=as_json)
        except Exception as error:
            if not _is_usage_error(error):
                raise
            return _tell(_usage_error(error), as_json=as_json)
    except ReaderGoneError:
        # The reader of our output has read enough: `videodb events filter … | head`.
        console.drop_stdout()
        return 0
    except OutputError as error:
        console.drop_stdout()
        return _tell(RefusedError(f"cannot write the output: {error}", code="output"), as_json=False)
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    except Exception:  # noqa: BLE001 - the last line of defence: a bug keeps its traceback
        return _tell_bug(as_json=as_json)
    finally:
        diagnostics.hide()


def _tell(error: VideodbError, *, as_json: bool) -> int:
    """Report an error and return its exit status; on stderr if stdout cannot be written."""
    error.hint = None if error.hint is None else hints.placed(error.hint)
    try:
        console.tell_error(error, as_json=as_json)
        console.flush()
    except OutputError:
        console.drop_stdout()
        if as_json:
            console.tell_error(error, as_json=False)
    return error.exit_status


def _tell_bug(*, as_json: bool) -> int:
    traceback.print_exc(file=sys.stderr)
    try:
        if as_json:
            console.data_json(_BUG)
        console.flush()
    except OutputError:
        console.drop_stdout()
    console.tell_failure("this is a bug in videodb; please report it with the lines above")
    return EXIT_BUG

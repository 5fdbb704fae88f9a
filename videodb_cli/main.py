"""Builds the command tree. The only place where an error becomes an exit status."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from videodb_cli import __version__, console
from videodb_cli.commands.tree import lazy_group, new_app
from videodb_cli.errors import RefusedError, UsageError, VideodbError

_COMMANDS = {
    "listen": "videodb_cli.commands.listen",
    "status": "videodb_cli.commands.status",
    "stop": "videodb_cli.commands.stop",
    "capture": "videodb_cli.commands.capture",
    "events": "videodb_cli.commands.events",
    "local": "videodb_cli.commands.local",
    "path": "videodb_cli.commands.path",
    "doctor": "videodb_cli.commands.doctor",
    "demo": "videodb_cli.commands.demo",
}

EXIT_BUG = 70
EXIT_INTERRUPTED = 130
_BUG = {"error": {"code": "bug", "message": "this is a bug in videodb", "hint": "report it with what stderr says"}}

app = new_app(cls=lazy_group(_COMMANDS), add_completion=True, context_settings={"help_option_names": ["-h", "--help"]})


def _print_version(wanted: bool) -> None:
    if wanted:
        console.data(f"videodb {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    color: Annotated[
        bool | None, typer.Option("--color/--no-color", help="Force or forbid colour.", show_default=False)
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Hear every VideoDB event, write it down safely, find anything in it at once, and run the capture that makes it.

    Start with: videodb listen --clear &   then: videodb events tail -f   Without a key: videodb demo
    """
    del version
    if color is not None:
        console.set_color(color)
    if ctx.invoked_subcommand is None:
        console.data(ctx.get_help())


def _wants_json(argv: Sequence[str]) -> bool:
    options = argv[: argv.index("--")] if "--" in argv else argv
    return "--json" in options


def _run(argv: list[str]) -> int:
    command: Any = typer.main.get_command(app)
    if "_VIDEODB_COMPLETE" in os.environ:
        command.main(args=argv, prog_name="videodb")
    try:
        with command.make_context("videodb", argv) as ctx:
            outcome = command.invoke(ctx)
    except typer.Exit as leave:
        return int(leave.exit_code)
    console.flush()
    return outcome if isinstance(outcome, int) else 0


def _is_usage_error(error: Exception) -> bool:
    # Typer carries its own copy of click, whose exceptions have no public common name.
    return hasattr(error, "format_message") and hasattr(error, "exit_code")


def _usage_error(error: Any) -> VideodbError:
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx is not None else "videodb"
    return UsageError(error.format_message().rstrip("."), hint=f"{path} --help")


def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit status. Never raises, but for SystemExit of shell completion."""
    console.prepare()
    arguments = list(argv)
    as_json = _wants_json(arguments)
    try:
        try:
            return _run(arguments)
        except VideodbError as error:
            console.tell_error(error, as_json=as_json)
            console.flush()
            return error.exit_status
        except OSError as error:
            if isinstance(error, BrokenPipeError) or error.filename is not None:
                raise
            # A full disk behind stdout has no file name; it is the caller's, not a bug of ours.
            raise RefusedError(f"cannot write the output: {error.strerror}", code="output") from error
        except Exception as error:
            if not _is_usage_error(error):
                raise
            usage = _usage_error(error)
            console.tell_error(usage, as_json=as_json)
            console.flush()
            return usage.exit_status
    except RefusedError as error:
        console.drop_stdout()
        console.tell_error(error, as_json=False)
        return error.exit_status
    except BrokenPipeError:
        # Whoever read our output has read enough: `videodb events filter … | head`.
        console.drop_stdout()
        return 0
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    except Exception:  # noqa: BLE001 - the last line of defence: a bug keeps its traceback
        traceback.print_exc(file=sys.stderr)
        if as_json:
            console.data_json(_BUG)
            console.flush()
        console.tell_failure("this is a bug in videodb; please report it with the lines above")
        return EXIT_BUG

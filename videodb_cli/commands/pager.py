"""Shows long output on a terminal in a pager, as git does: VIDEODB_PAGER, PAGER, else less."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from videodb_cli import console

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping

# F: no pager for what fits on the screen. R: colours. X: what was read stays on the screen.
_LESS = "FRX"
# The statuses of a shell that cannot run a program.
_NOT_STARTED = frozenset({126, 127})
_is_forbidden = False


def forbid() -> None:
    """Use no pager in this run."""
    global _is_forbidden
    _is_forbidden = True


def pager_command() -> str | None:
    """Return the command of the pager; None for none. Raises UsageError for a configuration file that is broken."""
    from videodb_cli.config.chosen import pager_setting

    return str(pager_setting().value) or None


@contextlib.contextmanager
def paged() -> Iterator[None]:
    """Show what the block writes to stdout in a pager, if stdin and stdout are a terminal.

    A pager that is left early ends the block with ReaderGoneError. Ctrl-C ends what makes the output, and is the
    pager's afterwards; the terminal is the pager's until it ends.
    """
    started = None if _is_forbidden else _started(os.environ)
    if started is None:
        yield
        return
    from videodb_cli.commands.stdout import led_to

    command, process = started
    assert process.stdin is not None  # noqa: S101 - it was asked for
    terminal = os.dup(1)
    try:
        with console.paged(terminal):
            try:
                with led_to(process.stdin.fileno()):
                    yield
            finally:
                _wait_for(process)
    finally:
        os.close(terminal)
        if process.returncode in _NOT_STARTED:
            console.talk(console.one_line(f"the pager '{command}' could not be started; --no-pager does without it"))


def _started(environment: Mapping[str, str]) -> tuple[str, subprocess.Popen[bytes]] | None:
    """Start the pager on the terminal; None if there is no terminal for it, or it is not there."""
    if not (console.is_terminal() and sys.stdin.isatty()) or environment.get("TERM", "") in {
        "",
        *console.DUMB_TERMINALS,
    }:
        return None
    command = pager_command()
    if command is None:
        return None
    import shutil
    import subprocess

    from videodb_cli.process.environment import child_environment

    # Of a command line with assignments or quotes only the shell knows the program.
    program = command.split()[0]
    if program.replace("/", "").replace("-", "").isalnum() and shutil.which(program) is None:
        if command != "less":
            console.talk(console.one_line(f"there is no pager '{program}'; printing without one"))
        return None
    # Like git: what the user has set for less wins. Our output is UTF-8 in any locale.
    defaults = {"LESS": _LESS, "LV": "-c", "LESSCHARSET": "utf-8"}
    process = subprocess.Popen(
        ["/bin/sh", "-c", command], stdin=subprocess.PIPE, env={**defaults, **child_environment()}
    )
    return command, process


def _wait_for(process: subprocess.Popen[bytes]) -> None:
    """Tell the pager that this is all, and wait until the user leaves it. Ctrl-C is for the pager meanwhile."""
    import signal

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        process.wait()
    finally:
        signal.signal(signal.SIGINT, before)

"""Lets a shell read the examples of help, with a `videodb` that records how it is called."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

_RECORD = """#!/bin/sh
{run}
status=$?
for each in "$@"; do printf '%s\\0' "$each"; done > "{calls}/$$"
echo $status > "{calls}/$$.status"
exit $status
"""


def shell_environment(directory: Path) -> dict[str, str]:
    """Return the environment of a shell whose `videodb` is the one of `with_recorder`."""
    return {**os.environ, "PATH": f"{directory / 'bin'}{os.pathsep}{os.environ['PATH']}", "EDITOR": "true"}


def with_recorder(directory: Path, run: str) -> Path:
    """Write a `videodb` that runs a line of shell and records its call; return the directory of the records."""
    calls = directory / "calls"
    calls.mkdir(exist_ok=True)
    program = directory / "bin" / "videodb"
    program.parent.mkdir(exist_ok=True)
    program.write_text(_RECORD.format(run=run, calls=calls))
    program.chmod(0o755)
    return calls


def run_in_shell(example: str, directory: Path) -> None:
    """Run an example, and what it leaves in the background, to its end. A failure of the example is no error."""
    (directory / "ws-id").write_text("x")
    syntax = ["sh", "-n", "-c", example]
    subprocess.run(syntax, check=True, capture_output=True)
    subprocess.run(
        ["sh", "-c", f"{example}\nwait"],
        cwd=directory,
        env=shell_environment(directory),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


def recorded_calls(example: str, directory: Path) -> list[list[str]]:
    """Return the arguments of each call of `videodb` in an example, as the shell makes them."""
    calls = with_recorder(directory, f"echo {shlex.quote(str(directory / 'ws-id'))}")
    run_in_shell(example, directory)
    return [_arguments(record) for record in sorted(calls.iterdir()) if not record.suffix]


def recorded_statuses(calls: Path) -> list[tuple[list[str], int]]:
    """Return the arguments and the exit status of each recorded call."""
    records = [record for record in sorted(calls.iterdir()) if not record.suffix]
    return [(_arguments(record), int(record.with_suffix(".status").read_text())) for record in records]


def _arguments(record: Path) -> list[str]:
    return record.read_text().split("\0")[:-1]

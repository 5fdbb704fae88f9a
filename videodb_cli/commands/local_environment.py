"""`videodb local env` and `videodb local run`: the embedded service for programs that use an SDK."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from videodb_cli import console, mediafile
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption, made_run_dir
from videodb_cli.errors import UsageError
from videodb_cli.settings import resolve_directory

_SHELLS = {"sh": "export {name}={value}", "fish": "set -gx {name} {value}"}
_ALIASES = {"bash": "sh", "zsh": "sh", "dash": "sh", "ksh": "sh"}


def env(
    shell: Annotated[
        str | None,
        typer.Option("--shell", metavar="NAME", help="Print commands for bash, zsh, sh or fish instead."),
    ] = None,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> None:
    """Print address and key of the running service as variables.

    The official SDKs read the key from the environment, and the address from nowhere: pass it on, as in
    connect(base_url=os.environ["VIDEO_DB_API"]), in Node connect({baseUrl: process.env.VIDEO_DB_API}). For programs
    that do not, there is `videodb local run`.
    """
    form = None if shell is None else _SHELLS.get(_ALIASES.get(shell, shell))
    if shell is not None and form is None:
        raise UsageError(f"no such shell: {shell}", hint="one of: bash, zsh, sh, dash, ksh, fish")
    from videodb_cli.app.local_service import require_local

    service = require_local(resolve_directory(None, directory, env_file).path)
    variables = {"VIDEO_DB_API": service.url, "VIDEO_DB_API_KEY": service.key}
    if as_json:
        console.data_json(variables)
        return
    for name, value in variables.items():
        console.data(f"{name}={value}" if form is None else form.format(name=name, value=shlex.quote(value)))


def run(
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="The command and its arguments.")],
    source: Annotated[
        str | None,
        typer.Option(
            "--source", metavar="FILE", help="On Linux: a media file that a CaptureClient records in place of devices."
        ),
    ] = None,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Run a command whose VideoDB is the embedded service.

    Its program needs no change. Starts the service if it does not run, and sets the key and the address for the
    command. Requests to https://api.videodb.io go to the embedded service by a proxy on this machine, whose certificate
    nothing but the command trusts. On Linux, the CaptureClient of the Python SDK records with our recorder. The exit
    status is that of the command. Write -- before a command that has options.
    """
    from videodb_cli.app.local_run import run_with_service
    from videodb_cli.app.local_service import ensure_local
    from videodb_cli.commands.capture.channels import named_source

    file = named_source(source)
    if file is not None:
        mediafile.check_file(file)
    service = ensure_local(made_run_dir(directory, env_file).path)
    console.talk(f"embedded service {service.url}: this is not the VideoDB service")
    console.flush()
    return run_with_service(service, command, source=file)

"""`videodb mcp`: the tools of this program for AI agents, by the Model Context Protocol."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from videodb_cli import console
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, LocalOption, made_run_dir
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import MissingDependencyError, UsageError
from videodb_cli.settings import wants_local

app = new_app()


@app.command(cls=PanelCommand)
def mcp(
    http: Annotated[bool, typer.Option("--http", help="Streamable HTTP on loopback, with a token.")] = False,
    port: Annotated[
        int | None, typer.Option("--port", metavar="N", min=0, max=65535, help="With --http.  [default: a free one]")
    ] = None,
    allow_capture: Annotated[
        bool, typer.Option("--allow-capture", help="Also offer the tools that record the screen and sound.")
    ] = False,
    no_redact: Annotated[
        bool, typer.Option("--no-redact", help="Leave secrets and personal data in what is read.")
    ] = False,
    local: LocalOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> None:
    """Serve status, events and captures to an AI agent as MCP tools, on standard input and output.

    The agent's program starts it: {"command": "videodb", "args": ["mcp"]}. It ends with its client.
    """
    if port is not None and not http:
        raise UsageError("--port goes with --http", hint="videodb mcp --http --port 8765")
    if find_spec("mcp") is None:
        raise MissingDependencyError(
            "the MCP server needs the package mcp", code="no_mcp", hint="pip install 'videodb-cli[mcp]'"
        )
    if not http and console.is_terminal():
        console.talk("this speaks MCP with a program on standard input; for a person: videodb guide mcp")
    from videodb_cli.mcp.calls import Place
    from videodb_cli.mcp.server import build

    run_dir = made_run_dir(directory, env_file)
    place = Place(
        Path(run_dir.path).absolute(),
        local=wants_local(local, env_file),
        env_file=None if env_file is None else str(Path(env_file).absolute()),
        allow_capture=allow_capture,
        redact=not no_redact,
    )
    if http:
        from videodb_cli.mcp.http import listening_socket, serve

        serve(build(place), run_dir.path, listening_socket(port or 0), console.talk)
        return
    from videodb_cli.mcp import stdio

    stdio.serve(build(place))

"""`videodb path`: print the path of a file or directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from videodb_cli import console
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, reading_run_dir
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import UsageError

app = new_app()


@app.command(cls=PanelCommand)
def path(
    what: Annotated[str, typer.Argument(metavar="[events|ws-id|pid|dir|jq]", help="Which path.")] = "events",
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> None:
    """Print the path of the log, of the id or pid file, of the directory, or of our jq module.

    The file need not exist. jq: jq -L "$(videodb path jq)" 'import "videodb" as v; v::text'
    """
    run_dir = reading_run_dir(directory, env_file)
    paths = {"events": run_dir.log, "ws-id": run_dir.ws_id, "pid": run_dir.pid, "dir": run_dir.path}
    paths["jq"] = Path(__file__).parents[1] / "jq"
    if what not in paths:
        raise UsageError(f"no path is called {what!r}", hint=f"one of: {', '.join(paths)}")
    console.data(str(paths[what]))

"""`videodb background`: the hidden command of background processes; see `process.background`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import UsageError
from videodb_cli.process.background import ReadyPipe, read_request
from videodb_cli.rundir.paths import RunDir

app = new_app()


class Kind(StrEnum):
    """What runs in the background."""

    LISTEN = "listen"
    CAPTURE = "capture"
    FORWARD = "forward"
    LOCAL = "local"


@app.command(cls=PanelCommand, hidden=True)
def background(
    kind: Annotated[Kind, typer.Argument()],
    directory: Annotated[str, typer.Option("--dir", metavar="DIR")],
    ready_fd: Annotated[int | None, typer.Option("--ready-fd", metavar="N")] = None,
) -> None:
    """Run what another command has asked for on standard input. Not for people."""
    ready = ReadyPipe(ready_fd)
    with ready.telling_errors():
        request = read_request()
        run_dir = RunDir(Path(directory))
        try:
            match kind:
                case Kind.LISTEN:
                    from videodb_cli.commands.listen import run_in_background
                case Kind.CAPTURE:
                    from videodb_cli.commands.capture.run import run_in_background
                case Kind.FORWARD:
                    from videodb_cli.commands.events.forward import run_in_background
                case Kind.LOCAL:
                    from videodb_cli.commands.local import run_in_background
            run_in_background(run_dir, request, ready)
        except (KeyError, TypeError) as error:
            if ready.has_spoken:
                raise
            raise UsageError(f"not a request for `videodb background {kind}`: {error!r}") from error

"""`videodb sessions open`: the recording of a session in the browser."""

from __future__ import annotations

from typing import Annotated

import typer

from videodb_cli import console
from videodb_cli.commands.options import DirectoryOption, EnvFileOption
from videodb_cli.commands.sessions.reading import Sessions, check_arguments
from videodb_cli.commands.sessions.show import SESSION_HELP
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import NotFoundError, RefusedError
from videodb_cli.model import lifecycle

app = new_app()


@app.command("open", cls=PanelCommand, context_settings={"ignore_unknown_options": True})
def open_session(
    session: Annotated[str, typer.Argument(metavar="[ID|last]", help=SESSION_HELP)] = "last",
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Files, directories, or - for standard input.", show_default=False),
    ] = None,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> None:
    """Open the player page of a session's recording in the browser; without a display, print its address.

    videodb sessions open last
    """
    from videodb_cli.app import browser

    check_arguments(session, files)
    found = Sessions(files, directory, env_file).one(session)
    url = found.player_url
    if url is None:
        if found.is_running:
            why, hint = "it still records", "videodb capture stop"
        elif found.status == lifecycle.FAILED:
            why, hint = "it failed", f"videodb sessions show {found.id}"
        elif found.status == "exported":
            why, hint = "its export names no address", f"videodb sessions show {found.id}"
        else:
            why, hint = "no export is in the log", f"videodb events wait --session {found.id} --event exported"
        raise NotFoundError(f"session {found.id} has no player page: {why}", code="no_player", hint=hint)
    if not browser.is_web_address(url):
        raise RefusedError(f"the player address of session {found.id} is no web address: {url}", code="bad_url")
    if browser.open_page(url):
        console.talk(f"opened in the browser: {url}")
    else:
        console.talk("no browser can be opened here; this is the address:")
        console.data(url)

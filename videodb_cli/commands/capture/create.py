"""`videodb capture create`: a session and a token with which another machine records it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from videodb_cli import console
from videodb_cli.commands.capture.start_options import CollectionOption, EndUserOption, MetadataOption, pairs
from videodb_cli.commands.options import (
    DirectoryOption,
    EnvFileOption,
    JsonOption,
    LocalOption,
    existing_run_dir,
    made_run_dir,
    service_credentials,
)
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import CLIENT_TOKEN_NAME, Credentials, resolve_directory, wants_local

app = new_app()


@app.command(cls=PanelCommand)
def create(
    ws_id: Annotated[
        str | None,
        typer.Option(
            "--ws-id",
            metavar="ID",
            help="Connection that receives the events.  [default: the listener of the directory]",
            show_default=False,
        ),
    ] = None,
    end_user: EndUserOption = "videodb-cli",
    collection: CollectionOption = "default",
    metadata: MetadataOption = None,
    callback_url: Annotated[
        str | None,
        typer.Option("--callback-url", metavar="URL", help="URL that gets the status changes.", show_default=False),
    ] = None,
    expires_in: Annotated[
        int, typer.Option("--expires-in", metavar="S", min=1, help="How long the token is valid.")
    ] = 86400,
    as_json: JsonOption = False,
    local: LocalOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> None:
    """Create a session and a client token. The machine that records needs these two, and no key."""
    run_dir = existing_run_dir(directory, env_file)
    if run_dir is None and wants_local(local, env_file):
        run_dir = made_run_dir(directory, env_file)  # the embedded service is to live there
    place = run_dir or RunDir(resolve_directory(None, directory, env_file).path)
    credentials = service_credentials(place, local=local, env_file=env_file)
    connection_id = ws_id or _running_id(run_dir)
    made = asyncio.run(
        _make(
            credentials,
            collection,
            {
                "end_user_id": end_user,
                "ws_connection_id": connection_id,
                "metadata": dict(pairs(metadata, "--metadata KEY=VALUE")),
                "callback_url": callback_url,
            },
            expires_in,
        )
    )
    answer = {**made, "ws_connection_id": connection_id, "base_url": credentials.base_url}
    if as_json:
        console.data_json(answer)
        return
    console.data(f"session_id      {answer['session_id']}")
    console.data(f"client_token    {answer['client_token']}")
    console.data(f"expires_at      {answer['expires_at']}")
    listening = f" --ws-id {connection_id}" if connection_id else ""
    console.talk(
        f"on the other machine: {CLIENT_TOKEN_NAME}=… videodb capture start --session {answer['session_id']}{listening}"
    )
    if connection_id is None:
        console.talk("nobody hears its events: no listener runs here, and no --ws-id was given")


def _running_id(run_dir: RunDir | None) -> str | None:
    from videodb_cli.app.listener_status import listener_status

    return listener_status(run_dir).connection_id if run_dir is not None else None


async def _make(credentials: Credentials, collection: str, session: dict[str, Any], expires_in: int) -> dict[str, Any]:
    from videodb_cli.api.control_plane import ControlPlane

    async with ControlPlane(credentials) as service:
        made = await service.create_session(collection, **session)
        token = await service.create_client_token(expires_in)
    return {
        "session_id": made.id,
        "collection_id": made.collection_id or collection,
        "client_token": token.token.reveal(),
        "expires_at": token.expires_at,
        "expires_in": token.expires_in if token.expires_in is not None else expires_in,
    }

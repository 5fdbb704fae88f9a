"""Options that several commands share, and what they resolve to."""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from videodb_cli import console
from videodb_cli.errors import CredentialsError, NotFoundError, UsageError, VideodbError
from videodb_cli.rundir import paths
from videodb_cli.rundir.paths import RunDir
from videodb_cli.rundir.stale import remove_stale
from videodb_cli.settings import (
    CLIENT_TOKEN_NAME,
    Credentials,
    resolve_credentials,
    resolve_directory,
    wants_local,
)

# A directory that never exists and cannot be created.
_NOWHERE = Path("/nonexistent/videodb")

DirectoryOption = Annotated[
    str | None,
    typer.Option(
        "--dir",
        metavar="DIR",
        help="Directory of the listener's files.  [default: VIDEODB_EVENTS_DIR, else ~/.local/state/videodb]",
        show_default=False,
    ),
]
EnvFileOption = Annotated[
    str | None,
    typer.Option("--env-file", metavar="PATH", help="Read key and base URL from this file.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, errors included.")]
LocalOption = Annotated[
    bool, typer.Option("--local", help="Use the embedded service of this machine: no key, no network.")
]


def option_group(
    kind: type[Any],
    annotations: Mapping[str, Any],
    parameter: str,
    *,
    typed_defaults: Mapping[str, Any] | None = None,
    first: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives a command a group of options; it receives them as one object.

    Typer reads a function's signature, so the options are added to that instead of being written out in each command.

    Args:
        kind: The object, built from the options by keyword. Its defaults are theirs.
        annotations: Each option by its field, as Typer wants it annotated.
        parameter: The parameter of the command that receives the object.
        first: Show the group before the command's own options.
        typed_defaults: Defaults as a user would type them, where they differ from those of ``kind``.
    """
    defaults = {**_defaults_of(kind), **(typed_defaults or {})}

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = inspect.signature(command, eval_str=True)

        @wraps(command)
        def run(**values: Any) -> Any:
            group = kind(**{name: values.pop(name) for name in annotations})
            return command(**{parameter: group}, **values)

        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=annotation)
            for name, annotation in annotations.items()
        ]
        kept = [
            found.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, found in own.parameters.items()
            if name != parameter
        ]
        parameters = [*added, *kept] if first else [*kept, *added]
        run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {found.name: found.annotation for found in parameters}
        return run

    return decorate


def _defaults_of(kind: type[Any]) -> dict[str, Any]:
    by_tuple = getattr(kind, "_field_defaults", None)
    return dict(by_tuple) if by_tuple is not None else {f.name: f.default for f in dataclasses.fields(kind)}


def existing_run_dir(
    directory: str | None, env_file: str | None, argument: str | None = None, *, clean: bool = True
) -> RunDir | None:
    """Return the directory if it exists, else None. With ``clean``, files that a crash has left are removed.

    Raises RefusedError for a directory that cannot be trusted.
    """
    resolved = resolve_directory(argument, directory, env_file)
    try:
        run_dir = paths.check(resolved.path)
    except NotFoundError:
        return None
    if clean:
        remove_stale(run_dir)
    return run_dir


def made_run_dir(
    directory: str | None, env_file: str | None, argument: str | None = None, *, quiet: bool = False
) -> RunDir:
    """Return the directory. If it does not exist it is created, and a message on stderr says so.

    Raises UsageError, and RefusedError for a directory that cannot be made or trusted.
    """
    path = resolve_directory(argument, directory, env_file).path
    return paths.create(path, (lambda _: None) if quiet else _tell_created)


def _tell_created(made: list[Path]) -> None:
    parents = f", with its parents from {made[0]} on" if len(made) > 1 else ""
    console.talk(console.one_line(f"created the directory {made[-1]}{parents}"))


def reading_run_dir(directory: str | None, env_file: str | None, files: Sequence[str] | None = None) -> RunDir:
    """Return the directory that a command reads; it need not exist.

    If ``files`` are named, an error about a directory that the user did not name with ``--dir`` is ignored. Otherwise
    raises as `existing_run_dir` and `resolve_directory` do.
    """
    try:
        found = existing_run_dir(directory, env_file)
        return found or RunDir(resolve_directory(None, directory, env_file).path)
    except VideodbError:
        if not files or directory is not None:
            raise
        return RunDir(_NOWHERE)


def service_credentials(run_dir: RunDir, *, local: bool, env_file: str | None, start: bool = True) -> Credentials:
    """Return the credentials of the real service, or with ``local`` those of the embedded one of the directory.

    With ``start`` the embedded one is started if it does not run, and a message says so; otherwise it must run.
    Raises CredentialsError, UsageError, NotFoundError, and what the start of the embedded service raises.
    """
    if not wants_local(local, env_file):
        return resolve_credentials(env_file)
    from videodb_cli.app.local_service import IDLE_EXIT_S, ensure_local, require_local

    if not start:
        return require_local(run_dir.path).credentials
    service = ensure_local(run_dir.path)
    if service.started:
        console.talk(
            f"embedded service started (a stand-in, not the VideoDB service): {service.url} · "
            f"pid {service.address.pid} · ends {IDLE_EXIT_S:g} s after its last socket and stream"
        )
    return service.credentials


def credentials_to_stop(run_dir: RunDir, *, local: bool, env_file: str | None) -> Credentials:
    """Return the credentials to stop a session that was recorded here.

    That is the key; without one, the client token, else the embedded service of ``start --local``. Raises as
    `service_credentials` does.
    """
    try:
        return service_credentials(run_dir, local=local, env_file=env_file, start=False)
    except CredentialsError as missing:
        if os.environ.get(CLIENT_TOKEN_NAME, "").strip():
            return resolve_credentials(env_file, token_name=CLIENT_TOKEN_NAME)
        from videodb_cli.app.local_service import require_local

        try:
            return require_local(run_dir.path).credentials
        except NotFoundError:
            raise missing from None


def parse_size(text: str) -> int:
    """Return the bytes of ``100M``, ``2G``, ``500k`` or a bare number (powers of 1024). Raises ``UsageError``."""
    import re

    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kKmMgG])?(?:i?[bB])?", text.strip(), re.ASCII)
    size = int(float(match[1]) * 1024 ** " kmg".index((match[2] or " ").lower())) if match else 0
    if size <= 0:
        raise UsageError(f"not a size: {text}", hint="for example 100M, 2G, 500k")
    return size

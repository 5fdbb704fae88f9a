"""Finds the embedded service of a directory, or starts one in the background and waits until it answers."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from videodb_cli.errors import (
    ConflictError,
    NotFoundError,
    RefusedError,
    TimedOutError,
    UnreachableError,
)
from videodb_cli.local.host import HostOptions, already_running
from videodb_cli.local.http.client import ControlClient
from videodb_cli.local.service_directory import (
    ServiceAddress,
    ServiceDirectory,
    make_directory,
    read_address,
    shared_place,
)
from videodb_cli.process import background
from videodb_cli.process.background import BackgroundJob
from videodb_cli.process.start_token import is_same_process
from videodb_cli.rundir import paths, process_log
from videodb_cli.rundir.lock import DirectoryLock, LockHeldError
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import KEY_NAMES, Credentials, Secret

if TYPE_CHECKING:
    from videodb_cli.local.describe.options import DescribeOptions
    from videodb_cli.local.dialect import DialectName

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0
IDLE_EXIT_S = 60.0
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class LocalService:
    """A running embedded service, and whether this call started it."""

    address: ServiceAddress
    started: bool

    @property
    def url(self) -> str:
        """The base URL of the service, without a trailing slash."""
        return self.address.url

    @property
    def key(self) -> str:
        """The API key that the service accepts."""
        return self.address.key

    @property
    def credentials(self) -> Credentials:
        """The credentials for it, as for the real service."""
        return Credentials(Secret(self.key), self.url, "the embedded service", "the embedded service")


def place_of(run_dir: RunDir) -> ServiceDirectory:
    """Return the files of the service of a listener's directory."""
    return ServiceDirectory(run_dir.local)


def find_local(directory: Path, *, own_only: bool = False) -> LocalService | None:
    """Return the service of ``directory`` if it runs; else, unless ``own_only``, the one of `local start`."""
    own = place_of(RunDir(directory))
    found = _answering(own)
    if found is None and not own_only:
        shared = shared_place()
        if shared is not None and shared != own:
            found = _answering(shared)
    return found


def _answering(place: ServiceDirectory) -> LocalService | None:
    address = read_address(place)
    if address is None:
        return None
    try:
        ControlClient(address).status(hold=True)
    except UnreachableError:
        if is_same_process(address.pid, address.start_token):
            raise
        return None  # it ended while we asked
    return LocalService(address, started=False)


def require_local(directory: Path) -> LocalService:
    """Return the running service of ``directory``. Raises `NotFoundError` (exit 4) if there is none."""
    found = find_local(directory)
    if found is None:
        raise not_running(directory)
    return found


def not_running(directory: Path) -> NotFoundError:
    """Return the error (exit 4) with the command that starts a service."""
    return NotFoundError(
        f"the embedded service does not run for {directory}",
        code="local_not_running",
        hint="videodb local start --detach",
    )


def ensure_local(
    directory: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    idle_exit_s: float | None = IDLE_EXIT_S,
    started_by: str = "--local",
    rtsps: bool = False,
    describe: DescribeOptions | None = None,
    dialect: DialectName = "service",
) -> LocalService:
    """Return the running service, or start one for ``directory`` in the background.

    Two callers at the same time get the same service. ``--local`` accepts the directory's own service and the one that
    the user started; every other caller (``started_by``) only the directory's own.

    A service started here ends ``idle_exit_s`` after its last socket and stream. Raises `MissingDependencyError`
    without the extra, `TimedOutError` if it does not come up, and what the service itself says when it cannot start.
    """
    run_dir = paths.create(directory)
    place = place_of(run_dir)
    make_directory(place)
    own_only = started_by != "--local"
    found = find_local(directory, own_only=own_only)
    if found is not None:
        return found
    start_lock = DirectoryLock(place.start_lock_file)
    try:
        start_lock.acquire(patience_s=START_TIMEOUT_S)
    except LockHeldError:
        raise TimedOutError("somebody else has been starting the embedded service for too long") from None
    try:
        found = find_local(directory, own_only=own_only)
        wanted = HostOptions(host, port, idle_exit_s, started_by, rtsps=rtsps, describe=describe, dialect=dialect)
        return found or _start(place, run_dir, wanted)
    finally:
        start_lock.release()


def visible_address(directory: Path, *, own_only: bool) -> ServiceAddress | None:
    """Return the address of the service of ``directory``; else, unless ``own_only``, that of `local start`.

    The services are not contacted.
    """
    address = read_address(place_of(RunDir(directory)))
    if address is None and not own_only and (shared := shared_place()) is not None:
        address = read_address(shared)
    return address


def stop_local(
    directory: Path, *, keep: bool = False, own_only: bool = True
) -> tuple[ServiceAddress, str | None] | None:
    """Stop the service of ``directory`` (see `visible_address`) and wait for its end; ``None`` if none runs.

    Returns its address and the directory of the media that were kept. Raises `TimedOutError` if it does not end.
    """
    address = visible_address(directory, own_only=own_only)
    if address is None:
        return None
    kept: str | None = None
    try:
        kept = ControlClient(address).stop(keep=keep)
    except UnreachableError:
        if is_same_process(address.pid, address.start_token):
            import signal

            os.kill(address.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while is_same_process(address.pid, address.start_token):
        if time.monotonic() >= deadline:
            raise TimedOutError(f"the embedded service (pid {address.pid}) does not end", hint=f"kill -9 {address.pid}")
        time.sleep(_POLL_S)
    return address, kept


def _start(place: ServiceDirectory, run_dir: RunDir, wanted: HostOptions) -> LocalService:
    # The embedded service has its own key, so it does not get the user's.
    environment = {name: value for name, value in os.environ.items() if name not in KEY_NAMES}
    job = BackgroundJob(
        "local",
        "embedded service",
        run_dir.path,
        place.log,
        wanted.to_json(),
        environment,
        died=lambda sentence, hint: RefusedError(sentence, code="local_start", hint=hint),
    )
    try:
        with process_log.opened(place.log) as log_fd:
            background.start(job, log_fd=log_fd, timeout_s=START_TIMEOUT_S)
    except background.NotReadyError as error:
        raise RefusedError(
            f"the embedded service did not start (pid {error.pid})", code="local_start", hint=f"see {place.log}"
        ) from None
    except ConflictError as error:
        if error.code == "already_running":
            raise already_running(place) from None
        raise
    address = read_address(place)
    if address is None:
        raise RefusedError("the embedded service ended at once", code="local_start", hint=f"see {place.log}")
    return LocalService(address, started=True)

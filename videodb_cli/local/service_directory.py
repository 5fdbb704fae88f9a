"""Where a service keeps its files, and which one runs there.

One service a directory: ``DIRECTORY/local/`` holds its state file (with the key, 0600), its lock, log and media. The
one that the user started himself (`videodb local start`) is also known to commands for directories that have none.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from videodb_cli.errors import RefusedError, UsageError
from videodb_cli.process.start_token import is_same_process
from videodb_cli.rundir import private, state
from videodb_cli.rundir.lock import is_held
from videodb_cli.settings import default_directory


@dataclass(frozen=True, slots=True)
class ServiceDirectory:
    """The files of the service of one directory."""

    directory: Path

    @property
    def state_file(self) -> Path:
        """Where the service is and its key, mode 0600."""
        return self.directory / "local.json"

    @property
    def lock_file(self) -> Path:
        """Held by the service as long as it runs."""
        return self.directory / "local.lock"

    @property
    def start_lock_file(self) -> Path:
        """Held while somebody starts a service, so that two who need one at once start one."""
        return self.directory / "start.lock"

    @property
    def log(self) -> Path:
        """What a service in the background prints."""
        return self.directory / "local.log"


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """A running service: where it is, and the key that opens it."""

    url: str
    key: str
    pid: int
    start_token: str


def read_address(place: ServiceDirectory) -> ServiceAddress | None:
    """The service that runs at ``place``, or ``None``. What a crash left behind is removed.

    Raises `RefusedError` for a state file that is not ours, or of a newer version.
    """
    fields = state.read(place.state_file)
    if fields is None:
        return None
    match fields:
        case {"url": str(url), "key": str(key), "pid": int(pid), "start_token": str(token)}:
            if is_same_process(pid, token):
                return ServiceAddress(url, key, pid, token)
        case _:
            pass  # nothing that we could have written
    if not is_held(place.lock_file):
        private.remove(place.state_file)
    return None


def write_address(place: ServiceDirectory, address: ServiceAddress) -> None:
    """Publish a running service to those who look for it here."""
    state.write(
        place.state_file,
        {"url": address.url, "key": address.key, "pid": address.pid, "start_token": address.start_token},
    )


def _shared_file() -> Path | None:
    """Return where the shared service is noted; None for a user without a home, who can share none."""
    try:
        return default_directory() / "local" / "shared.json"
    except UsageError:
        return None


def share(place: ServiceDirectory) -> None:
    """Let commands for other directories find the service of this place. Where that cannot be written, they do not."""
    file = _shared_file()
    if file is None:
        return
    with contextlib.suppress(OSError, RefusedError):
        private.make_directories(file.parent)
        state.write(file, {"place": str(place.directory)})


def unshare(place: ServiceDirectory) -> None:
    """Take that back, unless another service is the shared one by now."""
    file = _shared_file()
    if file is not None and shared_place() == place:
        private.remove(file)


def shared_place() -> ServiceDirectory | None:
    """The place of the service that the user started himself, wherever it is; it may run no more."""
    file = _shared_file()
    if file is None:
        return None
    try:
        fields = state.read(file) or {}
    except RefusedError:
        return None
    directory = fields.get("place")
    return ServiceDirectory(Path(directory)) if isinstance(directory, str) and directory else None


def make_directory(place: ServiceDirectory) -> None:
    """Make the directory of a service, private. Raises RefusedError."""
    try:
        private.make_directories(place.directory)
    except OSError as error:
        raise RefusedError(
            f"cannot create the directory {place.directory}: {error.strerror}",
            code="directory",
            hint="name another one: --dir DIR, or export VIDEODB_EVENTS_DIR=DIR",
        ) from error

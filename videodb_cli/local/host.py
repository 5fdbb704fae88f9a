"""The service of a directory, in this process: lock, state file, signals, and an end that leaves nothing behind."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from videodb_cli.errors import ConflictError, MissingDependencyError
from videodb_cli.local.describe.options import KEY_NAME, DescribeOptions, read_key
from videodb_cli.local.service_directory import (
    ServiceAddress,
    ServiceDirectory,
    make_directory,
    read_address,
    share,
    unshare,
    write_address,
)
from videodb_cli.network.noproxy import sparing_this_machine
from videodb_cli.process.start_token import current_start_token
from videodb_cli.rundir import private, process_log
from videodb_cli.rundir.lock import DirectoryLock, LockHeldError

if TYPE_CHECKING:
    from videodb_cli.local.dialect import DialectName
    from videodb_cli.local.faults.plan import Fault


@dataclass(frozen=True, slots=True)
class HostOptions:
    """How a service is started. ``port`` 0: a free one. ``idle_exit_s``: see `service.Options`."""

    host: str = "127.0.0.1"
    port: int = 0
    idle_exit_s: float | None = None
    started_by: str = "local start"
    faults: Sequence[Fault] = ()
    rtsps: bool = False
    describe: DescribeOptions | None = None
    dialect: DialectName = "service"
    keeps_log: bool = False  # stdout and stderr are the log of `place`, and it is to stay small

    def to_json(self) -> dict[str, Any]:
        """Returns what a service in the background is told, as JSON values; faults are set by a later call."""
        return {
            "host": self.host,
            "port": self.port,
            "idle_exit_s": self.idle_exit_s,
            "started_by": self.started_by,
            "rtsps": self.rtsps,
            "describe": self.describe.to_json() if self.describe is not None else None,
            "dialect": self.dialect,
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> HostOptions:
        """Returns the options of a service in the background, from what `to_json` returned."""
        described = fields.get("describe")
        describe = None if described is None else DescribeOptions(**described)
        return cls(**{**fields, "describe": describe}, keeps_log=True)


def require_packages() -> None:
    """Raise `MissingDependencyError` unless what the service and its media are made of is installed."""
    missing = [name for name in ("starlette", "uvicorn", "av", "numpy") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"the embedded service needs packages that are not installed ({', '.join(missing)})",
            hint="pip install 'videodb-cli[local]'",
        )


def run_here(place: ServiceDirectory, wanted: HostOptions, *, on_ready: Callable[[ServiceAddress], None]) -> None:
    """Serve until stopped by a call, a signal or idleness. ``on_ready`` is called once requests are answered.

    Raises `ConflictError` if one runs there or the port is taken, `MissingDependencyError` without the extra.
    """
    require_packages()
    make_directory(place)
    lock = DirectoryLock(place.lock_file)
    try:
        lock.acquire(current_start_token())
    except LockHeldError:
        raise already_running(place) from None
    try:
        _serve(place, wanted, on_ready)
    finally:
        unshare(place)
        private.remove(place.state_file)
        lock.release()
    if threading.active_count() > 1:
        # A model at work in a native library's thread aborts the process (SIGABRT) when Python's end reaches it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def already_running(place: ServiceDirectory) -> ConflictError:
    """Exit 9, naming the service that runs at ``place``."""
    address = read_address(place)
    where = f": pid {address.pid} at {address.url}" if address is not None else ""
    return ConflictError(
        f"the embedded service already runs here{where}",
        code="already_running",
        hint="videodb local status · videodb local stop",
    )


def _serve(place: ServiceDirectory, wanted: HostOptions, on_ready: Callable[[ServiceAddress], None]) -> None:
    import asyncio

    from videodb_cli.local.http.server import bind, serve
    from videodb_cli.local.service import Options, Service
    from videodb_cli.process.gc_tuning import tune_for_long_running
    from videodb_cli.process.signals import stop_on_signals

    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # Media are written by a library with the process's mask; they are for their owner alone.
    os.umask(0o077)
    # The library that reads media knows the proxies of the environment; what is on this machine is not for them.
    os.environ.update(sparing_this_machine(os.environ))

    describe_key = read_key(os.environ)
    os.environ.pop(KEY_NAME, None)  # no child and no library needs it

    async def work() -> None:
        started: list[Service] = []

        def announce(service: Service) -> None:
            started.append(service)
            address = ServiceAddress(service.base_url, service.options.key, os.getpid(), current_start_token())
            write_address(place, address)
            if wanted.started_by.startswith("local start"):
                share(place)
            on_ready(address)

        def stop() -> None:
            for service in started:
                service.request_stop()

        def watch() -> None:
            if wanted.keeps_log:
                process_log.keep_small(place.log)

        options = Options(
            place.directory,
            idle_exit_s=wanted.idle_exit_s,
            started_by=wanted.started_by,
            faults=tuple(wanted.faults),
            rtsps=wanted.rtsps,
            describe=wanted.describe,
            describe_key=describe_key if wanted.describe is not None else None,
            dialect=wanted.dialect,
        )
        tune_for_long_running()
        listener = bind(wanted.host, wanted.port)
        with stop_on_signals(stop, _end_now):
            await serve(options, listener, on_ready=announce, on_watch=watch)

    asyncio.run(work())


def _end_now() -> None:
    """The second signal: whoever sends it does not want to wait for streams to finish."""
    os._exit(1)

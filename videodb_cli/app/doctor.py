"""`videodb doctor`: checks what works in this context, and names the command that mends what does not.

Every check ends within seconds. None raises: an error is its finding.
"""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from videodb_cli.app.doctor_service import examine_service
from videodb_cli.app.findings import Finding, failing, ok, warning
from videodb_cli.config import file as config_file
from videodb_cli.errors import NotFoundError, RefusedError, VideodbError
from videodb_cli.quantities import size
from videodb_cli.rundir import paths
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import Credentials, Directory
from videodb_cli.version import __version__

_PRECEDENCE: Final = "option, environment, .env, config.toml, default"
_LITTLE_DISK: Final = 1 << 30
_NO_DISK: Final = 50 << 20
# If one of these fails, `videodb listen` fails too.
ESSENTIAL: Final = frozenset({"config", "key", "network", "service", "socket", "log"})


def examine_config() -> Finding:
    """Return what the configuration file sets. One that cannot be used is not looked at any more in this process."""
    try:
        found = config_file.read_config()
        path = config_file.config_path()
    except VideodbError as error:
        if error.code == "no_home" and not os.environ.get(config_file.PATH_NAME):
            return ok("config", f"without a home there is no config.toml · order: {_PRECEDENCE}")
        config_file.ignore_config()
        return failing("config", error)
    said = ", ".join(found.values) or ("sets nothing" if path.exists() else "does not exist")
    return ok("config", f"{path}: {said} · order: {_PRECEDENCE}")


def diagnose(
    config: Finding, directory: Directory, credentials: Callable[[], Credentials], *, local: bool
) -> Iterator[Finding]:
    """Yield the findings, the essential ones first.

    Args:
        config: What `examine_config` returned.
        directory: The directory of the listener.
        credentials: Returns the credentials, or raises an error.
        local: Whether the embedded service is meant.
    """
    yield ok("versions", f"videodb {__version__} · Python {platform.python_version()} · {_system()} · {_context()}")
    yield config
    found: Credentials | None = None
    try:
        found = credentials()
        yield ok("key", f"from {found.token_source} ({found.token.masked()}) · service from {found.base_url_source}")
    except NotFoundError as error:
        if not local:
            yield failing("key", error)
        else:
            yield from _embedded()
    except VideodbError as error:
        yield failing("key", error)
    if found is not None:
        yield from examine_service(found)
    yield from _directory(directory)
    yield from _running(directory)
    yield from _recorder()
    yield from _devices()
    yield from _models()


def _system() -> str:
    return f"{platform.system()} {platform.machine()}"


def _context() -> str:
    if os.environ.get("SSH_CONNECTION"):
        where = "over ssh"
    elif sys.stdin is not None and sys.stdin.isatty():
        where = "in a terminal"
    elif "TERM" not in os.environ and "DISPLAY" not in os.environ:
        where = "without a terminal (cron, a service or a container)"
    else:
        where = "without a terminal"
    return where


def _embedded() -> Iterator[Finding]:
    """Yield whether the embedded service, which does not run, could be started."""
    import importlib.util

    missing = [name for name in ("starlette", "uvicorn", "av", "numpy") if importlib.util.find_spec(name) is None]
    if missing:
        hint = "pip install 'videodb-cli[local]'"
        yield Finding("failing", "service", f"the embedded service needs {', '.join(missing)}", hint, 7)
    else:
        yield ok("service", "the embedded service does not run; --local starts it")


# ---- the directory -------------------------------------------------------------------------------------------------


def _directory(directory: Directory) -> Iterator[Finding]:
    place = directory.path
    try:
        run_dir = paths.check(place)
        mode = stat.S_IMODE(place.stat().st_mode)
        if not os.access(place, os.W_OK | os.X_OK):
            raise RefusedError(f"{place} cannot be written", code="directory", hint=f"ls -ld {place}")
        status = f"{place} ({mode:04o})"
        if run_dir.log.exists():
            status += f" · {size(run_dir.log.stat().st_size)}"
    except NotFoundError:
        parent = next(p for p in place.parents if p.exists())
        if not os.access(parent, os.W_OK | os.X_OK):
            refused = RefusedError(
                f"{place} cannot be created in {parent}", hint="--dir DIR, or VIDEODB_EVENTS_DIR=DIR"
            )
            yield failing("log", refused)
            return
        place, status = parent, f"{directory.path} will be created"
    except VideodbError as error:
        yield failing("log", error)
        return
    except OSError as error:
        yield Finding("failing", "log", f"{place}: {error.strerror}", None, 6)
        return
    free = shutil.disk_usage(place).free
    text = f"{status} · {size(free)} free · from {directory.source}"
    if free < _NO_DISK:
        yield Finding("failing", "log", text, "make room, or name another directory: --dir DIR", 6)
    elif free < _LITTLE_DISK:
        yield warning("log", text, "make room, or cap the log: videodb listen --max-size 200MB")
    else:
        yield ok("log", text)


def _running(directory: Directory) -> Iterator[Finding]:
    from videodb_cli.app.capture.status import capture_status
    from videodb_cli.app.listener_status import listener_status

    run_dir = RunDir(directory.path)
    if not os.access(directory.path, os.X_OK) and os.access(directory.path, os.F_OK):
        return  # `_directory` has reported that it cannot be entered
    if not os.access(directory.path, os.F_OK):
        yield ok("listener", "none runs here")
        return
    try:
        found = listener_status(run_dir)
        if found.state == "listening":
            yield ok("listener", f"pid {found.pid} listens as {found.connection_id}")
        elif found.state == "stopped":
            yield ok("listener", "none runs here")
        else:
            yield warning(
                "listener", f"{found.state}: {found.why}", "videodb status · videodb listen --detach --replace"
            )
        capture = capture_status(run_dir)
        if capture is None:
            yield ok("capture", "none runs here")
        elif capture.state is None:
            yield ok("capture", capture.status)
        elif capture.state.has_failed:
            why = capture.state.error.message if capture.state.error is not None else "it does not say why"
            yield warning("capture", f"the last one failed: {why}", "videodb capture status")
        else:
            state = f"{capture.state.session_id} {capture.status}"
            yield ok("capture", state if capture.running else f"none runs; the last one: {state}")
    except VideodbError as error:
        yield failing("listener", error)


# ---- capture -------------------------------------------------------------------------------------------------------


def _recorder() -> Iterator[Finding]:
    from videodb_cli.capture.ffmpeg.program import INSTALL_HINT, available_ffmpegs
    from videodb_cli.capture.recorders.choose import choose_recorder, linux_availability

    found = available_ffmpegs()
    try:
        choice = choose_recorder()
        ours = linux_availability()
        if choice.name == "linux" and not ours.usable:
            yield Finding("failing", "recorder", f"linux: {ours.why}", ours.hint)
        else:
            yield ok("recorder", f"{choice.name} ({choice.why})")
    except VideodbError as error:
        yield failing("recorder", error)
    if not found:
        yield warning("ffmpeg", "not installed: no capture, no --source FILE", INSTALL_HINT)
    for ffmpeg in found[:1]:
        devices = ", ".join(sorted(ffmpeg.devices & {"x11grab", "pulse"})) or "neither x11grab nor pulse"
        text = f"version {ffmpeg.major} from {ffmpeg.origin} · {devices}"
        if ffmpeg.verifies_tls:
            yield ok("ffmpeg", text)
        else:
            yield warning("ffmpeg", f"{text} · too old to verify TLS certificates", INSTALL_HINT)


def _devices() -> Iterator[Finding]:
    from videodb_cli.app.capture.channels import list_channels

    try:
        channels = list_channels().channels
    except VideodbError as error:
        yield failing("devices", error)
        return
    for kind, name in (("display", "display"), ("mic", "microphone"), ("system_audio", "system audio")):
        found = [channel for channel in channels.of(kind) if channel.capturable]
        if found:
            names = ", ".join(f"{channel.id} ({channel.name})" for channel in found[:3])
            yield ok(name, names + (f" and {len(found) - 3} more" if len(found) > 3 else ""))
        else:
            yield warning(name, channels.why_none(kind), "a file can be played instead: --source FILE")


def _models() -> Iterator[Finding]:
    from videodb_cli.local.models import list_models

    for model in list_models():
        if model.status == "installed":
            where = model.path if isinstance(model.path, Path) else ""
            checked = f" · sha256 {model.sha256[:12]}…" if model.sha256 else ""
            yield ok(f"{model.purpose} model", f"{model.name} · {size(model.size_bytes)} on disk{checked} · {where}")
        else:
            hint = "videodb local models install" if model.purpose == "speech" else "pip install 'videodb-cli[local]'"
            yield warning(f"{model.purpose} model", f"{model.name} is {model.status}", hint)

"""`videodb doctor --report`: one text that can be attached to a bug report. It holds no secret and no event.

No part raises: it says what it could not find out, because a report is needed most where something is broken.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import re
import ssl
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from videodb_cli import settings
from videodb_cli.app.findings import Finding
from videodb_cli.console import escape_controls
from videodb_cli.diagnostics import DEBUG_NAME
from videodb_cli.diagnostics.redact import redact
from videodb_cli.errors import ConflictError, RefusedError, VideodbError
from videodb_cli.local.service_directory import ServiceDirectory
from videodb_cli.network.proxies import for_display, remember_passwords
from videodb_cli.rundir import private
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import Credentials, Directory
from videodb_cli.userpaths import home_directory
from videodb_cli.version import __version__

_ELSEWHERE: Final = "name another file, or print it: videodb doctor --report -"
_LOG_LINES: Final = 200
_LOG_BYTES: Final = 256 << 10
_LINE_CHARACTERS: Final = 2000
_VARIABLES = re.compile(r"VIDEO_?DB.*|(?:.*_)?PROXY|SSL_.*|XDG_.*|LANG|LC_.*|TERM|NO_COLOR|FORCE_COLOR", re.IGNORECASE)
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASS|CRED|AUTH|COOKIE", re.IGNORECASE)
# Extras that a user installs; the others are for developers.
_EXTRAS = re.compile(r"extra == ['\"](?!local|capture|socks)")
# These variables of ours hold no secret; an unknown one may.
_SHOWN_OF_OURS = frozenset((*settings.BASE_URL_NAMES, settings.EVENTS_DIR_NAME, settings.LOCAL_NAME, DEBUG_NAME))
# Without prompts, metadata and addresses of recordings, which are private.
_CAPTURE_FIELDS = ("status", "session_status", "session_id", "pid", "recorder", "started_at", "written_at", "error")
_LISTENER_FIELDS = (
    *("host", "connection_id", "started_at", "connected_since", "last_message_at", "last_pong_at", "last_failure"),
    *("trouble", "events", "unparsable", "recovered", "doubles", "reconnects", "gaps", "gap_s", "log_bytes"),
    *("pending_bytes", "output_dropped", "uptime_s"),
)


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """What a report is about.

    Attributes:
        directory: The directory of the listener.
        findings: What doctor found.
        credentials: Returns what is needed to speak to the service; raises what is wrong with it.
        env_file: The file of ``--env-file``.
        is_local: Whether the embedded service is meant.
    """

    directory: Directory
    findings: Sequence[Finding]
    credentials: Callable[[], Credentials]
    env_file: str | None
    is_local: bool


def default_name(now: datetime | None = None) -> str:
    """Return the name of a report that is made now, e.g. ``videodb-report-20260302T101530Z.txt``."""
    return f"videodb-report-{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}.txt"


def check_absent(path: Path) -> None:
    """Raise ConflictError if something stands at this path: a report must not destroy it."""
    if os.path.lexists(path):
        raise ConflictError(f"{path} exists already", code="exists", hint="name another file, or add --force")


def write_report(path: Path, text: str, *, overwrite: bool) -> None:
    """Write a report into a file that only its owner can read.

    Raises:
        ConflictError: The file exists, and it is not to be overwritten.
        RefusedError: It cannot be written.
    """
    content = text.encode("utf-8", "backslashreplace")
    try:
        if overwrite:
            private.write_atomic(path, content)
            return
        check_absent(path)
        fd = private.open_fd(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(content)
        except OSError:
            private.remove(path)
            raise
    except OSError as error:
        raise RefusedError(f"cannot write {path}: {error.strerror}", code="file", hint=_ELSEWHERE) from error
    except RefusedError as error:
        error.hint = _ELSEWHERE
        raise


def build_report(request: ReportRequest) -> str:
    """Return the report. Known secrets and whatever looks like one are removed from all of it at once."""
    settings.remember_secrets(request.env_file)
    remember_passwords(os.environ)
    parts: list[tuple[str, Callable[[], Iterator[str]]]] = [
        ("versions", _versions),
        ("doctor", lambda: _findings(request)),
        ("settings", lambda: _settings(request)),
        ("environment", lambda: environment(os.environ)),
        ("listener", lambda: _listener(request.directory.path)),
        ("capture", lambda: _capture(request.directory.path)),
        ("embedded service", lambda: _embedded(request)),
        ("files", lambda: _files(request.directory.path)),
    ]
    run_dir = RunDir(request.directory.path)
    logs = (run_dir.listener_log, run_dir.capture_log, ServiceDirectory(run_dir.local).log)
    parts += [(f"end of {log.name}", lambda log=log: _end_of(log)) for log in logs]  # type: ignore[misc]
    lines = [f"videodb report, made {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"]
    for title, part in parts:
        lines += ["", f"== {title} ==", *_guarded(part)]
    text = redact("\n".join(escape_controls(line) for line in lines)) + "\n"
    home = home_directory()
    return text if home is None or len(home.parts) < 2 else re.sub(rf"{re.escape(str(home))}(?![\w.-])", "~", text)


def _guarded(part: Callable[[], Iterator[str]]) -> Iterator[str]:
    try:
        yield from part()
    except VideodbError as error:
        yield f"not available: {error.message}"
    except Exception as error:  # noqa: BLE001 - what is broken is the reason for the report
        yield f"not available: {type(error).__name__}: {error}"


def _versions() -> Iterator[str]:
    yield f"videodb {__version__}"
    yield f"{platform.python_implementation()} {platform.python_version()} ({sys.executable})"
    yield f"{platform.platform()} · {' '.join(platform.libc_ver())}"
    yield ssl.OPENSSL_VERSION
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        needed = importlib.metadata.requires("videodb-cli") or ()
        for name in sorted({_package(line) for line in needed if not _EXTRAS.search(line)}):
            try:
                yield f"{name} {importlib.metadata.version(name)}"
            except importlib.metadata.PackageNotFoundError:
                yield f"{name} is not installed"


def _package(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    return found[0].lower() if found is not None else requirement


def _findings(request: ReportRequest) -> Iterator[str]:
    shown = ""
    with contextlib.suppress(VideodbError):
        # Doctor shows the first and last characters of the key to its owner; they are not for others.
        shown = request.credentials().token.masked()
    for finding in request.findings:
        text = finding.text.replace(f"({shown})", "(…)") if shown else finding.text
        yield f"{finding.level:<8} {finding.name:<13} {text}" + (f" → {finding.hint}" if finding.hint else "")


def _settings(request: ReportRequest) -> Iterator[str]:
    yield f"directory: {request.directory.path} ({request.directory.source})"
    yield f"embedded service: {'yes' if request.is_local else 'no'}"
    yield f"--env-file: {request.env_file or 'not given'}"
    for path in (Path(".env"), (home_directory() or Path("/")) / ".videodb" / ".env"):
        yield f"{path}: {'exists' if path.exists() else 'is not there'}"
    found = request.credentials()
    yield f"key: from {found.token_source}"
    yield f"service: {found.base_url} (from {found.base_url_source})"


def environment(variables: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each variable that matters to us: with its value if that is no secret."""
    for name in sorted(variables):
        if not _VARIABLES.fullmatch(name):
            continue
        value, upper = variables[name], name.upper()
        if upper == "NO_PROXY":
            # What stands before an @ may be a password in the wrong variable.
            shown = ",".join(word.rpartition("@")[2] for word in value.replace(",", " ").split())
        elif upper.endswith("PROXY"):
            shown = for_display(name, value)
        elif _SECRET_NAME.search(name) or (upper.startswith("VIDEO") and upper not in _SHOWN_OF_OURS):
            shown = ""
        else:
            shown = value
        what = f"={shown}" if shown else " is set; its value is left out"
        yield name + (what if value else " is empty")


def _listener(directory: Path) -> Iterator[str]:
    from videodb_cli.app.listener_status import listener_status

    found = listener_status(RunDir(directory) if directory.is_dir() else None)
    yield f"{found.state}: {found.why}" if found.why else found.state
    if found.pid is not None:
        yield f"pid: {found.pid}"
    yield from _members({} if found.listener is None else found.listener.to_fields(), _LISTENER_FIELDS)


def _members(fields: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    yield from (f"{name}: {fields[name]}" for name in names if fields.get(name) is not None)


def _capture(directory: Path) -> Iterator[str]:
    from videodb_cli.app.capture.status import capture_status

    found = capture_status(RunDir(directory)) if directory.is_dir() else None
    if found is None:
        yield "none ran here"
        return
    yield ("runs" if found.running else "does not run") + (f": {found.why}" if found.why else "")
    fields = {} if found.state is None else found.state.to_fields()
    yield from _members(fields, _CAPTURE_FIELDS)
    for name, members in (("channels", ("channel_id", "type")), ("pipelines", ("kind", "rtstream_id"))):
        for each in fields.get(name) or ():
            yield f"{name}: " + " ".join(str(each.get(member)) for member in members)


def _embedded(request: ReportRequest) -> Iterator[str]:
    from videodb_cli.app.local_service import visible_address

    address = visible_address(request.directory.path, own_only=False)
    yield "does not run" if address is None else f"runs at {address.url} as pid {address.pid}"


def _files(directory: Path) -> Iterator[str]:
    """Yield names and sizes of our files only: the directory may be a shared one."""
    if not directory.is_dir():
        yield f"{directory} is not there"
        return
    yield f"{directory} ({stat.S_IMODE(directory.stat().st_mode):04o})"
    for path in sorted([*directory.glob("videodb*"), *(directory / "local").glob("*.log*")]):
        found = path.lstat()
        changed = f"{datetime.fromtimestamp(found.st_mtime, UTC):%Y-%m-%dT%H:%M:%SZ}"
        yield f"{stat.filemode(found.st_mode)} {found.st_size:>12} {changed} {path.relative_to(directory)}"


def _end_of(log: Path) -> Iterator[str]:
    """Yield the last lines of a process log, those of its older copy before them."""
    lines: list[str] = []
    for path in (log.with_name(f"{log.name}.1"), log):
        with contextlib.suppress(FileNotFoundError), os.fdopen(private.open_fd(path, os.O_RDONLY), "rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - _LOG_BYTES, 0))
            lines += file.read(_LOG_BYTES).decode("utf-8", "replace").splitlines()
    if not lines:
        yield "is empty, or not there"
    # Redacted before they are cut, or half a secret would stay.
    yield from (redact(line)[:_LINE_CHARACTERS] for line in lines[-_LOG_LINES:])

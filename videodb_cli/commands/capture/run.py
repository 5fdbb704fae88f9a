"""The process that keeps a capture alive: in the background, or `capture start --foreground`."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from videodb_cli import console
from videodb_cli.errors import RefusedError, UsageError
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import BASE_URL_NAMES, CLIENT_TOKEN_NAME, KEY_NAMES, Credentials, Secret, checked_base_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from videodb_cli.capture.request import CaptureRequest, OpenedSession
    from videodb_cli.process.background import ReadyPipe
    from videodb_cli.rundir.capture_state import CaptureState

_EXIT_FORCED = 130
# What the machine does to files, and no bug of ours.
_OF_THE_DISK = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO, errno.EACCES, errno.EPERM))


def run_in_background(run_dir: RunDir, fields: dict[str, Any], ready: ReadyPipe) -> None:
    """Runs a capture that `capture start` has prepared."""
    from videodb_cli.capture.request import CaptureRequest, OpenedSession

    began = False

    def on_active(state: CaptureState) -> None:
        nonlocal began
        began = True
        ready.say({"capture": state.to_fields()})

    request = CaptureRequest.from_wire(fields["request"])
    opened = OpenedSession.from_wire(fields["session"], *_credentials_from_environment())
    _run(run_dir, request, opened, _log, on_active)
    if not began:
        raise RefusedError("the capture was stopped before it began", code="stopped")


def run_here(run_dir: RunDir, request: CaptureRequest, opened: OpenedSession, *, as_json: bool) -> None:
    """Run a capture in this process until it is told to stop, and say what came of it."""
    from videodb_cli.app.stop_listener import stop_own_listener
    from videodb_cli.capture.running import outcome_told
    from videodb_cli.commands.capture.stop import show_outcome
    from videodb_cli.rundir import capture_state
    from videodb_cli.rundir.capture_state import CaptureState

    def on_active(state: CaptureState) -> None:
        if not as_json:
            console.data(f"{state.session_id} active · stop with Ctrl-C")
            console.flush()

    try:
        _run(run_dir, request, opened, lambda line: console.talk(f"{time.strftime('%H:%M:%S')} {line}"), on_active)
    except BaseException:
        # Nobody runs `capture stop` after a command that has ended; the listener writes a failure down as it ends.
        if opened.listener_started:
            stop_own_listener(run_dir, opened.listener_pid)
        raise
    # On a full disk there may be none.
    found = capture_state.read(run_dir) or CaptureState(opened.session_id)
    show_outcome(outcome_told(run_dir, found), as_json=as_json)


def _credentials_from_environment() -> tuple[Credentials, Credentials | None]:
    """Return the session's client token, and the key if there is one."""
    base_url = checked_base_url(os.environ.get(BASE_URL_NAMES[0], ""), BASE_URL_NAMES[0])
    token, key = os.environ.get(CLIENT_TOKEN_NAME, ""), os.environ.get(KEY_NAMES[0], "")
    if not token:
        raise UsageError(f"{CLIENT_TOKEN_NAME} is not set")
    by_key = Credentials(Secret(key), base_url, KEY_NAMES[0], BASE_URL_NAMES[0]) if key else None
    return Credentials(Secret(token), base_url, CLIENT_TOKEN_NAME, BASE_URL_NAMES[0]), by_key


def _log(line: str) -> None:
    text = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {console.escape_controls(line)}\n"
    # Not through sys.stderr: what a full disk refuses must neither end the capture nor wait in a buffer.
    with contextlib.suppress(OSError):
        os.write(2, text.encode("utf-8", "replace"))


def _run(
    run_dir: RunDir,
    request: CaptureRequest,
    opened: OpenedSession,
    say: Callable[[str], None],
    on_active: Callable[[CaptureState], None],
) -> None:
    import asyncio

    from videodb_cli.app.capture.process import run_capture

    def force() -> None:
        os._exit(_EXIT_FORCED)

    if hasattr(signal, "SIGTTOU"):
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        asyncio.run(run_capture(run_dir, request, opened, say, on_active, force))
    except OSError as error:
        if error.filename is None or error.errno not in _OF_THE_DISK:
            raise
        raise RefusedError(f"{error.filename}: {error.strerror}", code="file") from error

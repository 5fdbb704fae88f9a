"""What the process of a capture does around it: lock, pid file, recorder, signals, its own log."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from functools import partial

from videodb_cli.api.control_plane import ControlPlane
from videodb_cli.app.capture.control import read_request
from videodb_cli.app.capture.run import CaptureRun
from videodb_cli.capture.ffmpeg.certificates import Certificates
from videodb_cli.capture.recorders.base import Recorder
from videodb_cli.capture.request import CaptureRequest, OpenedSession
from videodb_cli.errors import ConflictError, MissingDependencyError, RefusedError, VideodbError
from videodb_cli.process.signals import stop_on_signals
from videodb_cli.process.start_token import current_start_token
from videodb_cli.rundir import private, process_log
from videodb_cli.rundir.capture_state import CaptureState
from videodb_cli.rundir.lock import DirectoryLock, LockHeldError
from videodb_cli.rundir.paths import RunDir

_TIDY_S = 60.0


def recorder_for(
    run_dir: RunDir, request: CaptureRequest, opened: OpenedSession, say: Callable[[str], None], token: ControlPlane
) -> Recorder:
    """Return the recorder that a request names.

    Args:
        run_dir: Where it keeps the certificates of the service.
        request: What it is to record.
        opened: The session.
        say: Gets what it has to say.
        token: The service as seen with the session's client token.

    Raises:
        MissingDependencyError: The official recorder is not there any more.
    """
    if request.recorder == "official":
        from videodb_cli.capture.recorders.official import OfficialRecorder, availability, binary_path

        binary = binary_path()
        if binary is None:
            found = availability()
            raise MissingDependencyError(found.why, code="no_recorder", hint=found.hint)
        return OfficialRecorder(binary, opened.token.base_url, say)
    from videodb_cli.capture.recorders.streaming import StreamingRecorder

    return StreamingRecorder(token, Certificates(run_dir.path), say)


async def run_capture(
    run_dir: RunDir,
    request: CaptureRequest,
    opened: OpenedSession,
    say: Callable[[str], None],
    on_active: Callable[[CaptureState], None],
    force: Callable[[], None],
) -> None:
    """Run one capture in this process until it is over.

    The first signal ends it gracefully, the second skips the wait for the export, the third calls ``force``.

    Raises ConflictError if one runs in the directory, and as `CaptureRun.run` does.
    """
    capture_lock = DirectoryLock(run_dir.capture_lock)
    try:
        capture_lock.acquire(current_start_token())
    except LockHeldError:
        raise ConflictError(
            f"a capture already runs in {run_dir.path}", code="already_running", hint="videodb capture stop"
        ) from None
    try:
        try:
            await asyncio.to_thread(private.write_atomic, run_dir.capture_pid, b"%d\n" % os.getpid())
        except OSError as error:
            raise RefusedError(f"cannot write {run_dir.capture_pid}: {error.strerror}", code="file") from error
        make_recorder = partial(recorder_for, run_dir, request, opened, say)
        capture = CaptureRun(run_dir, request, opened, make_recorder, say)
        seen = 0

        def again() -> None:
            nonlocal seen
            seen += 1
            (capture.hurry if seen == 1 else force)()

        tidy = asyncio.create_task(_keep_log_small(run_dir))
        with stop_on_signals(capture.stop, again), _controls(run_dir, capture, say):
            try:
                await capture.run(on_active)
            finally:
                tidy.cancel()
    finally:
        capture_lock.release()


@contextlib.contextmanager
def _controls(run_dir: RunDir, capture: CaptureRun, say: Callable[[str], None]) -> Iterator[None]:
    """Within the block, SIGUSR1 means that a request waits in the control file."""
    loop = asyncio.get_running_loop()
    running: set[asyncio.Task[None]] = set()

    async def take() -> None:
        try:
            request = await asyncio.to_thread(read_request, run_dir)
        except (VideodbError, OSError) as error:
            say(f"cannot read a request: {error}")
            return
        if request is not None:
            await capture.control(request)

    def on_signal() -> None:
        task = asyncio.create_task(take())
        running.add(task)
        task.add_done_callback(running.discard)

    number = getattr(signal, "SIGUSR1", None)
    if number is None:
        yield
        return
    loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        loop.remove_signal_handler(number)


async def _keep_log_small(run_dir: RunDir) -> None:
    # Only a detached process has its output in the log; for another one the rotation would move its terminal there.
    if os.environ.get("VIDEODB_CAPTURE_DETACHED") != "1":
        return
    while True:
        await asyncio.sleep(_TIDY_S)
        await asyncio.to_thread(process_log.keep_small, run_dir.capture_log)

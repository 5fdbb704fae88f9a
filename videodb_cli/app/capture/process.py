"""What the process of a capture does around it: lock, pid file, recorder, signals, its own log."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any

from videodb_cli.api.control_plane import ControlPlane
from videodb_cli.app.capture.control import read_request
from videodb_cli.app.capture.run import Access, CaptureRun
from videodb_cli.capture.ffmpeg.certificates import Certificates
from videodb_cli.capture.ffmpeg.publisher import RestartPolicy
from videodb_cli.capture.recorders.base import Recorder
from videodb_cli.capture.request import CaptureRequest
from videodb_cli.errors import ConflictError, MissingDependencyError, RefusedError, VideodbError
from videodb_cli.process.signals import stop_on_signals
from videodb_cli.process.start_token import current_start_token
from videodb_cli.rundir import private, process_log
from videodb_cli.rundir.capture_state import CaptureState
from videodb_cli.rundir.lock import DirectoryLock, LockHeldError
from videodb_cli.rundir.paths import RunDir

_TIDY_S = 60.0


def recorder_for(
    run_dir: RunDir, request: CaptureRequest, access: Access, say: Callable[[str], None]
) -> Callable[[ControlPlane], Recorder]:
    """Return what makes the recorder of a request, given the service as seen with the client token."""

    def make(token: ControlPlane) -> Recorder:
        certificates = Certificates(run_dir.path)
        policy = RestartPolicy(give_up_s=request.give_up_s)
        if request.recorder == "file" and request.playback is not None:
            from videodb_cli.capture.recorders.file import FileRecorder

            return FileRecorder(token, certificates, say, request.playback, quality=request.quality, policy=policy)
        if request.recorder == "official":
            from videodb_cli.capture.recorders.official import OfficialRecorder, availability, binary_path

            binary = binary_path()
            if binary is None:
                found = availability()
                raise MissingDependencyError(found.why, code="no_recorder", hint=found.hint)
            return OfficialRecorder(binary, access.token.base_url, say)
        from videodb_cli.capture.recorders.linux import LinuxRecorder

        return LinuxRecorder(token, certificates, say, quality=request.quality, policy=policy)

    return make


async def hold(
    run_dir: RunDir,
    request: CaptureRequest,
    access: Access,
    say: Callable[[str], None],
    on_active: Callable[[CaptureState], None],
    force: Callable[[], None],
) -> None:
    """Run one capture in this process until it is over. The first signal ends it gracefully, the second skips the wait
    for the export, the third calls ``force``.

    Raises ConflictError if one runs in the directory, and as `CaptureRun.run` does.
    """
    keeper = DirectoryLock(run_dir.capture_lock)
    try:
        keeper.acquire(current_start_token())
    except LockHeldError:
        raise ConflictError(
            f"a capture already runs in {run_dir.path}", code="already_running", hint="videodb capture stop"
        ) from None
    try:
        try:
            await asyncio.to_thread(private.write_atomic, run_dir.capture_pid, b"%d\n" % os.getpid())
        except OSError as error:
            raise RefusedError(f"cannot write {run_dir.capture_pid}: {error.strerror}", code="file") from error
        capture = CaptureRun(run_dir, request, access, recorder_for(run_dir, request, access, say), say)
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
        keeper.release()


@contextlib.contextmanager
def _controls(run_dir: RunDir, capture: CaptureRun, say: Callable[[str], None]) -> Any:
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

"""Runs one listener in this process: credentials, lock, log, socket, and its state files."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from videodb_cli import settings
from videodb_cli.api.control_plane import ControlPlane
from videodb_cli.api.streams import StreamCalls
from videodb_cli.app.listen_options import ListenOptions
from videodb_cli.app.listener_status import already_running
from videodb_cli.errors import VideodbError
from videodb_cli.eventlog.write.store import LogStore
from videodb_cli.listener.assembly import ListenerInputs, assemble
from videodb_cli.listener.capture_watch import CaptureWatch
from videodb_cli.listener.trouble import TroubleInbox
from videodb_cli.listener.updates import ListenerUpdate, Statement
from videodb_cli.model.event import Event
from videodb_cli.process.gc_tuning import tune_for_long_running
from videodb_cli.process.signals import ignore_terminal_output_stop, stop_on_signals
from videodb_cli.process.start_token import current_start_token
from videodb_cli.rundir import process_log
from videodb_cli.rundir.lock import DirectoryLock, LockHeldError
from videodb_cli.rundir.paths import RunDir

if TYPE_CHECKING:
    from videodb_cli.app.local_return import LocalReturn

_LAST_WRITES_S = 0.5


@dataclass(frozen=True, slots=True)
class ListenRequest:
    """What one run of `videodb listen` is asked to do.

    Attributes:
        run_dir: Where the log is written.
        credentials: Which service, and the key.
        options: How it behaves.
        detached: Its stderr is the process log of the directory, which must stay small.
        find_again: Finds a service that came back at another address with another key: the embedded one.
    """

    run_dir: RunDir
    credentials: settings.Credentials
    options: ListenOptions = field(default_factory=ListenOptions)
    detached: bool = False
    find_again: Callable[[], settings.Credentials] | None = None


@dataclass(frozen=True, slots=True)
class Audience:
    """The callbacks of a listener. ``forced`` is called at the second stop signal and does not return."""

    on_update: Callable[[ListenerUpdate], None]
    on_line: Callable[[bytes, Event | None], None] | None
    output_dropped: Callable[[], int]
    forced: Callable[[], None]


class _ImpatientExecutor(ThreadPoolExecutor):
    """A thread pool that does not wait for its threads at the end.

    A name lookup cannot be cancelled, and a name server that does not answer must not keep a listener from stopping.
    Work on files is awaited before.
    """

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End idle threads and leave the others to the end of the process."""
        del wait, cancel_futures
        super().shutdown(wait=False, cancel_futures=True)


async def listen(request: ListenRequest, audience: Audience, *, stopping: asyncio.Event | None = None) -> Statement:
    """Listens until a signal arrives. With ``stopping``, for use within another program, until that event is set.

    Raises ConflictError if a listener runs here, and as `Listener.run` does.
    """
    redaction = request.options.redaction()
    directory_lock = DirectoryLock(request.run_dir.lock)
    try:
        directory_lock.acquire(current_start_token())
    except LockHeldError:
        raise already_running(request.run_dir) from None
    try:
        loop = asyncio.get_running_loop()
        if stopping is None:
            loop.set_default_executor(_ImpatientExecutor(thread_name_prefix="asyncio"))
        async with ControlPlane(request.credentials) as service:
            local = _local_return(request)
            troubles = TroubleInbox()
            store = LogStore(request.run_dir.log, keeping=request.options.keeping(), on_trouble=troubles.put)
            listener = assemble(
                ListenerInputs(
                    run_dir=request.run_dir,
                    store=store,
                    troubles=troubles,
                    host=request.credentials.host,
                    fresh_url=lambda: _fresh_url(request, service, local),
                    policy=request.options.policy(),
                    on_update=audience.on_update,
                    on_line=audience.on_line,
                    output_dropped=audience.output_dropped,
                    calls=StreamCalls(service) if redaction is None else redaction.calls(service),
                    redaction=redaction,
                    recovery=request.options.recovery(),
                    collection=request.options.collection,
                    came_back=None if local is None else local.wait,
                )
            )
            if stopping is None:
                ignore_terminal_output_stop()
                tune_for_long_running()
            tidy = asyncio.create_task(_keep_own_log_small(request)) if request.detached else None
            capture = CaptureWatch(
                request.run_dir.capture_info, listener.journal.capture_failed, listener.journal.capture_stalled
            )
            watching = asyncio.create_task(capture.run(), name="capture watch")

            def stop() -> None:
                capture.last_look()
                listener.stop()

            ending = (
                stop_on_signals(stop, lambda: force_end(store, audience.forced))
                if stopping is None
                else _stop_when(stopping, stop)
            )
            with ending:
                try:
                    return await listener.run()
                finally:
                    watching.cancel()
                    if tidy is not None:
                        tidy.cancel()
    finally:
        directory_lock.release()


@contextlib.contextmanager
def _stop_when(stopping: asyncio.Event, stop: Callable[[], None]) -> Iterator[None]:
    """Calls ``stop`` once the event is set while the block runs."""

    async def wait() -> None:
        await stopping.wait()
        stop()

    waiting = asyncio.create_task(wait(), name="stop")
    try:
        yield
    finally:
        waiting.cancel()


def force_end(store: LogStore, forced: Callable[[], None]) -> None:
    """Ends the process at once, after what was received was written, unless the disk hangs.

    Two signals may be one request: a process with little CPU time sees them far apart.
    """
    store.flush(_LAST_WRITES_S)
    forced()


def _local_return(request: ListenRequest) -> LocalReturn | None:
    """Returns what notices the return of the embedded service; None for another service."""
    if request.find_again is None:
        return None
    from videodb_cli.app.local_return import LocalReturn

    return LocalReturn(request.run_dir.path)


async def _fresh_url(request: ListenRequest, service: ControlPlane, local: LocalReturn | None) -> str:
    if local is not None:
        await local.begin_attempt()
    try:
        return await service.websocket_url(request.options.collection)
    except VideodbError:
        if request.find_again is None:
            raise
    await service.use(await asyncio.to_thread(request.find_again))
    return await service.websocket_url(request.options.collection)


async def _keep_own_log_small(request: ListenRequest) -> None:
    while True:
        await asyncio.sleep(60)
        await asyncio.to_thread(process_log.keep_small, request.run_dir.listener_log)

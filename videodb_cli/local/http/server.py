"""Runs the service on uvicorn: bind, serve, end. In this process (`serve`), or in a thread for tests (`running`)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn

from videodb_cli.errors import ConflictError, RefusedError
from videodb_cli.local.http.app import build_app
from videodb_cli.local.http.security import MAX_BODY_BYTES
from videodb_cli.local.media.streams import SourceFactory, live_source
from videodb_cli.local.rtsp.server import RtspServer
from videodb_cli.local.service import Options, Service
from videodb_cli.settings import is_loopback

log = logging.getLogger(__name__)

GRACE_S = 3
START_TIMEOUT_S = 20.0


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: whoever runs the process decides about signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._leave = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        """Wake up once a second, and at once when it is to leave; uvicorn's own wakes up ten times a second."""
        counter = 0
        while not await self.on_tick(counter):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leave.wait(), 1.0)
            counter = (counter + 10) % 864000

    def leave(self) -> None:
        """End gracefully."""
        self.should_exit = True
        self._leave.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `ConflictError` if the port is taken, `RefusedError` for any other reason."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise RefusedError(f"cannot listen on {host}: {error}", code="bind") from error
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(512)
    except OSError as error:
        listener.close()
        import errno

        if error.errno == errno.EADDRINUSE:
            raise ConflictError(
                f"port {port} is in use", code="port_in_use", hint="choose another one, or none for a free one"
            ) from error
        raise RefusedError(f"cannot listen on {host} port {port}: {error.strerror}", code="bind") from error
    return listener


def url_of(listener: socket.socket) -> str:
    """The address under which this machine reaches the listener."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(
    options: Options,
    listener: socket.socket,
    *,
    make_source: SourceFactory = live_source,
    on_ready: Callable[[Service], None] = lambda _service: None,
    on_watch: Callable[[], None] = lambda: None,
) -> None:
    """Serve on ``listener`` until the service is asked to stop; then close sockets, streams and media.

    ``on_ready`` is called on the loop once requests are answered, ``on_watch`` every few seconds. The listener is
    closed at the end.
    """
    host = listener.getsockname()[0]
    service = Service(replace(options, loopback=is_loopback(host)), make_source=make_source, on_watch=on_watch)
    service.base_url = url_of(listener)
    await asyncio.to_thread(service.open)
    service.intake.rtsp = await asyncio.to_thread(_rtsp_server, host, options)
    server = _Server(
        uvicorn.Config(
            build_app(service),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=MAX_BODY_BYTES,
            ws_per_message_deflate=False,  # costs a third of the throughput, and the service does not offer it
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    service.intake.rtsp.start()
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    watching = asyncio.create_task(service.watch())
    try:
        await _first(serving, asyncio.create_task(server.ready.wait()))
        if serving.done():
            serving.result()
            raise RefusedError("the embedded service did not start", code="local_start")
        on_ready(service)
        await _first(serving, watching, asyncio.create_task(service.stop_requested.wait()))
        if watching.done():
            watching.result()  # a bug in the watcher ends the service with its traceback
    finally:
        server.leave()
        watching.cancel()
        await asyncio.gather(serving, watching, return_exceptions=True)
        await service.close()
        listener.close()


def _reachable_addresses(host: str) -> list[str]:
    """The addresses under which others reach a listener on ``host``: itself, or for all interfaces the outward ones."""
    if host not in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return [host.partition("%")[0]]
    found = []
    for family, somewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((somewhere, 9))  # sends nothing: it only asks which interface would
            found.append(str(probe.getsockname()[0]).partition("%")[0])
    return found


def _rtsp_server(host: str, options: Options) -> RtspServer:
    from videodb_cli.local.rtsp.certificate import certificate_hash, server_context

    if not options.rtsps:
        return RtspServer(bind(host, 0))
    tls = server_context(options.directory, () if is_loopback(host) else _reachable_addresses(host))
    return RtspServer(bind(host, 0), tls=tls, certificate_hash=certificate_hash(options.directory))


async def _first(*tasks: asyncio.Task[Any]) -> None:
    """Wait for one of the tasks; the last is ours alone and is cancelled if it was not the one."""
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        tasks[-1].cancel()


@dataclass(frozen=True, slots=True)
class Running:
    """A service that runs in a thread of this process."""

    url: str
    key: str
    service: Service
    loop: asyncio.AbstractEventLoop

    def call(self, work: Callable[[Service], Coroutine[Any, Any, Any]]) -> Any:
        """Run ``work`` on the service's loop and return its result."""
        return asyncio.run_coroutine_threadsafe(work(self.service), self.loop).result(30)


@contextlib.contextmanager
def running(
    directory: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    make_source: SourceFactory = live_source,
    **options: Any,
) -> Iterator[Running]:
    """Run a service in a thread, for tests and experiments; further arguments are fields of `Options`."""
    listener = bind(host, port)
    ready = threading.Event()
    found: list[Running] = []
    failures: list[BaseException] = []

    def on_ready(service: Service) -> None:
        found.append(Running(service.base_url, service.options.key, service, asyncio.get_running_loop()))
        ready.set()

    def work() -> None:
        try:
            asyncio.run(serve(Options(directory, **options), listener, make_source=make_source, on_ready=on_ready))
        except BaseException as error:  # noqa: BLE001 - handed to the caller below
            failures.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=work, name="embedded service")
    thread.start()
    ready.wait(START_TIMEOUT_S)
    try:
        if failures or not found:
            raise RuntimeError("the embedded service did not start") from (failures[0] if failures else None)
        yield found[0]
    finally:
        if found:
            with contextlib.suppress(RuntimeError):  # its loop has ended: it stopped by itself
                found[0].loop.call_soon_threadsafe(found[0].service.request_stop)
        thread.join(START_TIMEOUT_S)
    if failures:
        raise failures[0]

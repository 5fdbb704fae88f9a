"""``/_local/``: what is asked of a stand-in and not of the service. The API key only, never a client token."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any, Self

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from videodb_cli.local import events
from videodb_cli.local.faults.plan import read_plan
from videodb_cli.local.http import fields, service_of
from videodb_cli.local.http.answers import invalid, success
from videodb_cli.local.http.security import read_object
from videodb_cli.local.pacing import Replay, choose_targets, iter_lines, send_paced
from videodb_cli.version import __version__

MAX_COUNT = 100_000_000
MAX_RATE = 1_000_000.0
MAX_TRIGGER_BYTES = 80 * 1024 * 1024  # room for a text that is too large for a listener


async def get_status(request: Request) -> Response:
    """What runs here now. With ``hold``, an idle service begins its wait anew: its caller is about to use it."""
    service = service_of(request)
    if request.query_params.get("hold"):
        service.touch()
    streams = service.state.streams.values()
    return success(
        {
            "url": service.base_url,
            "pid": os.getpid(),
            "version": __version__,
            "started_at": service.started_at,
            "started_by": service.options.started_by,
            "idle_exit_s": service.idle_exit_s,
            "sockets": len(service.hub.connections),
            "connections": [
                {"connection_id": connection.id, "sent": connection.sent}
                for connection in service.hub.connections.values()
            ],
            "streams": service.streams.running,
            "rtstreams": [{"id": stream.id, "name": stream.name, "status": stream.status} for stream in streams],
            "sessions": len(service.state.sessions),
            "rtsp_port": service.intake.rtsp.port if service.intake.rtsp is not None else None,
            "media_bytes": await asyncio.to_thread(service.media.usage),
            "media_dir": str(service.media.run),
            "dialect": service.dialect.name,
            "describe": service.describer.as_json() if service.describer is not None else None,
        }
    )


async def trigger(request: Request) -> Response:
    """Send events that are made up; answers when the last one is queued."""
    service = service_of(request)
    body = await read_object(request, MAX_TRIGGER_BYTES)
    kind = fields.choice(body, "kind", events.TRIGGER_KINDS)
    text = body.get("text")
    if text is not None and not isinstance(text, str):
        raise invalid("text must be a string")
    count = fields.integer(body, "count", 1, high=MAX_COUNT)
    rate = _positive(body, "rate")
    targets = choose_targets(service.hub, fields.optional_text(body, "to"))
    made = events.Trigger(kind, text, count, service.base_url)
    clock = service.state.clock
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with _Departure(request) as departure:
        sent = await send_paced(
            targets,
            lambda number: events.encode(service.dialect.event(made.event(number, clock()))),
            count=count,
            rate=rate,
            cancelled=departure.happened,
        )
    return success({"sent": sent, "connections": [target.id for target in targets], "seconds": loop.time() - started})


async def replay(request: Request) -> Response:
    """Send the log in the body, a line at a time as it comes in; it may be of any size."""
    service = service_of(request)
    query = request.query_params
    speed = fields.query_number(query, "speed")
    if speed is not None and speed < 0:
        raise invalid("speed must not be negative")
    targets = choose_targets(service.hub, query.get("to") or None)
    loop = asyncio.get_running_loop()
    started = loop.time()
    run = Replay(targets, speed=1.0 if speed is None else speed, clock=loop.time)
    async with _Body(request) as body:
        await run.run(iter_lines(body.chunks()), cancelled=body.is_abandoned)
    return success(
        {
            "sent": run.sent,
            "skipped": run.skipped,
            "connections": [target.id for target in targets],
            "seconds": loop.time() - started,
        }
    )


async def set_credits(request: Request) -> Response:
    """Let the account run out of credits (402 for what costs some), or have them again: ``{exhausted: bool}``."""
    service = service_of(request)
    service.out_of_credits = fields.flag(await read_object(request), "exhausted", default=True)
    return success({"exhausted": service.out_of_credits})


async def stop(request: Request) -> Response:
    """End the service, once this answer is out."""
    service = service_of(request)
    keep = fields.flag(await read_object(request), "keep", default=False)
    service.request_stop(keep_media=keep)
    kept = str(service.media.run) if keep and service.media.ids() else None
    return success({"kept": kept}, message="The embedded service is stopping")


async def stay(request: Request) -> Response:
    """No longer end when idle: somebody has started the service for good."""
    service_of(request).stay()
    return success(message="The embedded service stays until it is stopped")


async def get_faults(request: Request) -> Response:
    """The faults that are still to come, and what has struck."""
    return success(service_of(request).faults.as_json())


async def set_faults(request: Request) -> Response:
    """Another plan in place of the one before: ``{"faults": [{"kind", …}]}``; an empty list ends all misbehaviour."""
    faults = service_of(request).faults
    faults.set(read_plan(await read_object(request)))
    return success(faults.as_json())


class _Departure:
    """Notices that the client of a long request has gone, so that nothing is sent on behalf of nobody."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._task: asyncio.Task[None] | None = None

    def happened(self) -> bool:
        return self._task is not None and self._task.done()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._wait())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None  # noqa: S101 - made by __aenter__
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _wait(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass


class _Body(_Departure):
    """A request body that is read a little ahead, so that a client that goes away is noticed during a long wait."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=16)
        self._abandoned = False

    def is_abandoned(self) -> bool:
        return self._abandoned

    async def chunks(self) -> AsyncIterator[bytes]:
        while (chunk := await self._chunks.get()) is not None:
            yield chunk

    async def _wait(self) -> None:
        message: Any = {"more_body": True}
        while message.get("more_body"):
            message = await self._request.receive()
            if message["type"] == "http.disconnect":
                break
            await self._chunks.put(message.get("body", b""))
        else:
            await self._chunks.put(None)
            await super()._wait()
        self._abandoned = True
        while not self._chunks.empty():
            self._chunks.get_nowait()
        self._chunks.put_nowait(None)


def _positive(body: dict[str, Any], name: str) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_RATE:
        raise invalid(f"{name} must be a number above 0 and up to {MAX_RATE:g}")
    return float(value)


routes = [
    Route("/_local/status", get_status, methods=["GET"]),
    Route("/_local/trigger", trigger, methods=["POST"]),
    Route("/_local/replay", replay, methods=["POST"]),
    Route("/_local/stay", stay, methods=["POST"]),
    Route("/_local/credits", set_credits, methods=["POST"]),
    Route("/_local/faults", get_faults, methods=["GET"]),
    Route("/_local/faults", set_faults, methods=["POST"]),
    Route("/_local/stop", stop, methods=["POST"]),
]

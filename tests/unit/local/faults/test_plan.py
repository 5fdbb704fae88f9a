"""A plan of faults: what is in it, when each strikes, and what it makes of a frame or a call."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from videodb_cli.errors import NotFoundError, UsageError
from videodb_cli.local.faults.frames import FaultyFrames
from videodb_cli.local.faults.plan import (
    KINDS,
    MAX_SECONDS,
    Fault,
    Faults,
    FaultyCalls,
    read_plan,
    read_plan_file,
)
from videodb_cli.local.http.answers import ServiceError


class Socket:
    """In the place of a connection and of its wire."""

    id = "ws-1"

    def __init__(self) -> None:
        self.sent: list[object] = []
        self.has_sent = asyncio.Event()
        self.closed: tuple[int, str] | None = None
        self.is_cut = self.is_frozen = False

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def send(self, frame: object) -> None:
        self.sent.append(frame)
        self.has_sent.set()

    def cut(self) -> None:
        self.is_cut = True

    def freeze(self) -> None:
        self.is_frozen = True


def plan_of(*faults: Fault) -> Faults:
    plan = Faults()
    plan.set(list(faults))
    return plan


async def through(fault: Fault, *frames: str) -> tuple[list[object], Socket]:
    """What goes out for these frames, the id first, when this fault is planned."""
    socket: Any = Socket()
    faulty = FaultyFrames(plan_of(fault), socket, socket)
    out: list[object] = []
    for frame in ("id", *frames):
        out += await faulty.pass_on(frame)
    return out, socket


# ---- plans -------------------------------------------------------------------------------------------------------


def test_a_plan_says_what_it_says() -> None:
    (fault,) = read_plan({"faults": [{"kind": "status", "times": 2, "path": "/rtstream", "retry_after": 3}]})
    assert (fault.kind, fault.times, fault.path, fault.retry_after) == ("status", 2, "/rtstream", 3)
    assert read_plan({"faults": [fault.as_json()]}) == [fault]
    assert [one.kind for one in read_plan({"faults": [{"kind": kind} for kind in KINDS]})] == list(KINDS)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({}, "list of objects"),
        ({"faults": [1]}, "list of objects"),
        ({"faults": [{"kind": "earthquake"}]}, "kind"),
        ({"faults": [{"kind": "close", "colour": "red"}]}, "colour"),
        ({"faults": [{"kind": "slow", "seconds": -1}]}, "seconds"),
        ({"faults": [{"kind": "slow", "seconds": MAX_SECONDS + 1}]}, "seconds"),
        ({"faults": [{"kind": "slow", "retry_after": True}]}, "retry_after"),
        ({"faults": [{"kind": "close", "code": 7}]}, "code"),
        ({"faults": [{"kind": "close", "times": -1}]}, "times"),
    ],
)
def test_a_wrong_plan_is_named(content: dict[str, Any], named: str) -> None:
    with pytest.raises(ServiceError, match=named):
        read_plan(content)


def test_a_plan_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    with pytest.raises(NotFoundError, match="no such file"):
        read_plan_file(path)
    for content in ("{", "[]", '{"faults":[{"kind":"x"}]}'):
        path.write_text(content)
        with pytest.raises(UsageError, match="not a plan of faults"):
            read_plan_file(path)
    path.write_text('{"faults":[{"kind":"clock_skew","seconds":-90}]}')
    assert plan_of(*read_plan_file(path)).skew_s == -90


def test_each_strikes_as_often_and_as_late_as_it_says() -> None:
    plan = plan_of(Fault("close", times=2, after=1), Fault("pause", times=0), Fault("slow", path="/x"))
    assert plan.take(("close",), after=0) is None
    assert [plan.take(("close",), after=1) is not None for _ in range(3)] == [True, True, False]
    assert all(plan.take(("pause",)) for _ in range(5)), "0 means always"
    assert plan.take(("slow",), path="/y") is None
    assert plan.take(("slow",), path="/x/1") is not None
    assert plan.as_json()["struck"] == {"close": 2, "pause": 5, "slow": 1}
    assert [fault["kind"] for fault in plan.as_json()["faults"]] == ["pause"]  # type: ignore[attr-defined]
    assert plan.skew_s == 0


# ---- frames ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "out"),
    [
        (Fault("pause", seconds=0), ["id", "a", "b", "c"]),
        (Fault("duplicate", after=1), ["id", "a", "b", "b", "c"]),
        (Fault("out_of_order"), ["id", "b", "a", "c"]),
        (Fault("out_of_order", times=2), ["id", "a", "c", "b"]),
        (Fault("binary"), ["id", b"a", "b", "c"]),
        (Fault("event_first"), ['{"channel":"early","data":{"text":"before the id"}}', "id", "a", "b", "c"]),
        (Fault("no_first_frame"), ["a", "b", "c"]),
        (Fault("id_change", after=2), ["id", "a", "b", "c", '{"connection_id":"ws-1-4"}']),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
async def test_what_becomes_of_frames(fault: Fault, out: list[object]) -> None:
    assert (await through(fault, "a", "b", "c"))[0] == out


async def test_garbage_and_large_frames_come_beside_the_real_one() -> None:
    garbage, _ = await through(Fault("garbage"), "a", "b")
    assert garbage[:2] == ["id", "a"]
    assert garbage[-1] == "b"
    assert len(garbage) == 7
    large, _ = await through(Fault("oversize", size=5000), "a")
    assert len(json.loads(str(large[-1]))["data"]["text"]) == 5000


@pytest.mark.parametrize("kind", ["close", "cut", "half_open"])
async def test_sockets_end(kind: str) -> None:
    out, socket = await through(Fault(kind, seconds=0, code=1011), "a")
    assert out == ["id"]
    assert socket.closed == ((1011, "a planned fault") if kind == "close" else None)
    assert socket.is_cut is (kind != "close")
    assert socket.is_frozen is (kind == "half_open")


async def test_a_late_frame_goes_out_by_itself() -> None:
    socket: Any = Socket()
    plan = plan_of(Fault("late", seconds=0.01))
    faulty = FaultyFrames(plan, socket, socket)
    assert await faulty.pass_on("id") == ["id"]
    assert await faulty.pass_on("a") == []
    assert plan.delayed == 1
    async with asyncio.timeout(10):
        await socket.has_sent.wait()
    assert (socket.sent, plan.delayed) == (["a"], 0)


async def test_what_goes_out_is_told() -> None:
    told: list[tuple[str, object]] = []
    socket: Any = Socket()
    plan = plan_of()
    plan.on_frame = lambda connection, frame: told.append((connection, frame))
    FaultyFrames(plan, None, socket).sent("a")
    assert told == [("ws-1", "a")]


# ---- calls -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        (Fault("slow", seconds=0), 200, "fine"),
        (Fault("stall", seconds=0), 504, "<html>sorry</html>"),
        (Fault("token_expiry"), 401, '"success":false'),
        (Fault("garbage_body"), 200, '{"success": tru'),
        (Fault("status", status=429, retry_after=2.5), 429, "<html>sorry</html>"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
async def test_calls(fault: Fault, status: int, body: str) -> None:
    async def fine(_: object) -> PlainTextResponse:
        return PlainTextResponse("fine")

    app = FaultyCalls(Starlette(routes=[Route("/{path:path}", fine)]), plan_of(fault))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        assert (await client.get("/_local/status")).text == "fine", "control is never struck"
        answer = await client.get("/collection")
        assert (answer.status_code, body in answer.text) == (status, True)
        assert answer.headers.get("retry-after") == (f"{fault.retry_after:g}" if fault.retry_after else None)
        assert (await client.get("/collection")).text == "fine", "once is once"

"""Order, bound, fall-back: against an endpoint whose answers the test gives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from videodb_cli.local.describe import ask_queue
from videodb_cli.local.describe.ask_queue import AskQueue
from videodb_cli.local.describe.endpoint import EndpointError
from videodb_cli.local.describe.options import DescribeOptions
from videodb_cli.local.describe.prompts import UnusableAnswerError

OPTIONS = DescribeOptions("http://127.0.0.1:1/v1", "m", 30.0)


class Scripted:
    """An endpoint: each question waits until the test answers it."""

    def __init__(self) -> None:
        self.options = OPTIONS
        self.model = "m"
        self.open: dict[str, asyncio.Future[str]] = {}
        self.is_closed = False

    async def ask(self, messages: Any) -> str:
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.open[messages] = answer
        return await answer

    async def close(self) -> None:
        self.is_closed = True

    def answer(self, name: str) -> None:
        self.open.pop(name).set_result(name.upper())

    def fail(self, name: str, **more: Any) -> None:
        self.open.pop(name).set_exception(EndpointError("it is away", **more))


class Rig:
    def __init__(self, **options: Any) -> None:
        self.endpoint = Scripted()
        self.queue = AskQueue(self.endpoint, **options)  # type: ignore[arg-type]
        self.told: list[tuple[str, str | None]] = []

    def ask(self, name: str, lane: str = "lane", read: Callable[[str], str] = str) -> None:
        self.queue.ask(lane, lambda: name, read, lambda answer: self.told.append((name, answer)))  # type: ignore[arg-type,return-value]

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


async def test_answers_come_in_the_order_of_their_lane() -> None:
    rig = Rig()
    rig.ask("a")
    rig.ask("b")
    rig.ask("x", lane="other")
    await rig.settle()
    assert set(rig.endpoint.open) == {"a", "b"}, "two at a time"
    rig.endpoint.answer("b")
    await rig.settle()
    assert rig.told == []
    rig.endpoint.answer("x")
    await rig.settle()
    assert rig.told == [("x", "X")]
    rig.queue.pass_by("lane", "c", lambda answer: rig.told.append(("passed", answer)))
    rig.endpoint.answer("a")
    await rig.settle()
    assert rig.told == [("x", "X"), ("a", "A"), ("b", "B"), ("passed", "c")]
    assert rig.queue._lanes == {}
    assert (rig.queue.answered, rig.queue.given_up) == (3, 0)
    rig.ask("later")
    await rig.settle()
    rig.endpoint.answer("later")
    await rig.settle()
    assert rig.told[-1] == ("later", "LATER")


async def test_the_oldest_that_waits_is_dropped_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(max_waiting=2, at_once=1)
    rig.ask("busy", lane="busy")
    await rig.settle()
    for name in ("a", "b", "c", "d", "e"):
        rig.ask(name, lane=name)
    assert rig.told == [("a", None), ("b", None), ("c", None)]
    assert rig.queue.dropped == 3
    assert caplog.messages == ["the endpoint http://127.0.0.1:1 is behind: the oldest questions are dropped"]
    for name in ("busy", "d", "e"):
        rig.endpoint.answer(name)
        await rig.settle()
    assert rig.told[3:] == [("busy", "BUSY"), ("d", "D"), ("e", "E")]


async def test_a_question_that_has_waited_too_long_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(at_once=1)
    now = [0.0]
    monkeypatch.setattr(ask_queue.time, "monotonic", lambda: now[0])
    rig.ask("busy")
    rig.ask("old")
    await rig.settle()
    now[0] = OPTIONS.timeout_s + 1
    rig.endpoint.answer("busy")
    await rig.settle()
    assert rig.told == [("busy", "BUSY"), ("old", None)]
    assert rig.queue.dropped == 1


async def test_a_failure_settles_all_that_waits_and_what_comes_next_at_once(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(at_once=1)
    for name in ("a", "b", "c"):
        rig.ask(name)
    await rig.settle()
    rig.endpoint.fail("a")
    await rig.settle()
    rig.ask("d")
    assert rig.told == [("a", None), ("b", None), ("c", None), ("d", None)]
    assert rig.queue.reason == "it is away"
    assert len(caplog.messages) == 1
    monotonic = rig.queue._circuit._clock()
    rig.queue._circuit._clock = lambda: monotonic + 3600
    rig.ask("e")
    rig.ask("f", lane="other")
    await rig.settle()
    assert rig.told[4:] == [("e", None), ("f", None)], "one question tries, and nobody waits for its answer"
    assert list(rig.endpoint.open) == ["e"]
    rig.endpoint.answer("e")
    await rig.settle()
    assert rig.queue.reason is None
    rig.ask("g")
    await rig.settle()
    rig.endpoint.answer("g")
    await rig.settle()
    assert rig.told[6:] == [("g", "G")]
    assert len(caplog.messages) == 2


async def test_an_answer_in_another_form_is_said_once_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def read(content: str) -> str:
        if content != "GOOD":
            raise UnusableAnswerError("it answered a rule with something else than JSON")
        return content

    rig = Rig()
    for name in ("bad", "worse", "good", "wrong"):
        rig.ask(name, read=read)
        await rig.settle()
        rig.endpoint.answer(name)
        await rig.settle()
    assert [answer for _, answer in rig.told] == [None, None, "GOOD", None]
    assert rig.queue.reason is None
    assert ["again" in message for message in caplog.messages] == [False, True, False]


async def test_a_bug_in_a_reader_or_a_receiver_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: object) -> str:
        raise RuntimeError("a bug")

    rig = Rig(at_once=1)
    rig.ask("a", read=broken)
    rig.queue.ask("lane", lambda: "b", str, broken)  # type: ignore[arg-type,return-value]
    rig.ask("c")
    for name in ("a", "b", "c"):
        await rig.settle()
        rig.endpoint.answer(name)
    await rig.settle()
    assert rig.told == [("a", None), ("c", "C")]
    assert caplog.text.count("RuntimeError: a bug") == 2


async def test_the_end_gives_up_everything_and_loses_nothing() -> None:
    rig = Rig()
    for name in ("a", "b", "c", "d"):
        rig.ask(name)
    await rig.settle()
    await rig.queue.close()
    assert rig.told == [(name, None) for name in "abcd"]
    assert rig.endpoint.is_closed

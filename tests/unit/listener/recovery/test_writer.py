"""Nothing is written twice because it came live and was read back, in either order; with threads and a real clock."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from videodb_cli.eventlog.write.store import LogStore
from videodb_cli.listener.counters import Counters
from videodb_cli.listener.intake import Intake
from videodb_cli.listener.journal import Journal
from videodb_cli.listener.recovery.gap import Gap, RecoveryPolicy
from videodb_cli.listener.recovery.history import StreamHistory
from videodb_cli.listener.recovery.recoverer import Recoverer
from videodb_cli.listener.recovery.writer import KEPT_S, PendingDuplicates, RecoveryContext
from videodb_cli.model.event import Event
from videodb_cli.process.clock import Clock
from videodb_cli.rundir.paths import RunDir

T = 1772446530.0


def said(text: str, start: float = T, stream: str = "rts-1", **more: Any) -> Event:
    data = {"text": text, "is_final": True, "start": int(start * 1000), "end": int((start + 2) * 1000), **more}
    return {"channel": "transcript", "rtstream_id": stream, "rtstream_name": "mic:default", "data": data}


def session(status: str, **data: Any) -> Event:
    name = f"capture_session.{status}"
    return {
        "channel": "capture_session",
        "event": name,
        "capture_session_id": "cap-1",
        "status": status,
        "data": data,
    }


@pytest.mark.parametrize(
    ("event", "is_duplicate"),
    [
        (said("Hello  THERE", T + 0.9), True),
        (said("Hello there", T + 1.1), False),
        (said("Hello there", stream="rts-2"), False),
        (said("Hello there", is_final=False), False),
        (said("Hello there", confidence=0.9), True),
        ({"channel": "x"}, False),
    ],
)
def test_the_rule_of_duplicates(event: Event, is_duplicate: bool) -> None:
    pending = PendingDuplicates()
    pending.add(said("hello there"), T)
    assert (pending.take(event, T + 7) == 7.0) is is_duplicate
    assert len(pending) == (0 if is_duplicate else 1)


def test_each_is_matched_once() -> None:
    pending = PendingDuplicates()
    pending.add(said("yes"), T)
    assert pending.take(said("yes", T + 0.4), T) is not None
    assert pending.take(said("yes", T + 0.8), T) is None, "it was said again"


def test_a_life_cycle_event_that_says_more_is_no_duplicate() -> None:
    pending = PendingDuplicates()
    pending.add(session("failed"), T)
    assert pending.take(session("stopped"), T) is None
    assert pending.take(session("failed", error={"code": "X"}), T) is None
    assert pending.take(session("failed"), T) is not None


def test_what_waits_is_bounded() -> None:
    pending = PendingDuplicates(limit=3)
    for number in range(10):
        pending.add(said(str(number)), T)
    assert len(pending) == 3
    assert pending.take(said("6"), T) is None
    assert pending.take(said("9"), T) is not None
    pending.add(said("late"), T + 1)
    assert pending.take(said("late"), T + KEPT_S + 2) is None
    assert len(pending) == 0


class SlowCalls:
    """A service one of whose streams answers at once and the other only when it is told to."""

    clock_offset_s = None

    def __init__(self) -> None:
        self.waiting, self.answer = asyncio.Event(), asyncio.Event()

    async def scene_indexes(self, _stream: str) -> list[Any]:
        return []

    async def transcription_records(self, stream: str, _since: float) -> list[Any]:
        if stream == "rts-2":
            self.waiting.set()
            await self.answer.wait()
            return []
        return [{"text": "said in the gap", "start": T + 5.0, "end": T + 7.0}]

    async def transcription_status(self, _stream: str) -> str:
        return "stopped"

    async def stream(self, _stream: str) -> dict[str, Any]:
        return {"status": "active"}


class Listening:
    """The parts of a listener around a recovery, and its log."""

    def __init__(self, directory: Path, calls: Any) -> None:
        self.store = LogStore(directory / "videodb_events.jsonl")
        self.store.open()
        self.counters = Counters(T)
        history = StreamHistory()
        clock = Clock()
        journal = Journal(self.store, "host", None, clock)
        self.intake = Intake(self.store, self.counters, history, None)
        self.recoverer = Recoverer(
            calls,
            RecoveryContext(
                run_dir=RunDir(directory),
                collection="default",
                history=history,
                journal=journal,
                counters=self.counters,
                on_update=lambda _: None,
                watch_with=self.intake.watch_with,
                absorb_with=self.intake.absorb_with,
                flush=self.store.flush,
                has_room=lambda: True,
                clock=clock,
            ),
            RecoveryPolicy(poll_s=0.01, settle_s=60.0, hold_s=0.0, hold_dead_s=0.0),
        )

    def lines(self) -> list[dict[str, Any]]:
        self.store.flush(5)
        return [json.loads(line) for line in self.store.path.read_bytes().splitlines()]

    def texts(self) -> list[tuple[str, bool]]:
        found = [line for line in self.lines() if line["channel"] == "transcript"]
        return [(line["data"]["text"], line.get("recovered", False)) for line in found]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; the caller has a deadline."""
    while not condition():  # noqa: ASYNC110 - threads make it come true
        await asyncio.sleep(0.005)


def take(listening: Listening, event: Event) -> None:
    listening.intake.take(json.dumps(event).encode())


async def test_what_comes_live_while_the_service_answers_slowly_is_not_written_again(tmp_path: Path) -> None:
    calls = SlowCalls()
    listening = Listening(tmp_path, calls)
    for stream in ("rts-1", "rts-2"):
        take(listening, said("before", T - 1, stream))
    now = time.time()
    listening.recoverer.begin(Gap(now - 5, now, "ws-1", "ws-2"))
    async with asyncio.timeout(10):
        await calls.waiting.wait()
        # The other stream's answer is there, and cannot be written before this one's.
        pipelines = listening.recoverer._backfill.targets.pipelines
        await until(lambda: pipelines["rts-1", ""].asked_at > 0)
        take(listening, said("said in the gap", T + 5))
        calls.answer.set()
        await until(lambda: any(line.get("event") == "listener.recovered" for line in listening.lines()))
        await listening.recoverer.stop()
    assert listening.texts() == [("before", False), ("before", False), ("said in the gap", False)]
    assert (listening.counters.recovered, listening.counters.doubles) == (0, 0)


async def test_what_comes_live_after_it_was_read_back_is_written_down_as_late(tmp_path: Path) -> None:
    calls = SlowCalls()
    calls.answer.set()
    listening = Listening(tmp_path, calls)
    take(listening, said("before", T - 1))
    now = time.time()
    listening.recoverer.begin(Gap(now - 5, now, "ws-1", "ws-2"))
    async with asyncio.timeout(10):
        await until(lambda: len(listening.texts()) == 2)
        late = said("Said in the gap", T + 5.0004, words=["with", "more"])
        take(listening, late)
        take(listening, late)
        await listening.recoverer.stop()
    # What the service sent twice is two: one of them is the one that was read back.
    assert listening.texts() == [("before", False), ("said in the gap", True), ("Said in the gap", False)]
    told = [line["data"] for line in listening.lines() if line.get("event") == "listener.late"]
    assert [json.loads(data["message"]) for data in told] == [late]
    assert told[0]["text"].startswith("transcript of mic:default came live ")
    assert listening.counters.statement(now).doubles == 1


async def test_a_restarted_listener_knows_what_was_read_back(tmp_path: Path) -> None:
    """One that a supervisor starts again after each drop has its memory in the log."""
    listening = Listening(tmp_path, SlowCalls())
    take(listening, said("before", T - 1))
    listening.store.recovered({**said("read back", T + 2), "recovered": True})
    listening.store.close()
    calls = SlowCalls()
    calls.answer.set()
    again = Listening(tmp_path, calls)
    now = time.time()
    again.recoverer.begin(Gap(now - 5, now, "ws-1", "ws-2"))
    async with asyncio.timeout(10):
        await until(lambda: again.intake._absorb is not None)
        take(again, said("read back", T + 2))
        await again.recoverer.stop()
    assert ("read back", False) not in again.texts()
    assert again.counters.doubles == 1

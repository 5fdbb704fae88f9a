"""The Python API for reading a log."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from videodb_cli import Event, EventLog, Selection
from videodb_cli.errors import NotFoundError, TimedOutError, UsageError

NOW = 1_790_000_000.0


def line(number: int, channel: str = "transcript", **data: object) -> str:
    event = {"ts": "2026-09-21T14:13:20.000Z", "unix_ts": NOW + number, "channel": channel}
    return json.dumps({**event, "data": {"text": f"word {number}", "is_final": True, **data}}, separators=(",", ":"))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    lines = [line(number, "alert" if number % 5 == 0 else "transcript") for number in range(20)]
    (tmp_path / "videodb_events.jsonl").write_text("".join(one + "\n" for one in lines))
    return tmp_path


def append(directory: Path, *lines: str) -> None:
    with (directory / "videodb_events.jsonl").open("a") as file:
        file.write("".join(one + "\n" for one in lines))


def open_files() -> list[str]:
    return [os.path.realpath(fd) for fd in Path("/proc/self/fd").iterdir()]


def texts(events: object) -> list[str | None]:
    return [event.text for event in events]  # type: ignore[attr-defined]


def test_flags_select(log: Path) -> None:
    assert texts(EventLog(log).select(channel="alert")) == ["word 0", "word 5", "word 10", "word 15"]
    assert texts(EventLog(log).select(channel=["alert"], grep="1")) == ["word 10", "word 15"]
    assert len(list(EventLog(log).select())) == 20


def test_a_selection_selects(log: Path) -> None:
    assert texts(EventLog(log).select(Selection(channels=("alert",), since=NOW + 6))) == ["word 10", "word 15"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"limit": 2}, ["word 0", "word 5"]),
        ({"last": 1}, ["word 15"]),
        ({"limit": 1, "around": 1.0}, ["word 0", "word 1"]),
        ({"last": 1, "around": 1.0}, ["word 14", "word 15", "word 16"]),
    ],
)
def test_options(log: Path, options: dict[str, Any], expected: list[str]) -> None:
    assert texts(EventLog(log).select(channel="alert", **options)) == expected


def test_an_event_shows_its_parts(log: Path) -> None:
    event = next(EventLog(log).select())
    assert (event.channel, event.text, event.received_at) == ("alert", "word 0", NOW)
    assert event["data"]["is_final"] is True
    assert event.get("absent", 7) == 7
    assert event == Event(event.raw)
    assert "word 0" in repr(event)


@pytest.mark.parametrize("raw", [b"null", b"[1]", b"7", b'"x"', b"not json", b"{}"])
def test_a_line_of_any_shape_can_be_looked_at(raw: bytes) -> None:
    event = Event(raw)
    assert (event.channel, event.name, event.text, event.stream, event.session) == (None,) * 5
    assert (event.received_at, event.happened_at, event.data) == (None, None, {})
    assert (event.is_final, event.is_recovered, event.is_own) == (False,) * 3


def test_files_are_read_instead_of_the_directory(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(line(1) + "\n")
    assert texts(EventLog(log, files=[other]).select()) == ["word 1"]


def test_a_broken_line_is_skipped_or_ends_the_reading(log: Path) -> None:
    append(log, "broken", line(30))
    assert len(list(EventLog(log).select())) == 21
    reading = EventLog(log).select(strict=True)
    assert len([next(reading) for _ in range(20)]) == 20
    with pytest.raises(UsageError, match="line 21"):
        next(reading)


def test_wait_returns_what_comes_next(log: Path) -> None:
    with pytest.raises(TimedOutError):
        EventLog(log).wait(channel="alert", timeout=0.1)
    # What is there already counts when a time is named.
    assert EventLog(log).wait(channel="alert", since=str(NOW), timeout=5).text == "word 0"


async def test_following_yields_what_is_appended(log: Path) -> None:
    following = EventLog(log).follow_async(channel="alert")
    first = asyncio.ensure_future(anext(following))
    while not first.done():
        append(log, line(50, "alert"))
        await asyncio.wait({first}, timeout=0.1)
    assert first.result().text == "word 50"
    await following.aclose()


async def test_a_cancelled_reader_leaves_nothing_open(log: Path) -> None:
    following = EventLog(log).follow_async(channel="never")
    look = asyncio.ensure_future(anext(following))
    await asyncio.wait({look}, timeout=0.05)
    look.cancel()
    with pytest.raises(asyncio.CancelledError):
        await look
    assert str(log / "videodb_events.jsonl") not in open_files()


def test_errors_are_ours(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        next(EventLog(tmp_path).select())
    with pytest.raises(TypeError, match="chanel"):
        next(EventLog(tmp_path).select(chanel="alert"))
    (tmp_path / "videodb_events.jsonl").write_text("")
    with pytest.raises(UsageError):
        next(EventLog(tmp_path).select(since="yesteryear"))

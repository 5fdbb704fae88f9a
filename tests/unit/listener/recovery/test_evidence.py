"""What proves that a pipeline speaks to us: only what came over a connection that is still open."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.listener.recovery.test_doubles import Listening, take, until
from videodb_cli.listener.recovery.pipeline import Gap
from videodb_cli.model.event import Event


class IndexCalls:
    """A service with one stream and some scene indexes, each with the same records."""

    clock_offset_s = None

    def __init__(self, *indexes: str) -> None:
        self.indexes = indexes
        self.records: list[dict[str, Any]] = []
        self.passes = 0

    async def scene_indexes(self, _stream: str) -> list[Any]:
        return [{"rtstream_index_id": index, "extraction_type": "time"} for index in self.indexes]

    async def scene_records(self, _stream: str, index: str, _start: float, _end: float) -> list[Any]:
        self.passes += index == self.indexes[0]
        return list(self.records) if index == self.indexes[0] else []

    async def transcription_records(self, _stream: str, _since: float) -> list[Any]:
        return []

    async def transcription_status(self, _stream: str) -> str:
        return "stopped"

    async def stream(self, _stream: str) -> dict[str, Any]:
        return {"status": "active"}


def seen(text: str, start: float) -> Event:
    """Make a live event that does not say of which index it is."""
    data = {"text": text, "start": round(start * 1000), "end": round((start + 2) * 1000)}
    return {"channel": "visual_index", "rtstream_id": "rts-1", "rtstream_name": "display:1", "data": data}


@pytest.mark.parametrize("indexes", [("idx-1",), ("idx-1", "idx-2")], ids=["one index", "two indexes"])
async def test_what_came_over_an_earlier_connection_proves_nothing(tmp_path: Path, indexes: tuple[str, ...]) -> None:
    """An index that spoke to the second connection, and is bound to it, does not speak to the third."""
    calls = IndexCalls(*indexes)
    listening = Listening(tmp_path, calls)
    now = time.time()
    take(listening, seen("before", now - 8))
    async with asyncio.timeout(10):
        listening.recoverer.begin(Gap(now - 5, now, "ws-1", "ws-2"))
        await until(lambda: calls.passes >= 2)
        calls.records.append({"description": "seen", "start": now - 2, "end": now})
        take(listening, seen("seen", now - 2))
        listening.recoverer.begin(Gap(time.time(), time.time(), "ws-2", "ws-3"))
        passes = calls.passes
        await until(lambda: calls.passes >= passes + 4)
        dead = {item["rtstream_index_id"] for item in listening.recoverer.dead_pipelines()}
        await listening.recoverer.stop()
    assert dead == set(indexes)

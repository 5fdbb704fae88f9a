"""Records come in pages; a service that does not end them must not be asked for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest

from videodb_cli.api.control_plane import ControlPlane
from videodb_cli.api.streams import StreamCalls

RECORDS = [{"start": float(n), "end": n + 1.0, "text": f"said {n}"} for n in range(5)]


def answered_by(page: Callable[[int], dict[str, Any]]) -> tuple[StreamCalls, list[int]]:
    asked: list[int] = []

    class Service:
        async def call(self, method: str, path: str) -> dict[str, Any]:
            assert method == "GET"
            asked.append(int(parse_qs(urlsplit(path).query)["page"][0]))
            return page(asked[-1])

    return StreamCalls(cast(ControlPlane, Service())), asked


async def test_all_pages() -> None:
    def page(number: int) -> dict[str, Any]:
        return {"transcription_records": RECORDS[2 * number - 2 : 2 * number], "next_page": number < 3}

    calls, asked = answered_by(page)
    assert await calls.transcription_records("rts-1", 0.0) == RECORDS
    assert asked == [1, 2, 3]


@pytest.mark.parametrize("records", [RECORDS, [], [None, 5]], ids=["the same", "nothing", "nonsense"])
async def test_pages_that_never_end(records: list[Any]) -> None:
    calls, asked = answered_by(lambda _: {"transcription_records": records, "next_page": True})
    assert await calls.transcription_records("rts-1", 0.0) == records
    assert len(asked) <= 2

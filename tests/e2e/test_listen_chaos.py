"""The long form: connections that end in every way under load while somebody renames the log; nothing is lost."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.program import Box, eventually
from tests.fakes.event_service import Act, EventService, close, pause, send, then

pytestmark = pytest.mark.slow
CONNECTIONS = 30
EACH = 2000


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    found = Box(tmp_path)
    yield found
    found.close()


def test_every_orderly_end_under_load(box: Box) -> None:
    draw = random.Random(20260302)
    acts: list[Act] = []
    for number in range(CONNECTIONS):
        messages = [
            json.dumps({"channel": "alert", "n": number * EACH + n, "data": {"label": "x" * draw.randrange(400)}})
            for n in range(EACH)
        ]
        ending = draw.choice([close(1000), close(1001), close(1011), close(4000, "x")])
        acts.append(send(*messages, then=then(pause(draw.choice([0, 0, 0.01])), ending)))
    with EventService(*acts, send('{"end":true}')) as service:
        program = box.start(service, "listen", "--quiet", "--no-recover")
        moved: list[Path] = []
        while len(service.connections) <= CONNECTIONS:
            eventually(box.log.exists)
            name = box.log.with_name(f"moved-{len(moved)}")
            box.log.rename(name)
            moved.append(name)
            eventually(lambda: box.log.exists() and box.log.stat().st_size > 0, timeout_s=30)
        eventually(lambda: b'"end":true' in box.log.read_bytes())
        assert program.end() == 0
    written = b"".join(path.read_bytes() for path in [*moved, box.log])
    lines = [json.loads(line) for line in written.splitlines()]
    assert [line["n"] for line in lines if "n" in line] == list(range(CONNECTIONS * EACH))
    own = [line["event"] for line in lines if line.get("channel") == "videodb_cli"]
    assert own.count("listener.disconnected") == own.count("listener.gap") == CONNECTIONS
    stamps = [line["unix_ts"] for line in lines]
    assert stamps == sorted(stamps)


def test_kill_9_again_and_again_tears_nothing_that_was_whole(box: Box) -> None:
    messages = [json.dumps({"n": n, "data": {"text": "y" * 300}}) for n in range(50_000)]
    with EventService(send(*messages)) as service:
        for _ in range(8):
            program = box.listen(service, "--no-recover")
            size = box.log.stat().st_size
            eventually(partial(lambda size: box.log.stat().st_size > size + 200_000, size))
            assert program.end(9) == -9
            assert box.run(None, "status").returncode == 5
        assert box.listen(service).end() == 0
    content = box.log.read_bytes()
    assert content.endswith(b"\n")
    runs: list[list[int]] = [[]]
    for line in content.splitlines():
        record = json.loads(line)
        if record.get("event") == "listener.connected":
            runs.append([])
        if "n" in record:
            runs[-1].append(record["n"])
    for run in runs:
        assert run == list(range(len(run))), "within a run every event, in order"

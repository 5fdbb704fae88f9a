"""What a capture logs for whoever helps: command lines, exit statuses and failures, and no publish URL."""

from __future__ import annotations

import asyncio
import logging
import sys

import pytest

from videodb_cli.capture.channels import Channel
from videodb_cli.capture.ffmpeg.publisher import Publisher, RestartPolicy
from videodb_cli.capture.recorders.base import ChannelFailed, RecorderUpdate

URL = "rtsp://127.0.0.1:9/secret"
# It ends as ffmpeg does, with the URL in its last words.
PROGRAM = "import sys; sys.exit(f'Error opening output {sys.argv[-1]}: Connection refused')"


async def test_a_publisher_that_fails_leaves_what_a_report_needs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "videodb_cli.capture")
    told: asyncio.Queue[RecorderUpdate] = asyncio.Queue()
    publisher = Publisher(
        Channel("mic:default", "mic", "m"),
        lambda **_: [sys.executable, "-c", PROGRAM, "-i", "device 0", URL],
        tell=told.put_nowait,
        log=lambda line: None,
        policy=RestartPolicy(start_attempts=1),
    )
    publisher.start()
    async with asyncio.timeout(20):
        update = await told.get()
    await publisher.stop()
    assert isinstance(update, ChannelFailed)
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "-i 'device 0' 'rtsp://…'" in text
    assert "status 1 after" in text
    assert "refuses the connection (publish_unreachable), attempt 1" in text
    assert "secret" not in text

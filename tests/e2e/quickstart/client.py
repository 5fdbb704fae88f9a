"""The client of a capture: it gets a session and a token from the backend, and records until it is told to stop.

It makes the calls of the SDK's quickstart for Python, in its order. Environment: VIDEO_DB_API, BACKEND_URL.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import requests
from videodb.capture import CaptureClient

BACKEND_URL = os.environ.get("BACKEND_URL", "http://127.0.0.1:5002")


async def record(session_id: str, token: str) -> None:
    """Record the default of each kind of channel."""
    client = CaptureClient(client_token=token)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await client.request_permission("microphone")
        await client.request_permission("screen_capture")
        channels = await client.list_channels()
        display = channels.displays.default
        chosen = [c for c in (channels.mics.default, display, channels.system_audio.default) if c]
        for channel in chosen:
            channel.store = True
        print("channels", *(channel.id for channel in chosen), flush=True)
        await client.start_session(
            capture_session_id=session_id,
            channels=chosen,
            primary_video_channel_id=display.id if display else None,
        )
        watching = asyncio.create_task(watch(client))
        await stop.wait()
        await asyncio.wait_for(client.stop_session(), timeout=15.0)
        print("stopped", flush=True)
        watching.cancel()
    finally:
        await asyncio.wait_for(client.shutdown(), timeout=15.0)
    print("shut down", flush=True)


async def watch(client: CaptureClient) -> None:
    """Print what the recorder says by itself."""
    async for event in client.events():
        print("recorder", event["event"], flush=True)


if __name__ == "__main__":
    answer: dict[str, Any] = requests.post(f"{BACKEND_URL}/init-session", json={}, timeout=10).json()
    print("session", answer["session_id"], flush=True)
    asyncio.run(record(answer["session_id"], answer["token"]))

"""The player page plays in a real browser: an export, a span, and a recording that still grows."""

import asyncio
import importlib.util
import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from videodb_cli.local import sample
from videodb_cli.local.http.server import Running, running

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
    pytest.mark.skipif(importlib.util.find_spec("av") is None, reason="the local extra is not installed"),
]
PROBE = """(() => {
  const video = document.querySelector("video");
  if (!video) return {};
  if (video.paused) video.play().catch(() => {});
  return {at: video.currentTime, frames: video.getVideoPlaybackQuality().totalVideoFrames,
    sound: video.webkitAudioDecodedByteCount, width: video.videoWidth,
    state: document.documentElement.dataset.state || "", note: document.getElementById("notes").textContent};
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page's debugger."""
    assert CHROMIUM is not None
    profile = tmp_path_factory.mktemp("profile")
    child = subprocess.Popen(
        [
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--mute-audio",
            "--autoplay-policy=no-user-gesture-required",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
        ],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert child.stderr is not None
        port = next(found[1] for line in child.stderr if (found := re.search(r"ws://[^:]+:(\d+)/", line)))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=20) as answer:
            pages = [page for page in json.load(answer) if page["type"] == "page"]
        yield pages[0]["webSocketDebuggerUrl"]
    finally:
        child.terminate()
        child.communicate(timeout=20)


async def watch(debugger: str, url: str, *, frames: int = 15) -> dict[str, Any]:
    """Open ``url`` and wait until it has shown so many frames with sound; return what the page then says."""
    async with connect(debugger, max_size=None) as socket:
        number = 0

        async def call(method: str, **params: Any) -> Any:
            nonlocal number
            number += 1
            await socket.send(json.dumps({"id": number, "method": method, "params": params}))
            while (answer := json.loads(await socket.recv())).get("id") != number:
                pass
            return answer["result"]

        await call("Page.enable")
        await call("Page.navigate", url=url)
        seen: dict[str, Any] = {}
        async with asyncio.timeout(30):
            while seen.get("frames", 0) < frames or not seen.get("sound"):
                await asyncio.sleep(0.2)
                found = await call("Runtime.evaluate", expression=PROBE, returnByValue=True)
                seen = found["result"].get("value", {})
                assert seen.get("state") != "failed", seen
        return seen


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("real") / "local") as found:
        yield found


@pytest.fixture
def http(real: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=real.url, headers={"x-access-token": real.key}, timeout=30) as client:
        yield client


def play_sample(http: httpx.Client) -> str:
    body = {"url": str(Path(sample.VIDEO)), "media_types": ["video", "audio"], "store": True}
    return str(http.post("/rtstream", json=body).json()["data"]["id"])


def test_a_recording_plays_while_it_grows_and_after(http: httpx.Client, browser: str) -> None:
    stream = play_sample(http)
    live = http.get(f"/rtstream/{stream}/stream").json()["data"]["player_url"]
    seen = asyncio.run(watch(browser, live))
    assert seen["width"] == 1280
    http.patch(f"/rtstream/{stream}/status", json={"action": "stop"})
    assert asyncio.run(watch(browser, live))["width"] == 1280
    export = http.post(f"/rtstream/{stream}/export").json()["data"]
    seen = asyncio.run(watch(browser, export["player_url"]))
    assert (seen["state"], seen["width"]) == ("playing", 1280)
    assert "not the VideoDB service" in seen["note"]

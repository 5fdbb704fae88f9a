"""What a page of a session does with text that attacks it, and with recordings that play, and that are gone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import Browser

from tests.e2e.pages import MARKS, Opened, browser, report, session_log

__all__ = ["browser"]
pytestmark = MARKS
TRICKS = [
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    '" onmouseover="window.hacked = 1" x="',
    "javascript:window.hacked=1",
    "see javascript:window.hacked=1 and data:text/html,<script>window.hacked=1</script>",
    "line\u2028separator\u2029and\u0000nul\u202eright to left",
    "<b>bold</b> &lt;i&gt; {{7*7}} ${7*7} @DATA@",
    "https://example.com/<script>window.hacked=1</script>",
]


def test_hostile_text_is_shown_and_never_run(browser: Browser, tmp_path: Path) -> None:
    lines = []
    for number, trick in enumerate(TRICKS):
        members = {"rtstream_name": trick, "rtstream_id": trick, "data": {"text": trick, "is_final": True}}
        lines.append({"channel": "transcript", **members})
        lines.append({"channel": "visual_index", **members})
        lines.append({"channel": trick, **members})
        lines.append({"channel": "alert", "data": {"label": trick, "explanation": trick}})
        exported = {"exported_video_id": trick, "stream_url": trick, "player_url": trick}
        lines.append({"event": "capture_session.exported", "capture_session_id": trick, "data": exported})
        gap = {"from": trick, "to": trick, "seconds": 1, "reason": trick}
        lines.append({"channel": "videodb_cli", "event": "listener.gap", "data": gap})
        del number
    log = "".join(json.dumps({"unix_ts": 1772446530 + n, **line}) + "\n" for n, line in enumerate(lines))
    path = report(tmp_path, log)
    opened = Opened(browser, path.as_uri())
    for place in range(0, len(lines), 5):
        opened.evaluate(f"P.list.scrollTo({place})")
    opened.page.locator("#search").fill("<script>")
    opened.until("P.model.hits.length > 0")
    opened.evaluate("P.model.nextHit(1)")
    assert opened.page.evaluate("window.hacked") is None
    assert (
        opened.page.evaluate("document.querySelectorAll('img, iframe, object, [onerror], [onmouseover]').length") == 0
    )
    links = opened.page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.protocol)")
    assert set(links) <= {"file:", "https:", "http:"}, "the skip link is of the page"
    assert "window.hacked" in opened.page.locator(".row mark").first.locator("..").inner_text()
    assert opened.errors == []
    assert opened.requests == [path.as_uri()]
    opened.context.close()


class Media(SimpleHTTPRequestHandler):
    """Serves files to any origin, as services of recordings do."""

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hls(tmp_path: Path) -> Iterator[str]:
    """The address of an HLS playlist of the bundled sample."""
    av = pytest.importorskip("av")
    from videodb_cli.local import sample

    with (
        av.open(str(sample.VIDEO)) as source,
        av.open(
            str(tmp_path / "index.m3u8"), "w", format="hls", options={"hls_list_size": "0", "hls_time": "2"}
        ) as out,
    ):
        tracks = {
            one.index: out.add_stream_from_template(one) for one in source.streams if one.type in {"video", "audio"}
        }
        for packet in source.demux():
            if packet.dts is not None and packet.stream.index in tracks:
                packet.stream = tracks[packet.stream.index]
                out.mux(packet)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Media, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/index.m3u8"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_recording_plays_in_step(browser: Browser, tmp_path: Path, hls: str) -> None:
    path = report(tmp_path, session_log("--video", hls))
    opened = Opened(browser, path.as_uri())
    page = opened.page
    assert opened.requests == [path.as_uri()], "nothing is loaded before somebody asks for it"
    page.evaluate("document.getElementById('video').muted = true")
    early = opened.evaluate("P.model.page.lanes[0].rows[1]")
    opened.evaluate(f"P.model.choose({early}, 'list')")
    begins = opened.evaluate("P.player.wanted()")
    assert begins > 1
    page.get_by_role("button", name="Play the recording").click()
    opened.until("document.getElementById('video').getVideoPlaybackQuality().totalVideoFrames > 5")
    assert page.evaluate("document.getElementById('video').currentTime") >= begins, "it begins where one looks"
    assert page.evaluate("document.getElementById('video').videoWidth") == 1280
    assert (
        page.evaluate(
            "[...document.getElementById('video').textTracks].find(t => t.label === 'What was said').cues.length"
        )
        > 100
    )
    row = opened.evaluate("P.model.page.lanes[0].rows[2]")
    opened.evaluate(f"P.model.choose({row}, 'list')")
    wanted = opened.evaluate("P.player.wanted()")
    assert wanted > begins
    opened.until(f"document.getElementById('video').currentTime >= {wanted}")
    opened.until(f"P.model.now > P.model.rows.at[{row}] + 500")
    assert opened.evaluate("Math.abs(P.player.wanted() - document.getElementById('video').currentTime) < 1")
    page.get_by_role("button", name="Show the video 1 second later").click()
    assert page.locator("#offset").inner_text() == "+1 s"
    assert opened.errors == []
    opened.context.close()


def test_a_recording_that_is_gone_is_told_and_the_page_works(browser: Browser, tmp_path: Path) -> None:
    path = report(tmp_path, session_log("--video", "http://127.0.0.1:9/gone/index.m3u8"))
    opened = Opened(browser, path.as_uri())
    page = opened.page
    page.get_by_role("button", name="Play the recording").click()
    opened.until("document.documentElement.dataset.state === 'failed'")
    assert "The recording cannot be played: it cannot be reached." in page.locator("#note").inner_text()
    page.locator("#moments .moment.c-alert").first.click()
    assert "keys_mentioned" in page.locator(".row.chosen").inner_text()
    opened.context.close()

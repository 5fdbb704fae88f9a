"""The page of a session in a real browser, as a user meets it: from a file, without a network."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("playwright") is None:  # pragma: no cover - the dev extra brings it
    pytest.skip("playwright is not installed", allow_module_level=True)
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]
# Screenshots of the run stay here if it is set.
KEPT = os.environ.get("VIDEODB_SCREENSHOTS")
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--mute-audio"]
        )
        yield found
        found.close()


def session_log(*arguments: str) -> str:
    command = [sys.executable, "scripts/make_session_log.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True, encoding="utf-8").stdout


def report(directory: Path, log: str, name: str = "r.html") -> Path:
    (directory / "log.jsonl").write_text(log, encoding="utf-8")
    command = [sys.executable, "-m", "videodb_cli", "events", "report", "log.jsonl", "-o", name]
    subprocess.run(command, cwd=directory, check=True, capture_output=True)
    return directory / name


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(tmp_path_factory.mktemp("hour"), session_log())


class Opened:
    """One page in the browser, with all that it asked for and complained about."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1360, "height": 900}, **options})
        self.page: Page = self.context.new_page()
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(url)
        self.page.wait_for_selector("html[data-ready]")

    def evaluate(self, expression: str) -> Any:
        return self.page.evaluate(f"(() => {{ const P = document.documentElement.page; return {expression}; }})()")

    def until(self, expression: str) -> None:
        """Wait until it is true. `wait_for_function` would compile text in the page, which its policy forbids."""
        deadline = time.monotonic() + 30
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, expression
            self.page.wait_for_timeout(30)

    def view(self) -> tuple[float, float]:
        found = self.evaluate("[P.timeline.view.from, P.timeline.view.to]")
        return found[0], found[1]


@pytest.fixture
def opened(browser: Browser, hour: Path) -> Iterator[Opened]:
    found = Opened(browser, hour.as_uri())
    yield found
    found.context.close()
    assert found.errors == []
    assert [url for url in found.requests if not url.startswith(hour.as_uri())] == [], "a page asks nobody"


def test_an_alert_and_what_was_said_before_it_are_two_looks_away(opened: Opened) -> None:
    page = opened.page
    alert = page.locator("#moments .moment.c-alert").first
    assert "keys_mentioned" in alert.inner_text()
    assert "“Before we ship, rotate the access keys for the production server.”" in alert.inner_text()
    alert.click()
    chosen = page.locator(".row.chosen")
    assert "keys_mentioned" in chosen.inner_text()
    assert chosen.get_attribute("aria-current") == "true"
    said = page.get_by_role("listitem").filter(has_text="rotate the access keys for the production")
    assert said.first.is_visible()
    opened.until("location.hash.startsWith('#t=')")


def test_wheel_buttons_keys_and_drag_move_the_time_line(opened: Opened) -> None:
    page = opened.page
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    whole = opened.view()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    page.mouse.wheel(0, -600)
    near = opened.view()
    assert near[1] - near[0] < (whole[1] - whole[0]) / 2
    assert (near[0] + near[1]) / 2 == pytest.approx((whole[0] + whole[1]) / 2, rel=0.01), "around the pointer"
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 - 200, box["y"] + 40, steps=4)
    page.mouse.up()
    assert opened.view()[0] > near[0]
    page.locator("#canvas").focus()
    page.keyboard.press("Shift+ArrowLeft")
    back = opened.view()
    page.keyboard.press("+")
    assert opened.view()[1] - opened.view()[0] == pytest.approx((back[1] - back[0]) / 2)
    page.keyboard.press("0")
    assert opened.view() == pytest.approx(whole)
    before = page.locator("#canvas").get_attribute("aria-valuetext")
    page.keyboard.press("ArrowRight")
    assert page.locator("#canvas").get_attribute("aria-valuetext") != before
    page.get_by_role("button", name="Zoom in").click()
    assert opened.view()[1] - opened.view()[0] == pytest.approx((whole[1] - whole[0]) / 2)
    page.get_by_role("button", name="All", exact=True).click()
    assert opened.view() == pytest.approx(whole)


def test_two_fingers_zoom(browser: Browser, hour: Path) -> None:
    opened = Opened(browser, hour.as_uri(), has_touch=True, viewport={"width": 390, "height": 844})
    box = opened.page.locator("#canvas").bounding_box()
    assert box is not None
    session = opened.context.new_cdp_session(opened.page)
    middle, y = box["x"] + box["width"] / 2, box["y"] + 40
    before = opened.view()

    def touch(kind: str, *spots: float) -> None:
        points = [{"x": x, "y": y, "id": number} for number, x in enumerate(spots)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", middle - 20, middle + 20)
    for spread in (30, 50, 80):
        touch("touchMove", middle - spread, middle + spread)
    touch("touchEnd")
    opened.until(f"P.timeline.view.to - P.timeline.view.from < {(before[1] - before[0]) * 0.6}")
    assert opened.errors == []
    opened.context.close()


def test_a_click_on_the_time_line_shows_the_event_in_the_list_and_back(opened: Opened) -> None:
    page = opened.page
    row = opened.evaluate("P.model.page.lanes.find(l => l.channel === 'alert').rows[3]")
    opened.evaluate(f"P.timeline.show(P.model.rows.at[{row}] - 20000, P.model.rows.at[{row}] + 20000)")
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    lane = opened.evaluate("P.model.page.lanes.findIndex(l => l.channel === 'alert')")
    page.mouse.click(box["x"] + box["width"] / 2 + 2, box["y"] + 26 + 27 * lane + 12)
    assert opened.evaluate("P.model.chosen") == row
    assert page.locator(".row.chosen").is_visible()
    other = page.locator(".row:not(.chosen):not(.gap-row)").nth(2)
    other.locator(".time").click()
    assert opened.evaluate("P.model.chosen") != row
    assert opened.evaluate("P.model.now >= P.timeline.view.from && P.model.now <= P.timeline.view.to")


def test_search_marks_counts_and_steps(opened: Opened) -> None:
    page = opened.page
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("ZÜRICH cache")
    page.keyboard.press("Enter")
    assert page.locator("#found").inner_text() == "no match"
    page.locator("#search").fill("zürich")
    page.keyboard.press("Enter")
    opened.until("document.querySelector('.row.chosen mark') !== null")
    assert page.locator(".row.chosen mark").first.inner_text() == "Zürich"
    assert page.locator("#found").inner_text().startswith("1 of ")
    first = opened.evaluate("P.model.chosen")
    page.keyboard.press("Enter")
    assert opened.evaluate("P.model.chosen") > first
    page.keyboard.press("Shift+Enter")
    assert opened.evaluate("P.model.chosen") == first
    page.get_by_label("only matches").check()
    assert opened.evaluate("P.model.items.length") == opened.evaluate("P.model.hits.length")
    page.locator("#search").fill("")
    opened.until("!P.model.isHit")


def test_rows_and_channels_can_be_hidden(opened: Opened) -> None:
    page = opened.page
    count = opened.evaluate("P.model.items.length")
    chip = page.get_by_role("group", name="Channels").get_by_role("button", name="screen")
    chip.click()
    assert chip.get_attribute("aria-pressed") == "false"
    assert opened.evaluate("P.model.items.length") < count
    assert page.locator(".row.c-visual_index").count() == 0
    chip.click()
    page.get_by_role("group", name="Rows to show").get_by_role("button").first.click()
    assert opened.evaluate("P.model.items.every(i => i < 0 || P.model.rows.lane[i] !== 0)")
    page.get_by_role("group", name="Rows to show").get_by_role("button").first.click()
    page.get_by_label("Stream", exact=True).select_option("display:1")
    streams = opened.evaluate("[...new Set(P.model.items.filter(i => i >= 0).map(i => P.model.laneOf(i).stream))]")
    assert streams == ["display:1"]


def test_gaps_and_recovered_events_are_told_in_words(opened: Opened) -> None:
    page = opened.page
    page.locator("#moments .moment.gap").click()
    gap = page.locator(".gap-row")
    assert "Gap of 86 s" in gap.inner_text()
    assert "no pong · alerts of that time cannot be read back" in gap.inner_text()
    assert "recovered" in page.locator(".row.is-recovered .tag").first.inner_text()
    facts = page.locator("#facts").inner_text()
    assert "1 gap, 86 s" in facts
    assert "recovered" in facts


def test_the_list_is_walked_by_keys(opened: Opened) -> None:
    page = opened.page
    page.get_by_role("list", name="Events, in order of time").focus()
    page.keyboard.press("End")
    last = opened.evaluate("P.model.chosen")
    assert last == opened.evaluate("P.model.rows.count") - 1
    page.keyboard.press("ArrowUp")
    assert opened.evaluate("P.model.chosen") == last - 1
    page.keyboard.press("Home")
    page.keyboard.press("j")
    assert opened.evaluate("P.model.chosen") == 1
    assert page.locator(".row.chosen").is_visible()
    position = page.locator(".row.chosen").get_attribute("aria-posinset")
    assert position == "2"


@pytest.mark.parametrize(
    ("fragment", "seconds"),
    [("#t=12:03", 723), ("#t=0:00:30", 30), ("#t=723s", 723), ("#t=2026-03-02T10:30:00Z&q=keys", None)],
)
def test_links_lead_to_a_moment(browser: Browser, hour: Path, fragment: str, seconds: int | None) -> None:
    opened = Opened(browser, hour.as_uri() + fragment)
    if seconds is None:
        assert opened.evaluate("P.model.now + P.model.page.zero * 1000") == 1772447400000
        assert opened.page.locator("#search").input_value() == "keys"
        assert opened.evaluate("P.model.hits.length") > 0
    else:
        assert opened.evaluate("P.model.now - P.model.page.first") == seconds * 1000
    opened.evaluate("location.hash = '#t=1:00'")
    opened.until("P.model.now - P.model.page.first === 60000")
    opened.context.close()


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


def test_nothing_runs_that_is_not_of_the_page(opened: Opened) -> None:
    page = opened.page
    page.evaluate("""() => { const s = document.createElement('script'); s.textContent = 'window.hacked = 1';
        document.body.append(s);
        document.body.insertAdjacentHTML('beforeend', '<i id=x onclick="window.hacked=1"></i>');
        document.getElementById('x').click(); }""")
    refused = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', error => error.name)")
    assert refused == "TypeError"
    assert page.evaluate("window.hacked") is None
    assert len([error for error in opened.errors if "Content Security Policy" in error]) >= 3
    opened.errors.clear()
    opened.requests[:] = [url for url in opened.requests if "127.0.0.1:9" not in url]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1360, 390])
def test_axe_finds_nothing_serious(browser: Browser, hour: Path, scheme: str, width: int) -> None:
    pytest.importorskip("axe_playwright_python")
    axe = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()
    opened = Opened(
        browser, hour.as_uri() + "#t=25:00&q=keys", color_scheme=scheme, viewport={"width": width, "height": 844}
    )
    opened.page.evaluate(axe)
    found = opened.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    bad = [
        (one["id"], one["impact"], [node["html"][:160] for node in one["nodes"]][:3])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
    assert bad == []
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
    if KEPT:
        opened.page.screenshot(path=Path(KEPT) / f"report-{scheme}-{width}.png")
    opened.context.close()


def test_the_theme_can_be_chosen(opened: Opened) -> None:
    page = opened.page
    back = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(back)
    page.get_by_role("button", name="Use the dark theme").click()
    assert page.evaluate(back) != light
    page.get_by_role("button", name="Use the light theme").click()
    assert page.evaluate(back) == light


def test_it_prints_its_events(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    page.evaluate("window.addEventListener('afterprint', () => { window.printed = true; })")
    page.locator("#search").fill("access keys")
    page.get_by_label("only matches").check()
    opened.until("P.model.hits.length > 100")
    target = Path(KEPT) / "report.pdf" if KEPT else tmp_path / "report.pdf"
    page.pdf(path=target, format="A4", print_background=True)
    assert target.read_bytes().startswith(b"%PDF")
    assert target.read_bytes().count(b"/Type /Page\n") >= 3, "the list goes on over the pages"
    opened.until("window.printed && !P.list.isPrinting")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    hits = opened.evaluate("P.model.hits.length")
    assert page.locator(".row").count() == hits
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(".row").count() < hits


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

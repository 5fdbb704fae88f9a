"""Make the pictures of docs/report.md: ``python scripts/make_report_images.py``. Needs Chromium and playwright."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from playwright.sync_api import Browser, sync_playwright

from videodb_cli.local import sample
from videodb_cli.local.http.server import running

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
CHOOSE = "() => document.querySelector('#moments .moment.c-alert').click()"
SEARCH = """() => { const { model } = document.documentElement.page;
  document.getElementById('search').value = 'access keys';
  model.search('access keys'); const row = model.chosen; const { timeline } = document.documentElement.page;
  timeline.show(model.rows.at[row] - 45000, model.rows.at[row] + 45000); }"""
PLAY = """async () => { const { model } = document.documentElement.page; model.choose(3, 'list');
  await new Promise(done => setTimeout(done, 1500)); }"""


def shoot(
    browser: Browser, url: str, name: str, size: tuple[int, int], *scripts: str, scheme: str = "light", limit: int = 150
) -> None:
    """Keep one picture; colours are reduced so that it stays small."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(url)
    page.wait_for_selector("html[data-ready]")
    for script in scripts:
        page.evaluate(script)
    page.wait_for_timeout(500)
    target = IMAGES / f"{name}.png"
    page.screenshot(path=target)
    page.close()
    if target.stat().st_size > limit * 1000:
        from PIL import Image

        Image.open(target).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(target, optimize=True)
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size // 1000} kB")


def player(directory: Path, browser: Browser) -> None:
    """Record the sample with the embedded service and show its player."""
    with running(directory / "local") as service:
        headers = {"x-access-token": service.key}
        with httpx.Client(base_url=service.url, headers=headers, timeout=60) as http:
            body = {"url": str(sample.VIDEO), "media_types": ["video", "audio"], "store": True, "name": "display:1"}
            stream = http.post("/rtstream", json=body).json()["data"]["id"]
            http.post(f"/rtstream/{stream}/transcription", json={"action": "start", "ws_connection_id": "none"})
            http.post(
                f"/rtstream/{stream}/index/scene", json={"extraction_type": "time", "prompt": "What is on screen?"}
            )
            time.sleep(44)  # the sample plays as long as it is
            http.patch(f"/rtstream/{stream}/status", json={"action": "stop"})
            export = http.post(f"/rtstream/{stream}/export").json()["data"]
            shoot(browser, export["player_url"], "player", (1280, 800), PLAY, scheme="dark")


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        directory = Path(name)
        log = subprocess.run([sys.executable, "scripts/make_session_log.py"], cwd=ROOT, capture_output=True, check=True)
        (directory / "session.jsonl").write_bytes(log.stdout)
        command = [sys.executable, "-m", "videodb_cli", "events", "report", "session.jsonl", "-o", "page.html"]
        subprocess.run(command, cwd=directory, check=True)
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        url = (directory / "page.html").as_uri()
        shoot(browser, url, "report-light", (1280, 860), CHOOSE)
        shoot(browser, url, "report-dark", (1280, 860), CHOOSE, SEARCH, scheme="dark")
        shoot(browser, url, "report-narrow", (390, 844))
        player(directory, browser)
        browser.close()


if __name__ == "__main__":
    main()

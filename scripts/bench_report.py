"""Measure `videodb events report`: ``python scripts/bench_report.py 100000 1000000``. Needs Chromium and playwright.

For each number of events: seconds and memory to write the page, its size, seconds until it can be used in Chromium
(software rendering), and how long one picture of the time line takes while it is panned and zoomed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
# Pans for two seconds and returns pictures a second, and the median and longest milliseconds that one took to draw.
PAN = """async zoom => {
  const { timeline, model } = document.documentElement.page;
  const wide = (timeline.whole.to - timeline.whole.from) * zoom;
  timeline.show(timeline.whole.from, timeline.whole.from + wide);
  const drawing = timeline.drawing, paint = drawing.paint.bind(drawing), took = [];
  drawing.paint = (...all) => { const began = performance.now(); paint(...all); took.push(performance.now() - began); };
  const began = performance.now();
  let frames = 0;
  while (performance.now() - began < 2000) {
    timeline.pan(zoom < 1 ? wide / 100 : 0);
    if (zoom === 1) timeline.draw();
    await new Promise(requestAnimationFrame);
    frames++;
  }
  const seconds = (performance.now() - began) / 1000;
  drawing.paint = paint;
  took.sort((a, b) => a - b);
  return [frames / seconds, took[took.length >> 1], took[took.length - 1]];
}"""
SEARCH = """() => { const { model } = document.documentElement.page; model.search("access keys");
  const began = performance.now(); model.search("quokka browser"); return performance.now() - began; }"""


def write(directory: Path, count: int) -> Path:
    log, page = directory / f"{count}.jsonl", directory / f"{count}.html"
    with log.open("wb") as file:
        subprocess.run([sys.executable, "scripts/make_event_log.py", str(count)], cwd=ROOT, stdout=file, check=True)
    command = [sys.executable, "-m", "videodb_cli", "events", "report", str(log), "-o", str(page)]
    began = time.monotonic()
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    took = time.monotonic() - began
    assert status == 0
    processor = usage.ru_utime + usage.ru_stime
    print(f"{count:,} events: written in {took:.1f} s ({processor:.1f} s of a processor), ", end="")
    print(f"{usage.ru_maxrss / 1024:.0f} MB, page {page.stat().st_size / 1e6:.2f} MB")
    log.unlink()
    return page


def look(page: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        shown = browser.new_page(viewport={"width": 1360, "height": 900})
        began = time.monotonic()
        shown.goto(page.as_uri())
        shown.wait_for_selector("html[data-ready]")
        shown.evaluate("() => new Promise(requestAnimationFrame)")
        print(f"  opens in {time.monotonic() - began:.2f} s", end="")
        print(f", search takes {shown.evaluate(SEARCH):.0f} ms")
        shown.evaluate("() => document.documentElement.page.model.search('')")
        for zoom in (1, 0.2, 0.01, 0.0005):
            frames, median, longest = shown.evaluate(PAN, zoom)
            print(
                f"  {zoom:.2%} of the time shown: {frames:.0f} pictures/s, {median:.1f} ms each, {longest:.1f} at most"
            )
        browser.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        for count in [int(argument) for argument in sys.argv[1:]] or [100_000, 1_000_000]:
            look(write(Path(directory), count))


if __name__ == "__main__":
    main()

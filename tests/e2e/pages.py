"""Pages of sessions, opened in a real browser."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("playwright") is None:  # pragma: no cover - the dev extra brings it
    pytest.skip("playwright is not installed", allow_module_level=True)
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
MARKS = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
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

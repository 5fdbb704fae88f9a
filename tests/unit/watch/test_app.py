"""The keys of the live view, by Textual's pilot."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from videodb_cli.rundir.paths import RunDir
from videodb_cli.watch.app import WatchApp
from videodb_cli.watch.view import DirectoryView
from videodb_cli.watch.widgets import EventStream, LinesScreen


def line(number: int, channel: str = "transcript", stream: str = "mic", **data: Any) -> str:
    at = time.time()
    members = {"text": f"[red]word{number}[/] \x1b[31m", "is_final": True, **data}
    stamp = {"ts": "2026-03-02T10:15:30.123Z", "unix_ts": at, "channel": channel, "rtstream_name": stream}
    return json.dumps({**stamp, "data": members}) + "\n"


@pytest.fixture
def run_dir(tmp_path: Path) -> RunDir:
    tmp_path.chmod(0o700)
    found = RunDir(tmp_path)
    found.log.write_text("".join(line(n, "alert" if n % 100 == 50 else "transcript") for n in range(2000)))
    return found


def screen_of(app: WatchApp) -> list[str]:
    stream = app.screen_stack[0].query_one(EventStream)
    return [stream.render_line(y).text.rstrip() for y in range(stream.size.height)]


async def until(condition: Callable[[], Any], what: str = "") -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)


def following(app: WatchApp, last: str) -> Callable[[], bool]:
    return lambda: any(last in row for row in [row for row in screen_of(app) if row][-2:])


def has_more(app: WatchApp, known: int) -> bool:
    return len(app.view.window.entries) > known or app.view.window.has_start


async def test_it_follows_and_shows_hostile_text_as_it_is(run_dir: RunDir) -> None:
    app = WatchApp([run_dir])
    async with app.run_test(size=(80, 24)):
        await until(following(app, "word1999"))
        with run_dir.log.open("a") as file:
            file.write(line(2000))
        await until(following(app, "[red]word2000[/] \\x1b[31m"))


async def test_paused_it_stays_and_end_follows_again(run_dir: RunDir) -> None:
    app = WatchApp([run_dir])
    async with app.run_test(size=(80, 24)) as pilot:
        await until(following(app, "word1999"))
        await pilot.press("space")
        with run_dir.log.open("a") as file:
            file.write(line(2000))
        await until(lambda: app.view.window.waiting == 1)
        assert following(app, "word1999")()
        await pilot.press("end")
        await until(following(app, "word2000"))


async def test_scrolling_up_reaches_the_first_event(run_dir: RunDir) -> None:
    app = WatchApp([run_dir])
    async with app.run_test(size=(80, 24)) as pilot:
        await until(following(app, "word1999"))
        while not app.view.window.has_start:
            before = len(app.view.window.entries)
            await pilot.press("home")
            await until(partial(has_more, app, before))
        await pilot.press("home")
        assert "word0[/]" in screen_of(app)[0]


async def test_a_search_goes_through_the_whole_log(run_dir: RunDir) -> None:
    app = WatchApp([run_dir])
    async with app.run_test(size=(80, 24)) as pilot:
        await until(following(app, "word1999"))
        await pilot.press("slash", *"word77[", "enter")

        def selected() -> str:
            found = app.view.window.selected
            return "" if found is None else str(found.event["data"]["text"])

        await until(lambda: "word77[" in selected())
        await pilot.press("slash", *(["backspace"] * 7), *"word1", "enter")
        await until(lambda: "word19[" in selected())
        await pilot.press("n")
        await until(lambda: "word18[" in selected())
        await pilot.press("N")
        await until(lambda: "word19[" in selected())
        await pilot.press("N")
        await until(lambda: "word100[" in selected())


async def test_filters_by_channel_and_text(run_dir: RunDir) -> None:
    app = WatchApp([run_dir])
    async with app.run_test(size=(80, 24)) as pilot:
        await until(following(app, "word1999"))
        await until(lambda: "alert" in app.view.channels)
        await pilot.press("c", "down", "enter")
        await until(following(app, "word1950"))
        assert all("ALERT" in row for row in screen_of(app) if row)
        await pilot.press("f", *"word15", "enter")
        await until(following(app, "word1550"))
        await pilot.press("escape")
        await until(following(app, "word1999"))


async def test_enter_shows_the_event_and_y_copies_it(run_dir: RunDir) -> None:
    app = WatchApp([run_dir])
    async with app.run_test(size=(80, 24)) as pilot:
        await until(following(app, "word1999"))
        await pilot.press("enter")
        assert isinstance(app.screen, LinesScreen)
        await pilot.press("y", "escape")
        assert json.loads(app.clipboard)["data"]["text"].startswith("[red]word1999")
        await pilot.press("question_mark")
        assert isinstance(app.screen, LinesScreen)


async def test_the_log_is_emptied_rotated_and_deleted(run_dir: RunDir) -> None:
    app = WatchApp([run_dir])
    async with app.run_test(size=(80, 24)):
        await until(following(app, "word1999"))
        run_dir.log.write_text("")
        await until(lambda: app.view.notice == "the log was emptied" and not app.view.window.entries)
        run_dir.log.write_text(line(7))
        await until(lambda: len(app.view.window.entries) == 1)
        run_dir.log.rename(run_dir.log.with_name(run_dir.log.name + ".1"))
        run_dir.log.write_text(line(8))
        await until(lambda: app.view.notice == "the log was rotated" and len(app.view.window.entries) == 2)
        run_dir.log.unlink()
        await until(lambda: "deleted" in app.view.notice)


async def test_several_directories_have_tabs(run_dir: RunDir, tmp_path: Path) -> None:
    other = RunDir(tmp_path / "other")
    other.path.mkdir(mode=0o700)
    other.log.write_text(line(5, stream="elsewhere"))
    app = WatchApp([run_dir, other])
    async with app.run_test(size=(80, 24)) as pilot:
        await until(following(app, "word1999"))
        await pilot.press("tab")
        await until(lambda: any("elsewhere" in row for row in screen_of(app)))


@pytest.mark.parametrize("size", [(120, 30), (50, 20), (20, 5)])
async def test_it_works_at_any_size(run_dir: RunDir, size: tuple[int, int]) -> None:
    app = WatchApp([run_dir])
    async with app.run_test(size=(80, 24)) as pilot:
        await until(following(app, "word1999"))
        await pilot.resize_terminal(*size)
        await until(lambda: any("word1999" in row for row in screen_of(app)))
        await pilot.resize_terminal(12, 4)
        await until(lambda: screen_of(app)[0] == "too small")


async def test_a_bug_ends_it(run_dir: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DirectoryView, "take", lambda *_: 1 / 0)
    app = WatchApp([run_dir])
    with pytest.raises(Exception, match="division by zero"):
        async with app.run_test(size=(80, 24)):
            await until(lambda: app.failure is not None)

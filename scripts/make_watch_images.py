#!/usr/bin/env python3
"""Write docs/images/watch-*.svg: the live view of a made-up log, at the widths of a wide and a narrow terminal.

python scripts/make_watch_images.py
"""

import asyncio
import json
import os
import re
import tempfile
import time
from pathlib import Path

os.environ.update(FORCE_COLOR="1", TERM="xterm-256color")
IMAGES = Path(__file__).parents[1] / "docs" / "images"
SIZES = ((120, 28), (80, 24), (50, 20))
SAID = (
    ("transcript", "mic:default", "Let us look at why the checkout fails."),
    ("visual_index", "display:1", "A browser shows a shop; the cart holds three articles."),
    ("transcript", "mic:default", "The page asks for the card twice."),
    ("audio_index", "system_audio:default", "A short error sound."),
    ("alert", "display:1", "An error message is visible: payment declined."),
    ("transcript", "mic:default", "There it is, and only with the second card."),
)


def lines(count: int) -> list[str]:
    """Return the lines of the log: things that are said and seen, and a gap."""
    found = []
    start = time.time() - count
    for number in range(count):
        channel, stream, text = SAID[number % len(SAID)]
        at = start + number
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
        event = {"ts": stamp, "unix_ts": at, "channel": channel, "rtstream_name": stream}
        found.append(json.dumps({**event, "data": {"text": text, "is_final": True}}))
        if number == count - 9:
            gap = {"from": stamp, "to": stamp, "seconds": 3.2}
            own = {"ts": stamp, "unix_ts": at, "channel": "videodb_cli", "event": "listener.gap", "data": gap}
            found.append(json.dumps(own))
    return found


async def draw(directory: Path, width: int, height: int) -> str:
    """Return the live view as SVG."""
    from videodb_cli.rundir.paths import RunDir
    from videodb_cli.watch.app import WatchApp

    run_dir = RunDir(directory)
    made = lines(60)
    run_dir.log.write_text("".join(line + "\n" for line in made[:30]))
    app = WatchApp([run_dir])
    async with app.run_test(size=(width, height)):
        await until_shown(app, 30)
        with run_dir.log.open("a") as file:
            file.writelines(line + "\n" for line in made[30:])
        await until_shown(app, len(made))
        await asyncio.sleep(1.5)  # the header is looked at once a second
        return app.export_screenshot(title="videodb watch", simplify=True)


async def until_shown(app: object, count: int) -> None:
    """Wait until so many events are shown."""
    deadline = time.monotonic() + 20
    while len(app.view.window.entries) < count:  # type: ignore[attr-defined]
        if time.monotonic() > deadline:
            raise TimeoutError("the live view did not show the events")
        await asyncio.sleep(0.05)


def main() -> None:
    """Write the pictures."""
    IMAGES.mkdir(exist_ok=True)
    for width, height in SIZES:
        with tempfile.TemporaryDirectory() as name:
            picture = asyncio.run(draw(Path(name), width, height))
        path = IMAGES / f"watch-{width}.svg"
        # A picture in the documents loads nothing from elsewhere.
        path.write_text(re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL))
        print(path.name, len(picture))


if __name__ == "__main__":
    main()

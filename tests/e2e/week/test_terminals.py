"""Terminals of every width: nothing is wider than they are, and what is redrawn in place leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import VIDEODB, Box
from tests.fakes.event_service import EventService
from tests.fakes.media_files import write_media
from tests.fakes.terminal import Terminal

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
ADDRESS = "http://[::1]/play"
WIDTHS = (20, 24, 50, 58, 80, 120, 300)


def _shows(wanted: str, rows: list[str]) -> bool:
    return wanted in "".join(rows)


def event(at: float, text: str, stream: str = "mic", channel: str = "transcript", **data: object) -> str:
    shape = {"ts": "2026-03-02T10:15:30.123Z", "unix_ts": at, "channel": channel, "rtstream_id": stream}
    return json.dumps({**shape, "rtstream_name": stream, "data": {"text": text, **data}}, ensure_ascii=False) + "\n"


def gap(at: float) -> str:
    data = {"text": "gap", "seconds": 1.2, "from": "2026-03-02T10:15:31Z", "to": "2026-03-02T10:15:32Z"}
    shape = {"ts": "2026-03-02T10:15:30.123Z", "unix_ts": at, "channel": "videodb_cli", "event": "listener.gap"}
    return json.dumps({**shape, "data": data}) + "\n"


TEXTS = [
    ("Let's schedule the meeting for Thursday, and rotate the keys before that", "mic"),
    ("東京で会議がありました。明日は大阪で会議があります。資料は共有フォルダーにあります。", "会議室のマイク 二番"),
    (
        f"the {FAMILY} family waves 👋🏽 with a ❤\ufe0f and 1\ufe0f\u20e3 keycap, na\u0308ive cafe\u0301",
        f"{FAMILY}{FAMILY} room {FAMILY}",
    ),
    ("ภาษาไทยไม่มีวรรค हिन्दी में लिखा हुआ §±× zero\u200cwidth", "a-stream-with-a-very-long-name:default"),
    ("one-word-that-is-longer-than-most-terminals-are-wide-" * 6, "system_audio:default"),
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log, a capture that is over, and a film, all with names that take many cells."""
    path = tmp_path_factory.mktemp("wide") / "events"
    path.mkdir(mode=0o700)
    began = time.time() - 100_000
    lines = [event(began + n * 9000, text, stream, is_final=True) for n, (text, stream) in enumerate(TEXTS)]
    lines += [gap(began + 50_000), event(began + 60_000, "Release checklist 資料", "画面", "visual_index")]
    lines += [event(began + 70_000, "資料", "画面", "a_channel_of_another_service")]
    (path / "videodb_events.jsonl").write_text("".join(lines))
    channels = [
        {"channel_id": name, "state": "stopped", "bytes": 1_000_000} for name in ("mic:会議室", f"mic:{FAMILY}")
    ]
    state = {
        "v": 1,
        "session_id": "cap-1",
        "status": "exported",
        "channels": channels,
        "player_url": ADDRESS,
    }
    (path / "videodb_capture_info.json").write_text(json.dumps(state))
    write_media(path / f"東京の会議 {FAMILY}.mp4", seconds=1)
    return path


def environment(directory: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(directory), "VIDEODB_EVENTS_DIR": str(directory), "LANG": "C"}


def squeezed(text: str) -> str:
    return "".join(text.split())


ALL_TEXTS = [squeezed(text) for text, _ in TEXTS]
# What is run, its exit status, and what stands there, however it is wrapped.
FITTING = [
    (("events", "tail"), 0, [*ALL_TEXTS, "gap1.2s"]),
    (("--color", "events", "tail"), 0, [*ALL_TEXTS, "gap1.2s"]),
    (("events", "wait", "--quiet", "--since", "2000-01-01", "--count", "5"), 0, ALL_TEXTS),
    (("events", "search", "明日は大阪で会議があります", "--no-index"), 0, ["明日は"]),
    (("events", "search", "keycap", "--no-index"), 0, ["keycap"]),
    (("events", "search", "one", "--no-index"), 0, ["one-"]),
    (("events", "stats"), 0, ["transcript", "a_channel_of_another_service", "gaps1"]),
    (("events", "stats", "--by", "stream", "--full"), 0, ["会議室のマイク二番", "with-a-very-long-name:default"]),
    (("status",), 4, ["nolistenerrunshere"]),
    (("capture", "status"), 4, ["mic:会議室", f"mic:{FAMILY}", ADDRESS]),
    (("capture", "channels", "--source", f"東京の会議 {FAMILY}.mp4"), 0, [f"東京の会議{FAMILY}.mp4", "display:file"]),
]  # fmt: skip


@pytest.mark.parametrize("columns", WIDTHS)
def test_nothing_is_wider_than_the_terminal(columns: int, directory: Path) -> None:
    for command, status, words in FITTING:
        with Terminal(columns) as terminal:
            terminal.run([VIDEODB, *command], environment(directory), directory)
            assert terminal.status() == status, (command, terminal.rows())
            assert terminal.wraps == 0, (command, terminal.rows())
            for word in words:
                assert word in terminal.text(), (command, word, terminal.rows())


def test_columns_stand_below_each_other_whatever_their_names_are(directory: Path) -> None:
    with Terminal(80) as terminal:
        terminal.run([VIDEODB, "events", "tail"], environment(directory), directory)
        assert terminal.status() == 0
        rows = terminal.screen.rows()
    place = next("".join(row).index("Let's") for row in rows if "Let's" in "".join(row))
    beside = ["".join(row[place:]) for row in rows]
    for begin in ("Let's", "東京で", "the ", "ภาษา", "one-", "Release", "資料"):
        assert any(words.startswith(begin) for words in beside), (begin, beside)


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_gap_is_a_rule_as_wide_as_the_terminal(columns: int, directory: Path) -> None:
    with Terminal(columns) as terminal:
        terminal.run([VIDEODB, "events", "tail", "--channel", "videodb_cli"], environment(directory), directory)
        assert terminal.status() == 0
        rule = next(row for row in terminal.rows() if "gap" in row)
    assert (rule[0], rule[-1], len(rule)) == ("─", "─", columns - 1)


def test_an_address_is_never_broken(directory: Path, tmp_path: Path) -> None:
    url = "http://127.0.0.1:38211/play/fe7a04638840a11f6977557f8e4e8d2e"
    state = json.loads((directory / "videodb_capture_info.json").read_text()) | {"player_url": url}
    place, _ = _followed(tmp_path)
    (place / "videodb_capture_info.json").write_text(json.dumps(state))
    with Terminal(24) as terminal:
        terminal.run([VIDEODB, "capture", "status"], environment(place), place)
        assert terminal.status() == 4
    assert url.encode() in terminal.output


# ---- rows that are redrawn in place ----------------------------------------------------------------------------------

MANY = 8  # more streams than rows are redrawn
WIDE = f"{FAMILY}東京👋🏽" * 40


class Case(dict[str, Any]):
    """Columns, lines and flavour of a terminal, and the sizes that it gets while rows stand there."""


REDRAWN = {
    "wide characters at the right edge": Case(columns=80, text=WIDE),
    "one cell further": Case(columns=81, text=WIDE),
    "a terminal that counts code points": Case(columns=80, text=WIDE, clusters=False),
    "twenty columns": Case(columns=20, text=WIDE),
    "twenty columns that count code points": Case(columns=20, text=WIDE, clusters=False),
    "a text longer than the screen is high": Case(columns=24, lines=4, text="word " * 200),
    "two rows": Case(columns=58, lines=2, text="word " * 50),
    "one row": Case(columns=58, lines=1, text="word " * 50),
    "many streams": Case(columns=120, streams=MANY, text="word " * 50),
    "made narrower, rows are cut off": Case(columns=120, text=WIDE, sizes=[(50, 24), (24, 24)]),
    "made narrower, rows wrap anew": Case(columns=120, text=WIDE, sizes=[(50, 24), (20, 24)], reflows=True),
    "made wider": Case(columns=24, text=WIDE, sizes=[(58, 24), (300, 24)], reflows=True),
    "made narrower with a full screen": Case(columns=120, lines=6, before=20, text=WIDE, sizes=[(30, 6)], reflows=True),
    "made lower": Case(columns=80, lines=20, text="word " * 50, sizes=[(80, 5), (80, 3)]),
    "made lower and narrower": Case(columns=80, lines=20, text=WIDE, sizes=[(40, 5), (20, 10)], reflows=True),
}  # fmt: skip


@pytest.mark.parametrize("name", REDRAWN)
def test_interim_transcripts_leave_nothing_behind(name: str, tmp_path: Path) -> None:
    case = REDRAWN[name]
    directory, log = _followed(tmp_path)
    before = [f"before-{n}" for n in range(case.get("before", 2))]
    streams = [f"s{n}" for n in range(case.get("streams", 2))]
    flavour = {"clusters": case.get("clusters", True), "reflows": case.get("reflows", False)}
    with Terminal(case["columns"], case.get("lines", 24), **flavour) as terminal:
        shell = "; ".join([*(f"echo {word}" for word in before), f"exec {VIDEODB} events tail -f"])
        terminal.run(["sh", "-c", shell], environment(directory), directory)
        _add(log, event(time.time(), "ready", is_final=True))
        terminal.wait(lambda rows: "ready" in "".join(rows), "the beginning")
        for turn, size in enumerate([None, None, *case.get("sizes", [])]):
            if size is not None:
                terminal.resize(*size)
            for stream in streams:
                _add(log, event(time.time(), f"I{turn}{stream} {case['text']}", stream, is_final=False))
            wanted = f"I{turn}{streams[-1]}"
            terminal.wait(partial(_shows, wanted), f"{name}: {wanted}")
        for stream in streams:
            _add(log, event(time.time(), f"F{stream} final", stream, is_final=True))
        terminal.wait(lambda rows: f"F{streams[-1]}" in "".join(rows), "the end")
        assert terminal.end() == 130
        shown = "\n".join(terminal.rows())
    assert [word for word in before if word not in shown] == []
    heads = [row for row in shown.splitlines() if re.match(r"\d\d:\d\d:\d\d", row)]
    assert len(heads) == 1 + len(streams), shown
    assert [stream for stream in streams if f"F{stream}" not in shown] == []
    for turn in range(2 + len(case.get("sizes", []))):
        for stream in streams:
            assert f"I{turn}{stream}" not in shown, shown
    if flavour["clusters"] and not case.get("sizes"):
        assert terminal.wraps == 0, shown


def _followed(tmp_path: Path) -> tuple[Path, Path]:
    directory = tmp_path / "events"
    directory.mkdir(mode=0o700)
    log = directory / "videodb_events.jsonl"
    log.touch(mode=0o600)
    return directory, log


def _add(log: Path, line: str) -> None:
    with log.open("a") as file:
        file.write(line)


def test_talk_goes_above_what_is_redrawn(tmp_path: Path) -> None:
    directory, log = _followed(tmp_path)
    with Terminal(80) as terminal:
        terminal.run([VIDEODB, "events", "tail", "-f", "-n", "0"], environment(directory), directory)
        terminal.wait(lambda _: terminal.process is not None and _follows(terminal.process.pid, log), "the command")
        for stream in ("mic", "sys"):
            _add(log, event(time.time(), f"spoken so far {stream}", stream, is_final=False))
        terminal.wait(lambda rows: len(rows) == 2, "two interim rows")
        log.rename(directory / "videodb_events.jsonl.1")
        log.touch(mode=0o600)
        terminal.wait(lambda rows: len(rows) > 2, "talk about the new file")
        rows = terminal.rows()
        assert "was replaced; going on in the new file" in " ".join(rows[:-2])
        assert [row.split()[-1] for row in rows[-2:]] == ["mic", "sys"]
        _add(log, event(time.time(), "done", "mic", is_final=True))
        terminal.wait(lambda rows: "done" in "".join(rows), "the final words")
        assert terminal.end() == 130
        rows = terminal.rows()
    assert "so far mic" not in "".join(rows)
    assert "so far sys" in rows[-1], "what was said last stays, when nobody follows it any more"


def _follows(pid: int, log: Path) -> bool:
    try:
        return any(entry.readlink() == log for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def test_a_terminal_that_cannot_move_its_cursor_gets_no_interim_rows(tmp_path: Path) -> None:
    directory, log = _followed(tmp_path)
    with Terminal(80) as terminal:
        terminal.run([VIDEODB, "events", "tail", "-f"], {**environment(directory), "TERM": "dumb"}, directory)
        _add(log, event(time.time(), "not yet", is_final=False) + event(time.time(), "done", is_final=True))
        terminal.wait(lambda rows: "done" in "".join(rows), "the final words")
        assert terminal.end() == 130
        assert b"\x1b" not in terminal.output
        assert "not yet" not in "".join(terminal.rows())


# ---- commands that need a service ------------------------------------------------------------------------------------


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    found = Box(tmp_path)
    yield found
    found.close()


@pytest.mark.parametrize("columns", [20, 58, 300])
def test_listen_cuts_what_it_prints_to_the_width(columns: int, box: Box) -> None:
    with EventService() as service, Terminal(columns) as terminal:
        terminal.run([VIDEODB, "listen", "--quiet"], box.environment(service), box.root)
        terminal.wait(lambda rows: "WS_ID=" in "".join(rows), "the connection")
        for text, stream in TEXTS:
            service.send(event(0, text, stream, is_final=True))
        terminal.wait(lambda rows: len(rows) == 1 + len(TEXTS), "the events")
        assert terminal.end(signal.SIGTERM) == 0
        assert terminal.wraps == 0, terminal.rows()
        beginnings = [row.rpartition("  ")[2][:2] for row in terminal.rows()[1:]]
        assert beginnings == [text[:2] for text, _ in TEXTS], terminal.rows()


def test_status_of_a_listener_fits(box: Box) -> None:
    with EventService() as service:
        box.listen(service)
        for columns in (20, 58, 300):
            with Terminal(columns) as terminal:
                terminal.run([VIDEODB, "status"], box.environment(service), box.root)
                assert terminal.status() == 0, terminal.rows()
                assert terminal.wraps == 0, terminal.rows()
                assert "lasteventnever" in terminal.text()


def test_the_bar_of_a_demo_leaves_nothing_behind_on_a_terminal_that_is_made_narrower(tmp_path: Path) -> None:
    media = write_media(tmp_path / "clip.mp4", audio=None, seconds=1.5)
    place = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    with Terminal(80, reflows=True) as terminal:
        terminal.run([VIDEODB, "demo", str(media)], place, tmp_path)
        terminal.wait(lambda rows: "━" in "".join(rows), "the bar", timeout_s=60)
        terminal.resize(24)
        assert terminal.status(60) == 0, terminal.rows()
        shown = "\n".join(terminal.rows())
    assert "screens read" in " ".join(shown.split())
    assert "━" not in shown
    assert "─" not in shown

"""`videodb events` on a terminal: columns, rules, colour, interim transcripts in place, and nothing unsafe."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COLUMNS = 80
AT = 1772446530.0
# What a program may send to a terminal: styles, erasing, and moving the cursor.
_SEQUENCE = re.compile(r"\x1b\[[0-9;]*[mKJAC]")


class Terminal:
    """A pseudo terminal of 80 columns on which a command runs."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        import fcntl
        import termios

        self._fd, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "videodb_cli", *command],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TERM": "xterm-256color", "TZ": "UTC", **environment},
        )
        os.close(theirs)
        self.screen = ""

    def read(self, *, until: str | None = None, within_s: float = 60) -> str:
        """Everything that was shown, to the end of the command or to the first place of a text."""
        deadline = time.monotonic() + within_s
        while until is None or until not in self.screen:
            assert time.monotonic() < deadline, self.screen
            if select.select([self._fd], [], [], 0.2)[0]:
                try:
                    data = os.read(self._fd, 1 << 16)
                except OSError:  # Linux's way to say that nobody has the other end open
                    data = b""
                if not data:
                    assert until is None, self.screen
                    break
                self.screen += data.decode()
        return self.screen

    def close(self) -> int:
        self.process.terminate()
        status = self.process.wait(20)
        os.close(self._fd)
        return status


Show = Callable[..., str]


def event(number: float, channel: str | None = "transcript", text: str | None = None, **members: Any) -> dict[str, Any]:
    stamp = AT + number
    head: dict[str, Any] = {"ts": "2026-03-02T10:15:30.000Z", "unix_ts": stamp}
    if channel is not None:
        head["channel"] = channel
    data = members.pop("data", {})
    return {**head, **members, "data": {"text": text, **data} if text is not None else data}


EVENTS = [
    event(0, text="good morning", rtstream_name="mic:default", data={"is_final": True}),
    event(1, "visual_index", "a screen " * 30, rtstream_name="display:1"),
    event(2, "alert", rtstream_name="mic:default", data={"label": "pager", "confidence": 0.95, "text": "refused"}),
    event(3, "capture_session", event="capture_session.active", capture_session_id="cap-5e1",
          data={"rtstreams": [{"rtstream_id": "rts-1", "name": "mic:default"}]}),
    event(4, "videodb_cli", "nothing could be heard", event="listener.gap",
          data={"seconds": 1.2, "from": "2026-03-02T10:15:31.000Z", "to": "2026-03-02T10:15:32.200Z"}),
    event(5, "audio_index", "\x1b[2J\x07evil \u202egnirts\r\n[fake] line", rtstream_name="mic:\x1b[31m"),
    event(6, "made_up", data={"unknown": [1, 2]}),
    {"ts": "2026-03-02T10:15:37.000Z", "unix_ts": AT + 7, "raw": "no event at all"},
    event(86408, text="the next day", data={"is_final": True}, recovered=True),
]  # fmt: skip


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "videodb_events.jsonl"
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in EVENTS))
    path.chmod(0o600)
    return path


@pytest.fixture
def show(log: Path, tmp_path: Path) -> Show:
    def run(*command: str, color: bool = False) -> str:
        terminal = Terminal(
            ["events", command[0], "--dir", str(log.parent), *command[1:]],
            {"HOME": str(tmp_path), **({} if color else {"NO_COLOR": "1"})},
        )
        try:
            return terminal.read()
        finally:
            terminal.close()

    return run


def rows_of(screen: str) -> list[str]:
    return _SEQUENCE.sub("", screen).replace("\r\n", "\n").splitlines()


def assert_safe(screen: str) -> None:
    plain = _SEQUENCE.sub("", screen).replace("\r\n", "").replace("\n", "")
    assert not [character for character in plain if ord(character) < 0x20 or character in "\x7f\u202e"]


def test_tail_shows_columns_rules_and_no_control_characters(show: Show) -> None:
    screen = show("tail", "-n", "20")
    assert_safe(screen)
    assert "\x1b" not in screen
    rows = rows_of(screen)
    assert max(map(len, rows)) <= COLUMNS
    text = "\n".join(rows)
    assert re.search(r"^10:15:30\.000 +transcript +mic +good morning$", text, re.MULTILINE)
    assert re.search(r"^10:15:32\.000 +ALERT +mic +pager \(0\.95\): refused$", text, re.MULTILINE)
    assert re.search(r"^10:15:33\.000 +session +cap-5e1 +active · mic:default$", text, re.MULTILINE)
    assert re.search(r"─ gap 1\.2 s · 10:15:31 → 10:15:32 ─", text)
    assert "─ Tuesday 3 March 2026 ─" in text
    assert re.search(r"the next day \(recovered\)$", text, re.MULTILINE)
    assert '"unknown": [1, 2]' in text
    assert "no event at all" in text
    words = " ".join(text.split())
    assert words.count("a screen") == 30, "long texts are wrapped, not cut"
    assert "\\x1b[2J\\x07evil \\u202egnirts [fake] line" in words


def test_colour_is_for_people_and_can_be_turned_off(show: Show) -> None:
    assert "\x1b[" in show("tail", "-n", "1", color=True)
    assert "\x1b" not in show("tail", "-n", "1")


def test_interim_transcripts_are_redrawn_in_place(log: Path, tmp_path: Path) -> None:
    terminal = Terminal(["events", "tail", "-f", "-n", "0", "--dir", str(log.parent)], {"HOME": str(tmp_path)})
    try:
        with log.open("a") as file:
            deadline = time.monotonic() + 60
            number = 0.0
            while "hello" not in terminal.screen:  # it does not say when it has begun to follow
                assert time.monotonic() < deadline
                number += 1
                file.write(json.dumps(event(90000 + number, text="hello", data={"is_final": False})) + "\n")
                file.flush()
                if select.select([terminal._fd], [], [], 0.3)[0]:
                    terminal.screen += os.read(terminal._fd, 1 << 16).decode()
            file.write(json.dumps(event(99990, text="hello world", data={"is_final": False})) + "\n")
            file.flush()
            terminal.read(until="hello world")
            before = len(terminal.screen)
            file.write(json.dumps(event(99999, text="hello, world.", data={"is_final": True})) + "\n")
            file.flush()
            terminal.read(until="hello, world.")
        erased = terminal.screen[before:].partition("hello, world.")[0]
        assert "\x1b[J" in erased, "what stood there is erased first"
    finally:
        terminal.close()


def test_search_shows_where_the_words_stand(show: Show) -> None:
    screen = show("search", "morning", color=True)
    assert "\x1b[1;33mmorning\x1b[0m" in screen
    around = show("search", "morning", "--around", "2.5s")
    assert_safe(around)
    assert ["good morning" in around, "refused" in around, "active" in around] == [True, True, False]


def test_filter_indents_and_colours_json(show: Show) -> None:
    screen = show("filter", "--channel", "alert", "{a: .data.label, b: [1, null, true]}")
    assert "\n".join(rows_of(screen)) == '{\n  "a": "pager",\n  "b": [\n    1,\n    null,\n    true\n  ]\n}'
    assert_safe(show("filter", "--channel", "audio_index", ".data.text", "-r"))
    assert "\x1b[" in show("filter", "--channel", "alert", "-c", ".data", color=True)


def test_raw_lines_stats_and_transcripts_are_safe_too(show: Show) -> None:
    for command in (["tail", "--json"], ["stats"], ["stats", "--by", "stream"], ["transcript", "--visuals"]):
        screen = show(*command)
        assert rows_of(screen), command
        assert_safe(screen)


def test_wait_shows_a_row(show: Show) -> None:
    screen = show("wait", "--since", "2026-03-02T00:00:00Z", "--channel", "alert", "--timeout", "20")
    assert re.search(r"^10:15:32\.000 +ALERT +mic +pager", "\n".join(rows_of(screen)), re.MULTILINE)

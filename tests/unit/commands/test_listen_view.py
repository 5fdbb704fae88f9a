"""What `videodb listen` shows: no event of any shape can break it, and nothing unsafe or endless reaches a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli import cells, console
from videodb_cli.commands import listen_view
from videodb_cli.commands.listen_view import ListenView
from videodb_cli.listener.updates import Connected, IdReplaced, LogUnwritable, LogWritable, Lost, Retrying, Statement


class Lines:
    """In the place of a background writer."""

    def __init__(self, *_: object, **__: object) -> None:
        self.lines: list[bytes] = []
        self.dropped = 0

    def put(self, line: bytes) -> None:
        assert line.endswith(b"\n")
        self.lines.append(line)

    def close(self) -> None:
        pass


Make = Callable[..., tuple[ListenView, list[bytes], list[bytes]]]


@pytest.fixture(scope="module")
def make() -> Iterator[Make]:
    patch = pytest.MonkeyPatch()
    patch.setattr(listen_view, "BackgroundWriter", Lines)
    patch.setenv("NO_COLOR", "1")

    def build(*, terminal: bool = False, **flags: bool) -> tuple[ListenView, list[bytes], list[bytes]]:
        settings = {"as_json": False, "print_events": False, "quiet": False, **flags}
        patch.setattr(console, "is_terminal", lambda: terminal)
        patch.setattr(console, "terminal_width", lambda: 40)
        patch.setattr(listen_view.ListenView, "_owns_terminal", lambda self: self._is_terminal)
        view = ListenView(host="api.example", log=Path("/d/log"), **settings)
        out, err = view._stdout, view._stderr
        assert isinstance(out, Lines)
        assert isinstance(err, Lines)
        return view, out.lines, err.lines

    yield build
    patch.undo()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["channel", "event", "data", "raw", "rtstream_name", "ts"])
data = st.dictionaries(st.sampled_from(["text", "is_final", "label", "event_label", "error"]), json_values, max_size=4)
events = st.dictionaries(names, json_values | data | st.sampled_from(["transcript", "alert"]), max_size=5)


@given(events, st.booleans())
def test_any_event_is_one_safe_line_or_none(make: Make, event: dict[str, Any], terminal: bool) -> None:
    view, out, _ = make(terminal=terminal, print_events=True)
    view.on_line(b"{}\n", event)
    for line in out:
        text = line.decode("utf-8")[:-1]
        assert text.splitlines() in ([text], [])
        assert "\x1b" not in text
        assert not terminal or cells.width(text) < 40, "cells: some characters take none, some take two"


def test_what_is_shown_where(make: Make) -> None:
    final = {"channel": "transcript", "data": {"text": "done", "is_final": "true"}}
    interim = {"channel": "transcript", "data": {"text": "do", "is_final": False}}
    session = {"event": "capture_session.active", "data": None}
    for flags, expected in (
        ({"print_events": True}, [b"[transcript] done\n", b"[capture_session] capture_session.active\n"]),
        ({"terminal": True}, [b"transcript  done\n", b"session  active\n"]),
        ({"as_json": True}, [b"line\n"] * 4),
        ({}, []),
    ):
        view, out, _ = make(**flags)
        assert view.wants_lines is bool(flags)
        if flags:
            for event in (final, interim, session, None):
                view.on_line(b"line\n", event)
        assert out == expected


def test_a_huge_text_costs_a_terminal_nothing(make: Make) -> None:
    view, out, _ = make(terminal=True)
    view.on_line(b"", {"channel": "alert", "data": {"text": "\x1b " * (4 << 20)}})
    assert len(out[0]) < 60


def test_talk(make: Make) -> None:
    view, out, err = make()
    for update in (
        Connected("ws-1"),
        Lost("server closed 1001, going\x1b away", 1772446530.0),
        Retrying(None, 1.26),
        Retrying("HTTP 503", 2.0),
        Connected("ws-2", 3.04),
        IdReplaced("ws-3"),
        LogUnwritable("No space left on device", 512),
        LogWritable(4.0),
    ):
        view.on_update(update)
    view.say_statement(Statement(7384.0, 5, 1, 2, 1, 3.0, 0))
    assert out == [b"WS_ID=ws-1\n", b"WS_ID=ws-2\n", b"WS_ID=ws-3\n"]
    said = [line.decode()[9:-1] for line in err]
    assert said[0] == "connected to api.example as ws-1 · log /d/log"
    assert said[1].startswith("lost (server closed 1001, going\\x1b away) · last event ")
    assert said[2:4] == ["retry in 1.3 s", "retry in 2.0 s (HTTP 503)"]
    assert said[4].startswith("back as ws-2 after 3.0 s")
    assert "ws-3" in said[5]
    assert "No space left on device" in said[6]
    assert "after 4.0 s" in said[7]
    assert said[8].startswith("stopped · connected 2 h 03 min · 5 events · 1 gap of 3.0 s")
    assert all(len(line.splitlines()) == 1 for line in err)


def test_quiet_and_json(make: Make) -> None:
    view, out, err = make(quiet=True)
    view.on_update(Connected("ws-1"))
    view.on_update(Lost("cut", None))
    assert (out, err) == ([b"WS_ID=ws-1\n"], [])
    view, out, err = make(as_json=True)
    view.on_update(Connected("ws-1"))
    assert out == []
    assert len(err) == 1

"""The one writer to the terminal: nothing unsafe reaches it, and nobody who does not read can hold the work up."""

from __future__ import annotations

import contextlib
import os
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli import console
from videodb_cli.console import escape_controls, one_line


@given(st.text())
def test_one_line_is_one_safe_line(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in line)


@given(st.text())
def test_escape_controls_keeps_newlines_and_tabs_only(text: str) -> None:
    kept = escape_controls(text)
    assert not any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in kept)


def test_what_is_made_visible() -> None:
    assert one_line("a\x1b[2J\tb\n\n c\u202e\x9b") == "a\\x1b[2J b c\\u202e\\x9b"
    assert (
        one_line("family: \U0001f468\u200d\U0001f469\u200d\U0001f467 ok")
        == "family: \U0001f468\u200d\U0001f469\u200d\U0001f467 ok"
    )


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)


@pytest.mark.parametrize(
    ("environment", "forced", "wanted"),
    [
        ({}, None, False),
        ({"FORCE_COLOR": "1"}, None, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, None, False),
        ({"NO_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "1"}, False, False),
    ],
)
def test_colour(
    environment: dict[str, str],
    forced: bool | None,
    wanted: bool,
    monkeypatch: pytest.MonkeyPatch,
    pipe: tuple[int, int],
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    console.set_color(forced)
    try:
        with os.fdopen(pipe[1], "w") as stream:
            assert console.wants_color(stream) is wanted
    finally:
        console.set_color(None)


# ---- diagnostics: talk that never waits ------------------------------------------------------------------------------


@contextlib.contextmanager
def stderr_is(fd: int) -> Iterator[None]:
    """Let the descriptor of stderr be another one within the block."""
    kept = os.dup(2)
    os.dup2(fd, 2)
    try:
        with open(2, "w", encoding="utf-8", closefd=False) as stream, pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stderr", stream)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def test_a_line_goes_to_a_pipe_that_is_read_safe_and_whole() -> None:
    read, write = os.pipe()
    with stderr_is(write):
        assert console.talk_if_ready("one\x1b[2J\ntwo")
    assert os.read(read, 4096) == b"one\\x1b[2J two\n"
    os.close(read)
    os.close(write)


def test_a_full_pipe_is_not_waited_for() -> None:
    read, write = os.pipe()
    with stderr_is(write):
        count = 0
        while console.talk_if_ready("é" * 10_000):
            count += 1
            assert count < 1000
        assert count > 0
        content = os.read(read, 1 << 20)
        assert console.talk_if_ready("again"), "once it is read it goes on"
    lines = content.decode().splitlines()
    assert {len(line) for line in lines} == {2047}
    os.close(read)
    os.close(write)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")  # noqa: PTH110
def test_a_full_disk_and_a_closed_pipe_end_nothing() -> None:
    read, write = os.pipe()
    os.close(read)
    full = os.open("/dev/full", os.O_WRONLY)
    for fd in (write, full):
        with stderr_is(fd):
            assert not console.talk_if_ready("unheard")
        os.close(fd)

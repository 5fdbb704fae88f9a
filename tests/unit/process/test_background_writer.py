"""Lines that a thread writes: nobody who does not read can hold the work up."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator

import pytest

from videodb_cli.process import background_writer
from videodb_cli.process.background_writer import BackgroundWriter


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_lines_come_in_order(pipe: tuple[int, int]) -> None:
    writer = BackgroundWriter(pipe[1])
    for n in range(500):
        writer.put(b"%d\n" % n)
    writer.close(5)
    os.close(pipe[1])
    with os.fdopen(pipe[0], "rb", closefd=False) as reader:
        assert [int(line) for line in reader] == list(range(500))
    assert writer.dropped == 0


def test_a_full_pipe_drops_and_counts(pipe: tuple[int, int]) -> None:
    writer = BackgroundWriter(pipe[1], capacity=10)
    for _ in range(200):
        writer.put(b"x" * 10_000 + b"\n")
        time.sleep(0)
    assert writer.dropped > 100
    began = time.monotonic()
    writer.close(0.05)
    assert time.monotonic() - began < 1


def test_waiting_lines_are_bounded_in_bytes(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_writer, "_MAX_WAITING", 1000)
    writer = BackgroundWriter(pipe[1])
    writer.put(b"x" * 1_000_000)
    eventually(lambda: not writer._lines)
    writer.put(b"y" * 1000)
    assert writer.dropped == 1
    os.set_blocking(pipe[0], False)

    def drain() -> bool:
        with contextlib.suppress(BlockingIOError):
            os.read(pipe[0], 1 << 20)
        return writer._put_bytes == writer._taken_bytes

    eventually(drain)
    writer.put(b"z" * 5000)
    assert writer.dropped == 1, "a single large line passes when nothing waits"
    writer.close()


def test_a_closed_pipe_ends_the_printing(pipe: tuple[int, int]) -> None:
    writer = BackgroundWriter(pipe[1])
    os.close(pipe[0])
    writer.put(b"x\n")
    eventually(lambda: writer.is_broken)
    writer.put(b"y\n")
    assert writer.dropped == 1
    writer.close()


def test_a_non_blocking_pipe_is_waited_for(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    writer = BackgroundWriter(pipe[1])
    writer.put(b"x" * 500_000)
    writer.put(b"end\n")
    received = b""
    while not received.endswith(b"end\n"):
        received += os.read(pipe[0], 65536)
    assert len(received) == 500_004
    assert not writer.is_broken
    writer.close()

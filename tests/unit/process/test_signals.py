"""First signal, later signals, and those that were ignored at the start."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from videodb_cli.process import signals
from videodb_cli.process.signals import (
    ignore_terminal_output_stop,
    run_until_interrupted,
    stop_on_signals,
    stop_signals,
)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    numbers = (*stop_signals(), signal.SIGTTOU)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def kill(number: int) -> None:
    os.kill(os.getpid(), number)
    await asyncio.sleep(0.01)


async def test_first_and_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "SAME_REQUEST_S", 0.0)
    said: list[str] = []
    with stop_on_signals(lambda: said.append("stop"), lambda: said.append("force")):
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            await kill(number)
        assert said == ["stop", "force", "force"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_the_same_wish_said_twice_is_one() -> None:
    """`timeout` signals its child and then the group; a closed terminal does the same."""
    said: list[str] = []
    with stop_on_signals(lambda: said.append("stop"), lambda: said.append("force")):
        await kill(signal.SIGTERM)
        await kill(signal.SIGTERM)
        await kill(signal.SIGHUP)
        assert said == ["stop"]


async def test_what_was_ignored_stays_ignored() -> None:
    said: list[str] = []
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with stop_on_signals(lambda: said.append("stop"), lambda: said.append("force")):
        await kill(signal.SIGHUP)
        await kill(signal.SIGINT)
        assert said == []
        await kill(signal.SIGTERM)
        assert said == ["stop"]
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_terminal_output_stop_is_ignored() -> None:
    ignore_terminal_output_stop()
    assert signal.getsignal(signal.SIGTTOU) is signal.SIG_IGN


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_cancels_what_runs_and_comes_after_the_loop_is_closed(number: signal.Signals) -> None:
    ended = []

    async def work() -> None:
        os.kill(os.getpid(), number)
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(asyncio.get_running_loop())

    with pytest.raises(KeyboardInterrupt):
        run_until_interrupted(work())
    assert ended[0].is_closed()


def test_what_is_not_interrupted_gives_its_result_and_its_error() -> None:
    async def give() -> int:
        return 7

    async def fail() -> int:
        raise ValueError("no")

    assert run_until_interrupted(give()) == 7
    with pytest.raises(ValueError, match="no"):
        run_until_interrupted(fail())

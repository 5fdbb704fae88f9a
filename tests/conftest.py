"""For all tests: how many examples property tests try. ``pytest --hypothesis-profile=fuzz`` is the long form."""

from __future__ import annotations

import faulthandler
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("quick", deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("few", settings.get_profile("quick"), max_examples=25)  # on other Pythons (make matrix)
settings.register_profile("fuzz", settings.get_profile("quick"), max_examples=20_000)
settings.load_profile("quick")

_EXIT_WITHIN_S = 60


def pytest_configure() -> None:
    """Take the signals again that the caller ignores.

    A shell starts what runs in its background with SIGINT ignored, and nohup ignores SIGHUP. Our programs keep ignoring
    what was ignored at their start, so that the tests which send these would wait in vain.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_unconfigure() -> None:
    """Show the stacks of a process that does not end after its last test, and end it.

    A single test is watched by pytest-timeout; but a thread that it left behind keeps the interpreter waiting for ever.
    """
    assert sys.__stderr__ is not None
    faulthandler.dump_traceback_later(_EXIT_WITHIN_S, exit=True, file=sys.__stderr__)


@pytest.fixture(autouse=True)
def _own_state_directory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep tests out of the user's own files, and from finding each other's embedded service."""
    directory = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("XDG_STATE_HOME", str(directory))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(directory / "config"))
    monkeypatch.delenv("VIDEODB_CONFIG", raising=False)
    return directory

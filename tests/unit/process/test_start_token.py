"""What tells a process from a later one with the same pid."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from videodb_cli.process import start_token as module
from videodb_cli.process.start_token import current_start_token, is_same_process, start_token


def test_of_this_process() -> None:
    token = start_token(os.getpid())
    assert token is not None
    assert token == current_start_token()
    assert is_same_process(os.getpid(), token)
    assert not is_same_process(os.getpid(), token + "0")


@pytest.mark.parametrize("pid", [0, -1, 999_999_999])
def test_of_nobody(pid: int) -> None:
    assert start_token(pid) is None
    assert not is_same_process(pid, "x")


def test_names_with_brackets_and_zombies(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = " ".join(str(n) for n in range(4, 23))
    monkeypatch.setattr(module, "_HAS_PROC", True)
    monkeypatch.setattr(module, "kernel_boot_id", lambda: "boot")
    for state, token in (("S", "boot:22"), ("Z", None), ("X", None)):
        content = f"5 (a) b (c)) {state} {fields}".encode()
        monkeypatch.setattr(Path, "read_bytes", lambda _, content=content: content)
        assert start_token(5) == token


@pytest.mark.parametrize(
    ("printed", "status", "token"),
    [
        ("Ss   Mon Mar  2 10:15:30 2026\n", 0, "Mon Mar 2 10:15:30 2026"),
        ("Z    Mon Mar  2 10:15:30 2026\n", 0, None),
        ("", 1, None),
        ("S\n", 0, None),
    ],
)
def test_from_ps(printed: str, status: int, token: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **settings: object) -> subprocess.CompletedProcess[str]:
        assert isinstance(settings["env"], dict)
        assert settings["env"]["LC_ALL"] == "C"
        return subprocess.CompletedProcess([], status, printed, "")

    monkeypatch.setattr(module, "_HAS_PROC", False)
    monkeypatch.setattr(subprocess, "run", run)
    assert start_token(5) == token

"""The start token: what tells a process from a later one that got the same pid.

Linux: boot id and the start time of ``/proc/<pid>/stat`` (field 22, clock ticks since boot, proc(5)). Elsewhere: the
start time that ``ps`` prints.
"""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

_HAS_PROC = Path("/proc/self/stat").exists()


@cache
def kernel_boot_id() -> str:
    """Return the id of this boot of the machine (Linux). Raises OSError elsewhere."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def start_token(pid: int) -> str | None:
    """Return the start token of a live process, or None if there is none (a zombie counts as none)."""
    if pid <= 0:
        return None
    if _HAS_PROC:
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except OSError:
            return None
        # The name in field 2 may hold spaces and brackets: fields are counted from the last bracket on.
        fields = stat[stat.rindex(b")") + 2 :].split()
        if fields[0] in {b"Z", b"X"}:
            return None
        return f"{kernel_boot_id()}:{fields[19].decode('ascii')}"
    return _token_from_ps(pid)


def _token_from_ps(pid: int) -> str | None:
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],  # noqa: S607 - found on PATH as on every POSIX system
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    state, _, started = answer.stdout.strip().partition(" ")
    if answer.returncode != 0 or not started or state.startswith("Z"):
        return None
    return " ".join(started.split())


@cache
def _own_token(pid: int) -> str:
    return start_token(pid) or f"unknown:{pid}"


def current_start_token() -> str:
    """Return the start token of this process."""
    return _own_token(os.getpid())


def is_same_process(pid: int, token: str) -> bool:
    """Tell whether the pid is alive and still the process that had this token."""
    return start_token(pid) == token

"""The fake load takes processors, and gives them back."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.fakes.load import busy_processors


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")
def test_it_works_until_the_end_of_the_block() -> None:
    with busy_processors(1, niceness=19) as pids:
        assert len(pids) == os.cpu_count()
        deadline = time.monotonic() + 30
        while any(cpu_ticks(pid) < 5 for pid in pids):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)

"""How long received lines wait in memory while the processors are taken: `scripts/bench_latency.py` in a short form."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_latency.py"
# Far above what is measured (docs/benchmarks.md), and far below what a user would notice.
PATIENCE_MS = 500.0


@pytest.mark.system
@pytest.mark.parametrize("load", ["nice", "busy"])
def test_a_line_does_not_wait_for_an_idle_processor(load: str) -> None:
    command = [sys.executable, str(SCRIPT), "--events", "2000", "--loads", load, "--only", "with", "--json"]
    done = subprocess.run(command, capture_output=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert found["lines"] >= 2000
    # A disk that is slow at that moment is nobody's starvation.
    assert found["p99.9"] - found["longest_write"] < PATIENCE_MS, found

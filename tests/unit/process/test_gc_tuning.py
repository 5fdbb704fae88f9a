"""A process that lives long does not sit on its garbage."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
import gc, sys
gc.set_threshold(50_000, 10, 10)
from videodb_cli.process.gc_tuning import tune_for_long_running
class Cycle:
    alive = 0
    def __init__(self):
        self.me = self
        Cycle.alive += 1
    def __del__(self):
        Cycle.alive -= 1
if sys.argv[1] == "settled":
    tune_for_long_running()
most = 0
for _ in range(20_000):
    Cycle()
    most = max(most, Cycle.alive)
print(most)
"""


def _most_alive(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", _SCRIPT, how], capture_output=True, check=True, encoding="utf-8")
    return int(done.stdout)


def test_cycles_are_found_soon() -> None:
    assert _most_alive("settled") < 3000
    assert _most_alive("as it starts") > 15_000, "what this is about"

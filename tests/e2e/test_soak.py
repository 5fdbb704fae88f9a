"""For as long as it runs: the law is held, and memory and descriptors stay flat. ``SOAK_S=600`` is the long form."""

from __future__ import annotations

import os
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fakes.chaos import Chaos, random_fault
from videodb_cli.local.http.server import Running

SECONDS = float(os.environ.get("SOAK_S", "120"))
RATE = 500.0


@dataclass
class Samples:
    """Resident memory (MB) and open descriptors, once a second."""

    resident_mb: list[float] = field(default_factory=list)
    descriptors: list[float] = field(default_factory=list)

    def take(self, pid: int) -> None:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            self.descriptors.append(len(list(Path(f"/proc/{pid}/fd").iterdir())))
        except OSError:
            return
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        self.resident_mb.append(int(line.split()[1]) / 1024)


def slope_per_minute(samples: list[float]) -> float:
    """The least-squares slope of samples taken once a second, over their second half: the first is warming up."""
    half = samples[len(samples) // 2 :]
    middle = (len(half) - 1) / 2
    mean = sum(half) / len(half)
    above = sum((x - middle) * (y - mean) for x, y in enumerate(half))
    return above / sum((x - middle) ** 2 for x in range(len(half))) * 60


@pytest.mark.system
@pytest.mark.timeout(0)
def test_soak(service: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # What can be read back is asked for again, and remembered, for two minutes: memory grows until then as it must.
    # Here it is ten seconds, so that the plateau is reached long before the second half, which the slope is taken from.
    chaos = Chaos(service, tmp_path / "events", rate=RATE, kinds=("transcript", "visual_index", *["alert"] * 38))
    dice = random.Random(7)
    samples = Samples()
    chaos.next_fault = lambda: random_fault(dice, dice.choice(KINDS))
    chaos.on_second = samples.take
    lines = chaos.run([], seconds=SECONDS, options=("--overlap=10",))
    memory, descriptors = slope_per_minute(samples.resident_mb), slope_per_minute(samples.descriptors)
    gaps = sum(line.get("event") == "listener.gap" for line in lines)
    with capsys.disabled():
        sys.stdout.write(
            f"\nsoak: {SECONDS:.0f} s, {len(lines)} lines, {gaps} gaps · "
            f"RSS {samples.resident_mb[0]:.1f} → {samples.resident_mb[-1]:.1f} MB, slope {memory:+.2f} MB/min · "
            f"descriptors {samples.descriptors[0]:.0f} → {samples.descriptors[-1]:.0f}, slope {descriptors:+.2f}/min\n"
        )
    breaches = chaos.broken_laws(lines)
    assert not breaches, breaches
    assert gaps >= 2
    assert memory < 2.0
    assert descriptors < 1.0


KINDS = ("close", "cut", "close", "cut", "half_open", "duplicate", "binary", "garbage", "status", "refuse", "slow")

"""A machine's two clocks under the control of a test: the wall clock, which is set, and the uptime, which is not."""

from __future__ import annotations

from dataclasses import dataclass

from videodb_cli.process.clock import Clock

NOW = 1795856400.0
# What a board without a battery shows when it boots.
JUST_BOOTED = 20.0
TO_NOW = NOW - JUST_BOOTED


@dataclass
class Time:
    """Both clocks. ``boot`` is forgotten by neither: what runs on this machine reads them."""

    wall: float = NOW
    uptime: float = 500.0

    def clock(self) -> Clock:
        """Return a clock of a process that starts now."""
        return Clock(wall=lambda: self.wall, uptime=lambda: self.uptime)

    def passes(self, seconds: float) -> None:
        """Let time pass; the machine may sleep meanwhile."""
        self.wall += seconds
        self.uptime += seconds

    def is_set(self, step_s: float) -> None:
        """Set the wall clock, forward or (negative) back."""
        self.wall += step_s

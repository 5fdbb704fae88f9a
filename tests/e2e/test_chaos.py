"""The law of the listener, for every fault and for random plans of them.

A plan's seed is printed with its breach: ``CHAOS_SEED=17 pytest tests/e2e/test_chaos.py -k random`` runs it again.
"""

from __future__ import annotations

import functools
import os
import random
import signal
from pathlib import Path

import pytest

from tests.fakes.chaos import Chaos, random_plan
from tests.fakes.load import busy_processors
from videodb_cli.local.faults.plan import KINDS, Fault
from videodb_cli.local.http.server import Running

FIRST_SEED = int(os.environ.get("CHAOS_SEED", "1000"))
SHORT, LONG = 30, 300
_CALL_PATHS = {"refuse", "status", "stall", "slow", "garbage_body", "token_expiry"}


def hold(service: Running, directory: Path, plan: list[Fault], seconds: float, what: str) -> None:
    chaos = Chaos(service, directory)
    lines = chaos.run(plan, seconds=seconds)
    breaches = chaos.broken_laws(lines)
    assert not breaches, f"{what}: {breaches}\nplan: {[fault.as_json() for fault in plan]}\nlog: {directory}"


@pytest.mark.system
@pytest.mark.parametrize("kind", KINDS)
def test_every_fault(service: Running, tmp_path: Path, kind: str) -> None:
    fault = Fault(kind, times=2, after=40, seconds=0.8, retry_after=0.1)
    plan = [fault]
    if kind in _CALL_PATHS or kind in {"reject", "no_first_frame", "event_first"}:
        # Only a reconnect, or what is done after one, meets it.
        plan.append(Fault("close", times=2, after=30))
    if kind == "late":
        # Long enough after its record was read back.
        plan = [Fault("close", after=30), Fault(kind, times=8, after=40, seconds=3.5)]
    if kind == "clock_skew":
        plan = [Fault(kind, times=0, seconds=-45.0), Fault("cut", times=2, after=40)]
    hold(service, tmp_path / "events", plan, 1.5, kind)


@pytest.mark.system
@pytest.mark.parametrize("kind", [None, "close", "cut", "duplicate"])
def test_renewals(service: Running, tmp_path: Path, kind: str | None) -> None:
    """A connection that is renewed twice a second, with and without troubles of the old ones."""
    chaos = Chaos(service, tmp_path / "events")
    plan = [] if kind is None else [Fault(kind, times=3, after=60)]
    lines = chaos.run(plan, seconds=2.5, options=("--max-age=500ms",))
    breaches = chaos.broken_laws(lines)
    assert not breaches, f"{kind}: {breaches}\nlog: {tmp_path}"
    assert sum("renews" in line["data"] for line in lines if line.get("event") == "listener.connected") >= 3


@pytest.mark.system
@pytest.mark.parametrize("seed", range(int(os.environ.get("LATE_SEEDS", "3"))))
def test_late_events(service: Running, tmp_path: Path, seed: int) -> None:
    """Events that come before, while and after their records are read back, over several gaps."""
    dice = random.Random(seed)
    gaps = [Fault(dice.choice(("close", "cut")), after=dice.randint(10, 80)) for _ in range(3)]
    late = [Fault("late", times=6, after=dice.randint(0, 60), seconds=dice.uniform(0.2, 4.0)) for _ in range(5)]
    hold(service, tmp_path / "events", [*gaps, *late], 2.5, f"seed {seed}")


@pytest.mark.system
def test_the_law_can_be_broken(service: Running, tmp_path: Path) -> None:
    """Without recovery it is: what a gap lost stays lost, and the check says so."""
    chaos = Chaos(service, tmp_path / "events")
    chaos.settle_timeout_s = 1.0
    lines = chaos.run([Fault("cut", after=40)], seconds=1.0, options=("--no-recover",))
    assert [breach for breach in chaos.broken_laws(lines) if breach.startswith("lost in silence")]


def random_run(service: Running, tmp_path: Path, seed: int) -> None:
    hold(service, tmp_path / "events", random_plan(seed), 1.5, f"CHAOS_SEED={seed}")


def end(
    service: Running, directory: Path, ends: int, seed: int, number: int = signal.SIGKILL, *, busy: int = 0
) -> Chaos:
    chaos = Chaos(service, directory, rate=1500.0)
    if busy:
        chaos.strain = functools.partial(busy_processors, busy)
    lines = chaos.run_ends(ends, random.Random(seed), number)
    breaches = chaos.broken_laws(lines)
    assert not breaches, f"CHAOS_SEED={seed}: {breaches}\nlog: {directory}"
    return chaos


def kill(service: Running, directory: Path, kills: int, seed: int) -> None:
    chaos = end(service, directory, kills, seed)
    assert len(chaos.produced) > 100 * kills
    # A machine may stand still at the moment of a kill, but not at one in ten of them.
    assert len(chaos.late_losses) <= 1 + kills // 10, chaos.late_losses


@pytest.mark.system
def test_kill_at_random_moments_of_a_flood(service: Running, tmp_path: Path) -> None:
    """No torn line joined to another, nothing lost but what is declared, no double."""
    kill(service, tmp_path / "events", 10, FIRST_SEED)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kill_at_a_hundred_moments(service: Running, tmp_path: Path) -> None:
    kill(service, tmp_path / "events", 100, FIRST_SEED + 1)


@pytest.mark.system
def test_stop_at_random_moments_of_a_flood(service: Running, tmp_path: Path) -> None:
    """An orderly end loses nothing that was received."""
    end(service, tmp_path / "events", 5, FIRST_SEED, signal.SIGTERM)


@pytest.mark.system
@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_ends_while_the_processors_are_taken(service: Running, tmp_path: Path, number: int) -> None:
    """The law needs no idle machine: a kill costs nothing that is not declared, an orderly end nothing."""
    end(service, tmp_path / "events", 5, FIRST_SEED, number, busy=4)


@pytest.mark.system
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + (1 if "CHAOS_SEED" in os.environ else SHORT)))
def test_random_plan(service: Running, tmp_path: Path, seed: int) -> None:
    random_run(service, tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(FIRST_SEED + SHORT, FIRST_SEED + LONG))
def test_random_plan_of_the_long_form(service: Running, tmp_path: Path, seed: int) -> None:
    random_run(service, tmp_path, seed)

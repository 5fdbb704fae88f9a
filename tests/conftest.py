"""For all tests: how many examples property tests try. ``pytest --hypothesis-profile=fuzz`` is the long form."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("quick", deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fuzz", settings.get_profile("quick"), max_examples=20_000)
settings.load_profile("quick")

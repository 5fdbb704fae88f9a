"""constraints.txt fits pyproject.toml, on every Python that the project names, and holds no address."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "constraints.txt").read_text()
PYTHONS = [line.rsplit(" ", 1)[1] for line in PROJECT["classifiers"] if "Python :: 3." in line]


def wanted() -> list[Requirement]:
    lines = PROJECT["dependencies"] + [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    return [found for found in map(Requirement, lines) if found.name != PROJECT["name"]]


@pytest.mark.parametrize("python", PYTHONS)
def test_every_library_is_locked_at_an_allowed_release(python: str) -> None:
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    pins = [Requirement(line) for line in LOCK.splitlines() if line and not line.startswith("#")]
    locked = {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in pins
        if pin.marker is None or pin.marker.evaluate(environment)
    }
    wrong = [str(one) for one in wanted() if locked.get(canonicalize_name(one.name), "0") not in one.specifier]
    assert not wrong, "after a change of dependencies: make lock"


def test_no_address_is_in_it() -> None:
    assert "://" not in LOCK
    assert not [line for line in LOCK.splitlines() if line.startswith("-")]


def test_the_oldest_python_is_the_one_that_is_required() -> None:
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"

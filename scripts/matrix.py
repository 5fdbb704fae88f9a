#!/usr/bin/env python3
"""Run the tests on other Pythons and with other releases of the libraries, and say which were tried.

    python scripts/matrix.py locked    # every other Python of this machine, with the releases of constraints.txt
    python scripts/matrix.py between   # the same without the newest Python, which `newest` takes: for CI
    python scripts/matrix.py lowest    # the oldest Python, with the lowest releases that pyproject.toml allows
    python scripts/matrix.py newest    # the newest Python, with what pip takes today for somebody without the lock
    python scripts/matrix.py tried     # the table of what passed since `make clean`

Each Python gets a virtual environment of its own in a temporary directory, the tests that need no speech model and no
Debian packages, and a `videodb demo`. Property tests try few examples: the first Python has tried many. The newest
releases get a check of types too, because libraries change them.
Needs the environment that `make` installs, because uv is in it. Further arguments go to pytest.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "constraints.txt"
RECORD = Path(sys.prefix) / "tried.jsonl"
SUITE = ("-n", "4", "--dist", "worksteal", "-m", "not models and not system and not slow", "--hypothesis-profile=few")
OLDEST = (3, 11)


@dataclass(frozen=True, slots=True)
class Tried:
    """One environment in which everything passed."""

    python: str
    releases: str
    libraries: dict[str, str]


def interpreters() -> dict[tuple[int, int], str]:
    """The newest interpreter of each minor version from 3.11 on: on the path, or installed by pyenv."""
    names = [f"python3.{minor}" for minor in range(OLDEST[1], 30)]
    found = [path for name in names if (path := shutil.which(name))]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found += [str(path) for path in pyenv.glob("versions/*/bin/python")]
    best: dict[tuple[int, int], tuple[tuple[int, ...], str]] = {}
    ask = "import ensurepip, sys, venv; v = sys.version_info; "
    ask += "print(sys.implementation.name, v.releaselevel, *v[:3], sys.executable)"
    for path in found:
        answer = subprocess.run([path, "-c", ask], capture_output=True, text=True, check=False).stdout.split(maxsplit=5)
        if answer[:2] != ["cpython", "final"]:
            continue  # a shim of a version that is not chosen, a preview, or a Python without venv
        version = tuple(int(part) for part in answer[2:5])
        minor = (version[0], version[1])
        if minor >= OLDEST and version > best.get(minor, ((0,), ""))[0]:
            best[minor] = (version, answer[5].strip())
    return {minor: path for minor, (_, path) in sorted(best.items())}


def plan(what: str) -> list[str]:
    """The interpreters that a kind of run takes."""
    found = interpreters()
    if what in {"locked", "between"}:
        newest = max(found) if what == "between" else None
        return [path for minor, path in found.items() if minor not in {sys.version_info[:2], newest}]
    return [found[min(found) if what == "lowest" else max(found)]]


def run(what: str, python: str, pytest_arguments: list[str]) -> Tried:
    """Install, test and demonstrate. Raises `CalledProcessError` for the first step that fails."""
    with tempfile.TemporaryDirectory(prefix=f"videodb-{what}-") as scratch:
        place = Path(scratch)
        subprocess.run([python, "-m", "venv", str(place / "venv")], check=True)
        inside = place / "venv" / "bin" / "python"
        wanted = f"{ROOT}[all,{'dev' if what == 'newest' else 'test'}]"
        pip = [str(inside), "-m", "pip", "install", "--quiet", "--editable", wanted]
        if what in {"locked", "between"}:
            pip += ["--constraint", str(LOCK)]
        elif what == "lowest":
            pip += ["--constraint", str(lowest(inside, place / "lowest.txt"))]
        subprocess.run(pip, check=True)
        tried = Tried(_version(inside), what, libraries(inside))
        print(f"\n{tried.python}, {what}: {', '.join(f'{n} {v}' for n, v in tried.libraries.items())}", flush=True)
        test(inside, pytest_arguments)
        if what == "newest":
            subprocess.run([str(inside), "-m", "mypy"], cwd=ROOT, check=True)
        demonstrate(inside.with_name("videodb"), place)
        return tried


def test(python: Path, pytest_arguments: list[str]) -> None:
    """Run the suite, and once more, alone, what failed in it: several processes on two cores may starve a test."""
    pytest = [str(python), "-m", "pytest"]
    if subprocess.run([*pytest, *SUITE, *pytest_arguments], cwd=ROOT, check=False).returncode:
        print("running what failed once more, alone", flush=True)
        subprocess.run([*pytest, "--last-failed", "--last-failed-no-failures", "none"], cwd=ROOT, check=True)


def demonstrate(videodb: Path, place: Path) -> None:
    """Run the demo, and see that it heard and read. Raises `CalledProcessError` if not."""
    command = [str(videodb), "demo", "--json"]
    said = subprocess.run(command, cwd=place, stdout=subprocess.PIPE, text=True, check=True).stdout
    print(said, end="", flush=True)
    outcome = json.loads(said)
    if outcome["words_heard"] < 0.8 * outcome["words_spoken"] or not outcome["screens"]:
        raise subprocess.CalledProcessError(1, command, said)


def lowest(python: Path, target: Path) -> Path:
    """Write the lowest releases that pyproject.toml allows as a constraints file, for this Python."""
    uv = [str(Path(sys.prefix) / "bin" / "uv"), "pip", "compile", "--quiet", "--resolution", "lowest-direct"]
    uv += ["--no-header", "--no-annotate", "--python", str(python), "--extra", "all", "--extra", "test"]
    subprocess.run([*uv, "--output-file", str(target), str(ROOT / "pyproject.toml")], check=True)
    return target


def libraries(python: Path) -> dict[str, str]:
    """The releases of what pyproject.toml names, as they are installed for a Python."""
    listing = [str(python), "-m", "pip", "list", "--format", "json"]
    installed = json.loads(subprocess.run(listing, capture_output=True, text=True, check=True).stdout)
    versions = {_plain(one["name"]): one["version"] for one in installed}
    named = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in metadata.requires("videodb-cli") or ()]
    return {name: versions[_plain(name)] for name in named if name != "videodb-cli" and _plain(name) in versions}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _version(python: Path) -> str:
    ask = "import platform; print(platform.python_version())"
    return subprocess.run([str(python), "-c", ask], capture_output=True, text=True, check=True).stdout.strip()


def table(rows: list[Tried]) -> str:
    """One column an environment, one line a library."""
    names = list(dict.fromkeys(name for row in rows for name in row.libraries))
    lines = [["", *(row.python for row in rows)], ["", *(row.releases for row in rows)]]
    lines += [[name, *(row.libraries.get(name, "–") for row in rows)] for name in names]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded)


def tried() -> list[Tried]:
    """What passed in this virtual environment and, since it was made, in others."""
    here = Path(sys.executable)
    rows = [Tried(_version(here), "make test", libraries(here))]
    if RECORD.exists():
        rows += [Tried(**json.loads(line)) for line in RECORD.read_text().splitlines()]
    return rows


def main() -> int:
    """Exit with 0 if everything passed, 1 if not, 2 for a wrong word."""
    what, *pytest_arguments = sys.argv[1:] or ["help"]
    if what == "tried":
        print(table(tried()))
        return 0
    if what not in {"locked", "between", "lowest", "newest"}:
        print(__doc__, file=sys.stderr)
        return 2
    failed = []
    for python in plan(what):
        try:
            done = run(what, python, pytest_arguments)
        except subprocess.CalledProcessError as error:
            failed.append(f"{python}, {what}: {Path(error.cmd[0]).name} {' '.join(error.cmd[1:4])} … failed")
            continue
        with RECORD.open("a") as record:
            record.write(json.dumps(asdict(done)) + "\n")
    print("\n".join(failed), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

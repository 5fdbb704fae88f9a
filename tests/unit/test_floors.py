"""The house: imports go down only, and what is heavy is imported late."""

import ast
import os
import subprocess
import sys
from collections.abc import Container, Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "videodb_cli"

# Below everything else: they import nothing of ours but the errors.
LOWEST = {"errors", "hints", "userpaths", "diagnostics", "version"}
GROUND = {"cells", "quantities", "config", "errors", "settings", "mediafile", "network", "console", "model"}
_BASE = {"errors", "settings", "model", "network"}
MAY_IMPORT = {
    "errors": set(),
    "diagnostics": set(),
    "model": set(),
    "config": {"errors"},
    "settings": {"errors", "config"},
    "network": {"errors", "settings"},
    "cells": set(),
    # The embedded service and reports show the same page; it knows nothing of either.
    "page": set(),
    "quantities": set(),
    "mediafile": {"errors"},
    "console": {"errors"},
    "render": {"cells", "console", "errors", "model"},
    "api": _BASE,
    "eventlog": {"errors", "settings", "model", "rundir"},
    "process": {"errors", "settings", "network"},
    "rundir": {"errors", "settings", "model"},
    # Not model: a mistake that service and client shared would hide.
    "local": {"errors", "settings", "mediafile", "network", "page", "process", "rundir"},
    "listener": _BASE | {"api", "eventlog", "process", "rundir"},
    "capture": _BASE | {"mediafile", "api", "eventlog", "process", "rundir"},
    "report": {"model", "page"},
    "app": GROUND | {"api", "eventlog", "process", "rundir", "local", "listener", "capture", "page", "report"},
    "completion": {"errors", "settings", "model", "eventlog", "rundir"},
    "userpaths": set(),
    "hints": set(),
    "guide": {"errors"},
    "schemas": {"errors"},
    "mcp": None,
    "version": set(),
    # The live view is on the floor of the commands.
    "watch": GROUND | {"render", "app", "eventlog", "process", "rundir", "capture"},
    "commands": None,
    "main": None,
    "__main__": None,
}


def files() -> Iterator[Path]:
    yield from sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path, *, top_level_only: bool = False) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "videodb_cli":
                yield from (f"videodb_cli.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", list(files()), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    allowed = MAY_IMPORT[room]
    if allowed is None:
        return
    for name in imports(path):
        if name.startswith("videodb_cli."):
            target = name.split(".")[1]
            if target.startswith("__"):
                continue
            assert target == room or target in allowed | LOWEST, f"{path.name} ({room}) imports {name}"


@pytest.mark.parametrize("path", list(files()), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_typer_and_rich_stay_upstairs(path: Path) -> None:
    room = room_of(path)
    found = {name.split(".")[0] for name in imports(path)}
    if room not in {"main", "commands"}:
        assert "typer" not in found
    if room not in {"console", "commands", "watch"}:
        assert "rich" not in found
    if room != "watch":
        assert "textual" not in found
    if room != "cells":
        assert "wcwidth" not in found


POSIX_ONLY = {"fcntl", "pwd", "grp", "termios", "tty", "resource", "pty"}


@pytest.mark.parametrize("path", list(files()), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_posix_only_at_module_level(path: Path) -> None:
    assert not POSIX_ONLY & set(imports(path, top_level_only=True))


HEAVY = {
    "asyncio",
    "websockets",
    "httpx",
    "starlette",
    "uvicorn",
    "rich",
    "textual",
    "wcwidth",
    "jq",
    "av",
    "numpy",
    "onnxruntime",
    "pydantic",
    "dotenv",
    "logging",
    "sqlite3",
    "cryptography",
    "ssl",
}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["path"], ["guide"], ["schema", "event"]], ids=" ".join
)
def test_light_commands_import_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    """The import budget: what a light command may not pay for."""
    program = (
        "import sys\nfrom videodb_cli.main import main\n"
        f"status = main({arguments!r})\n"
        f"print('heavy:', *sorted(set({sorted(HEAVY)!r}) & set(sys.modules)), file=sys.stderr)\n"
        "sys.exit(status)\n"
    )
    # A .env of whoever runs the tests would be read, by a package that is heavy; what measures coverage is heavy, too.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    alone["HOME"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env=alone,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "heavy:"


def test_no_file_imports_one_that_imports_it() -> None:
    """Circles between files, also those that only a type checker sees, make a part that cannot be read by itself."""
    names = {_module_name(path): path for path in PACKAGE.rglob("*.py")}
    imported = {name: set(_imported(path, names)) - {name} for name, path in names.items()}
    left = dict(imported)
    while leaves := {name for name, targets in left.items() if not targets & left.keys()}:
        left = {name: targets for name, targets in left.items() if name not in leaves}
    while roots := left.keys() - {target for targets in left.values() for target in targets}:
        left = {name: targets for name, targets in left.items() if name not in roots}
    assert not left, f"in circles, or between two: {sorted(left)}"


def _module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path: Path, names: Container[str]) -> Iterator[str]:
    """Every module of ours that a file imports: `from a import b` is `a.b` if that is a module, else `a`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom) and node.module in names:
            whole = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in names else str(node.module) for name in whole)

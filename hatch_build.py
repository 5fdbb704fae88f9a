"""Writes the man pages into the wheel, from the help of the commands. Hatchling calls it when it builds the package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManPages(BuildHookInterface):  # type: ignore[type-arg]
    """Adds ``share/man/man1/*.1``. An editable install gets none: its pages would be out of date at once."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the pages into a temporary directory, and name them to the builder."""
        if version == "editable":
            return
        self.pages = TemporaryDirectory()
        root = Path(self.root)
        sys.path.insert(0, str(root))
        try:
            maker = _load(root / "scripts" / "make_man_pages.py")
            for path in maker.write_pages(Path(self.pages.name)):
                build_data["shared_data"][str(path)] = f"share/man/man1/{path.name}"
        finally:
            sys.path.remove(str(root))

    def finalize(self, version: str, _build_data: dict[str, Any], _artifact_path: str) -> None:
        """Remove the temporary directory."""
        if version != "editable":
            self.pages.cleanup()


def _load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None  # noqa: S101 - the path ends in .py
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

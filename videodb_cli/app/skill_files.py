"""Writes the files of the skill where an agent looks for them. A file that we did not make is never touched."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from videodb_cli.errors import ConflictError, RefusedError
from videodb_cli.userpaths import mode_of

MARK = "made by: videodb skill install"
# Where each agent looks for skills or rules, below the directory of a project.
PLACES = {
    "claude": ".claude/skills/videodb",
    "codex": ".agents/skills/videodb",
    "cursor": ".cursor/rules",
}


def place_of(target: str, project: Path) -> Path:
    """Return the directory for an agent by its name; any other name is a directory itself."""
    return project / PLACES[target] if target in PLACES else Path(target).expanduser().absolute()


def write(place: Path, files: Mapping[str, str], *, dry_run: bool = False) -> list[tuple[Path, str]]:
    """Write the files, by their names in the directory, and return each with what happened to it.

    That is ``new``, ``changed`` or ``same``. All places are looked at before the first file is written.

    Raises:
        ConflictError: A file that somebody else made stands in the place of one of ours.
        RefusedError: A file cannot be written.
    """
    outcome = [(place / name, _state(place / name, text)) for name, text in files.items()]
    if not dry_run:
        for (path, state), text in zip(outcome, files.values(), strict=True):
            if state != "same":
                _replace(path, text)
    return outcome


def _state(path: Path, text: str) -> str:
    mode = mode_of(path)
    if path.is_symlink() or (mode is not None and not stat.S_ISREG(mode)):
        raise ConflictError(f"{path} is not a plain file; it is not touched", code="in_the_way", hint="--for DIR")
    if mode is None:
        return "new"
    try:
        before = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise RefusedError(f"cannot read {path}: {error.strerror}", code="file") from error
    if before == text:
        return "same"
    if MARK not in before:
        raise ConflictError(
            f"{path} was not made by videodb; it is not touched",
            code="in_the_way",
            hint="move it away, or write elsewhere: videodb skill install --for DIR",
        )
    return "changed"


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)  # noqa: PTH105 - the same
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RefusedError(f"cannot write {path}: {error.strerror}", code="file") from error

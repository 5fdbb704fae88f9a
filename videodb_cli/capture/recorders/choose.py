"""Which recorder works here, and why: the sentence that `doctor` prints."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

from videodb_cli.capture.ffmpeg.program import INSTALL_HINT, available_ffmpegs
from videodb_cli.capture.recorders import official
from videodb_cli.capture.recorders.base import Availability
from videodb_cli.errors import MissingDependencyError, UsageError

NAMES: Final = ("auto", "official", "linux", "file")


@dataclass(frozen=True, slots=True)
class Choice:
    """The recorder of this name, and why it."""

    name: str
    why: str


def linux_availability() -> Availability:
    """Say whether our own recorder can work here."""
    if sys.platform != "linux":
        return Availability(False, f"our recorder is for Linux, this is {sys.platform}")
    found = available_ffmpegs()
    if not found:
        return Availability(False, "no ffmpeg is installed", INSTALL_HINT)
    wanted = {"x11grab", "pulse"}
    best = next((ffmpeg for ffmpeg in found if wanted <= ffmpeg.devices), found[0])
    missing = sorted(wanted - best.devices)
    if missing:
        return Availability(False, f"ffmpeg ({best.path}) has no {' and no '.join(missing)} device", INSTALL_HINT)
    return Availability(True, f"ffmpeg from {best.origin} has x11grab and pulse")


def choose_recorder(asked: str = "auto", *, from_file: bool = False) -> Choice:
    """Return the recorder to use. Raises MissingDependencyError if the one that is needed is not there."""
    if asked not in NAMES:
        raise UsageError(f"no recorder is called {asked!r}", hint=f"one of: {', '.join(NAMES)}")
    if from_file:
        return Choice("file", "asked: --source plays a file")
    if asked == "file":
        raise UsageError("the file recorder needs a file", hint="--source FILE")
    theirs = official.availability()
    if asked == "official" or (asked == "auto" and theirs.usable):
        if not theirs.usable:
            raise MissingDependencyError(theirs.why, code="no_recorder", hint=theirs.hint)
        return Choice("official", f"{'asked' if asked == 'official' else 'auto'}: {theirs.why}")
    if asked == "linux" or sys.platform == "linux":
        prefix = "asked" if asked == "linux" else "auto: no official recorder for this platform"
        return Choice("linux", prefix)
    raise MissingDependencyError(f"no recorder for this machine: {theirs.why}", code="no_recorder", hint=theirs.hint)

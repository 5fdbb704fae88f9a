"""A finding of `videodb doctor`: a sentence, whether it works, and the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass

from videodb_cli.errors import VideodbError


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Attributes:
        level: ``ok``, ``warning`` or ``failing``.
        name: What was checked.
        text: What was found.
        hint: The command that mends it.
        exit_status: The exit status of a listener with this fault.
    """

    level: str
    name: str
    text: str
    hint: str | None = None
    exit_status: int = 0

    def as_json(self) -> dict[str, str | None]:
        """Return the finding as `doctor --json` prints it; ``exit_status`` is not shown."""
        return {"name": self.name, "status": self.level, "text": self.text, "hint": self.hint}


def ok(name: str, text: str) -> Finding:
    """Return a finding that something works."""
    return Finding("ok", name, text)


def warning(name: str, text: str, hint: str | None = None) -> Finding:
    """Return a finding that something works in part, or is missing without being essential."""
    return Finding("warning", name, text, hint)


def failing(name: str, error: VideodbError) -> Finding:
    """Return a finding that something fails with this error."""
    return Finding("failing", name, error.message, error.hint, error.exit_status)

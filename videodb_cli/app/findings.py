"""What `videodb doctor` found about one thing: a line, whether it works, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass

from videodb_cli.errors import VideodbError


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. ``level`` is ``ok``, ``warning`` or ``failing``; ``exit_status`` is what it would cost a listener."""

    level: str
    name: str
    text: str
    hint: str | None = None
    exit_status: int = 0

    def as_json(self) -> dict[str, str | None]:
        """Return the finding as `doctor --json` prints it; ``exit_status`` is not shown."""
        return {"name": self.name, "status": self.level, "text": self.text, "hint": self.hint}


def ok(name: str, text: str) -> Finding:
    """It works."""
    return Finding("ok", name, text)


def warning(name: str, text: str, hint: str | None = None) -> Finding:
    """It works less than it could."""
    return Finding("warning", name, text, hint)


def failing(name: str, error: VideodbError) -> Finding:
    """It does not work, and this is why."""
    return Finding("failing", name, error.message, error.hint, error.exit_status)

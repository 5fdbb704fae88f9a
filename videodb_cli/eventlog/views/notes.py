"""A Markdown note for each capture session, with front matter in YAML, for vaults of notes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from videodb_cli.eventlog.views import transcript as spoken

# The key of the front matter by which a note of ours is recognised.
MARKER = "videodb_session"
NO_SESSION = "none"


@dataclass(slots=True)
class SessionNote:
    """What the note of one session holds."""

    session: str
    said: list[spoken.Said] = field(default_factory=list)
    url: str | None = None

    def file_name(self) -> str:
        """Returns a name that depends on the session's id only, and is safe on every file system."""
        safe = re.sub(r"[^A-Za-z0-9_-]", "-", self.session)[:80].strip("-") or "session"
        if safe != self.session:
            safe += "-" + sha256(self.session.encode("utf-8", "replace")).hexdigest()[:8]
        return f"videodb-{safe}.md"

    def text(self) -> str:
        """Returns the front matter and the transcript."""
        said = spoken.in_order(self.said)
        began = datetime.fromtimestamp(said[0].start).astimezone()
        fields: dict[str, object] = {
            "title": f"Transcript {began:%Y-%m-%d %H:%M}",
            "date": began.isoformat(timespec="seconds"),
            "duration_s": round(max(one.end for one in said) - said[0].start),
            MARKER: self.session,
            "streams": sorted({one.stream for one in said}),
        }
        if self.url:
            fields["url"] = self.url
        # JSON in ASCII is YAML, whatever a value holds.
        lines = [f"{name}: {json.dumps(value)}" for name, value in fields.items()]
        return "\n".join(["---", *lines, "---", "", spoken.as_markdown(said)])


def is_ours(content: str, session: str) -> bool:
    """Tells whether a file is the note that we wrote of this session."""
    head, found, _ = content.partition("\n---\n")
    return bool(found) and head.startswith("---\n") and f"{MARKER}: {json.dumps(session)}" in head.split("\n")

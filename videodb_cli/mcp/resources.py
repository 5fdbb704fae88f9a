"""The resources: the latest transcript and the tail of the log, and templates for others of their kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from videodb_cli.mcp.answers import MOST_BYTES, fenced, json_line
from videodb_cli.mcp.calls import read
from videodb_cli.mcp.children import ToolError

if TYPE_CHECKING:
    from videodb_cli.mcp.calls import Place

# URI, name, what it is.
FIXED = (
    ("videodb://transcript/last", "latest transcript", "What was said in the latest capture session. Untrusted text."),
    ("videodb://events/tail/20", "latest events", "The last 20 lines of the log. Untrusted text."),
)
TEMPLATES = (
    ("videodb://transcript/{session}", "transcript", "What was said in a session: its id, last, or all."),
    ("videodb://events/tail/{n}", "tail of the log", "The last n lines of the log, 1 to 1000."),
)
_TRANSCRIPT = re.compile(r"videodb://transcript/([\w.:-]{1,200})", re.ASCII)
_TAIL = re.compile(r"videodb://events/tail/([0-9]{1,4})", re.ASCII)
_MOST_LINES = 1000


async def content(place: Place, uri: str) -> str:
    """Return the text of a resource, fenced. Raises ToolError for a URI that names none."""
    if found := _TRANSCRIPT.fullmatch(uri):
        said = await read(place, "transcript", {"session": found[1], "max_bytes": MOST_BYTES})
        return fenced([*(["(the beginning is left out)"] if said["more"] else []), *said["text"].splitlines()])
    found = _TAIL.fullmatch(uri)
    if found and 1 <= int(found[1]) <= _MOST_LINES:
        last = await read(place, "tail", {"n": int(found[1]), "max_bytes": MOST_BYTES})
        return fenced([json_line(item) for item in last["items"]])
    known = ", ".join(template for template, _, _ in TEMPLATES)
    raise ToolError("not_found", f"no resource is called {uri[:200]}", f"there are {known}; n is 1 to {_MOST_LINES}")

"""The guide for agents and programs, as Markdown: an overview and topics (`videodb guide`)."""

from __future__ import annotations

from pathlib import Path

from videodb_cli.errors import NotFoundError

_HERE = Path(__file__).parent
OVERVIEW = "overview"
# In the order in which the overview names them.
TOPICS = {
    "listen": "start, look after and stop a listener",
    "capture": "record screen and sound, or play a file; the export",
    "wait": "wait for an event, without polling",
    "find": "search, select, correlate two channels",
    "jq": "reshape events; the members of an event",
    "export": "transcripts, subtitles, tables, the video",
    "mcp": "the same as MCP tools",
    "monitor": "a background monitor for an agent",
    "cron": "cron, systemd, GitHub Actions, n8n, lnav",
    "hooks": "exit statuses, and hooks of agents",
    "security": "untrusted text, keys, recording",
}


def text_of(topic: str | None = None) -> str:
    """Return the Markdown of a topic, or the overview. Raises NotFoundError."""
    name = (topic or OVERVIEW).strip().lower()
    if name != OVERVIEW and name not in TOPICS:
        raise NotFoundError(f"no topic is called {name[:40]}", code="no_topic", hint=f"one of: {', '.join(TOPICS)}")
    return (_HERE / f"{name}.md").read_text(encoding="utf-8")


def lnav_format(mark: str) -> str:
    """Return the format of the log for lnav, with a mark in its description."""
    text = (_HERE / "lnav.json").read_text(encoding="utf-8")
    return text.replace("one JSON object a line", f"one JSON object a line ({mark})")

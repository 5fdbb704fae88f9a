"""The bodies of deliveries: events as JSON, messages for Slack and Discord, or a JSON document of the user's."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from videodb_cli.app.forward.forwarder import Delivery
from videodb_cli.errors import NotFoundError, UsageError
from videodb_cli.model import event as ev

Body: TypeAlias = Callable[[Delivery], bytes]

# Slack cuts a text at 40,000 characters; Discord refuses one of more than 2,000, and counts UTF-16 units.
_SLACK_LENGTH = 40_000
_DISCORD_LENGTH = 2000
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_FIELDS: dict[str, Callable[[ev.Event], object]] = {
    "text": ev.text_of,
    "channel": ev.channel_of,
    "event": lambda event: event.get("event"),
    "stream": ev.stream_label,
    "session": ev.session_of,
    "ts": lambda event: event.get("ts"),
}


def body_of(template: str, *, is_batch: bool) -> Body:
    """Returns what makes the body of a delivery.

    Args:
        template: ``json``, ``slack``, ``discord``, or the path of a JSON document with ``${text}`` and the like.
        is_batch: Whether events are sent together: as JSON then an array.

    Raises:
        NotFoundError: No such template.
        UsageError: The document is not JSON, or has an unknown placeholder.
    """
    if template == "json":
        return _json_array if is_batch else lambda delivery: delivery.lines[0]
    if template == "slack":
        return _slack
    if template == "discord":
        return _discord
    if is_batch:
        raise UsageError("a template file makes the body of one event, without --batch")
    document = _read_document(Path(template))
    return lambda delivery: orjson.dumps(_filled(document, delivery.events[0]))


def _json_array(delivery: Delivery) -> bytes:
    return b"[" + b",".join(delivery.lines) + b"]"


def _slack(delivery: Delivery) -> bytes:
    lines = [f"*{_slack_text(head)}*  {_slack_text(text)}".rstrip() for head, text in _messages(delivery.events)]
    text = "\n".join(lines)
    if len(text) > _SLACK_LENGTH:
        # Half an entity would show as such.
        text = re.sub(r"&[a-z]{0,3}$", "", text[: _SLACK_LENGTH - 1]) + "…"
    return orjson.dumps({"text": text})


def _slack_text(text: str) -> str:
    """Escapes what begins links, mentions and entities in Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _discord(delivery: Delivery) -> bytes:
    lines = [f"**{_discord_text(head)}**  {_discord_text(text)}".rstrip() for head, text in _messages(delivery.events)]
    # Without it a text that says @everyone would call everybody.
    return orjson.dumps({"content": _discord_cut("\n".join(lines)), "allowed_mentions": {"parse": []}})


def _discord_text(text: str) -> str:
    """Escapes Markdown, masked links and mentions."""
    return re.sub(r"([\\*_~|`<>\[\]#])", r"\\\1", text)


def _discord_cut(text: str) -> str:
    units = text.encode("utf-16-le")
    if len(units) <= 2 * _DISCORD_LENGTH:
        return text
    cut = units[: 2 * (_DISCORD_LENGTH - 1)].decode("utf-16-le", "ignore")
    # A lone backslash at the end would escape the ellipsis.
    if (len(cut) - len(cut.rstrip("\\"))) % 2:
        cut = cut[:-1]
    return cut + "…"


def _messages(events: Sequence[ev.Event]) -> list[tuple[str, str]]:
    """Returns for each event what it is, and its text or event name."""
    found = []
    for event in events:
        stream = _plain(ev.stream_label(event) or "")
        head = _plain(ev.channel_of(event) or "event")
        text = _plain(ev.text_of(event) or "") or _plain(str(event.get("event") or ""))
        found.append((f"{head} · {stream}" if stream else head, text))
    return found


def _plain(text: str) -> str:
    """Removes control characters but newlines, and lone surrogates, which no JSON text can hold."""
    return "".join(c for c in text if c in "\n\u200c\u200d" or c.isprintable()).strip()


def _read_document(path: Path) -> Any:
    try:
        document = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        hint = "slack, discord, json, or the path of a JSON document"
        raise NotFoundError(f"no template {path}", code="no_template", hint=hint) from None
    except OSError as error:
        raise UsageError(f"cannot read the template {path}: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        raise UsageError(f"the template {path} is not JSON: {error}") from None
    for name in _PLACEHOLDER.findall(orjson.dumps(document).decode()):
        if name not in _FIELDS:
            hint = f"one of: {', '.join(f'${{{known}}}' for known in _FIELDS)}"
            raise UsageError(f"the template {path} has an unknown placeholder ${{{name}}}", hint=hint)
    return document


def _filled(value: Any, event: ev.Event) -> Any:
    if isinstance(value, dict):
        return {name: _filled(inner, event) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, event) for inner in value]
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda match: _plain(str(_FIELDS[match[1]](event) or "")), value)
    return value

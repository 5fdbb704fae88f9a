"""What each tool does: it runs the `videodb` command that it stands for, or asks a reader of the log."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videodb_cli.errors import VideodbError
from videodb_cli.mcp import children
from videodb_cli.mcp.answers import DEFAULT_BYTES, NOTE, Bounded, fenced, json_line
from videodb_cli.mcp.children import ToolError
from videodb_cli.mcp.tools import Tool
from videodb_cli.mcp.waiting import MOST_S
from videodb_cli.mcp.worker import redaction

Arguments = dict[str, Any]

_READ_S = 30.0
_STATUS_S = 15.0
_START_S = 90.0
_EXPORT_S = 300.0
# A command ends itself at its timeout; this is for one that does not.
_GRACE_S = 20.0
_FLAGS = ("channel", "not_channel", "event", "stream", "session", "since", "until", "grep", "not_grep")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server looks and what it may do.

    Attributes:
        directory: The directory of the listener.
        local: Use the embedded service.
        env_file: A file with key and base URL.
        allow_capture: Offer the tools that record.
        redact: Take secrets and personal data out of what is read.
    """

    directory: Path
    local: bool = False
    env_file: str | None = None
    allow_capture: bool = False
    redact: bool = True

    def options(self, *, local: bool = False) -> list[str]:
        """Return the options that every command of this place takes; with ``local`` those of one that reaches out."""
        named = [f"--dir={self.directory}", *([f"--env-file={self.env_file}"] if self.env_file else [])]
        return [*named, *(["--local"] if local and self.local else [])]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool answers: the text for a model, and the same as JSON."""

    text: str
    content: dict[str, Any]


async def call(place: Place, tool: Tool, given: Arguments) -> Answer:
    """Run a tool with arguments that its schema allows. Raises ToolError."""
    if tool.records and not place.allow_capture:
        raise ToolError("not_allowed", f"{tool.name} records, and this server must not", "videodb mcp --allow-capture")
    try:
        return await _CALLS[tool.name](place, given)
    except VideodbError as error:
        raise ToolError.of(error) from error


async def read(place: Place, kind: str, given: Arguments, *, timeout_s: float = _READ_S) -> dict[str, Any]:
    """Ask a reader of the log. Raises ToolError."""
    request = {**given, "kind": kind, "dir": str(place.directory), "redact": place.redact}
    return await children.reader(request, timeout_s=timeout_s)


def items_answer(found: dict[str, Any], said: str) -> Answer:
    """Return an answer with items of the log: fenced in the text, under ``untrusted`` in the JSON."""
    items = found.pop("items")
    facts = {name: value for name, value in found.items() if name not in {"cursor", "count"} and value}
    told = [said, *([json_line(facts)] if facts else [])]
    if items:
        told.append(fenced([json_line(item) for item in items]))
    if cursor := found.get("cursor"):
        told.append(f"cursor: {cursor}")
    return Answer("\n".join(told), {**found, "untrusted": {"note": NOTE, "items": items}})


async def _status(place: Place, _given: Arguments) -> Answer:
    ended = await children.command(["status", *place.options(), "--json"], timeout_s=_STATUS_S)
    found = ended.answer()
    return Answer(json_line(found), found)


async def _query(place: Place, given: Arguments) -> Answer:
    found = await read(place, "query", given)
    more = "; there is more: call again with the cursor" if found["more"] else ""
    none = "" if found["count"] else ": call status, and events_summary for what is there"
    return items_answer(found, f"{found['count']} items{more}{none}")


async def _wait(place: Place, given: Arguments) -> Answer:
    most = min(float(given.get("timeout_s", MOST_S)), MOST_S)
    found = await read(place, "wait", given, timeout_s=most + _GRACE_S)
    if found["failed"]:
        said = f"{found['count']} items; the last one means failure"
    elif found["timed_out"]:
        said = f"{found['count']} items within {most:g} s: call events_wait again with the cursor"
    else:
        said = f"{found['count']} items"
    return items_answer(found, said)


async def _search(place: Place, given: Arguments) -> Answer:
    most = given.get("limit", 10)
    arguments = ["events", "search", "--json", f"--limit={most}", *place.options(), *_selection(given)]
    ended = await children.command([*arguments, "--", *_search_words(given["words"])], timeout_s=_READ_S)
    results = ended.answer().get("results", [])
    room = Bounded(int(given.get("max_bytes", DEFAULT_BYTES)))
    redact = redaction(wanted=place.redact)
    for result in results:
        if not room.add(redact(json.dumps(result).encode())):
            break
    found = {"items": room.items, "count": len(room.items), "more": len(room.items) < len(results)}
    none = "" if results else ": try prefix* or fewer words, or events_summary"
    return items_answer(found, f"{len(room.items)} items, best first{none}")


def _search_words(words: str) -> list[str]:
    if not words.strip():
        raise ToolError("usage", "words is empty", 'pass words, such as "access keys" or deploy*')
    return [words]


def _selection(given: Arguments) -> list[str]:
    found: list[str] = []
    for name in _FLAGS:
        value = given.get(name)
        values = value if isinstance(value, list) else [] if value is None else [value]
        found += [f"--{name.replace('_', '-')}={one}" for one in values]
    return [*found, *(["--final"] if given.get("final") else [])]


async def _summary(place: Place, given: Arguments) -> Answer:
    found = (await read(place, "summary", given))["summary"]
    return Answer(fenced([json_line(found)]), {"untrusted": {"note": NOTE, "summary": found}})


async def _sessions(place: Place, _given: Arguments) -> Answer:
    found = await read(place, "sessions", {})
    none = "" if found["count"] else ": no capture was started here"
    return items_answer(found, f"{found['count']} sessions, the latest first{none}")


async def _channels(place: Place, given: Arguments) -> Answer:
    source = [f"--source={given['source']}"] if "source" in given else []
    named = [f"--env-file={place.env_file}"] if place.env_file else []
    ended = await children.command(["capture", "channels", "--json", *named, *source], timeout_s=_READ_S)
    found = ended.answer()
    return Answer(json_line(found), found)


async def _listen_start(place: Place, given: Arguments) -> Answer:
    seconds = given.get("timeout_s", 30)
    arguments = ["listen", "--detach", "--json", f"--timeout={seconds}", *place.options(local=True)]
    found = (await children.command(arguments, timeout_s=seconds + _GRACE_S)).answer()
    return Answer(f"{json_line(found)}\nnext: events_wait, or events_query", found)


async def _listen_stop(place: Place, _given: Arguments) -> Answer:
    if not place.allow_capture and await _is_capturing(place):
        raise ToolError(
            "capturing", "a capture runs, and its events would be lost; this server must not stop it", "ask the user"
        )
    ended = await children.command(["stop", *place.options(), "--json"], timeout_s=_EXPORT_S + _GRACE_S)
    found = ended.answer()
    return Answer(json_line(found), found)


async def _is_capturing(place: Place) -> bool:
    ended = await children.command(["capture", "status", *place.options(), "--json"], timeout_s=_STATUS_S)
    return ended.status == 0


async def _capture_start(place: Place, given: Arguments) -> Answer:
    arguments = [f"--channel={name}" for name in given.get("channel", [])]
    arguments += [
        f"--{name.replace('_', '-')}={given[name]}"
        for name in ("source", "index_audio", "index_visuals")
        if name in given
    ]
    arguments += [f"--alert={label}={prompt}" for label, prompt in given.get("alert", {}).items()]
    arguments += ["--transcribe"] if given.get("transcribe") else []
    arguments += [] if given.get("store", True) else ["--no-store"]
    arguments += [f"--duration={given['duration_s']}"] if "duration_s" in given else []
    started = ["capture", "start", *place.options(local=True), "--json", *arguments]
    found = (await children.command(started, timeout_s=_START_S)).answer()
    return Answer(f"RECORDING. {json_line(found)}\nnext: events_wait; end it with capture_stop", found)


async def _capture_stop(place: Place, given: Arguments) -> Answer:
    seconds = given.get("timeout_s", _EXPORT_S)
    arguments = ["capture", "stop", *place.options(local=True), "--json", f"--timeout={seconds}"]
    found = (await children.command(arguments, timeout_s=seconds + _GRACE_S)).answer()
    return Answer(json_line(found), found)


async def _help(_place: Place, given: Arguments) -> Answer:
    from videodb_cli.guide import text_of

    text = text_of(given.get("topic"))
    return Answer(text, {"text": text})


_CALLS: dict[str, Callable[[Place, Arguments], Awaitable[Answer]]] = {
    "status": _status,
    "events_summary": _summary,
    "events_query": _query,
    "events_search": _search,
    "events_wait": _wait,
    "sessions": _sessions,
    "capture_channels": _channels,
    "listen_start": _listen_start,
    "listen_stop": _listen_stop,
    "capture_start": _capture_start,
    "capture_stop": _capture_stop,
    "help": _help,
}

"""What the tools read of the log. Runs in a process of its own (`worker`), which can be ended at any time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videodb_cli.errors import NotFoundError, UsageError
from videodb_cli.eventlog.log import EventLog
from videodb_cli.eventlog.matches import ReadOptions
from videodb_cli.eventlog.query.criteria import Criteria
from videodb_cli.eventlog.read.feed import Notice
from videodb_cli.mcp.answers import DEFAULT_BYTES, MOST_BYTES, Bounded
from videodb_cli.mcp.cursor_token import ClientCursor
from videodb_cli.model import event as ev

if TYPE_CHECKING:
    from collections.abc import Iterator

    from videodb_cli.eventlog.matches import Batch, Matches
    from videodb_cli.eventlog.query.output import Shaper
    from videodb_cli.eventlog.query.scan import SelectionPlan

Redact = Callable[[bytes], bytes]
_SELECTION = ("channel", "not_channel", "event", "stream", "session", "since", "until", "grep", "not_grep", "final")
_MOST_SESSIONS = 50


def criteria_of(request: dict[str, Any]) -> Criteria:
    """Return the selection of a request."""
    return Criteria.of(**{name: request[name] for name in _SELECTION if request.get(name) is not None})


def room_of(request: dict[str, Any]) -> int:
    """Return how many bytes of events an answer may hold."""
    return min(int(request.get("max_bytes") or DEFAULT_BYTES), MOST_BYTES)


def query(request: dict[str, Any], redact: Redact) -> dict[str, Any]:
    """Return selected events, or what a jq program makes of them, up to a bound, and a cursor to go on with.

    Raises what `EventLog.read` raises, and UsageError for a program or a cursor that is wrong.
    """
    if request.get("last") is not None and request.get("cursor") is not None:
        raise UsageError("last and cursor exclude each other: a cursor goes forward", hint="pass one of them")
    plan, shaper = _prepared(request.get("jq"))
    answer = Bounded(room_of(request))
    lost: list[Notice] = []
    log = EventLog(request["dir"], on_notice=lambda notice, _: lost.append(notice))
    with tempfile.TemporaryDirectory(prefix="videodb-mcp-") as room:
        cursor = ClientCursor(Path(room), request.get("cursor"))
        options = ReadOptions(cursor=cursor, last=request.get("last"), limit=request.get("limit"), plan=plan)
        with log.read(criteria_of(request), options) as reading:
            if Notice.CURSOR_LOST in lost:
                raise NotFoundError(
                    "the log is not the one that the cursor knows: it was emptied, or it is another directory's",
                    code="cursor_lost",
                    hint="call events_query without a cursor",
                )
            more = _fill(answer, reading.matches, shaper, cursor, redact)
        return {
            "items": answer.items,
            "count": len(answer.items),
            "more": more,
            "cursor": cursor.token(),
            "skipped_lines": reading.matches.broken.count,
        }


def _prepared(program: str | None) -> tuple[SelectionPlan, Shaper]:
    from videodb_cli.eventlog.query.jq_plan import prepared
    from videodb_cli.eventlog.query.output import Form

    return prepared(program or ".", Form(), {}, strict=False, whole=False)


def _fill(answer: Bounded, matches: Matches, shaper: Shaper, cursor: ClientCursor, redact: Redact) -> bool:
    """Add items until the bound, and move the cursor past those added. Returns whether more are left."""
    for batch in matches.batches():
        for number, line in enumerate(batch.lines):
            # Before the program: it could give a secret another form.
            done = shaper.shape([redact(line.raw)])
            if done.failures:
                raise UsageError(
                    f"jq: {done.failures[0].message}",
                    code="jq_failed",
                    hint="guard the program, as in: .data.text? // empty",
                )
            results = done.output.splitlines()
            before = len(answer.items)
            if not all(answer.add(result) for result in results):
                if before:
                    # All results of an event, or none: the next call begins with it.
                    del answer.items[before:]
                    _save_before(cursor, batch, number)
                else:
                    _save(cursor, batch, number)
                return True
        if batch.source is not None:
            cursor.save(batch.source, batch.end)
    return False


def _save_before(cursor: ClientCursor, batch: Batch, number: int) -> None:
    if number:
        _save(cursor, batch, number - 1)
    elif batch.source is not None:
        cursor.save(batch.source, batch.begin)


def _save(cursor: ClientCursor, batch: Batch, number: int) -> None:
    line = batch.lines[number]
    if batch.source is not None:
        cursor.save(batch.source, line.offset + len(line.raw) + 1)


def tail(request: dict[str, Any], redact: Redact) -> dict[str, Any]:
    """Return the last events of the log that have room, oldest first."""
    raw: list[bytes] = []
    log = EventLog(request["dir"])
    with log.read(Criteria(), ReadOptions(last=int(request["n"]))) as reading:
        raw = [redact(line.raw) for batch in reading.matches.batches() for line in batch.lines]
    answer = Bounded(room_of(request))
    for line in reversed(raw):
        if not answer.add(line):
            break
    return {"items": answer.items[::-1], "count": len(answer.items), "more": len(answer.items) < len(raw)}


def transcript(request: dict[str, Any], redact: Redact) -> dict[str, Any]:
    """Return what was said in a session as text; of a long one the end."""
    from videodb_cli.eventlog.views import transcript as spoken

    session = request["session"]
    criteria = Criteria(channel=("transcript",), final=True, session=None if session == "all" else session)
    found: list[spoken.Said] = []
    with EventLog(request["dir"]).read(criteria, ReadOptions(without_own=True)) as reading:
        for batch in reading.matches.batches():
            events = (event for line in batch.lines if isinstance(event := _decoded(redact(line.raw)), dict))
            found += [said for event in events if (said := spoken.said_of(event)) is not None]
    text = spoken.as_text(spoken.in_order(found), lambda words, _: [words])
    room = room_of(request)
    kept = text.encode(errors="replace")[-room:].decode(errors="ignore")
    is_cut = len(kept) < len(text)
    if is_cut:
        kept = kept[kept.find("\n\n") + 2 :]
    return {"text": kept, "more": is_cut}


def _decoded(raw: bytes) -> Any:
    from videodb_cli.eventlog.read.decode import decode

    try:
        return decode(raw)
    except ValueError:
        return None


def summary(request: dict[str, Any], redact: Redact) -> dict[str, Any]:
    """Return what happened in the selected events, within a budget of tokens."""
    from videodb_cli.eventlog.views.summary import summarize

    def selected() -> Iterator[dict[str, Any]]:
        for batch in reading.matches.batches():
            events = (_decoded(redact(line.raw)) for line in batch.lines)
            yield from (event for event in events if isinstance(event, dict))

    with EventLog(request["dir"]).read(criteria_of(request), ReadOptions()) as reading:
        found = summarize(selected(), int(request.get("budget_tokens") or 400), form="json")
    return {"summary": found.to_json()}


def sessions(request: dict[str, Any], redact: Redact) -> dict[str, Any]:
    """Return the capture sessions of the log, the latest first."""
    found: dict[str, dict[str, Any]] = {}
    with EventLog(request["dir"]).read(
        Criteria(channel=("capture_session",)), ReadOptions(without_own=True)
    ) as reading:
        for batch in reading.matches.batches():
            for line in batch.lines:
                event = _decoded(redact(line.raw))
                if isinstance(event, dict) and (ident := ev.session_of(event)) is not None:
                    _note(found.setdefault(ident, {"session": ident}), event)
                    found[ident] = found.pop(ident)
    latest = list(found.values())[::-1]
    return {"items": latest[:_MOST_SESSIONS], "count": len(latest), "more": len(latest) > _MOST_SESSIONS}


def _note(session: dict[str, Any], event: dict[str, Any]) -> None:
    data = ev.data_of(event)
    session.setdefault("first_event", event.get("ts"))
    session["last_event"] = event.get("ts")
    session["status"] = (ev.name_of(event) or "").rpartition(".")[2] or None
    for name in ("exported_video_id", "player_url", "stream_url"):
        if isinstance(data.get(name), str):
            session[name] = data[name][:2000]
    if isinstance(data.get("rtstreams"), list):
        names = [item.get("name") for item in data["rtstreams"] if isinstance(item, dict)]
        session["streams"] = [name[:80] for name in names if isinstance(name, str)][:20]
    if session["status"] == "failed":
        session["error"] = (ev.text_of(event) or "")[:300]

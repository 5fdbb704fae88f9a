"""Every selection, by whatever stages, gives what a plain ``json.loads`` loop gives."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.event_logs import CHANNELS, STREAMS, logs
from videodb_cli.eventlog.query.scan import Scanner, plan_of
from videodb_cli.eventlog.query.selection import Selection, Session, compile_grep
from videodb_cli.eventlog.read.block import Block
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.sources import LogSource

SOURCE = LogSource(Path("/nowhere"))
SAME = {"scene_index": "visual_index", "spoken_index": "audio_index"}

patterns = st.sampled_from(
    ["code", "Code", "quokka", "straße", "strasse", "kelvin", "is", "istanbul", "^line", "a.b", r"\d", "tr|co", "hi",
     "12", "1.5", "break$", "(say|quo)", "c+ode", "K", "İ", "é", "true", "x?code", r"\Sode", "re.*w", "(?i)CODE"]
)  # fmt: skip
selections = st.builds(
    Selection,
    channels=st.lists(st.sampled_from([*CHANNELS, "videodb_cli", "code", 'q"x']), max_size=2).map(tuple),
    not_channels=st.lists(st.sampled_from(CHANNELS), max_size=1).map(tuple),
    events=st.lists(st.sampled_from(["exported", "capture_session.active", "gap"]), max_size=1).map(tuple),
    streams=st.lists(st.sampled_from([*STREAMS, "display"]), max_size=1).map(tuple),
    session=st.none() | st.just(Session("cap-1", {"rts-1"})),
    since=st.none() | st.sampled_from([1772446531.0, 1772446530.123]),
    until=st.none() | st.sampled_from([1772446532.5, 1772446533.0]),
    greps=st.lists(patterns.map(compile_grep), max_size=2).map(tuple),
    not_greps=st.lists(patterns.map(compile_grep), max_size=1).map(tuple),
    final=st.booleans(),
    interim=st.booleans(),
    live=st.booleans(),
    without_own=st.booleans(),
)


def only(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Selection]:
    """Selections that ask nothing but this (``builds`` would make up the other fields as well)."""
    return st.fixed_dictionaries(fields).map(lambda given: Selection(**given))


grep = patterns.map(compile_grep).map(lambda g: (g,))
# Most random selections of many flags select nothing; single flags are tried often.
narrow = st.one_of(
    selections,
    only(channels=st.sampled_from(CHANNELS).map(lambda c: (c,)), final=st.booleans()),
    only(greps=grep),
    only(channels=st.just(("transcript",)), greps=grep),
    only(streams=st.sampled_from(STREAMS).map(lambda s: (s,))),
    only(final=st.booleans(), interim=st.booleans(), live=st.booleans()),
)


def _data(event: dict[str, Any]) -> dict[str, Any]:
    data = event.get("data")
    return data if isinstance(data, dict) else {}


def _text(event: dict[str, Any]) -> str | None:
    values: list[Any] = []
    for members in (_data(event), event):
        error = members.get("error")
        values += [members.get(key) for key in ("text", "summary", "label", "event_label", "explanation")]
        values.append(error.get("message") if isinstance(error, dict) else None)
    for value in (*values, event.get("raw")):
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
    return None


def _channel(event: dict[str, Any]) -> str | None:
    name = event.get("channel")
    if isinstance(name, str):
        return SAME.get(name, name)
    name = event.get("event")
    if isinstance(name, str) and "." in name:
        name = name.split(".")[0]
        return SAME.get(name, name)
    kinds = [kind for kind in (event.get("type"), event.get("event_type")) if isinstance(kind, str) and kind]
    if not kinds or kinds[0].split(".")[0] == "videodb_cli":
        return None
    name = kinds[0].split(".")[0]
    return SAME.get(name, name)


def _name(event: dict[str, Any]) -> str | None:
    if isinstance(event.get("event"), str):
        return str(event["event"])
    kinds = (event.get("type"), event.get("event_type"))
    return next((kind for kind in kinds if isinstance(kind, str) and "." in kind), None)


def _id(event: dict[str, Any], snake: str, camel: str) -> str | None:
    """The first of two spellings that is a string with something in it."""
    return next((value for value in (event.get(snake), event.get(camel)) if isinstance(value, str) and value), None)


def _is_final(event: dict[str, Any]) -> bool:
    for members in (_data(event), event):
        for key in ("is_final", "isFinal"):
            if key in members:
                return members[key] is True or members[key] in ("true", "True")
    return False


def _time(event: dict[str, Any]) -> float | None:
    from datetime import UTC, datetime

    stamp = event.get("unix_ts")
    if isinstance(stamp, int | float) and not isinstance(stamp, bool):
        return float(stamp)
    try:
        moment = datetime.fromisoformat(event.get("ts"))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _stream_matches(event: dict[str, Any], wanted: str) -> bool:
    name = _id(event, "rtstream_name", "rtstreamName")
    names = [_id(event, "rtstream_id", "rtstreamId"), name]
    if isinstance(name, str):
        captured = re.match(r"Capture (.*?) - ", name)
        names.append(captured[1] if captured else name.split(":")[0])
    return wanted in names


def wanted(event: Any, s: Selection) -> bool:
    """The flags of docs/contract.md §6, spelt out anew."""
    if s == Selection():
        return True
    asks = s._replace(final=s.final != s.interim and s.final, interim=s.final != s.interim and s.interim)
    if asks == Selection():
        return True
    if not isinstance(event, dict):
        return not _asks_anything(asks)
    channel, text, at = _channel(event), _text(event), _time(event)
    final, name = _is_final(event), _name(event)
    session, stream = _id(event, "capture_session_id", "captureSessionId"), _id(event, "rtstream_id", "rtstreamId")
    own_asked = "videodb_cli" in s.channels or s.events
    return all(
        (
            not s.channels or channel in {SAME.get(c, c) for c in s.channels},
            channel not in {SAME.get(c, c) for c in s.not_channels},
            not s.without_own or own_asked or event.get("channel") != "videodb_cli",
            not s.events or (name is not None and (name in s.events or name.split(".")[-1] in s.events)),
            not s.streams or any(_stream_matches(event, w) for w in s.streams),
            s.session is None or session == "cap-1" or stream == "rts-1",
            s.since is None or (at is not None and at >= s.since),
            s.until is None or (at is not None and at <= s.until),
            not s.greps or (text is not None and any(g.search(text) for g in s.greps)),
            text is None or not any(g.search(text) for g in s.not_greps),
            not asks.final or channel != "transcript" or final,
            not asks.interim or channel != "transcript" or not final,
            not s.live or event.get("recovered") is not True,
        )
    )  # fmt: skip


def _asks_anything(s: Selection) -> bool:
    if s.without_own and ("videodb_cli" in s.channels or s.events):
        s = s._replace(without_own=False)
    return s != Selection()


def plain_loop(log: bytes, selection: Selection) -> tuple[list[bytes], int]:
    """Selected lines and the number of broken ones, by ``json.loads``."""
    kept, broken = [], 0
    for line in log[: log.rfind(b"\n") + 1].split(b"\n"):
        if not line.strip():
            continue
        try:
            event = json.loads(line.decode())
        except (ValueError, RecursionError):
            broken += 1
            continue
        if wanted(event, selection):
            kept.append(line)
    return kept, broken


def scanned(log: bytes, selection: Selection, *, thorough: bool) -> tuple[list[bytes], list[int], int]:
    broken = BrokenLines()
    scanner = Scanner(plan_of(selection), broken, thorough=thorough)
    block = Block(0, log[: log.rfind(b"\n") + 1])
    raw = scanner.raw_lines(SOURCE, block)
    count = broken.count
    lines = scanner.lines(SOURCE, block)
    assert [line.raw for line in lines] == raw
    assert [line.raw for line in reversed(list(scanner.lines_backwards(SOURCE, block)))] == raw
    return raw, [line.offset for line in lines], count


@given(log=logs(), selection=narrow)
def test_every_selection_equals_a_plain_loop(log: bytes, selection: Selection) -> None:
    kept, broken = plain_loop(log, selection)
    for thorough in (True, False):
        found, offsets, noticed = scanned(log, selection, thorough=thorough)
        assert found == kept
        for line, offset in zip(found, offsets, strict=True):
            assert log[offset : offset + len(line) + 1] == line + b"\n"
            assert offset == 0 or log[offset - 1 : offset] == b"\n"
        assert noticed == broken if thorough else noticed <= broken


@given(st.data())
def test_needles_are_used_on_large_blocks(data: st.DataObject) -> None:
    """Blocks large enough that lines are reached by their needles, with one rare match among many others."""
    small = data.draw(logs(damaged=False))
    filler = b'{"unix_ts":1,"channel":"alert","data":{"label":"nothing to see here, move on please"}}\n'
    at = data.draw(st.integers(0, 500))
    log = filler * at + small[: small.rfind(b"\n") + 1] + filler * (500 - at)
    selection = data.draw(narrow)
    kept, _ = plain_loop(log, selection)
    assert scanned(log, selection, thorough=False)[0] == kept

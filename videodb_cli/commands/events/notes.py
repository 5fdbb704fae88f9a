"""Writes the notes of `videodb events transcript --format md --front-matter -o DIR`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from videodb_cli import console
from videodb_cli.commands.events.reading import tell_broken
from videodb_cli.errors import ConflictError, RefusedError
from videodb_cli.eventlog.query.criteria import Criteria
from videodb_cli.eventlog.views import transcript as spoken
from videodb_cli.eventlog.views.notes import NO_SESSION, SessionNote, is_ours
from videodb_cli.model import event as ev
from videodb_cli.quantities import count_of
from videodb_cli.rundir import private

if TYPE_CHECKING:
    from pathlib import Path

    from videodb_cli.eventlog.log import EventLog

_LARGEST = 1 << 28


def write_notes(log: EventLog, criteria: Criteria, directory: Path) -> int:
    """Writes one note for each session, if it has changed, and returns the exit status.

    Raises:
        ConflictError: A file that is not the session's note stands in its place.
        RefusedError: A note cannot be written.
    """
    notes = {name: note for name, note in _collect(log, criteria).items() if note.said}
    try:
        private.make_directories(directory)
    except OSError as error:
        raise RefusedError(f"cannot make {directory}: {error.strerror}", code="file") from error
    written = sum(_write(directory / note.file_name(), note) for note in notes.values())
    console.talk(f"{count_of(written, 'note')} written, {len(notes) - written:,} unchanged")
    return 0


def _collect(log: EventLog, criteria: Criteria) -> dict[str, SessionNote]:
    notes: dict[str, SessionNote] = {}
    session_of_stream: dict[str, str] = {}
    events = []
    # What says which stream is of which session is no transcript, and is looked for in the whole log.
    with log.read(Criteria()) as reading:
        for batch in reading.matches.batches():
            for line in batch.lines:
                with contextlib.suppress(ValueError):
                    _learn(line.decode(), session_of_stream, notes)
    with log.read(criteria._replace(channel=["transcript"], final=True, interim=False)) as reading:
        for batch in reading.matches.batches():
            events += [event for line in batch.lines if isinstance(event := line.decode(), dict)]
        tell_broken(reading.matches.broken)
    for event in events:
        said = spoken.said_of(event)
        if said is not None:
            ident = ev.session_of(event) or session_of_stream.get(ev.stream_id_of(event) or "") or NO_SESSION
            notes.setdefault(ident, SessionNote(ident)).said.append(said)
    return notes


def _learn(event: object, session_of_stream: dict[str, str], notes: dict[str, SessionNote]) -> None:
    """Takes the streams and the URL of a session from its own events."""
    if not isinstance(event, dict) or (ident := ev.session_of(event)) is None:
        return
    data = ev.data_of(event)
    for stream in data.get("rtstreams") or ():
        if isinstance(stream, dict) and isinstance(found := stream.get("rtstream_id") or stream.get("id"), str):
            session_of_stream[found] = ident
    if isinstance(url := data.get("player_url") or data.get("stream_url"), str):
        notes.setdefault(ident, SessionNote(ident)).url = url


def _write(path: Path, note: SessionNote) -> bool:
    text = note.text().encode("utf-8", "replace")
    before = private.read_bytes(path, _LARGEST)
    if before == text:
        return False
    if before is not None and not is_ours(before.decode("utf-8", "replace"), note.session):
        raise ConflictError(
            f"{path} is not a note of this session; it is not touched", hint=f"move it away: mv {path} {path}.old"
        )
    try:
        private.write_atomic(path, text)
    except OSError as error:
        raise RefusedError(f"cannot write {path}: {error.strerror}", code="file") from error
    return True

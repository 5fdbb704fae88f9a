"""Finds the rtstreams of a capture session, in its ``active`` event and in ``videodb_capture_info.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videodb_cli.errors import NotFoundError
from videodb_cli.eventlog.query.prefilter import Prefilter
from videodb_cli.eventlog.query.scan import lines_holding
from videodb_cli.eventlog.query.selection import Session
from videodb_cli.eventlog.read.blocks import iter_blocks, iter_blocks_backwards
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.model import event as ev

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from videodb_cli.eventlog.read.block import Block
    from videodb_cli.eventlog.read.sources import LogSource
    from videodb_cli.rundir.capture_state import CaptureState

_IDS = Prefilter(tuple(f'"{key}"'.encode() for (key,) in ev.SESSION_PATHS))
_STREAMS = Prefilter((b'"rtstreams"',))


def resolve_session(wanted: str, sources: Sequence[LogSource], info: CaptureState | None) -> Session:
    """The session with this id, or the latest one for ``last``, with the rtstreams known so far.

    ``info`` is the content of ``videodb_capture_info.json``. Standard input is not searched, because it cannot be read
    twice. Raises NotFoundError for ``last`` if there is no session.
    """
    recorded = None if info is None else info.session_id
    ident = wanted
    if wanted == "last":
        found = _last_session(sources) or recorded
        if found is None:
            raise NotFoundError("no capture session in the log yet", code="no_session")
        ident = found
    session = Session(ident, set())
    for source in sources:
        if not source.is_stream:
            for block in iter_blocks(source, broken=BrokenLines()):  # reading the events reports it
                learn(block, session)
    if info is not None and recorded == ident:
        recorded_streams = [item.rtstream_id for item in info.channels] + [item.rtstream_id for item in info.pipelines]
        session.rtstreams.update(filter(None, recorded_streams))
    return session


def learn(block: Block, session: Session | None) -> None:
    """Add the rtstreams that ``active`` events of a new block name for the session."""
    if session is not None:
        for event in _events(block, _STREAMS):
            session.learn(event)


def _last_session(sources: Sequence[LogSource]) -> str | None:
    blocks: Iterable[Block]
    for source in reversed(sources):
        if source.is_stream:
            continue
        if source.is_seekable:
            blocks = iter_blocks_backwards(source)
        else:
            blocks = reversed(list(iter_blocks(source, broken=BrokenLines())))
        for block in blocks:
            for event in reversed(list(_events(block, _IDS))):
                if (ident := ev.session_of(event)) is not None:
                    return ident
    return None


def _events(block: Block, needles: Prefilter) -> Iterator[ev.Event]:
    for line in lines_holding(needles, block):
        try:
            event = line.decode()
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event

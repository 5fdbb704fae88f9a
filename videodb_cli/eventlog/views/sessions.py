"""Finds the rtstreams of a capture session, in its ``active`` event and in ``videodb_capture_info.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videodb_cli.eventlog.query.prefilter import Prefilter
from videodb_cli.eventlog.query.scan import lines_holding
from videodb_cli.eventlog.query.selection import Session
from videodb_cli.eventlog.read.blocks import iter_blocks
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.model import event as ev

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from videodb_cli.eventlog.read.block import Block
    from videodb_cli.eventlog.read.sources import LogSource
    from videodb_cli.rundir.capture_state import CaptureState

_STREAMS = Prefilter((b'"rtstreams"',))
# So long all names of a log are counted, before the streams of one session are looked for alone.
_BRIEF_S = 0.1


def resolve_session(
    wanted: str, sources: Sequence[LogSource], info: CaptureState | None, *, may_come: bool = False
) -> Session:
    """Return the session that is meant, with the rtstreams known so far.

    Args:
        wanted: Its id, the beginning of its id, ``last``, or ``-1``, ``-2`` … counted from the newest.
        sources: The files of the log. Standard input is not searched, because it cannot be read twice.
        info: The content of ``videodb_capture_info.json``.
        may_come: A session that is not known is no error: its events may come later.

    Raises:
        UsageError: Several sessions begin so.
        NotFoundError: There is no such session.
    """
    from videodb_cli.eventlog.names import choose
    from videodb_cli.eventlog.names.index import read_names

    names = read_names(sources, _BRIEF_S)
    if not names.is_complete and not choose.is_position(wanted):
        # The streams of one session are found faster than all names are counted.
        session = _learned(wanted, sources)
        if session.rtstreams:
            return _with_recorded(session, info)
    if not names.is_complete:
        names = read_names(sources)
    may_come = may_come or any(source.is_stream for source in sources)
    found = choose.find_session(wanted, names.tally, info, may_come=may_come)
    facts = names.tally.sessions.get(found.name)
    return _with_recorded(Session(found.name, set() if facts is None else set(facts.streams)), info)


def _learned(ident: str, sources: Sequence[LogSource]) -> Session:
    session = Session(ident, set())
    for source in sources:
        if not source.is_stream:
            for block in iter_blocks(source, broken=BrokenLines()):  # reading the events reports it
                learn(block, session)
    return session


def _with_recorded(session: Session, info: CaptureState | None) -> Session:
    """Add the rtstreams that the state of the latest capture names, if it is this session."""
    if info is not None and info.session_id == session.ident:
        recorded = [item.rtstream_id for item in info.channels] + [item.rtstream_id for item in info.pipelines]
        session.rtstreams.update(filter(None, recorded))
    return session


def learn(block: Block, session: Session | None) -> None:
    """Add the rtstreams that ``active`` events of a new block name for the session."""
    if session is not None:
        for event in _events(block, _STREAMS):
            session.learn(event)


def _events(block: Block, needles: Prefilter) -> Iterator[ev.Event]:
    for line in lines_holding(needles, block):
        try:
            event = line.decode()
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event

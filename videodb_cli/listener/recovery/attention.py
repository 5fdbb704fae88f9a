"""What came live while gaps are mended: what need not be read back, and which pipelines speak to us again. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterable

from videodb_cli.listener.recovery.heard import Heard
from videodb_cli.listener.recovery.pipeline import HEARD_BEFORE_S, Pipeline
from videodb_cli.listener.recovery.records import Record
from videodb_cli.listener.recovery.targets import Targets
from videodb_cli.model.event import Event


class Attention:
    """Takes every live event as long as something is mended, and marks the pipelines that made it.

    ``known`` is what the log holds, live or read back.
    """

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self.known = Heard()
        # What came live and may be of one of several pipelines: their records will tell of which.
        self._live = Heard()
        # Streams and channels of which something came live, and it is not known yet from which index.
        self._spoke: set[tuple[str, str]] = set()

    def heard(self, event: Event) -> None:
        """A live event came: what it says need not be fetched, and its pipeline speaks to us."""
        found = self.known.add_event(event)
        if found is None:
            return
        speakers = self._targets.of(*found)
        index_id = event.get("rtstream_index_id")
        for pipeline in speakers:
            if pipeline.index_id is None or pipeline.index_id == index_id:
                pipeline.dead = False
        if isinstance(index_id, str) or not any(pipeline.dead for pipeline in speakers):
            return
        # Which of them it was its records will tell; or that there is only one, if that is still so.
        self._live.add_event(event)
        self._spoke.add(found)
        self._targets.streams[found[0]].is_listed = False

    def forget_evidence(self) -> None:
        """Forget what came over a connection that is gone: it says nothing of who speaks to the next one."""
        self._live = Heard()
        self._spoke.clear()

    def believe_records(self, pipeline: Pipeline, records: Iterable[Record]) -> None:
        """If one of a pipeline's records came live, that pipeline speaks to us."""
        if any(self._live.has(pipeline.stream, pipeline.channel, r.text, r.start, r.end) for r in records):
            pipeline.dead = False

    def believe_single_speakers(self) -> None:
        """An index spoke; if its stream has no other one for that channel, it was that one."""
        spoke, self._spoke = self._spoke, set()
        for stream, channel in spoke:
            speakers = self._targets.of(stream, channel)
            if not self._targets.streams[stream].is_listed:
                self._spoke.add((stream, channel))
            elif len(speakers) == 1:
                speakers[0].dead = False

    def forget_old(self) -> None:
        """Forget what ended before anything that is asked for."""
        since: dict[tuple[str, str], float] = {}
        for pipeline in self._targets.pipelines.values():
            key = (pipeline.stream, pipeline.channel)
            since[key] = min(since.get(key, pipeline.since), pipeline.since)
        horizon = time.time() - 2 * HEARD_BEFORE_S

        def is_old(stream: str, channel: str, end: float) -> bool:
            return end < since.get((stream, channel), horizon) - 2.0

        self.known.forget(is_old)
        self._live.forget(is_old)

    def forget_all(self) -> None:
        """Nothing is mended any more."""
        self.known = Heard()
        self.forget_evidence()

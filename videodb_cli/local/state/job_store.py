"""The jobs on streams, the detection rules and the alerts: made, and found by their ids. For the loop's thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from videodb_cli.local.batching import TimeBatch, batch_of, frames_of, window_of
from videodb_cli.local.http.answers import ServiceError, not_found
from videodb_cli.local.state.jobs import Alert, DetectionRule, MaterializedIndex, SceneIndex, Understanding
from videodb_cli.local.state.limits import guard_count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from videodb_cli.local.state.jobs import Index
    from videodb_cli.local.state.records import RTStream


class JobStore:
    """Makes and finds jobs. ``stream`` finds a stream by its id or raises `ServiceError` 404."""

    def __init__(
        self, stream: Callable[[str], RTStream], *, clock: Callable[[], float], token: Callable[[int], str]
    ) -> None:
        self.rules: dict[str, DetectionRule] = {}
        self._stream = stream
        self._clock = clock
        self._token = token

    # Indexes of the first generation

    def add_index(
        self,
        stream: RTStream,
        *,
        extraction_type: str,
        extraction_config: Mapping[str, object],
        prompt: str,
        name: str | None,
        ws_connection_id: str | None,
        model_name: str | None = None,
    ) -> SceneIndex:
        """Make an index on ``stream``, running. Raises `ServiceError` 400 for windows that cannot be meant."""
        guard_count(stream.indexes, "scene indexes")
        index_id = f"idx-{self._token(8)}"
        now = self._clock()
        index = SceneIndex(
            id=index_id,
            rtstream_id=stream.id,
            extraction_type=extraction_type,
            extraction_config=extraction_config,
            prompt=prompt,
            name=name or index_id,
            model_name=model_name,
            ws_connection_id=ws_connection_id,
            created_at=now,
            batch=batch_of(extraction_type, extraction_config, now),
        )
        stream.indexes[index.id] = index
        return index

    def index(self, stream_id: str, index_id: str) -> SceneIndex:
        """Return the index of that stream, or raise `ServiceError` 404."""
        found = self._stream(stream_id).indexes.get(index_id)
        if found is None:
            raise not_found(f"Scene index {index_id}")
        return found

    # Understandings and their indexes

    def add_understanding(
        self,
        stream: RTStream,
        *,
        output: str,
        segmentation: Mapping[str, object],
        analyzers: Sequence[Mapping[str, object]],
        store: bool,
        ws_connection_id: str | None,
    ) -> Understanding:
        """Make an understanding of ``stream``, running. Raises `ServiceError` 400 for windows that cannot be meant."""
        guard_count(stream.understandings, "understandings")
        sampling = analyzers[0].get("sampling")
        frames = frames_of(sampling) if isinstance(sampling, Mapping) else 1
        now = self._clock()
        understanding = Understanding(
            id=f"und-{self._token(8)}",
            rtstream_id=stream.id,
            extraction_type="time",
            output=output,
            segmentation=segmentation,
            analyzers=analyzers,
            store=store,
            ws_connection_id=ws_connection_id,
            created_at=now,
            batch=TimeBatch(window_of(segmentation), now, is_picture=True, frames=frames),
        )
        stream.understandings[understanding.id] = understanding
        return understanding

    def understanding(self, stream_id: str, understanding_id: str) -> Understanding:
        """Return the understanding of that stream, or raise `ServiceError` 404."""
        found = self._stream(stream_id).understandings.get(understanding_id)
        if found is None:
            raise not_found(f"Understanding {understanding_id}")
        return found

    def materialize(self, source: Understanding, *, name: str | None, use_for: Sequence[str]) -> MaterializedIndex:
        """Make an index of what ``source`` stores, before and from now on. Raises `ServiceError` 400 if nothing."""
        stream = self._stream(source.rtstream_id)
        guard_count(stream.materialized, "indexes")
        if not source.store:
            message = f"Understanding {source.id} was made with store=false: there is nothing to index"
            raise ServiceError(400, message, "NOT_STORED")
        index_id = f"idx-{self._token(8)}"
        index = MaterializedIndex(
            id=index_id,
            rtstream_id=stream.id,
            name=name or index_id,
            use_for=tuple(use_for),
            source_understanding_id=source.id,
            output=source.output,
            created_at=self._clock(),
            records=list(source.records),
        )
        stream.materialized[index.id] = index
        return index

    def materialized(self, stream_id: str, index_id: str) -> MaterializedIndex:
        """Return the index of that stream, or raise `ServiceError` 404."""
        found = self._stream(stream_id).materialized.get(index_id)
        if found is None:
            raise not_found(f"Index {index_id}")
        return found

    def any_index(self, stream_id: str, index_id: str) -> Index:
        """Return the index of either generation, or raise `ServiceError` 404."""
        stream = self._stream(stream_id)
        found = stream.indexes.get(index_id) or stream.materialized.get(index_id)
        if found is None:
            raise not_found(f"Index {index_id}")
        return found

    # Detection rules and alerts

    def add_rule(self, prompt: str, label: str) -> DetectionRule:
        """Make a detection rule. The same prompt and label again are the same rule: scripts run more than once."""
        for rule in self.rules.values():
            if (rule.prompt, rule.label) == (prompt, label):
                return rule
        guard_count(self.rules, "detection rules")
        rule = DetectionRule(f"event-{self._token(8)}", prompt, label)
        self.rules[rule.id] = rule
        return rule

    def rule(self, rule_id: str) -> DetectionRule:
        """Return the rule, or raise `ServiceError` 404."""
        found = self.rules.get(rule_id)
        if found is None:
            raise not_found(f"Event {rule_id}")
        return found

    def add_alert(
        self, index: Index, rule: DetectionRule, *, callback_url: str | None, ws_connection_id: str | None
    ) -> Alert:
        """Make an alert on ``index``, enabled."""
        guard_count(index.alerts, "alerts")
        alert = Alert(f"alert-{self._token(8)}", rule, callback_url, ws_connection_id)
        index.alerts[alert.id] = alert
        return alert

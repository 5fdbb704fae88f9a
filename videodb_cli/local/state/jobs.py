"""Jobs on a stream: scene indexes (v1), understandings with their indexes (v2), and the alerts on an index. Data only.

A job takes what an analyser finds from the moment at which it was made. ``time`` jobs describe the picture,
``transcript`` jobs the sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from videodb_cli.local.state.moments import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videodb_cli.local.batching import FindingBatch


@dataclass(frozen=True, slots=True)
class SceneRecord:
    """One description of what was seen or heard."""

    start: float
    end: float
    text: str
    model: str = ""

    def as_json(self) -> dict[str, object]:
        """The shape of a record in every kind of index. Public code reads ``description`` here and ``text`` there.

        ``model`` says what made it, as in the event.
        """
        shape: dict[str, object] = {"start": self.start, "end": self.end, "description": self.text, "text": self.text}
        return {**shape, "model": self.model} if self.model else shape


@dataclass(frozen=True, slots=True)
class DetectionRule:
    """What to look for, in words; for all streams."""

    id: str
    prompt: str
    label: str

    def as_json(self) -> dict[str, object]:
        """The public shape."""
        return {"event_id": self.id, "event_prompt": self.prompt, "label": self.label}


@dataclass(slots=True)
class Alert:
    """A rule applied to one index, and who is told."""

    id: str
    rule: DetectionRule
    callback_url: str | None
    ws_connection_id: str | None
    status: str = "enabled"  # enabled | disabled

    def as_json(self) -> dict[str, object]:
        """The public shape."""
        shape: dict[str, object] = {
            "alert_id": self.id,
            "event_id": self.rule.id,
            "prompt": self.rule.prompt,
            "label": self.rule.label,
            "callback_url": self.callback_url or "",
            "status": self.status,
        }
        if self.ws_connection_id is not None:
            shape["ws_connection_id"] = self.ws_connection_id
        return shape


@dataclass(slots=True, kw_only=True)
class AnalysisJob:
    """What an index and an understanding have in common.

    ``batch`` gathers what the analyser finds into longer records; without one each finding is a record.
    """

    id: str
    rtstream_id: str
    extraction_type: str  # time | transcript
    ws_connection_id: str | None
    created_at: float
    status: str = "running"  # running | stopped
    stopped_at: float | None = None
    batch: FindingBatch | None = None
    records: list[SceneRecord] = field(default_factory=list)

    def wants(self, began_at: float) -> bool:
        """Whether a record of what began then belongs here: also one that is told only after the job was stopped."""
        return self.status == "running" or (self.stopped_at is not None and began_at <= self.stopped_at)

    def shown_status(self, *, playing: bool) -> str:
        """The status in answers. Without its stream a job is stopped, and goes on with it."""
        return self.status if playing else "stopped"


@dataclass(slots=True, kw_only=True)
class SceneIndex(AnalysisJob):
    """One index of the first generation."""

    extraction_config: Mapping[str, object]
    prompt: str
    name: str
    model_name: str | None = None
    alerts: dict[str, Alert] = field(default_factory=dict)

    def as_json(self, *, playing: bool) -> dict[str, object]:
        """The public shape."""
        shape: dict[str, object] = {
            "rtstream_index_id": self.id,
            "rtstream_id": self.rtstream_id,
            "extraction_type": self.extraction_type,
            "extraction_config": dict(self.extraction_config),
            "prompt": self.prompt,
            "name": self.name,
            "status": self.shown_status(playing=playing),
            "created_at": iso(self.created_at),
        }
        if self.model_name is not None:
            shape["model_name"] = self.model_name
        return shape


@dataclass(slots=True, kw_only=True)
class Understanding(AnalysisJob):
    """A continuous description of the picture, window by window (rtstream v2). It has one output."""

    output: str
    segmentation: Mapping[str, object]
    analyzers: Sequence[Mapping[str, object]]
    store: bool

    @property
    def prompt(self) -> str:
        """What the analyzer is asked."""
        for analyzer in self.analyzers:
            config = analyzer.get("config")
            prompt = (config.get("prompt") if isinstance(config, Mapping) else None) or analyzer.get("prompt")
            if isinstance(prompt, str) and prompt.strip():
                return prompt
        return "Describe the scene"

    @property
    def source(self) -> dict[str, object]:
        """What names the output to whoever makes an index of it."""
        return {"understanding_id": self.id, "output": self.output}

    def as_json(self, *, playing: bool) -> dict[str, object]:
        """The shape that the SDK reads."""
        return {
            "understanding_id": self.id,
            "rtstream_id": self.rtstream_id,
            "status": self.shown_status(playing=playing),
            "store": self.store,
            "segmentation": dict(self.segmentation),
            "analyzers": [dict(analyzer) for analyzer in self.analyzers],
            "outputs": {self.output: self.source},
            "created_at": iso(self.created_at),
        }


@dataclass(slots=True, kw_only=True)
class MaterializedIndex:
    """The stored output of an understanding as an index that can be searched and watched (rtstream v2)."""

    id: str
    rtstream_id: str
    name: str
    use_for: Sequence[str]
    source_understanding_id: str
    output: str
    created_at: float
    status: str = "running"  # running | stopped
    records: list[SceneRecord] = field(default_factory=list)
    alerts: dict[str, Alert] = field(default_factory=dict)

    def as_json(self, *, playing: bool) -> dict[str, object]:
        """The shape that the SDK reads."""
        return {
            "index_id": self.id,
            "rtstream_id": self.rtstream_id,
            "name": self.name,
            "status": self.status if playing else "stopped",
            "use_for": list(self.use_for),
            "source_understanding_id": self.source_understanding_id,
            "output": self.output,
            "created_at": iso(self.created_at),
        }


Index = SceneIndex | MaterializedIndex

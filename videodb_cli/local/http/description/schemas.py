"""The shapes of answers and requests in JSON Schema. Answers are closed: a member that is not named here is a fault."""

from __future__ import annotations

from typing import Any, Final

from videodb_cli.local.events import TRIGGER_KINDS
from videodb_cli.local.state.records import SESSION_STATUSES

Schema = dict[str, Any]

STRING: Final[Schema] = {"type": "string"}
NUMBER: Final[Schema] = {"type": "number"}
INTEGER: Final[Schema] = {"type": "integer"}
BOOLEAN: Final[Schema] = {"type": "boolean"}
OBJECT: Final[Schema] = {"type": "object"}
WHEN: Final[Schema] = {"type": "string", "format": "date-time"}
TEXT: Final[Schema] = {"type": ["string", "null"]}  # of a request: null is as good as nothing
MAYBE_NUMBER: Final[Schema] = {"type": ["number", "null"]}
MAYBE_FLAG: Final[Schema] = {"type": ["boolean", "null"]}
MAYBE_OBJECT: Final[Schema] = {"type": ["object", "null"]}


def ref(name: str) -> Schema:
    """The schema of that name among the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def many(item: Schema) -> Schema:
    """A list of ``item``."""
    return {"type": "array", "items": item}


def one_of(*values: str) -> Schema:
    """One of these strings."""
    return {"type": "string", "enum": list(values)}


def whole(low: int, high: int) -> Schema:
    """A whole number within bounds, of a request."""
    return {"type": ["integer", "null"], "minimum": low, "maximum": high}


def shape(required: Schema, optional: Schema | None = None) -> Schema:
    """An object of an answer: all of ``required``, perhaps ``optional``, and nothing else."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def body(required: Schema | None = None, optional: Schema | None = None) -> Schema:
    """An object of a request; members that are not named have no effect."""
    made: Schema = {"type": "object", "properties": {**(required or {}), **(optional or {})}}
    if required:
        made["required"] = list(required)
    return made


_SPAN: Final = {"start": NUMBER, "end": NUMBER}
_PLAYED: Final = {"stream_url": STRING, "player_url": STRING}
_JOB_STATUS: Final = one_of("running", "stopped")
_CHANNEL: Final = {
    "channel_id": STRING,
    "name": STRING,
    "type": one_of("audio", "video"),
    "store": BOOLEAN,
    "is_primary": BOOLEAN,
}
_STREAM: Final = {
    "name": STRING,
    "status": one_of("connected", "stopped"),
    "sample_rate": INTEGER,
    "media_types": many(one_of("video", "audio")),
    "collection_id": STRING,
    "store": BOOLEAN,
    "created_at": WHEN,
}
_STREAM_MORE: Final = {
    "channel_id": one_of("mic", "system_audio", "screen"),
    "error": STRING,
    "exported_asset_id": STRING,
}
_SESSION: Final = {
    "session_id": STRING,
    "end_user_id": STRING,
    "status": one_of(*SESSION_STATUSES),
    "collection_id": STRING,
    "metadata": OBJECT,
    "created_at": WHEN,
    "channels": many(shape(_CHANNEL)),
    "primary_video_channel_id": TEXT,
    "rtstreams": many(shape({"rtstream_id": STRING, **_STREAM}, _STREAM_MORE)),
    "export_status": {"enum": ["exporting", "exported", "failed", None]},
    "exported_video_id": TEXT,
}
_SESSION_MORE: Final = {
    "id": STRING,
    "ws_connection_id": STRING,
    "callback_url": STRING,
    "error": shape({"code": STRING, "message": STRING}),
}
_ASSET: Final = {"id": STRING, "collection_id": STRING, "name": STRING, "length": NUMBER, "created_at": WHEN}
_HIT: Final = {**_SPAN, "text": STRING, "score": NUMBER}
_DOC: Final = shape({**_HIT, "metadata": OBJECT}, {"scene_index_id": STRING, "scene_index_name": STRING, **_PLAYED})

COMPONENTS: Final[Schema] = {
    "Error": shape({"success": {"const": False}, "message": STRING, "error_code": STRING}),
    "Played": shape(_PLAYED),
    "Collection": shape(
        {
            "id": STRING,
            "name": STRING,
            "description": STRING,
            "is_public": BOOLEAN,
            "owner": STRING,
            "created_at": WHEN,
        }
    ),
    "CaptureSession": shape(_SESSION, _SESSION_MORE),
    "StreamingSession": shape(
        {
            "session_id": STRING,
            "status": one_of(*SESSION_STATUSES),
            "channels": many(shape(_CHANNEL, {"rtsp_url": STRING})),
        },
        {"streaming_session_id": STRING, "ssl_certificate_hash": STRING},
    ),
    "SessionExport": shape(
        {
            "session_id": STRING,
            "video_channel_id": TEXT,
            "export_status": one_of("exporting", "exported", "failed"),
        },
        {"video_id": STRING, **_PLAYED, "error": STRING},
    ),
    "RTStream": shape({"id": STRING, **_STREAM}, _STREAM_MORE),
    "RTStreamExport": shape({"video_id": STRING, "name": STRING, **_PLAYED, "duration": NUMBER}),
    "SpokenRecord": shape(
        {**_SPAN, "text": STRING, "word_timestamps": many(shape({"word": STRING, **_SPAN}))},
    ),
    "Transcription": shape(
        {"status": one_of("running", "stopped", "not_configured"), "engine": STRING},
        {"language": STRING, "created_at": WHEN, "updated_at": WHEN},
    ),
    "SceneIndex": shape(
        {
            "rtstream_index_id": STRING,
            "rtstream_id": STRING,
            "extraction_type": one_of("time", "transcript"),
            "extraction_config": OBJECT,
            "prompt": STRING,
            "name": STRING,
            "status": _JOB_STATUS,
            "created_at": WHEN,
        },
        {"model_name": STRING},
    ),
    "SceneRecord": shape({**_SPAN, "description": STRING, "text": STRING}, {"model": STRING}),
    "Rule": shape({"event_id": STRING, "event_prompt": STRING, "label": STRING}),
    "Alert": shape(
        {
            "alert_id": STRING,
            "event_id": STRING,
            "prompt": STRING,
            "label": STRING,
            "callback_url": STRING,
            "status": one_of("enabled", "disabled"),
        },
        {"ws_connection_id": STRING},
    ),
    "Understanding": shape(
        {
            "understanding_id": STRING,
            "rtstream_id": STRING,
            "status": _JOB_STATUS,
            "store": BOOLEAN,
            "segmentation": OBJECT,
            "analyzers": many(OBJECT),
            "outputs": {
                "type": "object",
                "additionalProperties": shape({"understanding_id": STRING, "output": STRING}),
            },
            "created_at": WHEN,
        }
    ),
    "Index": shape(
        {
            "index_id": STRING,
            "rtstream_id": STRING,
            "name": STRING,
            "status": _JOB_STATUS,
            "use_for": many(one_of("semantic", "query", "aggregate")),
            "source_understanding_id": STRING,
            "output": STRING,
            "created_at": WHEN,
        }
    ),
    "StreamHit": shape(
        {
            "id": STRING,
            "rtstream_id": STRING,
            "rtstream_name": STRING,
            **_HIT,
            "scene_index_id": STRING,
            "scene_index_name": STRING,
            "metadata": OBJECT,
        }
    ),
    "Video": shape({**_ASSET, **_PLAYED}),
    "Audio": shape(_ASSET),
    "VideoHit": shape(
        {
            "video_id": STRING,
            "collection_id": STRING,
            "title": STRING,
            "length": NUMBER,
            **_HIT,
            "docs": many(_DOC),
        }
    ),
    "Transcript": shape(
        {
            "word_timestamps": many(shape({**_SPAN, "text": STRING})),
            "transcript": many(shape({**_SPAN, "text": STRING})),
            "text": STRING,
        }
    ),
    "Faults": shape({"faults": many(OBJECT), "struck": {"type": "object", "additionalProperties": INTEGER}}),
}

SPAN_OF_REQUEST: Final[Schema] = {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2}
ACTION: Final = body({"action": one_of("start", "stop")})
TRIGGER: Final = body(
    {"kind": one_of(*TRIGGER_KINDS)},
    {"text": TEXT, "count": whole(1, 100_000_000), "rate": MAYBE_NUMBER, "to": TEXT},
)
SEARCH: Final = body(
    {"query": STRING},
    {
        "search_type": one_of("semantic", "keyword", "scene", "custom"),
        "index_type": one_of("spoken_word", "scene"),
        "scene_index_id": TEXT,
        "index_id": TEXT,
        "result_threshold": whole(1, 1000),
        "score_threshold": MAYBE_NUMBER,
    },
)
SEARCH_V2: Final = body(
    {"query": STRING},
    {
        "top_k": whole(1, 1000),
        "score_threshold": MAYBE_NUMBER,
        "include_clip": MAYBE_FLAG,
        "session_id": TEXT,
    },
)
SEARCH_V2_ANSWER: Final = shape(
    {
        "response_type": one_of("shots"),
        "session_id": TEXT,
        "waiting_for": one_of("none"),
        "results": many(ref("VideoHit")),
        "warnings": many(shape({"code": STRING, "message": STRING})),
    }
)

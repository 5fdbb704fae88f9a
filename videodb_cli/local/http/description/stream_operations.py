"""The calls about rtstreams: streams, transcripts, indexes, understandings, alerts."""

from __future__ import annotations

from typing import Final

from videodb_cli.local.http.description.operation import Operation
from videodb_cli.local.http.description.schemas import (
    ACTION,
    BOOLEAN,
    INTEGER,
    MAYBE_FLAG,
    MAYBE_OBJECT,
    NUMBER,
    OBJECT,
    SEARCH,
    STRING,
    TEXT,
    body,
    many,
    one_of,
    ref,
    shape,
    whole,
)

_PAGE: Final = {"start": NUMBER, "end": NUMBER, "page": INTEGER, "page_size": INTEGER}
_STATUS: Final = Operation(shape({"status": one_of("running", "stopped")}), ACTION)
_RECORDS: Final = {"next_page": BOOLEAN, "total_count": INTEGER, "page": INTEGER}
_ALERT: Final = body({"event_id": STRING}, {"callback_url": TEXT, "ws_connection_id": TEXT})
_ALERT_STATUS: Final = body(optional={"action": one_of("enable", "disable"), "status": one_of("enabled", "disabled")})
_ALERT_ANSWER: Final = shape({"alert_id": STRING, "status": one_of("enabled", "disabled")})
_STREAM_HITS: Final = shape({"results": many(ref("StreamHit"))})
_SPAN_OF_TIME: Final = {"start": NUMBER, "end": NUMBER}

_STREAMS: Final = {
    "POST /rtstream": Operation(
        ref("RTStream"),
        body(
            {"url": STRING},
            {
                "name": TEXT,
                "collection_id": TEXT,
                "sample_rate": whole(1, 1000),
                "media_types": many(one_of("video", "audio")),
                "store": MAYBE_FLAG,
                "enable_transcript": MAYBE_FLAG,
                "ws_connection_id": TEXT,
            },
        ),
        status=201,
        errors=(402, 404),
    ),
    "GET /rtstream": Operation(
        shape({"results": many(ref("RTStream")), "count": INTEGER, "next": TEXT, "previous": TEXT}),
        query={"limit": INTEGER, "offset": INTEGER, "status": STRING, "name": STRING, "ordering": STRING},
    ),
    "GET /rtstream/{rid}": Operation(ref("RTStream")),
    "PATCH /rtstream/{rid}": Operation(
        ref("RTStream"),
        {**body(optional={"name": TEXT, "sample_rate": whole(1, 1000)}), "additionalProperties": False},
    ),
    "PATCH /rtstream/{rid}/status": Operation(shape({"id": STRING, "status": one_of("connected", "stopped")}), ACTION),
    "POST /rtstream/{rid}/export": Operation(ref("RTStreamExport"), body(optional={"name": TEXT})),
    "GET /rtstream/{rid}/stream": Operation(ref("Played"), query=_SPAN_OF_TIME),
    "POST /rtstream/{rid}/transcription": Operation(
        ref("Transcription"),
        body({"action": one_of("start", "stop")}, {"engine": TEXT, "ws_connection_id": TEXT}),
    ),
    "GET /rtstream/{rid}/transcription": Operation(
        shape({"transcription_records": many(ref("SpokenRecord")), **_RECORDS, "page_size": INTEGER}),
        query={**_PAGE, "since": NUMBER},
    ),
    "GET /rtstream/{rid}/transcription/status": Operation(ref("Transcription")),
    "POST /rtstream/{rid}/search": Operation(_STREAM_HITS, SEARCH),
    "POST /rtstream/collection/{cid}/search": Operation(_STREAM_HITS, SEARCH),
    "POST /rtstream/event": Operation(shape({"event_id": STRING}), body({"event_prompt": STRING, "label": STRING})),
    "GET /rtstream/event": Operation(shape({"events": many(ref("Rule"))})),
}

_INDEXES: Final = {
    "POST /rtstream/{rid}/index/scene": Operation(
        ref("SceneIndex"),
        body(
            optional={
                "extraction_type": one_of("time", "time_based", "shot", "shot_based", "transcript"),
                "extraction_config": MAYBE_OBJECT,
                "prompt": TEXT,
                "name": TEXT,
                "model_name": TEXT,
                "ws_connection_id": TEXT,
                "auto_start_transcript": MAYBE_FLAG,
            }
        ),
    ),
    "GET /rtstream/{rid}/index/scene": Operation(shape({"scene_indexes": many(ref("SceneIndex"))})),
    "GET /rtstream/{rid}/index/{iid}": Operation(ref("SceneIndex")),
    "GET /rtstream/{rid}/index/scene/{iid}": Operation(
        shape({"scene_index_records": many(ref("SceneRecord")), **_RECORDS}), query=_PAGE
    ),
    "PATCH /rtstream/{rid}/index/scene/{iid}": Operation(body=body({"prompt": STRING})),
    "PATCH /rtstream/{rid}/index/scene/{iid}/status": _STATUS,
    "POST /rtstream/{rid}/understand": Operation(
        ref("Understanding"),
        body(
            optional={
                "segmentation": MAYBE_OBJECT,
                "analyzers": many(OBJECT),
                "store": MAYBE_FLAG,
                "ws_connection_id": TEXT,
            }
        ),
    ),
    "GET /rtstream/{rid}/understand": Operation(shape({"understandings": many(ref("Understanding"))})),
    "GET /rtstream/{rid}/understand/{uid}": Operation(ref("Understanding")),
    "PATCH /rtstream/{rid}/understand/{uid}/status": _STATUS,
    "GET /rtstream/{rid}/understand/{uid}/records": Operation(
        shape({"records": many(ref("SceneRecord")), **_RECORDS}), query={**_PAGE, "output": STRING}
    ),
    "POST /rtstream/{rid}/indexes": Operation(
        ref("Index"),
        body(
            {"source": body({"understanding_id": STRING}, {"output": TEXT})},
            {"name": TEXT, "use_for": many(one_of("semantic", "query", "aggregate"))},
        ),
    ),
    "GET /rtstream/{rid}/indexes": Operation(shape({"indexes": many(ref("Index"))})),
    "GET /rtstream/{rid}/indexes/{iid}": Operation(ref("Index")),
    "PATCH /rtstream/{rid}/indexes/{iid}/status": _STATUS,
    "GET /rtstream/{rid}/indexes/{iid}/records": Operation(
        shape({"records": many(ref("SceneRecord")), **_RECORDS}), query=_PAGE
    ),
    **{
        f"{method} /rtstream/{{rid}}/{kind}/{{iid}}/alert{rest}": operation
        for kind in ("index", "indexes")
        for method, rest, operation in (
            ("POST", "", Operation(shape({"alert_id": STRING}), _ALERT)),
            ("GET", "", Operation(shape({"alerts": many(ref("Alert"))}))),
            ("PATCH", "/{aid}/status", Operation(_ALERT_ANSWER, _ALERT_STATUS)),
        )
    },
}

STREAM_OPERATIONS: Final = {**_STREAMS, **_INDEXES}

"""Every call: what it takes, and the ``data`` that it gives. `document` makes the OpenAPI document of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from videodb_cli.local.http.description.operation import Operation
from videodb_cli.local.http.description.schemas import (
    BOOLEAN,
    INTEGER,
    MAYBE_FLAG,
    MAYBE_NUMBER,
    MAYBE_OBJECT,
    NUMBER,
    OBJECT,
    SEARCH,
    SEARCH_V2,
    SEARCH_V2_ANSWER,
    SPAN_OF_REQUEST,
    STRING,
    TEXT,
    TRIGGER,
    body,
    many,
    one_of,
    ref,
    shape,
    whole,
)
from videodb_cli.local.http.description.stream_operations import STREAM_OPERATIONS
from videodb_cli.local.state.transcripts import SEGMENTERS

if TYPE_CHECKING:
    from collections.abc import Mapping


_SESSION: Final = "/collection/{cid}/capture/session"
_TRANSCRIPT_QUERY: Final = {"segmenter": one_of(*SEGMENTERS), "length": INTEGER, "start": NUMBER, "end": NUMBER}
_COLLECTION: Final = {"collection_id": STRING}
_NAME: Final = {**body(optional={"name": TEXT}), "additionalProperties": False}
_EMPTY: Final = shape({})
_TRANSCRIPT: Final = Operation(ref("Transcript"), query={**_COLLECTION, **_TRANSCRIPT_QUERY})
_AGAIN: Final = Operation(
    ref("Transcript"), body(optional={"force": MAYBE_FLAG, "language_code": TEXT}), query=_COLLECTION
)
_LIST: Final = {"collection_id": STRING, "page_index": INTEGER, "count": INTEGER}
_PAGE_OF_PLAYER: Final = {"start": NUMBER, "end": NUMBER}
_MEDIA: Final = ("application/vnd.apple.mpegurl", "video/mp4", "video/iso.segment", "video/mp2t", "image/jpeg")
_HITS: Final = shape({"query": STRING, "results": many(ref("VideoHit"))})
_DELIVERED: Final = {"sent": INTEGER, "connections": many(STRING), "seconds": NUMBER}

_CAPTURE: Final = {
    "GET /collection": Operation(
        shape({"collections": many(ref("Collection")), "default_collection": STRING}),
    ),
    "GET /collection/{cid}": Operation(ref("Collection")),
    "GET /collection/{cid}/websocket": Operation(shape({"websocket_url": STRING})),
    f"POST {_SESSION}": Operation(
        ref("CaptureSession"),
        body({"end_user_id": STRING}, {"callback_url": TEXT, "ws_connection_id": TEXT, "metadata": MAYBE_OBJECT}),
    ),
    f"GET {_SESSION}": Operation(
        shape({"sessions": many(ref("CaptureSession")), "next_page": {"type": "null"}}),
        query={"status": STRING, "end_user_id": STRING, "endUserId": STRING},
    ),
    f"GET {_SESSION}/{{sid}}": Operation(ref("CaptureSession")),
    f"POST {_SESSION}/{{sid}}/export": Operation(
        ref("SessionExport"), body(optional={"video_channel_id": TEXT, "connection_id": TEXT})
    ),
    "POST /capture/session/token": Operation(
        shape({"token": STRING, "expires_at": NUMBER, "expires_in": INTEGER}),
        body(optional={"user_id": TEXT, "expires_in": whole(1, 30 * 86400)}),
    ),
    "POST /capture/session/start": Operation(
        ref("StreamingSession"),
        body(
            {
                "session_id": STRING,
                "channels": {
                    **many(
                        body(
                            {"channel_id": STRING},
                            {
                                "channel_name": TEXT,
                                "name": TEXT,
                                "type": one_of("audio", "video"),
                                "store": MAYBE_FLAG,
                                "is_primary": MAYBE_FLAG,
                            },
                        )
                    ),
                    "minItems": 1,
                    "maxItems": 32,
                },
            },
            {"ws_connection_id": TEXT, "callback_url": TEXT},
        ),
        errors=(402, 404),
    ),
    "GET /capture/session/{sid}": Operation(ref("StreamingSession")),
    "POST /capture/session/{sid}/stop": Operation(shape({"session_id": STRING, "status": STRING})),
}

_ASSETS: Final = {
    "GET /video": Operation(shape({"videos": many(ref("Video"))}), query=_LIST, errors=(404,)),
    "GET /audio": Operation(shape({"audios": many(ref("Audio"))}), query=_LIST, errors=(404,)),
    **{
        f"{method} /{kind}/{{vid}}{rest}": operation
        for kind in ("video", "audio")
        for method, rest, operation in (
            ("GET", "", Operation(ref(kind.capitalize()), query=_COLLECTION)),
            ("PATCH", "", Operation(ref(kind.capitalize()), _NAME, query=_COLLECTION)),
            ("DELETE", "", Operation(query=_COLLECTION)),
            ("GET", "/transcription", _TRANSCRIPT),
            ("POST", "/transcription", _AGAIN),
        )
    },
    "POST /audio/{vid}/generate_url": Operation(
        shape({"signed_url": STRING, "stream_url": STRING}), body(), query=_COLLECTION
    ),
    "POST /video/{vid}/stream": Operation(
        ref("Played"),
        body(optional={"timeline": {"type": ["array", "null"], "items": SPAN_OF_REQUEST}, "length": MAYBE_NUMBER}),
        query=_COLLECTION,
    ),
    "GET /video/{vid}/thumbnail": Operation(
        shape({"thumbnail_url": STRING}), query={**_COLLECTION, "timestamp": NUMBER}
    ),
    "POST /video/{vid}/thumbnail": Operation(
        shape({"id": STRING, "collection_id": STRING, "name": STRING, "url": STRING}),
        body(optional={"time": MAYBE_NUMBER, "timestamp": MAYBE_NUMBER}),
        query=_COLLECTION,
    ),
    "POST /video/{vid}/index": Operation(
        _EMPTY, body(optional={"index_type": one_of("spoken_word")}), query=_COLLECTION
    ),
    "GET /video/{vid}/index": Operation(_EMPTY, query={**_COLLECTION, "index_type": one_of("spoken_word", "scene")}),
    "POST /video/{vid}/search": Operation(_HITS, SEARCH),
    "POST /collection/{cid}/search": Operation(_HITS, SEARCH),
    "POST /video/{vid}/search/v2": Operation(SEARCH_V2_ANSWER, SEARCH_V2),
    "POST /collection/{cid}/search/v2": Operation(SEARCH_V2_ANSWER, SEARCH_V2),
    "POST /compile": Operation(
        ref("Played"),
        {
            "oneOf": [
                many(body({"video_id": STRING, "shots": many(SPAN_OF_REQUEST)}, {"collection_id": TEXT})),
                body({"inputs": many(body({"media_id": STRING, "start_time": NUMBER, "end_time": NUMBER}))}),
            ]
        },
        errors=(404,),
    ),
}

_PLAYER: Final = {
    "GET /play/watch": Operation(
        files=("text/html",), query={"v": STRING, **_PAGE_OF_PLAYER}, is_open=True, errors=(400, 404)
    ),
    "GET /play/embed": Operation(
        files=("text/html",), query={"v": STRING, **_PAGE_OF_PLAYER}, is_open=True, errors=(400, 404)
    ),
    "GET /play/{media_id}": Operation(files=("text/html",), query=_PAGE_OF_PLAYER, is_open=True, errors=(400,)),
    "GET /media/{media_id}/{name}": Operation(
        files=_MEDIA, query=_PAGE_OF_PLAYER, is_open=True, errors=(206, 400, 416)
    ),
    "OPTIONS /media/{media_id}/{name}": Operation(status=204, is_open=True),
}

_LOCAL: Final = {
    "GET /": Operation(shape({"service": STRING, "embedded": {"const": True}, "version": STRING}), is_open=True),
    "GET /openapi.json": Operation(files=("application/json",), is_open=True),
    "GET /_local/status": Operation(
        shape(
            {
                "url": STRING,
                "pid": INTEGER,
                "version": STRING,
                "started_at": NUMBER,
                "started_by": STRING,
                "idle_exit_s": MAYBE_NUMBER,
                "sockets": INTEGER,
                "connections": many(shape({"connection_id": STRING, "sent": INTEGER})),
                "streams": INTEGER,
                "rtstreams": many(shape({"id": STRING, "name": STRING, "status": STRING})),
                "sessions": INTEGER,
                "rtsp_port": {"type": ["integer", "null"]},
                "media_bytes": INTEGER,
                "media_dir": STRING,
                "dialect": STRING,
                "describe": MAYBE_OBJECT,
            }
        ),
        query={"hold": STRING},
    ),
    "POST /_local/trigger": Operation(shape(_DELIVERED), TRIGGER, errors=(404,)),
    "POST /_local/replay": Operation(
        shape({**_DELIVERED, "skipped": INTEGER}),
        STRING,
        query={"speed": NUMBER, "to": STRING},
        errors=(404,),
        body_type="application/x-ndjson",
    ),
    "POST /_local/stay": Operation(),
    "POST /_local/credits": Operation(shape({"exhausted": BOOLEAN}), body(optional={"exhausted": MAYBE_FLAG})),
    "GET /_local/faults": Operation(ref("Faults")),
    "POST /_local/faults": Operation(ref("Faults"), body({"faults": many(OBJECT)})),
    "POST /_local/stop": Operation(shape({"kept": TEXT}), body(optional={"keep": MAYBE_FLAG})),
}

OPERATIONS: Final[Mapping[str, Operation]] = {
    **_LOCAL,
    **_CAPTURE,
    **STREAM_OPERATIONS,
    **_ASSETS,
    **_PLAYER,
}

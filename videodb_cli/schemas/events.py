"""The schema of a line of the log."""

from __future__ import annotations

from videodb_cli.schemas.kinds import ANY, FLAG, NUMBER, STRING, Schema, many, maybe, record

_STAMPS: dict[str, Schema] = {
    "ts": {"type": "string", "description": "When it was received, UTC."},
    "unix_ts": {"type": "number", "description": "The same instant in Unix seconds."},
}
_STREAM: dict[str, Schema] = {"rtstream_id": STRING, "rtstream_name": STRING, "recovered": FLAG}
_TIMES: dict[str, Schema] = {"start": maybe(NUMBER), "end": maybe(NUMBER)}
_OPEN = ("rtstream_id", "rtstream_name", "recovered", "start", "end", "is_final", "confidence", "text", "label")
OWN_NAMES = (
    "listener.connected", "listener.disconnected", "listener.gap", "listener.recovered", "listener.late",
    "listener.clock", "listener.stopped", "capture.failed", "capture.stalled", "capture.resumed", "log.rotated",
    "log.torn",
)  # fmt: skip


def _of_channel(names: list[str], data: dict[str, Schema], says: str) -> Schema:
    members = {**_STAMPS, "channel": {"enum": names}, **_STREAM, "data": record(data, optional=_OPEN)}
    return record(members, optional=_OPEN, says=says)


_KINDS: dict[str, Schema] = {
    "transcript": _of_channel(["transcript"], {"text": STRING, "is_final": {}, **_TIMES}, "What was said."),
    "visual_index": _of_channel(["visual_index", "scene_index"], {"text": STRING, **_TIMES}, "What was seen."),
    "audio_index": _of_channel(["audio_index", "spoken_index"], {"text": STRING, **_TIMES}, "What was heard."),
    "alert": _of_channel(["alert"], {"label": STRING, "text": STRING, "confidence": ANY}, "A rule matched."),
    "capture_session": record(
        {
            **_STAMPS,
            "event": {"type": "string", "pattern": r"^capture_session\."},
            "capture_session_id": STRING,
            "status": STRING,
            "data": record(
                {
                    "rtstreams": many(record({"rtstream_id": STRING, "name": STRING}, optional=("name",))),
                    "exported_video_id": maybe(STRING),
                    "stream_url": maybe(STRING),
                    "player_url": maybe(STRING),
                    "error": ANY,
                },
                optional=("rtstreams", "exported_video_id", "stream_url", "player_url", "error"),
            ),
        },
        optional=("status", "capture_session_id", "data"),
        says="The life of a capture session.",
    ),
    "own": record(
        {
            **_STAMPS,
            "channel": {"const": "videodb_cli"},
            "event": {"enum": list(OWN_NAMES)},
            "data": record({"text": STRING}),
        },
        says="What the listener says of itself and of the log.",
    ),
    "raw": record({**_STAMPS, "raw": STRING}, says="A message that is no event, as it came."),
    "raw_base64": record({**_STAMPS, "raw_base64": STRING}, says="A message that is no text."),
    "other": record(
        {**_STAMPS},
        says="An event of another kind: the service may send more than is known.",
    ),
}
EVENT: Schema = {
    "description": "A line of the log. $defs has each kind; whatever comes from the service may have more members.",
    "type": "object",
    "required": ["ts", "unix_ts"],
    "anyOf": [{"$ref": f"#/$defs/{name}"} for name in _KINDS],
    "$defs": _KINDS,
}

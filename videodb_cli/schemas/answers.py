"""The schemas of what commands answer with ``--json``."""

from __future__ import annotations

from videodb_cli.schemas.kinds import ANY, COUNT, FLAG, NUMBER, STRING, Schema, answer, many, maybe, record

ERROR: Schema = answer(
    {"error": record({"code": STRING, "message": STRING, "hint": maybe(STRING)})},
    says="What every command answers with --json when it fails. The exit status says what kind of failure it is.",
)

_CHANNEL = record(
    {
        "channel_id": STRING,
        "type": STRING,
        "rtstream_id": maybe(STRING),
        "name": maybe(STRING),
        "store": FLAG,
        "is_primary": FLAG,
        "state": {"enum": ["starting", "flowing", "interrupted", "finished", "failed", "stopped"]},
        "bytes": maybe(COUNT),
        "frames": maybe(COUNT),
        "drops": maybe(COUNT),
        "restarts": COUNT,
        "paused": FLAG,
        "reason": maybe(STRING),
    }
)
_PIPELINE = record(
    {
        "kind": STRING,
        "rtstream_id": maybe(STRING),
        "rtstream_index_id": maybe(STRING),
        "alert_id": maybe(STRING),
        "ws_connection_id": maybe(STRING),
        "label": maybe(STRING),
    }
)
_CAPTURE: dict[str, Schema] = {
    "session_id": STRING,
    "collection_id": STRING,
    "status": STRING,
    "started_at": maybe(NUMBER),
    "ws_connection_id": maybe(STRING),
    "channels": many(_CHANNEL),
    "pipelines": many(_PIPELINE),
    "recorder": maybe(STRING),
    "error": maybe(record({"code": STRING, "message": STRING})),
    "exported_video_id": maybe(STRING),
    "stream_url": maybe(STRING),
    "player_url": maybe(STRING),
}
_AT_WILL = tuple(name for name in _CAPTURE if name not in {"session_id", "status"})
_SOURCE = record({"id": STRING, "type": STRING, "name": STRING, "store": FLAG, "default": FLAG, "capturable": FLAG})
_STATUS: dict[str, Schema] = {
    "state": {"enum": ["listening", "connecting", "deaf", "died", "stopped"]},
    "why": maybe(STRING),
    "pid": maybe(COUNT),
    "connection_id": maybe(STRING),
    **dict.fromkeys(("last_message_age_s", "last_pong_age_s", "connected_age_s", "started_age_s"), maybe(NUMBER)),
    **dict.fromkeys(("events", "recovered", "reconnects", "gaps", "log_bytes", "pending_bytes"), maybe(COUNT)),
    **dict.fromkeys(("gap_s", "events_per_s"), maybe(NUMBER)),
    "dead_pipelines": maybe(many(record({}))),
    "log_writable": maybe(FLAG),
    "trouble": maybe(STRING),
    "last_failure": ANY,
    "capture": maybe(record({"running": FLAG, "why": maybe(STRING), **_CAPTURE})),
}
_SESSION: dict[str, Schema] = {
    "session_id": STRING,
    "status": maybe(STRING),
    "running": FLAG,
    **dict.fromkeys(("started_at", "ended_at", "last_event_at", "duration_s"), maybe(NUMBER)),
    "events": COUNT,
    "streams": many(record({"rtstream_id": maybe(STRING), "name": maybe(STRING), "events": COUNT, "channels": ANY})),
    **dict.fromkeys(("exported_video_id", "player_url", "stream_url", "error"), maybe(STRING)),
    "statuses": {"type": "object", "additionalProperties": NUMBER},
}
_PART = record({"count": COUNT, "names": many(record({"name": STRING, "count": COUNT}))}, optional=("count", "names"))
_MODELS = answer({"models": many(record({"name": STRING, "purpose": STRING, "status": STRING}))})
_SENT = answer({"sent": COUNT})

COMMANDS: dict[str, Schema] = {
    "listen": answer({"ws_id": STRING, "pid": COUNT, "dir": STRING}, says="listen --detach --json."),
    "status": answer(_STATUS),
    "status --ws-id": answer({"ws_id": STRING}),
    "stop": answer({"stopped": FLAG, "pid": maybe(COUNT), "capture_session_id": maybe(STRING)}),
    "capture channels": answer(
        {
            **dict.fromkeys(("mics", "displays", "system_audio", "cameras"), many(_SOURCE)),
            "reasons": {"type": "object", "additionalProperties": STRING},
            "recorder": STRING,
        },
        optional=("reasons",),
    ),
    "capture start": answer(_CAPTURE),
    "capture status": answer({"running": FLAG, "pid": maybe(COUNT), **_CAPTURE}, optional=("pid", *_AT_WILL)),
    "capture stop": answer(
        {"stopped": FLAG, **_CAPTURE, "session_id": maybe(STRING), "status": maybe(STRING)}, optional=_AT_WILL
    ),
    "capture pause": answer({"paused": many(STRING)}),
    "capture resume": answer({"resumed": many(STRING)}),
    "capture create": answer(
        {
            "session_id": STRING,
            "collection_id": STRING,
            "client_token": STRING,
            "expires_at": maybe(NUMBER),
            "ws_connection_id": maybe(STRING),
            "base_url": STRING,
        }
    ),
    "events stats": answer(
        {
            "by": STRING,
            "count": COUNT,
            "first": maybe(NUMBER),
            "last": maybe(NUMBER),
            "rate": maybe(NUMBER),
            "groups": many(record({"name": ANY, "count": COUNT, "first": maybe(NUMBER), "last": maybe(NUMBER)})),
            "gaps": record({"count": COUNT, "seconds": NUMBER}),
            "recovered": COUNT,
            "broken": COUNT,
        }
    ),
    "events search": answer(
        {"count": COUNT, "results": many(record({"score": NUMBER, "snippet": STRING, "event": record({})}))},
        # The results are written as they come, before their end is known.
        optional=("schema",),
    ),
    "events transcript": answer(
        {"paragraphs": many(record({"stream": STRING, "start": NUMBER, "end": NUMBER, "text": STRING, "visual": FLAG}))}
    ),
    "events summary": answer(
        {
            "events": COUNT,
            "first": maybe(NUMBER),
            "last": maybe(NUMBER),
            **dict.fromkeys(("channels", "streams", "said", "screens", "alerts", "sessions", "gaps", "errors"), _PART),
            "next": many(STRING),
        }
    ),
    "config get": answer({"key": STRING, "value": ANY}),
    "config set": answer({"key": STRING, "value": ANY, "path": STRING}),
    "config unset": answer({"key": STRING, "removed": FLAG}),
    "config list": answer(
        {"path": STRING, "exists": FLAG, "settings": many(record({"key": STRING, "value": ANY, "source": STRING}))}
    ),
    "config path": answer({"path": STRING, "exists": FLAG}),
    "events prune": answer(
        {
            "removed": many(STRING),
            "rewritten": many(STRING),
            "lines": COUNT,
            "size": COUNT,
            "left": ANY,
            "dry_run": FLAG,
        }
    ),
    "events report": answer(
        {
            "path": maybe(STRING),
            **dict.fromkeys(("bytes", "events", "listed", "interim", "recovered", "gaps"), COUNT),
            "sessions": many(STRING),
            **dict.fromkeys(("first", "last"), maybe(NUMBER)),
            "notes": many(STRING),
        }
    ),
    "redact test": answer(
        {
            "counts": {"type": "object", "additionalProperties": COUNT},
            "finds": many(
                record({"line": COUNT, **dict.fromkeys(("rule", "found", "before", "after"), STRING)}),
            ),
        }
    ),
    "sessions list": answer({"count": COUNT, "sessions": many(record(_SESSION))}),
    "sessions show": answer(_SESSION),
    "status --all": answer({"directories": many(record({"dir": STRING}))}),
    "local start": answer({"url": STRING, "key": STRING, "pid": COUNT}),
    "local stop": answer({"stopped": FLAG, "pid": maybe(COUNT), "kept": maybe(STRING)}),
    "local status": answer(
        {"running": FLAG, "url": STRING, "key": STRING, "pid": COUNT, "sockets": COUNT, "streams": COUNT},
        optional=("url", "key", "pid", "sockets", "streams"),
    ),
    "local env": answer({"VIDEO_DB_API": STRING, "VIDEO_DB_API_KEY": STRING}),
    "local trigger": _SENT,
    "local replay": _SENT,
    "local models list": _MODELS,
    "local models install": _MODELS,
    "doctor": answer(
        {
            "ok": FLAG,
            "checks": many(
                record(
                    {
                        "name": STRING,
                        "status": {"enum": ["ok", "warning", "failing"]},
                        "text": STRING,
                        "hint": maybe(STRING),
                    }
                )
            ),
        }
    ),
    "demo": answer({"directory": maybe(STRING)}),
    "guide": answer({"topic": maybe(STRING), "text": STRING}),
    "skill install": answer(
        {
            "place": STRING,
            "dry_run": FLAG,
            "files": many(record({"path": STRING, "state": {"enum": ["new", "changed", "same"]}})),
        }
    ),
}

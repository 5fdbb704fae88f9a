"""Detection rules, and the alerts that apply them to an index."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from videodb_cli.local.http import fields, service_of
from videodb_cli.local.http.answers import invalid, not_found, success
from videodb_cli.local.http.security import read_object
from videodb_cli.local.state.jobs import Index
from videodb_cli.local.webhooks import checked_callback

_STATUS_OF = {"enable": "enabled", "disable": "disabled", "enabled": "enabled", "disabled": "disabled"}


async def create_rule(request: Request) -> Response:
    """A detection rule, for all streams. Its words are matched; nothing here understands it (see `matching`)."""
    body = await read_object(request)
    rule = service_of(request).state.jobs.add_rule(
        fields.text(body, "event_prompt"), fields.text(body, "label", limit=1024)
    )
    return success({"event_id": rule.id})


async def list_rules(request: Request) -> Response:
    """All detection rules."""
    return success({"events": [rule.as_json() for rule in service_of(request).state.jobs.rules.values()]})


async def create_alert(request: Request) -> Response:
    """An enabled alert: the rule on this index, told to a socket, a callback URL, or both."""
    service = service_of(request)
    index = _index(request)
    body = await read_object(request)
    alert = service.state.jobs.add_alert(
        index,
        service.state.jobs.rule(fields.text(body, "event_id")),
        callback_url=checked_callback(fields.optional_text(body, "callback_url")),
        ws_connection_id=fields.optional_text(body, "ws_connection_id"),
    )
    service.alerts.made(service.state.stream(index.rtstream_id), index, alert)
    return success({"alert_id": alert.id})


async def list_alerts(request: Request) -> Response:
    """All alerts of an index."""
    return success({"alerts": [alert.as_json() for alert in _index(request).alerts.values()]})


async def set_status(request: Request) -> Response:
    """Enable or disable an alert: ``{action: enable|disable}`` as the SDKs say, or ``{status: enabled|disabled}``."""
    alert = _index(request).alerts.get(request.path_params["aid"])
    if alert is None:
        raise not_found(f"Alert {request.path_params['aid']}")
    body = await read_object(request)
    wanted = body.get("action", body.get("status"))
    if not isinstance(wanted, str) or wanted not in _STATUS_OF:
        raise invalid("action must be one of: enable, disable")
    alert.status = _STATUS_OF[wanted]
    return success({"alert_id": alert.id, "status": alert.status}, message=f"Alert is {alert.status}")


def _index(request: Request) -> Index:
    return service_of(request).state.jobs.any_index(request.path_params["rid"], request.path_params["iid"])


routes = [
    Route("/rtstream/event", create_rule, methods=["POST"]),
    Route("/rtstream/event", list_rules, methods=["GET"]),
    Route("/rtstream/{rid}/index/{iid}/alert", create_alert, methods=["POST"]),
    Route("/rtstream/{rid}/index/{iid}/alert", list_alerts, methods=["GET"]),
    Route("/rtstream/{rid}/index/{iid}/alert/{aid}/status", set_status, methods=["PATCH"]),
]

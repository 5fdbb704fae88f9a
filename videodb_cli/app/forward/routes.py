"""Routes of `events forward --route FILE`: tables of a TOML file, each with its own selection, target and cursor."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from videodb_cli.app.forward.run import ForwardRequest
from videodb_cli.app.forward.signing import read_secrets
from videodb_cli.app.forward.templates import body_of
from videodb_cli.errors import NotFoundError, UsageError, VideodbError
from videodb_cli.eventlog.query.criteria import Criteria

_LISTS = ("channel", "not_channel", "event", "stream", "grep", "not_grep")
_TEXTS = ("session", "since", "until")
_FLAGS = ("final", "interim", "live")
_OWN: dict[str, type] = {
    "name": str,
    "to": str,
    "secret_file": str,
    "template": str,
    "cursor": str,
    "dead_letters": str,
    "jq": str,
    "batch": int,
    "recovered": bool,
}
_KEYS = (*_OWN, "exec", *_LISTS, *_TEXTS, *_FLAGS)
_KINDS = {str: "a string", int: "a whole number", bool: "true or false", list: "a list of strings"}


def read_routes(path: Path, run_dir: Path) -> list[ForwardRequest]:
    """Returns the routes of a file. Paths in it are relative to the file; cursors are by default in ``run_dir``.

    Raises:
        NotFoundError: There is no such file.
        UsageError: The file, or a route, has an error; the message names the file, the route and the key.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"no file of routes {path}") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}", code="routes") from None
    tables = document.pop("route", None)
    if document:
        raise UsageError(
            f"{path}: unknown key {next(iter(document))!r}", code="routes", hint="routes are [[route]] tables"
        )
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        hint = '[[route]]  name = "alerts"  channel = "alert"  to = "https://…"'
        raise UsageError(f"{path} has no [[route]] table", code="routes", hint=hint)
    routes = [_route(path, number, table, run_dir) for number, table in enumerate(tables, 1)]
    _check_distinct(path, "name", routes, lambda route: route.name)
    _check_distinct(path, "cursor", routes, lambda route: str(_real(route.cursor_file)))
    return routes


def _real(path: Path | None) -> Path | None:
    return None if path is None else path.resolve()


def _check_distinct(
    path: Path, key: str, routes: list[ForwardRequest], value_of: Callable[[ForwardRequest], str]
) -> None:
    seen: dict[str, int] = {}
    for number, route in enumerate(routes, 1):
        first = seen.setdefault(value_of(route), number)
        if first != number:
            what = f"routes {first} and {number} have one {key}: {value_of(route)}"
            raise UsageError(f"{path}: {what}", code="routes", hint=f"give each route its own {key}")


def _route(path: Path, number: int, table: Mapping[str, Any], run_dir: Path) -> ForwardRequest:
    where = f"{path}: route {number}"
    if isinstance(table.get("name"), str):
        where += f" ({table['name']})"
    _check_keys(where, table)
    name = table["name"]
    if not name or not name.isprintable() or "/" in name or name.startswith("."):
        raise UsageError(f"{where}: name: not a name that a file can have: {name!r}", code="routes")

    def place(key: str) -> Path | None:
        return path.parent / Path(table[key]).expanduser() if key in table else None

    template = table.get("template", "json")
    if template not in {"json", "slack", "discord"}:
        template = str(path.parent / Path(template).expanduser())
    flags = {key: table[key] for key in (*_LISTS, *_TEXTS, *_FLAGS) if key in table}
    request = ForwardRequest(
        url=table.get("to"),
        criteria=Criteria.of(**flags),
        cursor_file=place("cursor") or run_dir / f"forward-{name}.cursor",
        batch=table.get("batch", 1),
        recovered=table.get("recovered", False),
        secret_file=place("secret_file"),
        template=template,
        dead_letters=place("dead_letters"),
        arguments=tuple(table["exec"]) if "exec" in table else None,
        jq=table.get("jq"),
        name=name,
    )
    _check_values(where, request)
    return request


def _check_keys(where: str, table: Mapping[str, Any]) -> None:
    for key, value in table.items():
        if key not in _KEYS:
            raise UsageError(f"{where}: unknown key {key!r}", code="routes", hint=f"the keys are {', '.join(_KEYS)}")
        kind = _OWN.get(key) or (bool if key in _FLAGS else str if key in _TEXTS else list)
        is_text = kind is list and key != "exec" and isinstance(value, str)
        is_mixed = isinstance(value, list) and not all(isinstance(word, str) for word in value)
        if not is_text and (type(value) is not kind or is_mixed):
            raise UsageError(f"{where}: {key} takes {_KINDS[kind]}", code="routes")
    if "name" not in table:
        raise UsageError(f"{where}: name is missing", code="routes")
    if ("to" in table) == ("exec" in table):
        raise UsageError(f"{where}: either to or exec", code="routes", hint='to = "https://…", or exec = ["command"]')
    if table.get("exec") == []:
        raise UsageError(f"{where}: exec needs a command", code="routes")
    for key in ("secret_file", "template"):
        if key in table and "to" not in table:
            raise UsageError(f"{where}: {key} is for routes with to", code="routes")
    if not 1 <= table.get("batch", 1) <= 10_000:
        raise UsageError(f"{where}: batch: a number from 1 to 10000", code="routes")


def _check_values(where: str, request: ForwardRequest) -> None:
    """Tries what a route names before any route begins, and raises the error with the route and the key."""
    checks: dict[str, Callable[[], object]] = {
        "selection": lambda: request.criteria._replace(session=None).resolve(()),
        "template": lambda: body_of(request.template, is_batch=request.batch > 1),
    }
    if request.url is not None:
        checks["to"] = lambda: _check_url(request.url or "")
    if request.secret_file is not None:
        secret_file = request.secret_file
        checks["secret_file"] = lambda: read_secrets(secret_file)
    if request.jq is not None:
        program = request.jq
        checks["jq"] = lambda: _compile(program)
    for key, check in checks.items():
        try:
            check()
        except VideodbError as error:
            raise type(error)(f"{where}: {key}: {error.message}", code=error.code, hint=error.hint) from None


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_good = bool(parts.hostname) and parts.scheme in {"http", "https"}
    except ValueError:
        is_good = False
    if not is_good:
        raise UsageError(f"not a URL to forward to: {url}", hint='to = "https://example.org/events"')


def _compile(program: str) -> None:
    from videodb_cli.eventlog.query.jq import Program

    Program(program)

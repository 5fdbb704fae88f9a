"""Options of `videodb local start` that choose what describes, and in which dialect the service speaks."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from videodb_cli.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from videodb_cli.local.describe.options import DescribeOptions

_PANEL = "Describing"


class DialectChoice(StrEnum):
    """Whose names and shapes the service uses."""

    SERVICE = "service"
    DOCUMENTS = "documents"


DescribeOption = Annotated[
    str | None,
    typer.Option(
        "--describe",
        metavar="URL",
        rich_help_panel=_PANEL,
        help="OpenAI-compatible endpoint (Ollama, llama.cpp, vLLM) whose model describes pictures and speech with the "
        "prompt of each index, and judges alerts. Its key comes from VIDEODB_DESCRIBE_KEY. While it fails, text "
        "recognition and word matching do.",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="M",
        rich_help_panel=_PANEL,
        help="Model to use.  [default: the first one that the endpoint lists]",
    ),
]
DescribeTimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--describe-timeout",
        metavar="S",
        min=0.1,
        max=600,
        rich_help_panel=_PANEL,
        help="Seconds to wait for an answer.  [default: 30]",
    ),
]
DialectOption = Annotated[
    DialectChoice,
    typer.Option(
        "--dialect",
        help="Which names to use where the service and its documentation disagree. documents: the channel scene_index, "
        "alerts with event_label, flat webhooks.",
    ),
]


def describe_options(url: str | None, model: str | None, timeout_s: float | None) -> DescribeOptions | None:
    """Return the endpoint that was asked for, None without one. Raises `UsageError` for what cannot be used."""
    from videodb_cli.local.describe.options import checked_options, read_key

    if url is None:
        if model is not None or timeout_s is not None:
            name = "--model" if model is not None else "--describe-timeout"
            raise UsageError(f"{name} belongs to --describe", hint="add --describe URL")
        return None
    read_key(os.environ)
    return checked_options(url, model, timeout_s)


def require_same(found: dict[str, Any], describe: DescribeOptions | None, dialect: str) -> None:
    """Raise `ConflictError` if the service that runs describes or speaks otherwise than was asked for.

    Args:
        found: Its status.
        describe: The endpoint that was asked for, None if none was.
        dialect: The dialect that was asked for; the default asks for nothing.
    """
    different = dialect != DialectChoice.SERVICE and found.get("dialect") != dialect
    if describe is not None:
        running = found.get("describe") or {}
        different = different or any(running.get(name) != value for name, value in describe.to_json().items())
    if different:
        raise ConflictError(
            f"the embedded service already runs with other options: pid {found.get('pid')} at {found.get('url')}",
            code="already_running",
            hint="videodb local stop",
        )

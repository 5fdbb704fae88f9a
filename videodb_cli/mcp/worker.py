"""A process that answers one question about the log and ends: `python -m videodb_cli.mcp.worker`.

A jq program or a regular expression of a client may run for ever or take all memory. This process can be ended at any
time; the server goes on. The request comes on standard input, the answer goes to standard output, both as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from videodb_cli.errors import VideodbError

# Of its own memory; the log is mapped, and does not count.
_MOST_MEMORY = 1 << 30


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = _MOST_MEMORY if hard == resource.RLIM_INFINITY else min(_MOST_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def redaction(*, wanted: bool) -> Callable[[bytes], bytes]:
    """Return the function that takes secrets and personal data out of a line, or one that leaves it as it is."""
    if not wanted:
        return lambda raw: raw
    from videodb_cli.eventlog.query.redact import Redactor

    redactor = Redactor.from_names()
    return lambda raw: bytes(redactor.logged(raw).text)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a request; an error is one too."""
    from videodb_cli.mcp import reading, waiting

    kinds = {
        "query": reading.query,
        "tail": reading.tail,
        "transcript": reading.transcript,
        "summary": reading.summary,
        "sessions": reading.sessions,
        "wait": waiting.wait,
    }
    try:
        return kinds[request["kind"]](request, redaction(wanted=request.get("redact", True)))
    except VideodbError as error:
        return dict(error.as_json())
    except MemoryError:
        return {"error": {"code": "too_large", "message": "the answer needs too much memory", "hint": "select less"}}


def main() -> None:
    """Answer the request on standard input."""
    _limit_memory()
    sys.stdout.write(json.dumps(answer(json.load(sys.stdin))))


if __name__ == "__main__":
    main()

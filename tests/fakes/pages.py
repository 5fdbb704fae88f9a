"""Reads the data of a page back, as its scripts do."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Any


def page_data(page: str | bytes) -> dict[str, Any]:
    """Return the data of a page as JSON values."""
    text = page.decode() if isinstance(page, bytes) else page
    found = re.search(r'<script type="text/plain" id="data">([A-Za-z0-9+/=]*)</script>', text)
    assert found is not None, "the page has no data"
    data = json.loads(zlib.decompress(base64.b64decode(found[1])))
    assert isinstance(data, dict)
    return data


def rows_of(page: str | bytes) -> list[tuple[float, str, str, str, int]]:
    """Return what the page lists: milliseconds since the beginning of its time, channel, stream, text, flags."""
    data = page_data(page)
    rows, at, fresh = [], 0, 0
    for step, lane, back, flags in zip(data["t"], data["l"], data["s"], data["f"], strict=True):
        at += step
        number = fresh - back if back else fresh
        fresh += not back
        row = data["lanes"][lane]
        rows.append((float(at), row["channel"], row["stream"], data["texts"][number], flags))
    return rows

"""Takes secrets out of text that people show to others: log records and reports.

Two ways together: values that this process knows to be secret (`remember`), and forms that secrets have, which also
finds those of other processes. It rather removes too much than too little.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re

MARK = "…"
# A shorter value is no secret worth the name, and replacing it would make the text unreadable.
_SHORTEST = 3
# From here on a value is removed inside of words as well.
_LONG = 8
# Where the path is as secret as a password: it holds the ticket of a socket, or the key of a stream.
_SECRET_PATHS = frozenset({"ws", "wss", "rtsp", "rtsps", "rtmp", "rtmps", "srt"})
_known: set[str] = set()


def remember(value: str) -> None:
    """Remember a secret, so that `redact` removes it wherever it stands."""
    if len(value) >= _SHORTEST and value not in _known:
        _known.add(value)
        _known_pattern.cache_clear()


def redact(text: str) -> str:
    """Return the text without secrets: known values, user parts and queries of URLs, credentials in headers, keys."""
    if _known:
        text = _known_pattern().sub(MARK, text)
    urls, *others = _patterns()
    text = urls.sub(_without_secrets, text)
    for pattern in others:
        text = pattern.sub(lambda found: f"{found[1]}{MARK}", text)
    return text


@cache
def _known_pattern() -> re.Pattern[str]:
    import json
    import re
    from urllib.parse import quote, quote_plus

    forms = {
        (form, len(value) >= _LONG)
        for value in _known
        for form in (value, quote(value, safe=""), quote(value), quote_plus(value), json.dumps(value)[1:-1])
    }
    # The longest first: one may be a part of another.
    ordered = sorted(forms, key=lambda each: -len(each[0]))
    return re.compile(
        "|".join(re.escape(form) if is_long else rf"(?<!\w){re.escape(form)}(?!\w)" for form, is_long in ordered)
    )


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    import re

    return (
        re.compile(r"\b([a-z][a-z0-9+.-]*)://([^\s\"'<>`]*)", re.IGNORECASE),
        # Headers: the rest of the line, because a cookie has several values.
        re.compile(r"((?:authorization|cookie|x-access-token|x-api-key)\b[\"']?\s*[:=,]\s*)[^\r\n]+", re.IGNORECASE),
        re.compile(r"(\b(?:bearer|basic)\s+)[\w.~+/=-]{6,}", re.IGNORECASE),
        re.compile(r"(\bsk[-_])[\w-]{4,}"),
        re.compile(r"(\beyJ)[\w-]{8,}(?:\.[\w-]*)*"),
        re.compile(
            r"([\w-]*(?:token|secret|passw(?:or)?d|credentials?|signature|api_?key|stream_?key|access_?key|privkey)"
            r"[\"']?\s*[:=]\s*[\"']?)(?=[^\s\"'…])[^\s\"',;&)}]+",
            re.IGNORECASE,
        ),
    )


def _without_secrets(found: re.Match[str]) -> str:
    scheme, rest = found[1], found[2]
    # Of an unescaped password, what follows a / or # in it looks like the path: the last @ ends the user part.
    before, has_user, after = rest.rpartition("@")
    del before
    place, ends_query, _ = after.partition("?")
    place, ends_fragment, _ = place.partition("#")
    authority, has_path, path = place.partition("/")
    if scheme.lower() in _SECRET_PATHS and path:
        path = MARK
    user = f"{MARK}@" if has_user else ""
    query = f"?{MARK}" if ends_query else f"#{MARK}" if ends_fragment else ""
    return f"{scheme}://{user}{authority}{has_path}{path}{query}"

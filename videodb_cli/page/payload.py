"""The data of a page as compressed text. `assets/data.js` reads it."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videodb_cli.page.content import Entry, Lane, PageContent, Video

# Higher levels take seconds more for a few percent.
_LEVEL: Final = 6
_LONGEST_S: Final = 86_400.0


def payload(content: PageContent) -> bytes:
    """Return the data as JSON, compressed (zlib), in base64. It holds no character that has a meaning in HTML."""
    return base64.b64encode(zlib.compress(_json(fields(content)), _LEVEL))


def fields(content: PageContent) -> dict[str, Any]:
    """Return the data as JSON values. Times are milliseconds since ``zero``, which is in Unix seconds."""
    starts = [gap.start for gap in content.gaps[:1]] + ([] if content.first is None else [content.first])
    zero = float(int(min(starts, default=0.0))) if content.is_wall_clock else 0.0
    return {
        "v": 1,
        "title": content.title,
        "wall": content.is_wall_clock,
        "player": content.is_player,
        "zero": zero,
        "first": None if content.first is None else _ms(content.first - zero),
        "last": None if content.last is None else _ms(content.last - zero),
        "events": content.events,
        "interim": content.interim,
        "notes": content.notes,
        "bin": _ms(content.bin_s),
        "lanes": [_lane(lane, content.bin_s, zero) for lane in content.lanes],
        "gaps": [[_ms(gap.start - zero), _ms(gap.end - zero), gap.text] for gap in content.gaps],
        "videos": [_video(video, zero) for video in content.videos],
        **_columns(content.entries, zero),
    }


def _lane(lane: Lane, bin_s: float, zero: float) -> dict[str, Any]:
    bins: list[int] = []
    before = first = min(lane.bins, default=0)
    for number in sorted(lane.bins):
        bins += [number - before, lane.bins[number]]
        before = number
    return {
        "channel": lane.channel,
        "stream": lane.stream,
        "count": lane.count,
        "recovered": lane.recovered,
        "first": _ms(first * bin_s - zero),
        "bins": bins,
    }


def _columns(entries: Sequence[Entry], zero: float) -> dict[str, Any]:
    """Return the entries as columns. A text is a step back in the list of texts, or 0 if it is the next new one."""
    texts: dict[str, int] = {}
    times, lengths, lanes, said, flags = [], [], [], [], []
    before = 0
    for entry in entries:
        at = _ms(entry.at - zero)
        times.append(at - before)
        before = at
        lengths.append(_ms(min(max(entry.until - entry.at, 0.0), _LONGEST_S)))
        lanes.append(entry.lane)
        flags.append(entry.flags)
        number = texts.get(entry.text)
        if number is None:
            texts[entry.text] = len(texts)
            said.append(0)
        else:
            said.append(len(texts) - number)
    return {"texts": list(texts), "t": times, "d": lengths, "l": lanes, "s": said, "f": flags}


def _video(video: Video, zero: float) -> dict[str, Any]:
    return {
        "title": video.title,
        "start": _ms(video.start - zero),
        "hls": video.hls,
        "mp4": video.mp4,
        "growing": video.growing,
        "parts": [list(part) for part in video.parts],
        "player": video.player,
        "download": video.download,
        "estimated": video.is_estimated,
    }


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _json(value: dict[str, Any]) -> bytes:
    import orjson

    try:
        return orjson.dumps(value)
    except TypeError:
        # Half a surrogate pair, which JSON can carry and UTF-8 cannot.
        import json

        return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()

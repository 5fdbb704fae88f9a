"""Write the log of one believable session, the same every time: ``make_session_log.py > log.jsonl``.

An hour of a release call: two who speak, a screen, sounds, alerts, a gap with recovered events, an export. Option
``--video URL`` is the address of the exported HLS playlist.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from datetime import UTC, datetime
from typing import Any

START = 1772446530.0
SESSION = "cap-83e6"
_SAID = """Good morning, can everyone hear me?
Yes, loud and clear.
Let us go through the release checklist one by one.
First, are the release notes complete?
Almost. Two entries about the importer are missing.
I will write them before lunch.
What about the error budget?
We used about a third of it this month, mostly the outage on Tuesday.
Latency is back to normal since we raised the pool size.
Good. Then the database migration.
I ran it on a copy of production last night, it took eleven minutes.
And the way back?
Tested as well, four minutes.
Before we ship, rotate the access keys for the production server.
I have the list open, give me a second.
The old key was created in March, it is still used by the invoice job.
Then the invoice job needs the new one first.
Customers in Zürich reported that the dashboard shows yesterday's numbers.
That is the cache. I know the fix, it is one line.
Let us schedule a meeting about the on-call rota for Thursday.
Thursday at ten works for me.
Could you share the graph again? I missed the last part.
Sure. The blue line is the median, the grey one is p95.
The spike at nine is the backup.
I think we can move that to the night.
Any objections to shipping at two?
None from me.
None. Let us do it.
Thank you all, talk to you at two.""".splitlines()
_SCREENS = [
    "Release checklist\n1 Release notes\n2 Error budget\n3 Database migration\n4 Rotate the access keys\n5 Announce",
    "Grafana: API latency. Median 84 ms, p95 310 ms. A spike at 09:00 marked backup.",
    "Terminal: migrate --dry-run production-copy … 214 tables, 11 min 04 s, no errors",
    "GitHub pull request #1482: Serve the dashboard from the replica. 3 files changed, 2 approvals",
    "Slack conversation in #releases with 3 unread messages",
    "Cloud console: access keys. AKIA…41 created 3 March, last used by invoice-job 2 minutes ago",
    "Calendar, week view. Thursday 10:00 On-call rota (draft)",
]
_SOUNDS = ["Keyboard typing", "A notification chime", "Two people laugh", "A door closes", "Quiet office"]


def _line(at: float, **members: Any) -> str:
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"ts": stamp, "unix_ts": round(at, 3), **members}, ensure_ascii=False, separators=(",", ":"))


def _of_stream(at: float, channel: str, name: str, data: dict[str, Any], **more: Any) -> str:
    return _line(at, channel=channel, rtstream_id=f"rts-{name}", rtstream_name=name, data=data, **more)


def _session(at: float, status: str, **data: Any) -> str:
    return _line(at, event=f"capture_session.{status}", capture_session_id=SESSION, status=status, data=data)


def _own(at: float, event: str, text: str, **data: Any) -> str:
    return _line(at, channel="videodb_cli", event=event, data={"text": text, **data})


def _span(at: float, length: float) -> dict[str, int]:
    return {"start": int((at - length) * 1000), "end": int(at * 1000)}


def lines(video: str | None, minutes: int = 60) -> list[str]:
    """The lines of the log, in order."""
    rng = random.Random(7)
    gap, end = (START + 1490.0, START + 1576.0), START + minutes * 60.0
    found = [
        (START, _own(START, "listener.connected", "connected as ws-7f3a09", connection_id="ws-7f3a09")),
        (START + 4, _session(START + 4, "starting")),
        (START + 7, _session(START + 7, "active", rtstreams=[])),
    ]
    at, number = START + 12.0, 0
    while at < end - 60:
        text = _SAID[number % len(_SAID)]
        length = 0.7 + len(text) * 0.055
        at += length + rng.choice((0.4, 0.8, 1.5, 1.5, 4, 9, 26))
        name = "mic:default" if number % 2 == 0 else "system_audio:default"
        is_lost = gap[0] < at < gap[1]
        for share in () if is_lost else (0.4, 0.8):
            part = " ".join(text.split()[: int(len(text.split()) * share) + 1])
            moment = at - length * (1 - share)
            found.append((moment, _of_stream(moment, "transcript", name, {"text": part, "is_final": False})))
        received = gap[1] + 3 + number * 0.001 if is_lost else at
        more = {"recovered": True} if is_lost else {}
        data = {"text": text, "is_final": True, **_span(at, length)}
        found.append((received, _of_stream(received, "transcript", name, data, **more)))
        if "access keys" in text:
            alert = {"label": "keys_mentioned", "confidence": 0.94, "explanation": "Somebody talks about access keys"}
            if not is_lost:
                found.append((at + 2, _of_stream(at + 2, "alert", name, {**alert, **_span(at, 1)})))
        number += 1
    for channel, name, texts, every in (
        ("visual_index", "display:1", _SCREENS, 9.0),
        ("audio_index", "mic:default", _SOUNDS, 31.0),
    ):
        at, place = START + 15.0, 0
        while at < end - 40:
            place = place if rng.random() < 0.72 else rng.randrange(len(texts))
            if not gap[0] < at < gap[1]:
                found.append((at, _of_stream(at, channel, name, {"text": texts[place], **_span(at, every - 1)})))
                if "Slack" in texts[place] and rng.random() < 0.6:
                    alert = {"label": "slack_opened", "confidence": 0.97, **_span(at, 1)}
                    found.append((at + 1, _of_stream(at + 1, "alert", name, alert)))
            at += every + rng.random() * 3
    iso = [datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z") for moment in gap]
    lost = {"from": iso[0], "to": iso[1], "seconds": gap[1] - gap[0], "reason": "no_pong", "unrecoverable": ["alert"]}
    found += [
        (gap[1] + 1, _own(gap[1] + 1, "listener.gap", "nothing could be heard for 86 s", **lost)),
        (gap[1] + 5, _own(gap[1] + 5, "listener.recovered", "6 events were read back")),
        (end - 30, _session(end - 30, "stopping")),
        (end - 26, _session(end - 26, "stopped")),
    ]
    addresses = {"stream_url": video} if video else {}
    found.append((end - 12, _session(end - 12, "exported", exported_video_id="m-77", **addresses)))
    return [line for _, line in sorted(found, key=lambda item: item[0])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", metavar="URL")
    parser.add_argument("--minutes", type=int, default=60)
    options = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write("\n".join(lines(options.video, options.minutes)) + "\n")


if __name__ == "__main__":
    main()

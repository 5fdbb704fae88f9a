"""The tasks: a question, the calls that answer it, and what the answer must hold.

``calls`` are what the guide says, with its words put in. ``snippets`` do the same as the public skill does it: its lines
of Python that load the whole log, ``grep``, and loops that sleep.
"""

# ruff: noqa: E501, ISC004 - snippets stand as they are
from __future__ import annotations

from dataclasses import dataclass

LOAD = 'import json\nevents = [json.loads(l) for l in open("/tmp/videodb_events.jsonl")]\n'


def python(code: str) -> str:
    """Return a call that runs a snippet on the loaded log."""
    return f"python3 - <<'EOF'\n{LOAD}{code}\nEOF"


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        question: What the user asks.
        topic: The topic of the guide that has the commands; the overview counts too.
        calls: The calls of an agent with the guide.
        snippets: The calls of an agent with the public skill.
        holds: What the outputs together must hold, of both ways.
        lacks: What they must not hold.
        budget: Bytes that our outputs may take.
        later: Appended to the log after the first second of the first call: for tasks that wait.
    """

    question: str
    topic: str
    calls: tuple[str, ...]
    snippets: tuple[str, ...]
    holds: tuple[str, ...]
    lacks: tuple[str, ...] = ()
    budget: int = 2000
    later: str = ""


_FINAL = 'e.get("channel") == "transcript" and e["data"]["is_final"]'
TASKS: tuple[Task, ...] = (
    Task(
        "Which error was on screen before the deploy failed?",
        "find",
        ("videodb events filter --channel alert --grep 'deploy failed' --around 30s -r .data.text | grep error:",),
        (
            python('print([e["unix_ts"] for e in events if e.get("data", {}).get("label") == "deploy_failed"])'),
            python(
                "at = 1772461500.0\nvisual = [e for e in events if e.get('channel') == 'visual_index' and "
                "at - 30 < e['unix_ts'] < at]\nprint([e['data']['text'] for e in visual if 'error' in e['data']['text']])"
            ),
        ),
        ("connection refused by db-7",),
        ("404",),
    ),
    Task(
        "What happened today?",
        "overview",
        ("videodb events summary",),
        (
            python(
                "from collections import Counter\nprint(Counter(e.get('channel') or e.get('event') for e in events))\n"
                "print(events[0]['ts'], events[-1]['ts'])"
            ),
            python("for e in events:\n    if e.get('channel') == 'alert': print(e['ts'], e['data']['label'])"),
            python(f"for e in events:\n    if {_FINAL}: print(e['data']['text'])"),
        ),
        ("deploy_failed", "access keys"),
        budget=1700,
    ),
    Task(
        "Which alerts came, in order?",
        "jq",
        ("videodb events filter --channel alert -r .data.label",),
        (python("for e in events:\n    if e.get('channel') == 'alert': print(e['data']['label'])"),),
        ("slack_opened\npager\nslack_opened\ndeploy_failed\nslack_opened",),
    ),
    Task(
        "How often did each alert come?",
        "jq",
        ("videodb events filter --channel alert -r .data.label | sort | uniq -c",),
        (
            python(
                "from collections import Counter\n"
                "print(Counter(e['data']['label'] for e in events if e.get('channel') == 'alert'))"
            ),
        ),
        ("deploy_failed", "3", "pager"),
    ),
    Task(
        "How many events has each channel?",
        "jq",
        ("videodb events filter -s 'group_by(.channel)|map({(.[0].channel//\"session\"):length})|add' -c",),
        (python("from collections import Counter\nprint(Counter(e.get('channel') or 'session' for e in events))"),),
        ("360", "92", "10"),
    ),
    Task(
        "Who mentioned the access keys first, and when?",
        "find",
        ("videodb events filter --grep 'access keys' --final --limit 1 -c '{ts,who:.rtstream_name}'",),
        (
            python(
                f"found = [e for e in events if {_FINAL} and 'access keys' in e['data']['text']]\n"
                "print(found[0]['ts'], found[0]['rtstream_name'])"
            ),
        ),
        ("2026-03-02T09:00:30", "mic:default"),
    ),
    Task(
        "What was on screen while the pager was mentioned?",
        "find",
        ("videodb events filter --grep pager --around 20s -r 'select(.channel==\"visual_index\").data.text'",),
        (
            python("print([e['unix_ts'] for e in events if 'pager' in e.get('data', {}).get('text', '')])"),
            python(
                "at = 1772442700.0\nfor e in events:\n    if e.get('channel') == 'visual_index' and "
                "abs(e['unix_ts'] - at) <= 20: print(e['data']['text'])"
            ),
        ),
        ("view 18",),
        ("view 17", "view 19"),
    ),
    Task(
        "Give the URL of the last recording.",
        "export",
        ("videodb events filter --event exported --session last -r .data.player_url",),
        (
            python(
                "done = [e for e in events if e.get('event') == 'capture_session.exported']\n"
                "print(done[-1]['data']['player_url'])"
            ),
        ),
        ("https://player.example/cap-afternoon",),
        ("cap-morning",),
    ),
    Task(
        "Was anything missed?",
        "listen",
        ("videodb events filter --event listener.gap -r .data.text",),
        (python("print([e['data']['text'] for e in events if e.get('event') == 'listener.gap'])"),),
        ("12.5 s",),
    ),
    Task(
        "Which sessions were there, and did they end well?",
        "jq",
        ("videodb events filter --channel capture_session -r '.capture_session_id+\" \"+.status' | grep exported",),
        (
            python(
                "for e in events:\n    if e.get('event', '').startswith('capture_session.'): "
                "print(e['capture_session_id'], e['status'])"
            ),
        ),
        ("cap-morning exported", "cap-afternoon exported"),
    ),
    Task(
        "What did the other side say (system audio) in the first five minutes?",
        "find",
        ("videodb events filter --stream system_audio --final --until 2026-03-02T09:05Z -r .data.text",),
        (
            python(
                f"for e in events:\n    if {_FINAL} and e['rtstream_name'] == 'system_audio:default' and "
                "e['ts'] < '2026-03-02T09:05': print(e['data']['text'])"
            ),
        ),
        ("point 1\n", "point 13"),
        ("point 16",),
    ),
    Task(
        "When was Grafana first on screen?",
        "find",
        ("videodb events filter --channel visual_index --grep Grafana --limit 1 -r .ts",),
        (
            python(
                "visual = [e for e in events\n          if e.get('channel') == 'visual_index'\n"
                "          and 'grafana' in e.get('data', {}).get('text', '').lower()]\nprint(visual[0]['ts'])"
            ),
        ),
        ("2026-03-02T09:01:34",),
    ),
    Task(
        "What was said in the minute before the deploy failed?",
        "find",
        (
            "videodb events filter --channel transcript --final --since 2026-03-02T14:24Z --until 2026-03-02T14:25Z "
            "-r .data.text",
        ),
        (
            python(
                f"for e in events:\n    if {_FINAL} and '2026-03-02T14:24' <= e['ts'] < '2026-03-02T14:25': "
                "print(e['data']['text'])"
            ),
        ),
        ("point 73", "point 75"),
        ("point 76",),
    ),
    Task(
        "Write the minutes of the last session as Markdown.",
        "export",
        ("videodb events transcript --session last --format md > minutes.md; wc -l minutes.md",),
        (
            python(
                f"final = [e for e in events if {_FINAL}]\nstart = [e['unix_ts'] for e in events if e.get('event') == "
                "'capture_session.active'][-1]\nwith open('minutes.md', 'w') as out:\n    out.write('# Transcript\\n')\n"
                "    for e in final:\n        if e['unix_ts'] >= start:\n            "
                "out.write(f\"**{e['rtstream_name']}** {e['ts'][11:19]}\\n\\n{e['data']['text']}\\n\\n\")"
            ),
            "wc -l minutes.md",
        ),
        ("minutes.md",),
    ),
    Task(
        "Make subtitles of the last session.",
        "export",
        ("videodb events transcript --session last --format srt > last.srt; tail -n 3 last.srt",),
        (
            python(
                f"final = [e for e in events if {_FINAL} and e['unix_ts'] > 1772460000]\n"
                "zero = final[0]['data']['start']\n"
                "def t(ms):\n    s, ms = divmod(ms - zero, 1000)\n"
                "    return f'{s//3600:02d}:{s//60%60:02d}:{s%60:02d},{ms:03d}'\n"
                "with open('last.srt', 'w') as out:\n    for n, e in enumerate(final, 1):\n        d = e['data']\n"
                "        out.write(f\"{n}\\n{t(d['start'])} --> {t(d['end'])}\\n{e['rtstream_name']}: {d['text']}\\n\\n\")"
            ),
            "tail -n 3 last.srt",
        ),
        ("-->", "120"),
    ),
    Task(
        "List every error that was on screen.",
        "find",
        ("videodb events filter --channel visual_index --grep error -r .data.text",),
        (
            python(
                "visual = [e for e in events\n          if e.get('channel') == 'visual_index'\n"
                "          and 'error' in e.get('data', {}).get('text', '').lower()]\n"
                "for e in visual: print(e['data']['text'])"
            ),
        ),
        ("404", "db-7"),
    ),
    Task(
        "Give what was said as CSV, the first three.",
        "export",
        ("videodb events filter --channel transcript --final --limit 3 -r '[.ts,.rtstream_name,.data.text]|@csv'",),
        (
            python(
                f"import csv, sys\nrows = [e for e in events if {_FINAL}]\nout = csv.writer(sys.stdout)\n"
                "for e in rows[:3]: out.writerow([e['ts'], e['rtstream_name'], e['data']['text']])"
            ),
        ),
        ("point 1", "point 3"),
        ("point 4",),
    ),
    Task(
        "Tell me when the next alert comes.",
        "wait",
        ("videodb events wait --channel alert --timeout 50",),
        (
            "wc -l < /tmp/videodb_events.jsonl",
            'sleep 1; tail -n +469 /tmp/videodb_events.jsonl | grep \'"channel":"alert"\'',
            'sleep 5; tail -n +469 /tmp/videodb_events.jsonl | grep \'"channel":"alert"\'',
        ),
        ("pager_again",),
        later="alert",
    ),
    Task(
        "Wait for the export of the session that was just stopped, and give its URL.",
        "wait",
        ("videodb events wait --event exported --fail-on failed --fields data.player_url --timeout 50",),
        (
            "sleep 1; grep capture_session.exported /tmp/videodb_events.jsonl | tail -n 1",
            "sleep 5; grep capture_session.exported /tmp/videodb_events.jsonl | tail -n 1",
        ),
        ("https://player.example/cap-evening",),
        later="exported",
    ),
    Task(
        "Which alerts are new since my last look? (twice)",
        "wait",
        (
            "videodb events filter --channel alert --cursor-file seen -r .data.label",
            "videodb events filter --channel alert --cursor-file seen -r .data.label",
        ),
        (
            python(
                "print(len(events))\nfor e in events:\n    if e.get('channel') == 'alert': print(e['data']['label'])"
            ),
            python("for e in events[468:]:\n    if e.get('channel') == 'alert': print(e['data']['label'])"),
        ),
        ("deploy_failed",),
    ),
)

"""The examples and exit statuses that end the help of each command. Imported only when help is printed.

A test parses every example, and runs those that need nothing but a log or the embedded service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# What each status means wherever it is not said more exactly for a command.
_MEANING: Final[Mapping[int, str]] = {
    0: "success",
    1: "nothing matched",
    2: "wrong usage or configuration",
    3: "API key missing or refused",
    4: "not found",
    5: "service unreachable",
    6: "access refused or file error",
    7: "a program or package is missing",
    9: "already running",
    124: "timed out",
    130: "interrupted",
}
_SERVICE: Final = (0, 2, 3, 4, 5, 6)
_READING: Final = (0, 2, 4, 6)

# The statuses of each command, and what they mean there.
_STATUSES: Final[Mapping[str, tuple[tuple[int, ...], Mapping[int, str]]]] = {
    "videodb listen": ((0, 2, 3, 5, 6, 9, 124), {0: "stopped", 124: "--detach timed out"}),
    "videodb status": (
        (0, 4, 5, 6),
        {0: "listening", 4: "not running", 5: "connecting, unresponsive, died, or unable to write the log"},
    ),
    "videodb watch": ((0, 2, 4, 6, 7, 130), {0: "you left it", 2: "no terminal, or wrong usage"}),
    "videodb stop": ((0, 2, 6), {0: "stopped, or nothing was running"}),
    "videodb path": ((0, 2), {}),
    "videodb doctor": (_SERVICE, {0: "listening would work", 2: "otherwise the status of 'videodb listen': 2"}),
    "videodb demo": ((0, 2, 6, 7, 130), {7: "the speech model or a package is missing"}),
    "videodb version": ((0,), {}),
    "videodb config get": ((0, 2, 4), {4: "not set"}),
    "videodb config set": ((0, 2, 6), {}),
    "videodb config unset": ((0, 2, 6), {0: "removed, or was not set"}),
    "videodb config list": ((0, 2, 4, 6), {}),
    "videodb config path": ((0, 2), {}),
    "videodb capture channels": ((0, 2, 7), {}),
    "videodb capture start": ((0, 2, 3, 4, 5, 6, 7, 9, 124), {4: "no such channel or session", 6: "capture failed"}),
    "videodb capture stop": (
        (0, 3, 5, 6, 124),
        {0: "stopped, or nothing was running", 6: "the capture failed", 124: "--timeout"},
    ),
    "videodb capture status": (
        (0, 4, 5, 6),
        {0: "running", 4: "none is running", 5: "not responding", 6: "the capture failed"},
    ),
    "videodb capture create": (_SERVICE, {}),
    "videodb capture pause": ((0, 2, 4, 5, 6), {4: "no capture, or no such channel"}),
    "videodb capture resume": ((0, 2, 4, 5, 6), {4: "no capture, or no such channel"}),
    "videodb events tail": ((0, 1, 2, 4, 6, 124), {1: "nothing matched (-e)", 124: "--timeout"}),
    "videodb events filter": (
        _READING,
        {0: "success; with -e also 1: last result false or null", 4: "not found, or no result (-e)"},
    ),
    "videodb events wait": (
        (0, 1, 2, 4, 5, 124),
        {0: "the event came", 1: "a --fail-on event came first", 5: "the listener is not working"},
    ),
    "videodb events stats": (_READING, {}),
    "videodb events search": ((0, 1, 2, 4, 6), {}),
    "videodb events transcript": ((0, 1, 2, 4, 6), {1: "nothing matched (-e)"}),
    "videodb events summary": (_READING, {}),
    "videodb events report": ((0, 1, 2, 4, 6), {1: "nothing matched: no file is written"}),
    "videodb events prune": (_READING, {0: "removed, or nothing was too old"}),
    "videodb sessions list": (_READING, {}),
    "videodb sessions show": (_READING, {4: "no such session"}),
    "videodb sessions open": (_READING, {4: "no such session, or it has no recording"}),
    "videodb sessions": (_READING, {}),
    "videodb redact test": ((0, 1, 2, 4, 6), {0: "something would be replaced", 1: "nothing would be replaced"}),
    "videodb completion": ((0, 2), {}),
    "videodb mcp": ((0, 2, 6, 7, 9), {0: "the client left", 9: "the port is in use"}),
    "videodb guide": ((0, 2, 4), {4: "no such topic"}),
    "videodb skill install": ((0, 2, 6, 9), {9: "something else is in its place"}),
    "videodb skill show": ((0, 2, 4), {}),
    "videodb schema": ((0, 2, 4), {}),
    "videodb events forward": ((0, 2, 4, 6, 9), {9: "the cursor file is in use"}),
    "videodb local start": ((0, 2, 6, 7, 9), {}),
    "videodb local stop": ((0, 2, 6), {0: "stopped, or nothing was running"}),
    "videodb local status": ((0, 4), {0: "running", 4: "not running"}),
    "videodb local trigger": ((0, 2, 4), {4: "not running, or no such connection"}),
    "videodb local replay": ((0, 2, 4, 130), {4: "not running, or no such file or connection"}),
    "videodb local env": ((0, 4), {4: "not running"}),
    "videodb local run": ((2, 7), {2: "the status of the command; 2: wrong usage"}),
    "videodb local models install": ((0, 6, 7, 130), {7: "the download failed, or pip is missing"}),
    "videodb local models list": ((0,), {}),
}

# Examples of each command: what is typed, and what it is for.
EXAMPLES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "videodb": (
        ("videodb demo", "try everything on this machine, without an API key"),
        ("videodb listen --clear &", "start listening with an empty log"),
        ("videodb events tail -f", "watch events arrive"),
        ("videodb help events search", "show the help of a command"),
    ),
    "videodb listen": (
        ("videodb listen --clear &", "listen in the background of this shell, with an empty log"),
        ("videodb listen --detach", "listen in the background until 'videodb stop'"),
        ("videodb listen --local", "listen to the embedded service, without an API key"),
    ),
    "videodb status": (
        ("videodb status", "show the state of the listener and the capture"),
        ("videodb status --ws-id --wait 10", "print the connection id, waiting up to 10 s for it"),
    ),
    "videodb watch": (
        ("videodb watch", "see the listener, the capture and the events live"),
        ("videodb watch ~/a ~/b", "see two directories, each in a tab"),
    ),
    "videodb stop": (("videodb stop", "stop the capture and the listener"),),
    "videodb path": (
        ("videodb path", "print the path of the log"),
        ('cat "$(videodb path ws-id)"', "print the connection id from its file"),
    ),
    "videodb doctor": (
        ("videodb doctor", "check the setup"),
        ("videodb doctor --local", "check the embedded service"),
        ("videodb doctor --report", "write a file for a bug report"),
    ),
    "videodb demo": (
        ("videodb demo", "play the bundled sample"),
        ("videodb demo --keep meeting.mp4", "play your own file and keep the results"),
    ),
    "videodb version": (("videodb version", "print the version"),),
    "videodb config": (
        ("videodb config list", "show every setting and where it comes from"),
        ("videodb config set collection team", "use the collection 'team' from now on"),
    ),
    "videodb config get": (("videodb config get collection", "print the configured collection"),),
    "videodb config set": (
        ("videodb config set directory ~/videodb", "keep the log in another directory"),
        ("videodb config set local true", "use the embedded service by default"),
    ),
    "videodb config unset": (("videodb config unset local", "return to the default"),),
    "videodb config list": (("videodb config list", "show every setting and where it comes from"),),
    "videodb config path": (('"${EDITOR:-vi}" "$(videodb config path)"', "edit the file"),),
    "videodb capture": (
        ("videodb capture channels", "list what can be captured"),
        ("videodb capture start --transcribe", "capture and transcribe speech"),
        ("videodb capture stop", "stop, and wait for the export"),
    ),
    "videodb capture channels": (("videodb capture channels", "list microphones, displays and system audio"),),
    "videodb capture start": (
        ("videodb capture start --transcribe", "capture the default devices and transcribe speech"),
        ('videodb capture start --no-mic --index-visuals "What is on screen?"', "describe the screen"),
        ("videodb capture start --local --source talk.mp4 --transcribe", "play a file to the embedded service"),
    ),
    "videodb capture stop": (("videodb capture stop", "stop, and print the URLs of the export"),),
    "videodb capture status": (("videodb capture status", "show the session and its channels"),),
    "videodb capture create": (("videodb capture create --json", "create a session for another machine to record"),),
    "videodb capture pause": (("videodb capture pause mic:default", "send silence instead of the microphone"),),
    "videodb capture resume": (("videodb capture resume", "resume all paused channels"),),
    "videodb events": (
        ("videodb events tail -f", "watch events arrive"),
        ("videodb events search deploy --since 2h", "find what was said and shown"),
        ("videodb events filter --channel alert -r .data.text", "print the text of alerts"),
    ),
    "videodb events tail": (
        ("videodb events tail -n 20", "show the last 20 events"),
        ("videodb events tail -f --channel transcript --final", "follow finished transcripts"),
    ),
    "videodb events filter": (
        ("videodb events filter --since 10m --channel transcript --final -r .data.text", "print what was said"),
        ("videodb events filter --channel alert -r '.data.label' | sort | uniq -c", "count alerts"),
    ),
    "videodb events wait": (
        ("videodb events wait --event exported --fail-on failed --timeout 120", "wait for the export"),
    ),
    "videodb events stats": (("videodb events stats --since 1h --by minute", "count the last hour by minute"),),
    "videodb events search": (
        ("videodb events search '\"access keys\"' --around 30s", "find a phrase, with what happened around it"),
        ("videodb events search 'rotat*' -draft", "find words by their beginning, without another word"),
    ),
    "videodb events transcript": (
        ("videodb events transcript --session last --format md > notes.md", "save the last session as Markdown"),
    ),
    "videodb events forward": (
        ("videodb events forward --to http://127.0.0.1:8080/events --channel alert", "POST alerts to a URL"),
        ("videodb events forward --exec ./on-event --cursor-file state --detach", "run a program for each event"),
    ),
    "videodb local": (
        ("videodb local start --detach", "start the service in the background"),
        ("videodb local trigger alert --text 'pager mentioned'", "send an alert to the listeners"),
        ("videodb local run -- python app.py", "run a program against the service"),
    ),
    "videodb local start": (("videodb local start --detach > .env", "start the service and save its address and key"),),
    "videodb local stop": (("videodb local stop", "stop the service and delete its recordings"),),
    "videodb events summary": (
        ("videodb events summary --since 30m", "what happened in the last half hour"),
        ("videodb events summary --session last --budget 800", "more of the newest session"),
    ),
    "videodb events report": (
        ("videodb events report --session last --open", "show a session in the browser"),
        ("videodb events report --since 2h -o report.html", "write the page to a file"),
    ),
    "videodb events prune": (("videodb events prune --older 30d --dry-run", "what would be removed"),),
    "videodb sessions": (
        ("videodb sessions", "list the sessions, the newest first"),
        ("videodb sessions open last", "open the newest recording"),
    ),
    "videodb sessions list": (("videodb sessions list --since 7d --json", "the sessions of the week, as JSON"),),
    "videodb sessions show": (("videodb sessions show last", "show the newest session"),),
    "videodb sessions open": (("videodb sessions open last", "open the newest recording in the browser"),),
    "videodb redact": (("videodb redact test notes.txt", "show what --redact would replace"),),
    "videodb redact test": (("videodb redact test notes.txt --redact secrets,email", "show secrets and addresses"),),
    "videodb completion": (
        ("videodb completion bash > ~/.videodb.bash", "write the script for bash; source it in ~/.bashrc"),
        ("videodb completion fish", "print the script for fish"),
    ),
    "videodb mcp": (
        ("videodb mcp", "serve an AI agent over stdin and stdout"),
        ("videodb mcp --http --port 8137", "serve agents of this machine over HTTP, with a token"),
    ),
    "videodb guide": (
        ("videodb guide", "how an AI agent uses this program"),
        ("videodb guide wait", "one topic of it"),
    ),
    "videodb skill": (("videodb skill install --for claude", "teach a coding agent to use this program"),),
    "videodb skill install": (("videodb skill install --for claude --dry-run", "show which files would be written"),),
    "videodb skill show": (("videodb skill show", "print SKILL.md"),),
    "videodb schema": (
        ("videodb schema event", "print the schema of a line of the log"),
        ("videodb schema status", "print the schema of what status --json answers"),
    ),
    "videodb local status": (("videodb local status --json", "show address, key and streams"),),
    "videodb local trigger": (
        ("videodb local trigger transcript --text 'hello' --count 3", "send three transcripts"),
        ("videodb local trigger capture_session.exported", "send the event that a session was exported"),
    ),
    "videodb local replay": (
        ("videodb local replay videodb_events.jsonl --speed 10", "send a log again, ten times as fast"),
    ),
    "videodb local env": (('eval "$(videodb local env --shell bash)"', "set the variables in this shell"),),
    "videodb local run": (("videodb local run -- python app.py", "run a program against the embedded service"),),
    "videodb local models": (("videodb local models install", "install the speech model"),),
    "videodb local models install": (("videodb local models install", "install the speech model"),),
    "videodb local models list": (("videodb local models list", "show which models are installed"),),
}

# Variables and files, for the man page of `videodb`.
ENVIRONMENT: Final = (
    ("VIDEO_DB_API_KEY", "API key. VIDEODB_API_KEY means the same."),
    ("VIDEO_DB_API", "Address of the service. VIDEO_DB_BASE_URL means the same."),
    ("VIDEODB_EVENTS_DIR", "Directory of the listener's files."),
    ("VIDEODB_LOCAL", "1 to use the embedded service, as --local does; 0 to override the configuration file."),
    ("VIDEODB_CONFIG", "Path of the configuration file."),
    ("VIDEODB_CLIENT_TOKEN", "Token for recording a session without an API key."),
    ("VIDEODB_DEBUG", "1 to show log records on stderr, as --verbose does."),
    ("VIDEODB_PAGER, PAGER", "Program that shows long output on a terminal."),
    ("NO_COLOR, FORCE_COLOR", "Never, or always, use colour."),
)
FILES: Final = (
    ("~/.config/videodb/config.toml", "Your settings; see videodb-config(1)."),
    ("./.env, ~/.videodb/.env", "API key and address of the service."),
    ("~/.local/state/videodb/videodb_events.jsonl", "The log: one JSON object on each line."),
)


def exit_statuses(path: str) -> str:
    """Return one line with the exit statuses of a command; an empty text if there is none, as for a group."""
    if path not in _STATUSES:
        return ""
    numbers, own = _STATUSES[path]
    return ", ".join(f"{number} {own.get(number, _MEANING[number])}" for number in numbers)

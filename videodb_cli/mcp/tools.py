"""The tools: name, what each is for, and whether it reads, changes or records."""

from __future__ import annotations

from dataclasses import dataclass, field

from videodb_cli.mcp import schemas
from videodb_cli.mcp.schemas import Schema


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as clients see it. ``records`` ones exist only on a server that may capture."""

    name: str
    title: str
    description: str
    takes: Schema = field(default_factory=lambda: schemas.arguments({}))
    gives: Schema = field(default_factory=lambda: schemas.ANSWER)
    reads_only: bool = True
    destroys: bool = False
    repeats_safely: bool = True
    reaches_out: bool = False
    records: bool = False


ALL: tuple[Tool, ...] = (
    Tool(
        "status",
        "Is the listener alive and hearing",
        "Whether a listener runs and hears, what arrived, gaps, and the capture that runs. Call it first.",
    ),
    Tool(
        "events_summary",
        "What happened, in a few hundred words",
        "What was said and seen, alerts, sessions and gaps, bounded: the first call of any question about what "
        "happened. It quotes the log and concludes nothing.",
        schemas.arguments(
            {**schemas.SELECTION, "budget_tokens": schemas.whole("Tokens at most; 400 by default.", 100, 4000)}
        ),
        schemas.result({"untrusted": schemas.untrusted({"summary": {"type": "object"}})}),
    ),
    Tool(
        "events_query",
        "Select events of the log",
        "Events that the flags select, oldest first, or what a jq program makes of each. Bounded: more and cursor tell "
        "how to go on. last gives the newest N.",
        schemas.arguments(
            {
                **schemas.SELECTION,
                "jq": schemas.text("A jq program for each event: {ts, text: .data.text}", most=16_384),
                "last": schemas.whole("Only the newest N.", 1, 10_000),
                "limit": schemas.whole("Only the first N.", 1, 1_000_000),
                "cursor": schemas.CURSOR,
                "max_bytes": schemas.MAX_BYTES,
            }
        ),
        schemas.QUERIED,
    ),
    Tool(
        "events_search",
        "Search what was said and seen",
        'Ranked full-text search, best first. Words, "exact phrases", prefix*, -not.',
        schemas.arguments(
            {
                "words": schemas.text("What to look for.", most=2000),
                **schemas.SELECTION,
                "limit": schemas.whole("The best N; 10 by default.", 1, 100),
                "max_bytes": schemas.MAX_BYTES,
            },
            "words",
        ),
        schemas.ITEMS,
    ),
    Tool(
        "events_wait",
        "Wait for an event",
        "Waits for events from now on, at most 50 s. Pass the cursor of each answer to the next call, and nothing is "
        "missed between them. With session or since, earlier events count too. timed_out: call again with the cursor.",
        schemas.arguments(schemas.WAIT),
        schemas.WAITED,
    ),
    Tool(
        "sessions",
        "Capture sessions of the log",
        "The capture sessions, the latest first: status, streams, and the exported video's id and URLs.",
        gives=schemas.ITEMS,
    ),
    Tool(
        "capture_channels",
        "What this machine can capture",
        "Microphones, displays, system audio and cameras. Nothing is recorded.",
        schemas.arguments({"source": schemas.text("A media file to look at instead.")}),
    ),
    Tool(
        "listen_start",
        "Start to listen",
        "Connects to VideoDB and writes every event into the log, in the background. One that runs is left alone. It "
        "records neither screen nor microphone.",
        schemas.arguments({"timeout_s": schemas.seconds("Wait so long for the connection; 30 by default.", 50.0)}),
        reads_only=False,
        reaches_out=True,
    ),
    Tool(
        "listen_stop",
        "Stop to listen",
        "Ends the listener: events that come later are not heard. The log stays.",
        reads_only=False,
        destroys=True,
    ),
    Tool(
        "capture_start",
        "RECORD this machine's screen and sound",
        "RECORDS the screen, microphone and system audio of this machine, or plays a file, into a capture session, "
        "until capture_stop. Ask the user before you record. Starts a listener if none runs.",
        schemas.arguments(schemas.CAPTURE),
        reads_only=False,
        repeats_safely=False,
        reaches_out=True,
        records=True,
    ),
    Tool(
        "capture_stop",
        "Stop RECORDING",
        "Ends the recording, waits for its export, and gives the id and URLs of the video.",
        schemas.arguments({"timeout_s": schemas.seconds("Wait so long for the export; 300 by default.", 900.0)}),
        reads_only=False,
        destroys=True,
        reaches_out=True,
        records=True,
    ),
    Tool(
        "help",
        "How to use videodb",
        "The guide, or one topic of it: listen, capture, wait, find, jq, security and others.",
        schemas.arguments({"topic": schemas.text("A topic; without one the overview.", most=40)}),
        schemas.TEXT,
    ),
)
_BY_NAME = {tool.name: tool for tool in ALL}


def served(*, allow_capture: bool) -> tuple[Tool, ...]:
    """Return the tools of a server, in an order that never changes."""
    return tuple(tool for tool in ALL if allow_capture or not tool.records)


def find(name: str) -> Tool | None:
    """Return the tool of this name, served or not."""
    return _BY_NAME.get(name)

"""Runs the whole path on one machine: embedded service, listener in the background, media, events, export.

All files are in a temporary directory, which is removed at the end unless the user wants to keep it.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import json
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from videodb_cli import mediafile
from videodb_cli.api.control_plane import ControlPlane
from videodb_cli.api.failures import BadRequestError
from videodb_cli.app.background_listener import ensure_listener
from videodb_cli.app.local_service import ensure_local, stop_local
from videodb_cli.app.stop_listener import stop_listener
from videodb_cli.errors import RefusedError, VideodbError
from videodb_cli.eventlog.read.decode import decode
from videodb_cli.eventlog.read.follow import Change, Follower
from videodb_cli.model import event as ev
from videodb_cli.process.orphan_guard import OrphanGuard
from videodb_cli.rundir.paths import RunDir
from videodb_cli.userpaths import absolute, temporary_directory

_POLL_S = 0.04
_STATUS_EVERY_S = 0.5
_ENDS_S = 5.0
_QUIET_S = 0.4
_PROMPT = "What is on screen?"


@dataclass(frozen=True, slots=True)
class Playing:
    """The media play. ``duration_s`` is None if the file does not tell it."""

    title: str
    directory: Path
    media_types: tuple[str, ...]
    duration_s: float | None


@dataclass(frozen=True, slots=True)
class HeardLine:
    """An event was logged, ``at_s`` seconds after the media began."""

    at_s: float
    event: ev.Event


@dataclass(frozen=True, slots=True)
class DemoProgress:
    """Time has passed."""

    at_s: float


@dataclass(frozen=True, slots=True)
class DemoResult:
    """The result. Latencies are medians in seconds, from the end of speech (or a new screen) to the line in the log.

    ``words_spoken`` is known for the bundled sample only; ``words_heard`` counts those of it that were recognised, or
    all recognised words. The rest is None unless everything is kept.
    """

    words_heard: int
    words_spoken: int | None
    screens: int
    events: int
    speech_latency_s: float | None
    screen_latency_s: float | None
    duration_s: float | None
    directory: Path | None
    player_url: str | None
    stream_url: str | None


DemoUpdate = Playing | HeardLine | DemoProgress | DemoResult


@dataclass(slots=True)
class _Collected:
    """What was heard so far."""

    words: list[str] = field(default_factory=list)
    speech_late_s: list[float] = field(default_factory=list)
    screen_late_s: list[float] = field(default_factory=list)
    events: int = 0

    def add(self, event: ev.Event) -> None:
        self.events += 1
        channel, data, received_at = ev.channel_of(event), ev.data_of(event), ev.received_at(event)
        if channel == "transcript" and ev.is_final(event):
            self.words += words_of(ev.text_of(event) or "")
            if (end := ev.seconds(data.get("end"))) is not None and received_at is not None:
                self.speech_late_s.append(received_at - end)
        elif channel == "visual_index":
            start = ev.seconds(data.get("start"))
            if start is not None and received_at is not None:
                self.screen_late_s.append(received_at - start)


def words_of(text: str) -> list[str]:
    """Return the words of a text, without case and punctuation."""
    return re.findall(r"[\w']+", text.lower())


def matching_words(heard: list[str], spoken: list[str]) -> int:
    """Return how many of the spoken words were heard, in their order."""
    matcher = difflib.SequenceMatcher(None, heard, spoken, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks())


async def iter_demo(media: Path | None, *, keep: bool) -> AsyncGenerator[DemoUpdate, None]:
    """Run the demo on a media file, or on the bundled sample, and tell what happens.

    Raises MissingDependencyError without the extra or the speech model, NotFoundError and RefusedError for a file that
    cannot be played. Close the iterator: that is what stops listener and service.
    """
    from videodb_cli.local import sample

    path, title = (media, media.name) if media is not None else (sample.VIDEO, "sample")
    media_types, duration_s = _look_at(path)
    path = absolute(path)
    try:
        directory = Path(tempfile.mkdtemp(prefix="videodb-demo-", dir=temporary_directory()))
    except OSError as error:
        raise RefusedError(f"cannot make a directory in {tempfile.gettempdir()}: {error.strerror}") from error
    kept = False
    # If the demo itself is killed, the guard kills what it started.
    guard = OrphanGuard()
    try:
        # Not in threads: after a Ctrl-C a thread could still start a process that nobody stops.
        service = ensure_local(directory, idle_exit_s=None, started_by="demo")
        guard.guard(service.address.pid)
        listener = ensure_listener(RunDir(directory), credentials=service.credentials)
        guard.guard(listener.pid)
        yield Playing(title, directory, media_types, duration_s)
        collected = _Collected()
        export: dict[str, Any] = {}
        async with ControlPlane(service.credentials) as calls:
            stream_id = await _start(calls, path, title, listener.connection_id, media_types)
            async for update in _follow(calls, stream_id, RunDir(directory).log, collected):
                yield update
            if keep:
                export = await calls.export_rtstream(stream_id, name=title)
        kept = keep
        spoken = words_of(_ground_truth(sample.GROUND_TRUTH)) if media is None else None
        yield _outcome(collected, spoken, duration_s, directory if keep else None, export)
    finally:
        with contextlib.suppress(VideodbError):
            stop_listener(RunDir(directory))
        if not kept:
            with contextlib.suppress(VideodbError):
                stop_local(directory)
            shutil.rmtree(directory, ignore_errors=True)
        guard.dismiss()


def _look_at(path: Path) -> tuple[tuple[str, ...], float | None]:
    """Open the media once, so that an error in it is reported before anything is started."""
    from videodb_cli.local import models
    from videodb_cli.local.host import require_packages
    from videodb_cli.local.media.source import open_source

    mediafile.check_file(path)
    require_packages()
    source = open_source(str(path))
    try:
        duration = source.container.duration
        duration_s = duration / 1_000_000 if duration else None
        mediafile.check_duration(path, duration_s)
        if "audio" in source.media_types:
            models.locate()
        return source.media_types, duration_s
    finally:
        source.container.close()


async def _start(calls: ControlPlane, path: Path, title: str, connection_id: str, media_types: tuple[str, ...]) -> str:
    """Let the service play the media and analyse them. Returns the id of the stream."""
    stream = await calls.create_rtstream(
        str(path), name=title, media_types=media_types, store=True, ws_connection_id=connection_id
    )
    stream_id = str(stream["id"])
    try:
        if "audio" in media_types:
            await calls.start_transcription(stream_id, ws_connection_id=connection_id)
        if "video" in media_types:
            await calls.start_visual_index(stream_id, prompt=_PROMPT, ws_connection_id=connection_id)
    except BadRequestError:
        if not await _ends_soon(calls, stream_id):
            raise
        raise RefusedError(
            f"{path} is over before anybody can listen to it.",
            code="too_short",
            hint="Give a file of a few seconds or more.",
        ) from None
    return stream_id


async def _ends_soon(calls: ControlPlane, stream_id: str) -> bool:
    """Tell whether a stream has ended or is ending."""
    deadline = time.monotonic() + _ENDS_S
    while (await calls.rtstream(stream_id)).get("status") != "stopped":
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_S)
    return True


async def _follow(
    calls: ControlPlane, stream_id: str, log: Path, collected: _Collected
) -> AsyncIterator[HeardLine | DemoProgress]:
    """Yield every event of the log until the stream has ended and all its events were logged."""
    began = time.monotonic()
    follower = Follower(log, private=True)
    next_look, ended_at = began, None
    try:
        while True:
            now = time.monotonic()
            for event in _news(follower):
                collected.add(event)
                yield HeardLine(time.monotonic() - began, event)
                ended_at = ended_at and now
            if ended_at is not None:
                # The service sends the last events before it changes the status; wait until no more come.
                if now - ended_at > _QUIET_S:
                    return
            elif now >= next_look:
                next_look = now + _STATUS_EVERY_S
                if (await calls.rtstream(stream_id)).get("status") == "stopped":
                    ended_at = time.monotonic()
            yield DemoProgress(now - began)
            await asyncio.sleep(_POLL_S)
    finally:
        follower.close()


def _news(follower: Follower) -> Iterator[ev.Event]:
    """Yield the events of the service that were added to the log."""
    for news in follower.poll():
        if isinstance(news, Change):
            continue
        for line in news.data.splitlines():
            event = decode(line)
            if isinstance(event, dict) and not ev.is_own(event):
                yield event


def _ground_truth(path: Path) -> str:
    spoken = json.loads(path.read_text(encoding="utf-8"))["spoken_text"]
    return str(spoken)


def _outcome(
    collected: _Collected,
    spoken: list[str] | None,
    duration_s: float | None,
    directory: Path | None,
    export: dict[str, Any],
) -> DemoResult:
    return DemoResult(
        words_heard=len(collected.words) if spoken is None else matching_words(collected.words, spoken),
        words_spoken=None if spoken is None else len(spoken),
        screens=len(collected.screen_late_s),
        events=collected.events,
        speech_latency_s=_median(collected.speech_late_s),
        screen_latency_s=_median(collected.screen_late_s),
        duration_s=duration_s,
        directory=directory,
        player_url=export.get("player_url"),
        stream_url=export.get("stream_url"),
    )


def _median(values: list[float]) -> float | None:
    return round(statistics.median(values), 3) if values else None

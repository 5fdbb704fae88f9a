"""Watches one session through two sources at once: its events in the log, and the control plane asked now and then.

Either alone is enough, so neither a deaf socket nor a service that does not answer can hang a capture.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from pathlib import Path
from typing import Final

import orjson

from videodb_cli.api.control_plane import ControlPlane
from videodb_cli.api.failures import KeyRefusedError, NoSuchThingError
from videodb_cli.capture.session import SessionState
from videodb_cli.errors import VideodbError
from videodb_cli.eventlog.read.follow import Change, Follower

log = logging.getLogger("videodb_cli.capture")
# Seconds between two looks: while something is awaited, and while all goes well.
_LOG_FAST_S: Final = 0.1
_LOG_CALM_S: Final = 0.5
_ASK_FAST_S: Final = 0.7
_ASK_CALM_S: Final = 10.0
_STREAMS_EVERY_S: Final = 0.5
_GONE_AFTER: Final = 3


class SessionWatch:
    """Feeds a `SessionState`. ``changed`` is set at each news; ``hurry`` makes it look often.

    ``by_key`` may be None on a machine that has only a client token. ``is_gone``: the service answers, again and again,
    that it knows no such session; ``refusal``: that it takes neither key nor token, and in what words.
    """

    def __init__(
        self,
        state: SessionState,
        log: Path,
        collection_id: str,
        *,
        by_key: ControlPlane | None,
        by_token: ControlPlane,
    ) -> None:
        self.state = state
        self.changed = asyncio.Event()
        self.trouble: str | None = None
        self.logged_status: str | None = None
        self.is_gone = False
        self.refusal: str | None = None
        self.streaming_id = state.session_id
        self._collection_id = collection_id
        self._backend: ControlPlane | None = by_key or by_token
        self._by_token = by_token
        # Opened now: what the service says from here on is ours to hear.
        self._follower = Follower(log, private=True, from_end=True)
        self._fast = asyncio.Event()
        self._fast.set()
        self._unknown = self._refused = 0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to look."""
        self._tasks = [
            asyncio.create_task(self._read_log(), name="session log"),
            asyncio.create_task(self._ask_again(), name="session poll"),
        ]

    async def close(self) -> None:
        """Stop looking. Idempotent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self._follower.close()

    def hurry(self, fast: bool) -> None:
        """Look often, because somebody waits; or now and then."""
        if fast:
            self._fast.set()
        else:
            self._fast.clear()

    def failure(self) -> BaseException | None:
        """Return what ended one of the two sources, which nothing should."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                return task.exception()
        return None

    # ---- the log -------------------------------------------------------------------------------------------------

    async def _read_log(self) -> None:
        wanted = self.state.session_id.encode()
        while True:
            with contextlib.suppress(VideodbError, OSError):
                for item in self._follower.poll():
                    if not isinstance(item, Change) and wanted in item.data:
                        self._take_lines(item.data, wanted)
            await asyncio.sleep(_LOG_FAST_S if self._fast.is_set() else _LOG_CALM_S)

    def _take_lines(self, data: bytes, wanted: bytes) -> None:
        for line in data.splitlines():
            if wanted not in line:
                continue
            try:
                event = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(event, dict) and self.state.on_event(event):
                log.debug("session %s is %s, says the log", self.state.session_id, self.state.status)
                self.logged_status = self.state.status
                self.changed.set()

    # ---- the control plane ---------------------------------------------------------------------------------------

    async def _ask_again(self) -> None:
        while True:
            await self.ask()
            if self._fast.is_set() or self._unknown or 0 < self._refused < _GONE_AFTER:
                await asyncio.sleep(_ASK_FAST_S)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ASK_CALM_S):
                    # What becomes urgent does not sit out the long pause.
                    await self._fast.wait()

    async def ask(self) -> None:
        """Ask once. A failure is only remembered: the other source goes on."""
        try:
            learnt = await self._ask()
            self.trouble = None
            self._unknown = self._refused = 0
            self.refusal = None
        except KeyRefusedError as error:
            self._refused += 1
            self.trouble = error.message
            learnt = self._refused == _GONE_AFTER
            if learnt:
                self.refusal = error.message
        except NoSuchThingError as error:
            self._unknown += 1
            self.trouble = error.message
            learnt = False
            if self._unknown >= _GONE_AFTER and not self.is_gone:
                self.is_gone = True
                self.changed.set()
        except VideodbError as error:
            self.trouble = error.message
            learnt = False
        if self.trouble is not None:
            log.debug("session %s: the service says: %s", self.state.session_id, self.trouble)
        if learnt:
            log.debug("session %s is %s, says the service", self.state.session_id, self.state.status)
            self.changed.set()

    async def wait_for_streams(self, count: int, within_s: float) -> None:
        """Ask until so many rtstreams are known, or the time is over: `active` need not name them all at once."""
        deadline = time.monotonic() + within_s
        while len(self.state.streams) < count:
            await self.ask()
            if len(self.state.streams) >= count or time.monotonic() >= deadline:
                return
            await asyncio.sleep(_STREAMS_EVERY_S)

    async def _ask(self) -> bool:
        if self._backend is not None:
            try:
                session = await self._backend.get_session(self._collection_id, self.state.session_id)
                return self.state.on_session(session)
            except NoSuchThingError:
                pass
            except KeyRefusedError:
                # A client token need not open the backend's view; the recorder's own is left.
                self._backend = None
        return self.state.on_streaming(await self._by_token.get_streaming(self.streaming_id))

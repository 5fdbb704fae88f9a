"""How the process that captures ends its capture: session, recorder, export, and the listener started for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from videodb_cli.api.failures import NoSuchThingError
from videodb_cli.capture.recorders.base import Recorder
from videodb_cli.capture.session_end import SessionEnd
from videodb_cli.capture.session_watch import SessionWatch
from videodb_cli.errors import RefusedError, VideodbError
from videodb_cli.rundir.capture_state import CaptureState, ReportedError
from videodb_cli.rundir.paths import RunDir

_STOPPED_S: Final = 60.0
_REFUSED_S: Final = 10.0
_EXPORT_S: Final = 1800.0
# The session is stopped first, but a service that does not answer must not keep the microphone open.
_RECORDER_WAITS_S: Final = 4.0


@dataclass(slots=True)
class CaptureEnd:
    """Ends one capture, in order or because it failed.

    Attributes:
        state: Says how far it is; ``publish`` writes it.
        session_end: Ends the session that ``watch`` watches.
        say: Gets one line for each thing that goes wrong.
    """

    state: CaptureState
    recorder: Recorder
    watch: SessionWatch
    session_end: SessionEnd
    say: Callable[[str], None]
    publish: Callable[[], Awaitable[None]]
    _began: float = field(default_factory=time.monotonic)
    _listener_may_go: bool = False

    def recording_began(self) -> None:
        """The recorder has only now begun: asking the user for permissions may have taken any time before it."""
        self._began = time.monotonic()

    async def orderly(self, *, stored: bool) -> None:
        """Stop session and recorder, and wait for the export if something is ``stored``.

        Raises:
            VideodbError: The session did not end in order, or its export did not come.
        """
        self.state.status = "stopping"
        self.watch.hurry(True)
        await self.publish()
        refused = await self._stop_both()
        limit_s = _STOPPED_S if refused is None else _REFUSED_S
        if not await self.session_end.wait_finished(limit_s):
            self.say(f"the service did not finish the session within {limit_s:g} s")
        self._raise_unfinished(refused)
        self.state.status = "stopped"
        await self.publish()
        if stored:
            await self.session_end.wait_exported(_EXPORT_S)
        if self.watch.state.status == "exported":
            self.state.status = "exported"
        self._listener_may_go = True
        if self.state.listener_started:
            await self.session_end.wait_logged()
        await self.publish()

    def _raise_unfinished(self, refused: VideodbError | None) -> None:
        session = self.watch.state
        if refused is not None and not session.is_finished:
            raise RefusedError(
                f"nothing is recorded here any more, but the service did not stop the session: {refused.message}",
                code="stop_refused",
                hint=f"stop session {self.state.session_id} with the key that made it",
            )
        if session.has_failed:
            code, message = session.error or ("failed", "the service does not say why")
            raise RefusedError(f"the service failed to finish the session: {message}", code=code)

    async def failed(self, error: VideodbError) -> None:
        """Leave nothing running: not at the service, not here. The state says why."""
        was_active = self.state.status in {"active", "stopping", "stopped"}
        self.say(f"failed: {error.message}")
        # Failed is said when nothing runs any more: whoever reads it may start anew.
        self.state.status, self.state.error = "stopping", ReportedError(error.code, error.message)
        await self.publish()
        refused = await self._stop_both()
        self.state.left_at_service = self._left(was_active=was_active, refused=refused)
        self.state.status = "failed"
        # The listener is to write down a failure of a capture that ran; a start that failed leaves nothing behind.
        self._listener_may_go = not was_active
        await self.publish()

    def _left(self, *, was_active: bool, refused: VideodbError | None) -> str | None:
        """What `capture stop` is to see to. What was never active has nothing to export."""
        if was_active and self.state.is_stored:
            return "export"
        return "session" if refused is not None and not isinstance(refused, NoSuchThingError) else None

    async def _stop_both(self) -> VideodbError | None:
        """Stop session, then recorder. Returns why the service did not stop the session, if so."""
        # The official recorder leaves a session stuck that is stopped right after it began.
        await asyncio.sleep(max(0.0, self.recorder.settle_s - (time.monotonic() - self._began)))
        asking = asyncio.create_task(self.session_end.stop(), name="session stop")
        try:
            await asyncio.wait({asking}, timeout=_RECORDER_WAITS_S)
            await self.recorder.stop()
            refused = await asking
        finally:
            asking.cancel()
        if refused is not None:
            self.say(f"the service did not stop the session: {refused.message}")
        return refused

    async def stop_listener(self, run_dir: RunDir) -> None:
        """End the listener that was started for this capture, unless it still has something to write down."""
        if self.state.listener_started and self._listener_may_go:
            from videodb_cli.app.stop_listener import stop_own_listener

            await asyncio.to_thread(stop_own_listener, run_dir, self.state.listener_pid)
            # Whoever listens here from now on is none of ours.
            self.state.listener_started = False

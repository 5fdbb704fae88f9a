"""How a session ends at the service: it is stopped, finishes, is exported, and its last event reaches the log.

Whoever ends a capture ends its session by this: the process that captures, and `capture stop` when that process is
gone. Every wait here has an end, whatever the service does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Final

from videodb_cli.api.control_plane import ControlPlane
from videodb_cli.api.failures import BadRequestError, KeyRefusedError, NoSuchThingError, RequestFailedError
from videodb_cli.capture.session_watch import SessionWatch
from videodb_cli.errors import RefusedError, TimedOutError, UnreachableError, VideodbError
from videodb_cli.rundir.capture_state import CaptureState

_STOP_TRIES: Final = 3
# A service that exports by itself says so soon; one that does not is asked to.
_ASK_EXPORT_AFTER_S: Final = 4.0
_EXPORT_EVERY_S: Final = 1.0
# An export without URLs is waited for so long: they come a little later.
_URLS_S: Final = 60.0
NOTHING_AFTER_S: Final = 30.0
# With a client token alone the export is the backend's affair.
_BACKENDS_S: Final = 10.0
_UNREACHABLE_S: Final = 45.0
# A listener that has to ask for it by REST needs some seconds more than the socket does.
_LAST_EVENT_S: Final = 8.0

log = logging.getLogger("videodb_cli.capture")


async def stop_at_service(session_id: str, token: ControlPlane | None, key: ControlPlane | None) -> VideodbError | None:
    """Stop a session at the service, with the token or, where that is refused, the key. Returns why it failed."""
    why: VideodbError = RefusedError("there is neither a token nor a key", code="no_key")
    for attempt in range(_STOP_TRIES):
        for plane in (token, key):
            if plane is None:
                continue
            try:
                await plane.stop_streaming(session_id)
            except (KeyRefusedError, NoSuchThingError) as error:
                why = error
            except RequestFailedError as error:
                why = error
                if error.status is not None and error.status < 500 and error.status != 429:
                    return why
                await asyncio.sleep(0.5 * 2**attempt)
                break
            except VideodbError as error:
                return error
            else:
                return None
        else:
            return why
    return why


class SessionEnd:
    """Ends the session that ``watch`` watches.

    Args:
        watch: A watch that has been started.
        capture: Whose session it is; only its names are read.
        token: The service as seen with the session's client token, if there is one.
        key: The service as seen with a key, if there is one.
        hurry: Once it is set, nothing is waited for any more.
    """

    def __init__(
        self,
        watch: SessionWatch,
        capture: CaptureState,
        *,
        token: ControlPlane | None,
        key: ControlPlane | None,
        hurry: asyncio.Event | None = None,
    ) -> None:
        self._watch = watch
        self._session = watch.state
        self._capture = capture
        self._token = token
        self._key = key
        self._hurry = hurry or asyncio.Event()

    async def stop(self) -> VideodbError | None:
        """Stop it, by the name under which the service streams it or by its own. Returns why that failed."""
        if self._session.is_over or self._watch.is_gone:
            return None
        session_id = self._capture.session_id
        name = self._capture.streaming_session_id or session_id
        why = await stop_at_service(name, self._token, self._key)
        # It answers, but not to this name: services differ in which of the two they stop.
        answers = isinstance(why, NoSuchThingError) or self._watch.trouble is None
        if why is not None and answers and name != session_id:
            why = await stop_at_service(session_id, self._token, self._key)
        log.debug("stopped session %s: %s", session_id, "yes" if why is None else f"{why.code}, {why.message}")
        return why

    async def wait_finished(self, limit_s: float | None = None) -> bool:
        """Wait until the streams make no more events. Returns whether it came to that, or to nothing, in time."""
        deadline = None if limit_s is None else time.monotonic() + limit_s
        while not self._session.is_finished and not self._hurry.is_set() and not self._watch.is_gone:
            if deadline is not None and time.monotonic() >= deadline:
                return False
            await asyncio.sleep(0.1)
        return True

    async def wait_exported(self, timeout_s: float, *, nothing_after_s: float = NOTHING_AFTER_S) -> None:
        """Wait until the session is exported, asking for the export if it does not come by itself.

        A client token may not be allowed to ask: then the export is the backend's affair, and only a short while is
        waited for it.

        Raises:
            RefusedError: The export failed, or is refused for longer than ``nothing_after_s``.
            TimedOutError: It has not come within ``timeout_s``.
            UnreachableError: The service is gone.
        """
        began = asked = reached = time.monotonic()
        may_ask = True
        while not self._hurry.is_set():
            now = time.monotonic()
            # A service that is gone must not keep a process waiting for half an hour.
            reached = now if self._watch.trouble is None else reached
            self._raise_export_failure(now - reached)
            waited = now - began
            is_exported = self._session.status == "exported"
            if is_exported and (self._session.export.stream_url or not may_ask or waited > _URLS_S):
                return
            if not may_ask and waited > _BACKENDS_S:
                return
            if waited > timeout_s:
                raise TimedOutError(
                    f"no export within {timeout_s:g} s", code="export_timeout", hint="videodb capture stop"
                )
            is_due = is_exported or waited > _ASK_EXPORT_AFTER_S
            if may_ask and is_due and now - asked > _EXPORT_EVERY_S:
                asked = now
                may_ask = await self._ask_for_export(is_late=waited > nothing_after_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    await self._hurry.wait()

    def _raise_export_failure(self, unreachable_s: float) -> None:
        if unreachable_s > _UNREACHABLE_S:
            raise UnreachableError(
                f"the service cannot be asked for the export: {self._watch.trouble}",
                code="export_unreachable",
                hint="videodb capture stop",
            )
        if self._session.has_failed:
            code, message = self._session.error or ("export_failed", "the service does not say why")
            raise RefusedError(f"the export failed: {message}", code=code)
        if self._watch.is_gone:
            raise RefusedError("the service no longer knows the session", code="session_gone")

    async def _ask_for_export(self, *, is_late: bool) -> bool:
        """Ask once. Returns whether it makes sense to ask again; raises RefusedError if there is nothing to export."""
        service, capture = self._key or self._token, self._capture
        if service is None:
            return False
        try:
            self._session.on_export(
                await service.export_session(
                    capture.collection_id or "default", capture.session_id, connection_id=capture.ws_connection_id
                )
            )
        except KeyRefusedError:
            return False
        except (BadRequestError, NoSuchThingError) as error:
            # Refused, not unreachable: after a while that is the answer.
            if self._session.status == "stopped" and is_late:
                raise RefusedError(f"nothing was exported: {error.message}", code="no_export") from None
        except VideodbError as error:
            log.debug("asked for the export of %s: %s, %s", capture.session_id, error.code, error.message)
        return True

    async def wait_logged(self) -> None:
        """Give the last event the time to reach the log: a listener of ours ends next."""
        deadline = time.monotonic() + _LAST_EVENT_S
        while self._watch.logged_status != self._session.status:
            if time.monotonic() >= deadline:
                return
            await asyncio.sleep(0.05)

"""The receivers of forwarded events: an HTTP endpoint, or a command that is started for each delivery."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import wait
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from videodb_cli import diagnostics
from videodb_cli.api.control_plane import answered_at, retry_after_s
from videodb_cli.app.forward.forwarder import Accepted, Delivery, Refused, Stop
from videodb_cli.app.forward.message import Message
from videodb_cli.errors import MissingDependencyError, UsageError
from videodb_cli.listener.backoff import Backoff
from videodb_cli.model import event as ev
from videodb_cli.network.errors import CannotReachError
from videodb_cli.network.failures import FINAL, reason_of
from videodb_cli.network.route import decide
from videodb_cli.process.environment import child_environment

if TYPE_CHECKING:
    import httpx

# 4xx means that the event is wrong, except for these, which ask for a later retry.
_TRY_AGAIN = frozenset((408, 425, 429))
_MAX_VARIABLE = 4096
_KILL_AFTER_S = 3.0
# When asked to end, wait so long for the delivery under way; if it is not accepted by then, the next run repeats it.
_CALL_GRACE_S = 2.0
_COMMAND_GRACE_S = 5.0
_LOOK_S = 0.1
_END_S = 2.0
_log = diagnostics.Logger("videodb_cli.app")


# Status, Retry-After, and what went wrong before there was a status.
_Answer = tuple[int, float | None, str | None]


class HttpTarget:
    """POSTs each delivery until it is accepted.

    ``on_trouble`` gets a sentence when deliveries begin to fail, when the reason changes, and when they work again.
    ``on_tried`` is called after each attempt. A proxy or certificate that cannot work raises one of
    `network.failures.FINAL`; after a first success, or after `persist`, that is retried like every other failure.
    """

    def __init__(
        self,
        url: str,
        *,
        stop: Stop,
        message: Message,
        timeout_s: float,
        on_trouble: Callable[[str], None],
        on_tried: Callable[[], None] = lambda: None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        try:
            parts = urlsplit(url)
            self.host = parts.hostname
        except ValueError:
            self.host = None
        if not self.host or parts.scheme not in {"http", "https"}:
            raise UsageError(f"not a URL to forward to: {url}", hint="--to https://example.org/events")
        self.name = self.host
        self._route = decide(url)
        self._url = url
        self._stop = stop
        self._message = message
        self._timeout_s = timeout_s
        self._on_trouble = on_trouble
        self._on_tried = on_tried
        self._uniform = uniform
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._persists = False

    def persist(self) -> None:
        """Retry every failure from now on, because nobody would see that the process ends."""
        self._persists = True

    def deliver(self, delivery: Delivery) -> Accepted | Refused:
        """POST the message of a delivery. 4xx (but 408, 425, 429) is a refusal, everything else is retried."""
        body = self._message.body(delivery)
        backoff = Backoff(uniform=self._uniform)
        said: str | None = None
        attempt = 0
        while True:
            attempt += 1
            self._stop.check()
            began = time.monotonic()
            status, retry_after, trouble = self._post_until_stopped(body, self._message.headers(delivery, body))
            _log_post(self.host, trouble or f"HTTP {status}", began, attempt, retry_after)
            self._on_tried()
            self._persists = self._persists or trouble is None
            if trouble is None and 200 <= status < 300:
                if said is not None:
                    self._on_trouble(f"{self.host} takes events again")
                return Accepted(str(status), time.monotonic() - began)
            if trouble is None and 400 <= status < 500 and status not in _TRY_AGAIN:
                # For plain http the proxy itself may have answered.
                return Refused(f"HTTP {status}" if self._route.is_tls else f"HTTP {status}{self._route.by}", status)
            trouble = trouble or f"HTTP {status}"
            if trouble != said:
                said = trouble
                self._on_trouble(f"{self.host}: {trouble}; trying again")
            self._stop.sleep(backoff.next_delay_s(retry_after))

    def close(self) -> None:
        """Close the connections. Idempotent."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        if self._client is not None:
            with contextlib.suppress(Exception):
                asyncio.run_coroutine_threadsafe(self._client.aclose(), loop).result(_END_S)
        loop.call_soon_threadsafe(loop.stop)

    def _post_until_stopped(self, body: bytes, headers: dict[str, str]) -> _Answer:
        """POST in a thread, so that a slow endpoint does not keep us from ending. Raises StoppedError."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, name="post", daemon=True).start()
        answer = asyncio.run_coroutine_threadsafe(self._post(body, headers), self._loop)
        try:
            while not answer.done():
                wait((answer,), timeout=_LOOK_S)
                if not answer.done():
                    self._stop.check_after(_CALL_GRACE_S)
            return answer.result()
        finally:
            answer.cancel()

    async def _post(self, body: bytes, headers: dict[str, str]) -> _Answer:
        import httpx

        from videodb_cli.network.client import new_client

        if self._client is None:
            # Redirects are not followed: events go only to the address that the user named.
            self._client = new_client(timeout=self._timeout_s)
        try:
            answer = await self._client.post(self._url, content=body, headers=headers)
        except FINAL as error:
            if not self._persists:
                raise
            return 0, None, str(error)
        except CannotReachError as error:
            return 0, None, str(error)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return 0, None, reason_of(error).replace(self._url, "…")
        retry_after = retry_after_s(answer.headers.get("retry-after"), answered_at(answer.headers.get("date")))
        return answer.status_code, retry_after, None


class CommandTarget:
    """Starts a command for each delivery, one at a time and without a shell.

    It gets the event on its stdin, and the main fields in its environment. It may take ``timeout_s`` seconds. An exit
    status other than 0 is a refusal, and there is no retry.
    """

    def __init__(self, command: str, *, stop: Stop, timeout_s: float) -> None:
        try:
            self._arguments = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"--exec {command}: {error}") from None
        if not self._arguments:
            raise UsageError("--exec needs a command")
        self.name = self._arguments[0]
        if shutil.which(self._arguments[0]) is None:
            raise MissingDependencyError(f"no such command: {self._arguments[0]}", code="no_command")
        self._stop = stop
        self._timeout_s = timeout_s

    def deliver(self, delivery: Delivery) -> Accepted | Refused:
        """Run the command once."""
        self._stop.check()
        began = time.monotonic()
        try:
            child = subprocess.Popen(
                self._arguments,
                stdin=subprocess.PIPE,
                env={**child_environment(), **_variables(delivery)},
                start_new_session=True,
            )
        except OSError as error:
            return Refused(f"cannot be started: {error.strerror}")
        if not self._has_ended(child, b"".join(line + b"\n" for line in delivery.lines)):
            _end(child)
            self._stop.check()
            return Refused(f"took longer than {self._timeout_s:g} s")
        took_s = time.monotonic() - began
        _log.debug("command (pid %d) ended with %d after %.0f ms", child.pid, child.returncode, took_s * 1000)
        if child.returncode == 0:
            return Accepted("exit 0", took_s)
        if child.returncode < 0:
            return Refused(f"ended by signal {-child.returncode}")
        return Refused(f"exit status {child.returncode}", child.returncode)

    def _has_ended(self, child: subprocess.Popen[bytes], content: bytes) -> bool:
        """Write to a command and wait for its end. Returns False if its time is up, or if we were asked to end."""
        give_up_at = time.monotonic() + self._timeout_s
        unsent: bytes | None = content
        while True:
            try:
                child.communicate(unsent, timeout=_LOOK_S)
            except subprocess.TimeoutExpired:
                # The next call continues to write the rest, and must not get the content again.
                unsent = None
                if self._stop.is_asked:
                    give_up_at = min(give_up_at, self._stop.asked_at + _COMMAND_GRACE_S)
                if time.monotonic() >= give_up_at:
                    return False
            else:
                return True

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


def _log_post(host: str | None, outcome: str, began: float, attempt: int, retry_after: float | None) -> None:
    """Log a delivery without the path of the URL, which is the secret of many webhooks."""
    asked = "" if retry_after is None else f", retry after {retry_after:g} s"
    took_ms = (time.monotonic() - began) * 1000
    _log.debug("POST to %s: %s after %.0f ms, attempt %d%s", host, outcome, took_ms, attempt, asked)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Terminate the whole process group, then kill it: a grandchild could keep the pipe open."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(OSError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.communicate(timeout=_KILL_AFTER_S)
            return


def _variables(delivery: Delivery) -> dict[str, str]:
    """Return fields of the event as environment variables, without zero bytes and not too long."""
    event = delivery.events[0]
    found = {
        "VIDEODB_CHANNEL": ev.channel_of(event),
        "VIDEODB_EVENT": event.get("event"),
        "VIDEODB_STREAM": ev.stream_of(event),
        "VIDEODB_STREAM_ID": ev.stream_id_of(event),
        "VIDEODB_SESSION": ev.session_of(event),
        "VIDEODB_TEXT": ev.text_of(event),
        "VIDEODB_TS": event.get("ts"),
        "VIDEODB_RECOVERED": "1" if ev.is_recovered(event) else "0",
        "VIDEODB_COUNT": str(len(delivery.events)),
        "VIDEODB_IDEMPOTENCY_KEY": delivery.key,
    }
    return {
        name: value.replace("\0", "")[:_MAX_VARIABLE].encode("utf-8", "replace").decode()
        for name, value in found.items()
        if isinstance(value, str)
    }

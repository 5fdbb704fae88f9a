"""Starts background processes of ours, and defines the messages between parent and child.

The parent starts ``videodb background KIND --dir DIR --ready-fd N``. The request is a JSON object on the child's stdin,
because an argument list can be read by every user of the machine. The child answers with one JSON line on the
descriptor: what it is ready with, or the error that ended it. It inherits no stdin, stdout or stderr of the caller, so
that ``x=$(videodb … --detach)`` returns.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson

from videodb_cli import diagnostics
from videodb_cli.errors import RefusedError, TimedOutError, UsageError, VideodbError

_END_TIMEOUT_S = 5.0
_LOOK_S = 0.1
_log = diagnostics.Logger("videodb_cli.process")


class NotReadyError(TimedOutError):
    """The process runs, but has not said in time that it is ready.

    Attributes:
        pid: The process that goes on.
    """

    default_code = "not_ready"

    def __init__(self, name: str, pid: int, timeout_s: float) -> None:
        super().__init__(f"the {name} was not ready within {timeout_s:g} s; it goes on as pid {pid}")
        self.pid = pid


@dataclass(frozen=True, slots=True)
class BackgroundJob:
    """What to run in the background.

    Attributes:
        kind: The argument of `videodb background`.
        name: What error messages call it.
        directory: The directory that it works for.
        request: What it is asked to do, as JSON values.
        log: Where its stdout and stderr go; errors name it.
        working_directory: Where it runs, if that is another directory.
        environment: Its environment; None inherits ours. Secrets travel here, never in the request.
        died: Returns the error for a process that ended without an answer, given a sentence and a hint.
    """

    kind: str
    name: str
    directory: Path
    log: Path
    request: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] | None = None
    working_directory: Path | None = None
    died: Callable[[str, str], VideodbError] = lambda sentence, hint: RefusedError(sentence, code="died", hint=hint)


@dataclass(frozen=True, slots=True)
class Started:
    """A background process, and the answer that it gave when it was ready."""

    pid: int
    answer: dict[str, Any]


def start(
    job: BackgroundJob, *, log_fd: int, timeout_s: float, while_waiting: Callable[[int], None] | None = None
) -> Started:
    """Starts a background process and waits until it is ready.

    Args:
        job: What to run.
        log_fd: An open descriptor of ``job.log``; the caller closes it.
        timeout_s: Seconds to wait for its answer.
        while_waiting: Called with its pid ten times a second. What it raises ends the wait, not the process.

    Raises:
        VideodbError: The error that ended the process, with its sentence, hint and exit status.
        NotReadyError: It did not answer in time, and goes on.
    """
    began = time.monotonic()
    ready, said = os.pipe()
    try:
        child = _spawn(job, log_fd, said)
    except BaseException:
        os.close(ready)
        raise
    finally:
        os.close(said)
    _log.debug("%s started in the background as pid %d, for %s", job.kind, child.pid, job.directory)
    try:
        look = None if while_waiting is None else (lambda: while_waiting(child.pid))
        answer, has_ended = _first_line(ready, timeout_s, look)
    except BaseException:
        child.returncode = 0
        raise
    finally:
        os.close(ready)
    outcome = "ready" if answer is not None and "error" not in answer else "not ready"
    _log.debug("%s (pid %d) %s after %.0f ms", job.kind, child.pid, outcome, (time.monotonic() - began) * 1000)
    status = None
    if has_ended or (answer is not None and "error" in answer):
        # It closed the pipe without an answer, or answered with an error and is about to end.
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = child.wait(timeout=_END_TIMEOUT_S)
    # The process is meant to outlive us: Popen must not warn about it.
    child.returncode = status if status is not None else 0
    if answer is not None and "error" in answer:
        raise VideodbError.from_wire(answer["error"])
    if answer is not None:
        return Started(child.pid, answer)
    if has_ended:
        shown = "" if status is None else f" with status {status}"
        raise job.died(f"the {job.name} ended at once{shown}", f"see {job.log}")
    raise NotReadyError(job.name, child.pid, timeout_s)


def _spawn(job: BackgroundJob, log_fd: int, said: int) -> subprocess.Popen[bytes]:
    # -P: the working directory must not be a place to import from.
    command = [sys.executable, "-P", "-m", "videodb_cli", "background", job.kind, "--dir", str(job.directory)]
    child = subprocess.Popen(
        [*command, "--ready-fd", str(said)],
        stdin=subprocess.PIPE,
        stdout=log_fd,
        stderr=log_fd,
        pass_fds=(said,),
        start_new_session=True,
        cwd=job.working_directory or job.directory,
        env=_environment(job),
    )
    # In a thread, because a long request does not fit into the pipe. No file, because the disk may be full.
    threading.Thread(target=_write, args=(child.stdin, orjson.dumps(dict(job.request))), daemon=True).start()
    return child


def _environment(job: BackgroundJob) -> dict[str, str] | None:
    """Return what the child inherits: it shows its log records if we do, and they go into its process log."""
    if not diagnostics.is_shown():
        return None if job.environment is None else dict(job.environment)
    return {**(os.environ if job.environment is None else job.environment), diagnostics.DEBUG_NAME: "1"}


def _write(pipe: IO[bytes], content: bytes) -> None:
    with contextlib.suppress(OSError), pipe:
        pipe.write(content)


def _first_line(fd: int, timeout_s: float, look: Callable[[], None] | None) -> tuple[dict[str, Any] | None, bool]:
    """Returns what the child said, and whether it closed the pipe without saying anything."""
    deadline = time.monotonic() + timeout_s
    received = b""
    while not received.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0:
            return None, False
        if look is not None:
            look()
        if not select.select([fd], [], [], left if look is None else min(left, _LOOK_S))[0]:
            continue
        chunk = os.read(fd, 65536)
        if not chunk:
            return None, True
        received += chunk
    message = orjson.loads(received)
    return (message, False) if isinstance(message, dict) else (None, True)


# ---- the child's end -----------------------------------------------------------------------------------------------


def read_request() -> dict[str, Any]:
    """Reads the request on stdin, and replaces stdin by /dev/null.

    Raises:
        UsageError: The request is not a JSON object.
    """
    with os.fdopen(os.dup(0), "rb") as file:
        content = file.read()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    try:
        request = orjson.loads(content)
    except ValueError:
        request = None
    if not isinstance(request, dict):
        raise UsageError("videodb background is started by other commands, with a request on its standard input")
    return request


class ReadyPipe:
    """Tells the parent once that the process is ready, or which error ended it. Does nothing without a descriptor."""

    def __init__(self, fd: int | None = None) -> None:
        self._fd = fd
        if fd is not None:
            os.set_inheritable(fd, False)

    @property
    def has_spoken(self) -> bool:
        """Whether the parent was told already, or there is none."""
        return self._fd is None

    def say(self, answer: Mapping[str, Any]) -> None:
        """Says that the process is ready. Later calls, and a parent that is gone, are ignored."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.write(self._fd, orjson.dumps(answer) + b"\n")
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = None

    @contextlib.contextmanager
    def telling_errors(self) -> Iterator[None]:
        """Tells the parent of an error of ours that leaves the block, and raises it on."""
        try:
            yield
        except VideodbError as error:
            self.say({"error": error.to_wire()})
            raise

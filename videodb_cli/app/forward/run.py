"""`videodb events forward`, without a terminal: one cursor, one target, in this process or in the background."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from videodb_cli.app.forward.dead_letters import DeadLetters
from videodb_cli.app.forward.forwarder import Accepted, Delivery, Forwarder, Refused, Stop, StoppedError
from videodb_cli.app.forward.message import Message
from videodb_cli.app.forward.signing import read_secrets
from videodb_cli.app.forward.targets import CommandTarget, HttpTarget
from videodb_cli.app.forward.templates import body_of
from videodb_cli.app.polled import polled
from videodb_cli.errors import ConflictError, UnreachableError
from videodb_cli.eventlog.log import EventLog
from videodb_cli.eventlog.matches import ReadOptions
from videodb_cli.eventlog.query.criteria import Criteria
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.cursor import Cursor
from videodb_cli.process import background
from videodb_cli.process.background import BackgroundJob
from videodb_cli.process.gc_tuning import tune_for_long_running
from videodb_cli.process.signals import ask_on_signals
from videodb_cli.process.start_token import current_start_token
from videodb_cli.rundir import process_log
from videodb_cli.rundir.lock import DirectoryLock, LockHeldError, holder, is_held
from videodb_cli.rundir.paths import RunDir

_START_TIMEOUT_S = 15.0
_LOOK_S = 0.2
# The members of a request that are paths.
_PATHS = ("cursor_file", "secret_file", "dead_letters")


@dataclass(frozen=True, slots=True)
class ForwardRequest:
    """What is forwarded, and where to.

    Attributes:
        url: POST events there; or
        command: start this for each of them.
        criteria: Which events.
        cursor_file: Stores how far it got; None forwards only events that come from now on.
        batch: Send up to so many events at once.
        limit: End after so many events.
        timeout_s: How long one call or command may take.
        recovered: Also forward events that were recovered long after they happened.
        secret_file: Sign each POST with the secrets of this file.
        template: What the body of a POST is: ``json``, ``slack``, ``discord``, or a path.
        dead_letters: Record what is refused there; by default beside the cursor.
        arguments: Instead of ``command``: its words.
        jq: Only events for which this program gives a result other than false and null.
        name: The route's name in messages.
    """

    url: str | None = None
    command: str | None = None
    criteria: Criteria = field(default_factory=Criteria)
    cursor_file: Path | None = None
    batch: int = 1
    limit: int | None = None
    timeout_s: float = 30.0
    recovered: bool = False
    secret_file: Path | None = None
    template: str = "json"
    dead_letters: Path | None = None
    arguments: tuple[str, ...] | None = None
    jq: str | None = None
    name: str = ""

    def to_json(self) -> dict[str, Any]:
        """Returns the request as JSON values."""
        paths = {name: None if getattr(self, name) is None else str(getattr(self, name)) for name in _PATHS}
        return {**asdict(self), "criteria": self.criteria._asdict(), **paths}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Reads what `to_json` returned."""
        paths = {name: None if fields[name] is None else Path(fields[name]) for name in _PATHS}
        arguments = None if fields["arguments"] is None else tuple(fields["arguments"])
        return cls(**{**fields, **paths, "criteria": Criteria(**fields["criteria"]), "arguments": arguments})


class ForwardObserver(Protocol):
    """The callbacks of a forwarder. ``on_ready``, set in the background only, gets the pid once."""

    on_ready: Callable[[int], None] | None

    def trouble(self, sentence: str) -> None:
        """The endpoint does not take events for now, or takes them again."""

    def accepted(self, delivery: Delivery, accepted: Accepted) -> None:
        """A delivery was accepted."""

    def refused(self, delivery: Delivery, why: str) -> None:
        """A delivery was refused for good and is passed over; ``why`` in words."""

    def broken(self, broken: BrokenLines) -> None:
        """Lines of the log could not be read."""


def run_forward(log: EventLog, request: ForwardRequest, observer: ForwardObserver, *, follow: bool = True) -> None:
    """Forwards events until a signal or the limit ends it; without ``follow``, until the end of what is there.

    It is ready after the first attempt to deliver, or when there is nothing to deliver. In the background it then
    retries every failure, because nobody would see that it ends.

    Raises:
        ConflictError: Another forwarder uses this cursor.
        UsageError: The URL, the command, the template or the secret file cannot be used.
    """
    stop = Stop()
    tune_for_long_running()
    with ask_on_signals(stop.ask):
        forward_until(stop, log, request, observer, follow=follow)


def forward_until(
    stop: Stop, log: EventLog, request: ForwardRequest, observer: ForwardObserver, *, follow: bool = True
) -> None:
    """Does what `run_forward` does, until ``stop``."""
    target: HttpTarget | CommandTarget

    def ready() -> None:
        if observer.on_ready is not None:
            observer.on_ready(os.getpid())
            if isinstance(target, HttpTarget):
                target.persist()

    target = _target_of(request, stop, observer, ready)
    accepts = _condition(request.jq, observer)
    with contextlib.closing(target), _alone(request.cursor_file):
        if request.url is None:
            ready()
        cursor = None if request.cursor_file is None else Cursor(request.cursor_file)
        forwarder = Forwarder(
            target,
            recovered=request.recovered,
            batch=request.batch,
            limit=request.limit,
            cursor=cursor,
            accepts=accepts,
            on_accepted=observer.accepted,
            on_refused=_recorder(request, target, observer),
        )
        from_now = follow and cursor is None and request.criteria.since is None
        options = ReadOptions(cursor=cursor, from_now=from_now, without_own=True)
        with (
            contextlib.suppress(StoppedError),
            log.read(request.criteria, options, follow=follow) as reading,
        ):
            batches = reading.matches.batches()
            for found in batches if follow else polled(batches, _LOOK_S):
                stop.check()
                if found is None:
                    continue  # nothing has come on standard input
                if found.is_news:
                    ready()
                forwarder.take(found)
                observer.broken(reading.matches.broken)
                if forwarder.is_done:
                    return


def _target_of(
    request: ForwardRequest, stop: Stop, observer: ForwardObserver, ready: Callable[[], None]
) -> HttpTarget | CommandTarget:
    if request.url is None:
        words = shlex.join(request.arguments) if request.arguments else request.command or ""
        return CommandTarget(words, stop=stop, timeout_s=request.timeout_s)
    secrets = () if request.secret_file is None else read_secrets(request.secret_file)
    return HttpTarget(
        request.url,
        stop=stop,
        message=Message(body_of(request.template, is_batch=request.batch > 1), secrets),
        timeout_s=request.timeout_s,
        on_trouble=observer.trouble,
        on_tried=ready,
    )


def _recorder(
    request: ForwardRequest, target: HttpTarget | CommandTarget, observer: ForwardObserver
) -> Callable[[Delivery, Refused], None]:
    """Returns what says and records that a delivery was refused."""
    path = request.dead_letters
    if path is None and request.cursor_file is not None:
        path = beside(request.cursor_file, ".refused")
    letters = None if path is None else DeadLetters(path, request.name or target.name)

    def refused(delivery: Delivery, why: Refused) -> None:
        observer.refused(delivery, why.why)
        if letters is not None:
            letters.add(delivery, why)

    return refused


def _condition(program: str | None, observer: ForwardObserver) -> Callable[[bytes], bool]:
    """Returns whether a jq program selects a line. An event on which it fails is not selected, and is said."""
    if program is None:
        return lambda _line: True
    from videodb_cli.eventlog.query.jq import Program

    compiled = Program(program)

    def selects(line: bytes) -> bool:
        run = compiled.run([line])
        if run.failures:
            observer.trouble(f"the jq program failed on an event, which is left out: {run.failures[0].message}")
        return any(result not in {"false", "null"} for result in run.results)

    return selects


def forward_in_background(run_dir: RunDir, request: ForwardRequest) -> int | None:
    """Starts a forwarder in the background and returns its pid. If one runs with this cursor, returns its pid.

    One that is not ready in time waits for the endpoint's first answer and counts as running. Raises the error that
    ended the process.
    """
    assert request.cursor_file is not None  # noqa: S101 - for the type checker: the command has seen to it
    if is_held(beside(request.cursor_file, ".lock")):
        return _holder(request.cursor_file)
    log = beside(request.cursor_file, ".log")
    job = BackgroundJob(
        "forward",
        "forwarder",
        run_dir.path,
        log,
        request.to_json(),
        working_directory=request.cursor_file.parent,
        died=lambda sentence, hint: UnreachableError(sentence, code="forward_ended", hint=hint),
    )
    try:
        with process_log.opened(log) as log_fd:
            return background.start(job, log_fd=log_fd, timeout_s=_START_TIMEOUT_S).pid
    except background.NotReadyError as waiting:
        return waiting.pid


def beside(cursor_file: Path, suffix: str) -> Path:
    """Returns the path of a file that belongs to a cursor."""
    return cursor_file.with_name(cursor_file.name + suffix)


def _alone(cursor_file: Path | None) -> contextlib.AbstractContextManager[object]:
    """Holds the cursor's lock: two forwarders with one cursor would forward everything twice."""
    if cursor_file is None:
        return contextlib.nullcontext()
    lock = DirectoryLock(beside(cursor_file, ".lock"))
    try:
        lock.acquire(current_start_token())
    except LockHeldError:
        pid = _holder(cursor_file) or "unknown"
        raise ConflictError(f"somebody forwards with this cursor already: pid {pid}", code="already_running") from None
    return lock


def _holder(cursor_file: Path) -> int | None:
    found = holder(beside(cursor_file, ".lock"))
    return None if found is None else found[0]

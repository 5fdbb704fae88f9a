"""Questions that wait for an endpoint: few at a time, bounded, each answered or given up, in the order of its lane."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from videodb_cli.local.describe.circuit import Circuit
from videodb_cli.local.describe.endpoint import EndpointError
from videodb_cli.local.describe.prompts import UnusableAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from videodb_cli.local.describe.endpoint import Endpoint
    from videodb_cli.local.describe.prompts import Messages

log = logging.getLogger(__name__)

MAX_WAITING: Final = 8
AT_ONCE: Final = 2
_KEEPS_UP_S: Final = 30.0  # without a dropped question, until the log says so


@dataclass(slots=True, eq=False)
class _Question:
    lane: str
    ask: Callable[[], Messages]
    read: Callable[[str], Any]
    tell: Callable[[Any], None]
    came_at: float
    is_settled: bool = False
    answer: Any = None


class AskQueue:
    """Asks an endpoint in the background. Used on one event loop.

    Each question is settled exactly once: with what ``read`` makes of the answer, or with None when the endpoint fails,
    is late or is behind; then whoever asked does without. Questions of one lane are settled in their order.
    """

    def __init__(self, endpoint: Endpoint, *, max_waiting: int = MAX_WAITING, at_once: int = AT_ONCE) -> None:
        self.answered = self.given_up = self.dropped = 0
        self._endpoint = endpoint
        self._max_waiting = max_waiting
        self._at_once = at_once
        self._circuit = Circuit(endpoint.options.place)
        self._waiting: deque[_Question] = deque()
        self._lanes: dict[str, deque[_Question]] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._unusable: set[str] = set()  # kinds of questions whose last answer had another form
        self._last_drop: float | None = None

    @property
    def reason(self) -> str | None:
        """Why the endpoint is not asked now; None while it answers."""
        return self._circuit.reason

    def ask(
        self, lane: str, ask: Callable[[], Messages], read: Callable[[str], Any], tell: Callable[[Any], None]
    ) -> None:
        """Ask what ``ask`` returns. ``tell`` gets what ``read`` returns, or None."""
        question = self._in_lane(lane, ask, read, tell)
        if not self._circuit.may_ask():
            self._settle(question, None)
            return
        if self._circuit.reason is not None:
            self._settle(question, None)  # it only tries whether the endpoint answers again: nobody waits for it
        self._waiting.append(question)
        if len(self._waiting) > self._max_waiting:
            self._drop(self._waiting.popleft())
        if sum(not worker.done() for worker in self._workers) < self._at_once:
            worker = asyncio.ensure_future(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    def pass_by(self, lane: str, answer: Any, tell: Callable[[Any], None]) -> None:
        """Tell ``answer`` without a question, after what is before it in the lane."""
        question = self._in_lane(lane, list, str, tell)
        question.is_settled, question.answer = True, answer
        self._advance(lane)

    async def close(self) -> None:
        """Give up every question, and close the endpoint."""
        for worker in list(self._workers):
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._waiting.clear()
        for lane in list(self._lanes.values()):
            for question in list(lane):
                if not question.is_settled:
                    self._settle(question, None)
        await self._endpoint.close()

    def _in_lane(self, lane: str, ask: Any, read: Any, tell: Any) -> _Question:
        question = _Question(lane, ask, read, tell, time.monotonic())
        self._lanes.setdefault(lane, deque()).append(question)
        return question

    async def _work(self) -> None:
        while self._waiting:
            question = self._waiting.popleft()
            if time.monotonic() - question.came_at > self._endpoint.options.timeout_s:
                self._drop(question)
                continue
            await self._answer(question)
        if self._last_drop is not None and time.monotonic() - self._last_drop >= _KEEPS_UP_S:
            self._last_drop = None
            log.warning("the endpoint %s keeps up again (%d dropped so far)", self._place, self.dropped)

    async def _answer(self, question: _Question) -> None:
        kind = question.read.__name__
        try:
            content = await self._endpoint.ask(question.ask())
            self._circuit.succeeded()
            answer = question.read(content)
        except EndpointError as error:
            self._circuit.failed(str(error), error.retry_after_s)
            self._settle(question, None)
            while self._waiting:
                self._settle(self._waiting.popleft(), None)
        except UnusableAnswerError as error:
            if kind not in self._unusable:
                self._unusable.add(kind)
                log.warning("the model %s of %s is not understood: %s", self._endpoint.model, self._place, error)
            self._settle(question, None)
        except Exception:
            log.exception("a question to an endpoint failed")
            self._settle(question, None)
        else:
            if kind in self._unusable:
                self._unusable.discard(kind)
                log.warning("the model %s of %s is understood again", self._endpoint.model, self._place)
            self._settle(question, answer)

    def _drop(self, question: _Question) -> None:
        self.dropped += 1
        if self._last_drop is None:
            log.warning("the endpoint %s is behind: the oldest questions are dropped", self._place)
        self._last_drop = time.monotonic()
        self._settle(question, None)

    def _settle(self, question: _Question, answer: Any) -> None:
        if question.is_settled:
            return
        if answer is None:
            self.given_up += 1
        else:
            self.answered += 1
        question.is_settled, question.answer = True, answer
        self._advance(question.lane)

    def _advance(self, lane: str) -> None:
        questions = self._lanes.get(lane)
        while questions and questions[0].is_settled:
            first = questions.popleft()
            if not questions:
                self._lanes.pop(lane, None)
            try:
                first.tell(first.answer)
            except Exception:
                log.exception("what an endpoint said could not be told")

    @property
    def _place(self) -> str:
        return self._endpoint.options.place

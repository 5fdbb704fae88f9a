"""Puts a model's words in the place of a record's text, and lets the model judge rules. Falls back to what there is."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from videodb_cli.local.describe.ask_queue import AskQueue
from videodb_cli.local.describe.endpoint import Endpoint
from videodb_cli.local.describe.prompts import (
    RuleAnswer,
    about_pictures,
    about_rule,
    about_speech,
    read_rule_answer,
    read_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from videodb_cli.local.analysis.base import AnalysisRecord
    from videodb_cli.local.describe.options import DescribeOptions
    from videodb_cli.settings import Secret


class Describer:
    """Describes records with the prompt of their index. Used on one event loop; nothing here waits for the endpoint."""

    def __init__(self, options: DescribeOptions, key: Secret | None = None) -> None:
        self._endpoint = Endpoint(options, key)
        self._queue = AskQueue(self._endpoint)
        self._pictures: dict[
            str, tuple[bytes, str]
        ] = {}  # of each job: the digest of the last pictures, and their words
        self._verdicts: dict[str, tuple[str, RuleAnswer]] = {}  # of each alert: what was judged last

    @property
    def model(self) -> str:
        """The name of the endpoint's model."""
        return self._endpoint.model

    def describe(
        self, job_id: str, prompt: str, record: AnalysisRecord, tell: Callable[[AnalysisRecord], None]
    ) -> None:
        """Hand ``record`` to ``tell``, with the model's words if it has some for it; in the order of the job."""
        pictures, said = record.pictures, str(record.detail.get("transcript") or "")
        digest = b"".join(sha256(picture).digest() for picture in pictures)
        record = replace(record, pictures=())

        def told(text: str | None) -> None:
            if text is not None:
                if pictures:
                    self._pictures[job_id] = (digest, text)
                tell(replace(record, text=text, model=self.model, is_minor=False))
            elif not record.is_minor:
                tell(record)

        if pictures:
            last = self._pictures.get(job_id)
            if last is not None and last[0] == digest:
                self._queue.pass_by(job_id, last[1], told)
            else:
                self._queue.ask(job_id, lambda: about_pictures(prompt, pictures), read_text, told)
        elif record.kind == "audio_index" and said:
            self._queue.ask(job_id, lambda: about_speech(prompt, said), read_text, told)
        else:
            self._queue.pass_by(job_id, None, told)

    def judge(
        self, alert_id: str, rule: str, observed: str, tell: Callable[[RuleAnswer | None], None], *, is_state: bool
    ) -> None:
        """Tell whether ``rule`` is met, None if the model does not say; in the order of the alert.

        ``is_state``: what was observed is a state that lasts, so that the same words need no second judgement.
        """
        last = self._verdicts.get(alert_id)
        if is_state and last is not None and last[0] == observed:
            self._queue.pass_by(alert_id, last[1], tell)
            return

        def told(verdict: RuleAnswer | None) -> None:
            if verdict is not None and is_state:
                self._verdicts[alert_id] = (observed, verdict)
            tell(verdict)

        self._queue.ask(alert_id, lambda: about_rule(rule, observed), read_rule_answer, told)

    def as_json(self) -> dict[str, object]:
        """Return what `videodb local status` shows."""
        options = self._endpoint.options
        return {
            "url": options.url,
            "model": options.model,
            "timeout_s": options.timeout_s,
            "state": "failing" if self._queue.reason is not None else "working",
            "reason": self._queue.reason,
            "answered": self._queue.answered,
            "given_up": self._queue.given_up,
            "dropped": self._queue.dropped,
        }

    async def close(self) -> None:
        """Tell what waits without the model's words."""
        await self._queue.close()

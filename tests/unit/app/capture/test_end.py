"""The end of a capture that runs: nothing is left running, and the state says what is left to do."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from videodb_cli.api.failures import BadRequestError
from videodb_cli.app.capture import end as capture_end
from videodb_cli.app.capture.end import CaptureEnd
from videodb_cli.capture.session import SessionState
from videodb_cli.capture.session_end import SessionEnd
from videodb_cli.errors import RefusedError
from videodb_cli.rundir.capture_state import CaptureState, ChannelState


class Silent:
    """A service that does not answer, until it is told to."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()

    async def stop_streaming(self, _: str) -> None:
        await self.answers.wait()


class Recording:
    """A recorder that remembers that it was stopped."""

    settle_s = 0.0

    def __init__(self) -> None:
        self.stopped = asyncio.Event()

    async def stop(self) -> None:
        self.stopped.set()


async def publish() -> None:
    """Write no state."""


def end_of(recorder: Any, service: Any, say: Any = print, state: CaptureState | None = None) -> CaptureEnd:
    state = state or CaptureState("cap-1", status="starting")
    watch: Any = SimpleNamespace(state=SessionState("cap-1"), trouble=None, is_gone=False)
    session_end = SessionEnd(watch, state, token=service, key=None)
    return CaptureEnd(state, recorder, watch, session_end, say=say, publish=publish)


async def test_a_service_that_does_not_answer_does_not_keep_the_recorder_recording(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capture_end, "_RECORDER_WAITS_S", 0.05)
    said: list[str] = []
    service, recorder = Silent(), Recording()
    failing = asyncio.create_task(end_of(recorder, service, said.append).failed(RefusedError("lost")))
    async with asyncio.timeout(10):
        await recorder.stopped.wait()
        assert not failing.done(), "the session is still being stopped"
        service.answers.set()
        await failing
    assert said == ["failed: lost"]


async def test_the_time_that_a_recorder_needs_runs_from_its_beginning() -> None:
    service, recorder = Silent(), Recording()
    service.answers.set()
    recorder.settle_s = 0.6
    end = end_of(recorder, service)
    # The user thinks about a permission.
    await asyncio.sleep(0.4)
    end.recording_began()
    began = time.monotonic()
    await end.failed(RefusedError("lost"))
    assert time.monotonic() - began >= 0.59


@pytest.mark.parametrize(
    ("status", "store", "refuses", "left"),
    [
        ("active", True, False, "export"),
        ("active", False, False, None),
        ("starting", True, False, None),
        ("starting", True, True, "session"),
        ("active", False, True, "session"),
    ],
)
async def test_what_a_failure_leaves_for_stop_to_see_to(
    status: str, store: bool, refuses: bool, left: str | None
) -> None:
    service: Any = Silent()
    service.answers.set()
    if refuses:

        async def refuse(_: str) -> None:
            raise BadRequestError("not now")

        service.stop_streaming = refuse
    state = CaptureState("cap-1", status=status, channels=[ChannelState("mic:file", store=store)])
    await end_of(Recording(), service, state=state).failed(RefusedError("lost"))
    assert state.status == "failed"
    assert state.unsettled == left

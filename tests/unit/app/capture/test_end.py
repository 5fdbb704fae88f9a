"""The wait for an export: it comes by itself, is asked for, refused, or its service is gone. It always ends."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from videodb_cli.api.failures import BadRequestError, KeyRefusedError, RequestFailedError
from videodb_cli.api.shapes import CaptureSession, Export
from videodb_cli.app.capture import end as capture_end
from videodb_cli.app.capture.end import CaptureEnd, wait_for_export
from videodb_cli.capture import info as capture_info
from videodb_cli.capture.channels import Channel
from videodb_cli.capture.info import CaptureInfo
from videodb_cli.capture.session import SessionState
from videodb_cli.errors import RefusedError, TimedOutError, UnreachableError, VideodbError
from videodb_cli.rundir.paths import RunDir

INFO = CaptureInfo("cap-1", "default", None, "file", ())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_ASK_EXPORT_AFTER_S", "_EXPORT_EVERY_S", "_BACKENDS_S", "_UNREACHABLE_S"):
        monkeypatch.setattr(capture_end, name, 0.05)


class Service:
    """Answers the export call with what it is given."""

    def __init__(self, answer: Export | VideodbError) -> None:
        self.answer = answer
        self.asked = 0

    async def export_session(self, *_: Any, **__: Any) -> Export:
        self.asked += 1
        if isinstance(self.answer, VideodbError):
            raise self.answer
        return self.answer


def stopped() -> SessionState:
    state = SessionState("cap-1")
    session = CaptureSession.read({"session_id": "cap-1", "status": "stopped"})
    assert session is not None
    state.on_session(session)
    return state


async def wait(
    service: Service, *, trouble: str | None = None, gone: bool = False, timeout_s: float = 20
) -> SessionState:
    watch: Any = SimpleNamespace(state=stopped(), trouble=trouble, is_gone=gone)
    plane: Any = service
    async with asyncio.timeout(10):
        await wait_for_export(watch, plane, INFO, timeout_s, asyncio.Event(), nothing_after_s=0.05)
    return watch.state


async def test_it_is_asked_for_and_comes() -> None:
    state = await wait(Service(Export("exported", "v1", "s", "p")))
    assert (state.status, state.export.video_id, state.export.stream_url) == ("exported", "v1", "s")


async def test_a_token_that_may_not_ask_leaves_it_to_the_backend() -> None:
    service = Service(KeyRefusedError("no"))
    assert (await wait(service)).status == "stopped"
    assert service.asked == 1


async def test_a_lasting_refusal_is_the_answer() -> None:
    with pytest.raises(RefusedError, match="nothing was exported: no recordings"):
        await wait(Service(BadRequestError("no recordings")))


async def test_a_service_that_is_gone_does_not_keep_us() -> None:
    with pytest.raises(UnreachableError):
        await wait(Service(RequestFailedError("refused")), trouble="connection refused")
    with pytest.raises(RefusedError, match="no longer knows"):
        await wait(Service(RequestFailedError("refused")), gone=True)


async def test_an_export_that_goes_on_for_ever_is_given_up() -> None:
    with pytest.raises(TimedOutError):
        await wait(Service(Export("exporting")), timeout_s=0.5)


async def test_an_export_that_fails_says_so() -> None:
    with pytest.raises(RefusedError, match="export failed"):
        await wait(Service(Export("failed")))


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


def end_of(tmp_path: Path, recorder: Any, service: Any, say: Any = print) -> CaptureEnd:
    watch: Any = SimpleNamespace(state=SessionState("cap-1"), trouble=None, is_gone=False)
    return CaptureEnd(RunDir(tmp_path), INFO, recorder, watch, None, service, say, asyncio.Event())


async def test_a_service_that_does_not_answer_does_not_keep_the_recorder_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_end, "_RECORDER_WAITS_S", 0.05)
    said: list[str] = []
    service, recorder = Silent(), Recording()
    failing = asyncio.create_task(
        end_of(tmp_path, recorder, service, said.append).failed(RefusedError("lost"), publish)
    )
    async with asyncio.timeout(10):
        await recorder.stopped.wait()
        assert not failing.done(), "the session is still being stopped"
        service.answers.set()
        await failing
    assert said == ["failed: lost"]


async def test_the_time_that_a_recorder_needs_runs_from_its_beginning(tmp_path: Path) -> None:
    service, recorder = Silent(), Recording()
    service.answers.set()
    recorder.settle_s = 0.6
    end = end_of(tmp_path, recorder, service)
    # The user thinks about a permission.
    await asyncio.sleep(0.4)
    end.recording_began()
    began = time.monotonic()
    await end.failed(RefusedError("lost"), publish)
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
    tmp_path: Path, status: str, store: bool, refuses: bool, left: str | None
) -> None:
    service: Any = Silent()
    service.answers.set()
    if refuses:

        async def refuse(_: str) -> None:
            raise BadRequestError("not now")

        service.stop_streaming = refuse
    info = CaptureInfo("cap-1", "default", None, "file", (Channel("mic:file", "mic", "a file", store=store),))
    info.status = status
    watch: Any = SimpleNamespace(state=SessionState("cap-1"), trouble=None, is_gone=False)
    recorder: Any = Recording()
    end = CaptureEnd(RunDir(tmp_path), info, recorder, watch, None, service, lambda _: None, asyncio.Event())
    await end.failed(RefusedError("lost"), publish)
    written = info.as_json(watch.state, {})
    assert written["status"] == "failed"
    assert capture_info.left_at_service(written) == left

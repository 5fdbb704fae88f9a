"""The wait for an export: it comes by itself, is asked for, refused, or its service is gone. It always ends."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from videodb_cli.api.failures import BadRequestError, KeyRefusedError, NoSuchThingError, RequestFailedError
from videodb_cli.api.shapes import CaptureSession, Export
from videodb_cli.capture import session_end
from videodb_cli.capture.session import SessionState
from videodb_cli.capture.session_end import SessionEnd
from videodb_cli.errors import RefusedError, TimedOutError, UnreachableError, VideodbError
from videodb_cli.rundir.capture_state import CaptureState

CAPTURE = CaptureState("cap-1", streaming_session_id="ss-1")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_ASK_EXPORT_AFTER_S", "_EXPORT_EVERY_S", "_BACKENDS_S", "_UNREACHABLE_S"):
        monkeypatch.setattr(session_end, name, 0.05)


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
        await SessionEnd(watch, CAPTURE, token=None, key=plane).wait_exported(timeout_s, nothing_after_s=0.05)
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


# ---- the stop --------------------------------------------------------------------------------------------------------


class Stoppable:
    """Stops sessions of one name only."""

    def __init__(self, name: str, why: VideodbError) -> None:
        self._name = name
        self._why = why
        self.asked: list[str] = []

    async def stop_streaming(self, name: str) -> None:
        self.asked.append(name)
        if name != self._name:
            raise self._why


def end_at(service: Stoppable, *, trouble: str | None = None, status: str = "active") -> SessionEnd:
    state = SessionState("cap-1")
    state.status = status
    watch: Any = SimpleNamespace(state=state, trouble=trouble, is_gone=False)
    token: Any = service
    return SessionEnd(watch, CAPTURE, token=token, key=None)


@pytest.mark.parametrize("name", ["ss-1", "cap-1"])
async def test_a_session_is_stopped_by_whichever_name_the_service_takes(name: str) -> None:
    service = Stoppable(name, NoSuchThingError("no such session"))
    assert await end_at(service).stop() is None
    assert service.asked[-1] == name


async def test_what_the_service_does_not_take_is_told() -> None:
    service = Stoppable("another", BadRequestError("not now"))
    assert isinstance(await end_at(service).stop(), BadRequestError)
    assert service.asked == ["ss-1", "cap-1"]


async def test_a_service_that_is_gone_is_not_asked_by_a_second_name() -> None:
    service = Stoppable("another", BadRequestError("not now"))
    assert await end_at(service, trouble="connection refused").stop() is not None
    assert service.asked == ["ss-1"]


async def test_a_session_that_ends_already_is_not_stopped_again() -> None:
    service = Stoppable("another", BadRequestError("not now"))
    assert await end_at(service, status="stopping").stop() is None
    assert service.asked == []


async def test_a_session_that_does_not_finish_is_not_waited_for_longer_than_asked() -> None:
    service = Stoppable("ss-1", BadRequestError("not now"))
    assert await end_at(service).wait_finished(0.05) is False
    assert await end_at(service, status="stopped").wait_finished(0.05) is True
